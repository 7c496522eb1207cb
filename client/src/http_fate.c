/* SPDX-License-Identifier: Apache-2.0 */
/* http_fate.c -- what becomes of a claim whose request has an answer, or has
 * none: the one table of statuses. Pure.
 *
 * proto/vectors/http_statuses.json is this table as data, and a test compares
 * the two. */
#include <stdbool.h>

#include "client/include/idemclient_http.h"

/* What a client is told to do otherwise, or later, before the handler could
 * have had its say: never worth a replay. */
static bool is_released(int32_t status) {
    switch (status) {
    case 401: /* who are you */
    case 407: /* who are you, says a proxy */
    case 408: /* the request did not come whole */
    case 413: /* it is too large */
    case 415: /* nobody reads this type here */
    case 421: /* nobody serves this host here */
    case 425: /* too early */
    case 429: /* too often */
    case 431: /* too much of a head */
        return true;
    default:
        return false;
    }
}

/* What is no IDEM_HTTP_ of these is left: nothing is done twice for it. */
static int32_t of_error(int32_t on_error) {
    if (on_error == 0 || on_error == IDEM_HTTP_STORE)
        return IDEM_HTTP_STORE;
    return on_error == IDEM_HTTP_RELEASE ? IDEM_HTTP_RELEASE : IDEM_HTTP_LEAVE;
}

int32_t idem_http_fate(int32_t status, int32_t origin, int32_t on_error) {
    switch (origin) {
    case IDEM_HTTP_BEFORE:
    case IDEM_HTTP_RETRYABLE:
    case IDEM_HTTP_UNSENT:
        return IDEM_HTTP_RELEASE;
    case IDEM_HTTP_HANDLER:
        break;
    default:
        return IDEM_HTTP_LEAVE;
    }
    if (is_released(status))
        return IDEM_HTTP_RELEASE;
    if (status >= 500 && status <= 599)
        return of_error(on_error);
    return status >= 200 && status <= 499 ? IDEM_HTTP_STORE : IDEM_HTTP_LEAVE;
}

int32_t idem_http_may_pass(int32_t code) {
    switch (code) {
    case IDEM_E_MEMORY:
    case IDEM_E_CONNECT:
    case IDEM_E_TIMEOUT_UNSENT:
    case IDEM_E_CLOSED:
    case IDEM_E_BUSY:
    case IDEM_E_CHANGES_WAIT:
    case IDEM_E_TIMEOUT:
    case IDEM_E_LOST:
        return 1;
    default:
        return 0;
    }
}
