/* SPDX-License-Identifier: Apache-2.0 */
/* names.c -- the words of the wire for the codes of the public header, and
 * what the library says of itself. */
#include <assert.h>
#include <time.h>

#include "client/include/idemclient.h"
#include "proto/reply.h"

/* Public codes are the protocol's, each in a range of its own. */
static_assert(IDEM_RECORD - IDEM_ACQUIRED == IDP_OUTCOME_RECORD, "same order");
static_assert(IDEM_NO_RECORD - IDEM_ACQUIRED == IDP_OUTCOME_UNKNOWN, "order");
static_assert(IDEM_STATE_RELEASED - IDEM_STATE_ABSENT ==
                  (int)IDP_STATE_RELEASED,
              "same order");
static_assert(IDEM_PREVIOUS_RELEASED - IDEM_PREVIOUS_NONE ==
                  (int)IDP_PREVIOUS_RELEASED,
              "same order");
static_assert(IDEM_CLASS_ERROR - IDEM_CLASS_SUCCESS == (int)IDP_CLASS_ERROR,
              "same order");
static_assert(IDEM_TOKEN_BYTES == IDP_TOKEN_BYTES, "same size");
static_assert(IDEM_NONCE_BYTES_MAX == IDP_NONCE_BYTES_MAX, "same size");
static_assert(IDEM_KEY_BYTES_MAX == IDP_KEY_BYTES_MAX, "same size");

#define TEXT_OF(number) #number
#define TEXT(number)    TEXT_OF(number)

const char *idem_version(void) {
    return TEXT(IDEM_VERSION_MAJOR) "." TEXT(IDEM_VERSION_MINOR) "." TEXT(
        IDEM_VERSION_PATCH);
}

uint64_t idem_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

const char *idem_outcome_name(int32_t outcome) {
    switch (outcome) {
    case IDEM_PONG:
        return "pong";
    case IDEM_COUNTERS:
        return "counters";
    case IDEM_LEFT:
        return "left";
    case IDEM_RECORD:
        return "record";
    default:
        break;
    }
    if (outcome < IDEM_ACQUIRED || outcome > IDEM_RECORD)
        return "";
    return idp_outcome_name((idp_outcome)(outcome - IDEM_ACQUIRED));
}

const char *idem_state_name(int32_t state) {
    if (state < IDEM_STATE_ABSENT || state > IDEM_STATE_RELEASED)
        return "";
    return idp_state_name((idp_state)(state - IDEM_STATE_ABSENT));
}

const char *idem_previous_name(int32_t previous) {
    if (previous < IDEM_PREVIOUS_NONE || previous > IDEM_PREVIOUS_RELEASED)
        return "";
    return idp_previous_name((idp_previous)(previous - IDEM_PREVIOUS_NONE));
}

const char *idem_class_name(int32_t result_class) {
    if (result_class < IDEM_CLASS_SUCCESS || result_class > IDEM_CLASS_ERROR)
        return "";
    return idp_class_name((idp_class)(result_class - IDEM_CLASS_SUCCESS));
}
