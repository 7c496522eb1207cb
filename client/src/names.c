/* names.c -- the words of the wire for the codes of the public header, and
 * what the library says of itself. */
#include <assert.h>
#include <time.h>

#include "client/include/idemclient.h"
#include "proto/reply.h"

/* Public outcomes are the protocol's plus one, so that zero is none. */
static_assert(IDEM_ACQUIRED == IDP_OUTCOME_ACQUIRED + 1, "same order");
static_assert(IDEM_RECORD == IDP_OUTCOME_RECORD + 1, "same order");
static_assert(IDEM_STATE_RELEASED == (int)IDP_STATE_RELEASED, "same order");
static_assert(IDEM_PREVIOUS_RELEASED == (int)IDP_PREVIOUS_RELEASED, "order");
static_assert(IDEM_ERROR == (int)IDP_CLASS_ERROR, "same order");
static_assert(IDEM_REPORT == (int)IDP_REPORT, "same order");
static_assert(IDEM_TOKEN_BYTES == IDP_TOKEN_BYTES, "same size");
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
        return "unknown";
    return idp_outcome_name((idp_outcome)(outcome - 1));
}

const char *idem_state_name(int32_t state) {
    if (state < 0 || state >= (int32_t)IDP_STATE_COUNT)
        return "unknown";
    return idp_state_name((idp_state)state);
}

const char *idem_previous_name(int32_t previous) {
    if (previous < 0 || previous > IDEM_PREVIOUS_RELEASED)
        return "unknown";
    return idp_previous_name((idp_previous)previous);
}

const char *idem_class_name(int32_t result_class) {
    if (result_class < 0 || result_class > IDEM_ERROR)
        return "unknown";
    return idp_class_name((idp_class)result_class);
}
