/* SPDX-License-Identifier: Apache-2.0 */
/* methods.c -- each method by its name: idem_call with its number. */
#include "client/include/idemclient.h"

int32_t idem_acquire(idem_client *client, const idem_args *args,
                     idem_answer *answer, idem_error *err) {
    return idem_call(client, IDEM_ACQUIRE, args, answer, err);
}

int32_t idem_complete(idem_client *client, const idem_args *args,
                      idem_answer *answer, idem_error *err) {
    return idem_call(client, IDEM_COMPLETE, args, answer, err);
}

int32_t idem_release(idem_client *client, const idem_args *args,
                     idem_answer *answer, idem_error *err) {
    return idem_call(client, IDEM_RELEASE, args, answer, err);
}

int32_t idem_renew(idem_client *client, const idem_args *args,
                   idem_answer *answer, idem_error *err) {
    return idem_call(client, IDEM_RENEW, args, answer, err);
}

int32_t idem_peek(idem_client *client, const idem_args *args,
                  idem_answer *answer, idem_error *err) {
    return idem_call(client, IDEM_PEEK, args, answer, err);
}

int32_t idem_ping(idem_client *client, const idem_args *args,
                  idem_answer *answer, idem_error *err) {
    return idem_call(client, IDEM_PING, args, answer, err);
}

int32_t idem_stats(idem_client *client, const idem_args *args,
                   idem_answer *answer, idem_error *err) {
    return idem_call(client, IDEM_STATS, args, answer, err);
}
