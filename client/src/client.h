/* SPDX-License-Identifier: Apache-2.0 */
/* client.h -- what an idem_client is made of. */
#ifndef IDEM_CLIENT_H
#define IDEM_CLIENT_H

#include "client/src/args.h"
#include "client/src/fork.h"
#include "client/src/renew.h"
#include "client/src/shared_conn.h"
#include "client/src/watch.h"

struct idem_client {
    idem__uri uri;
    _Atomic uint32_t stop;       /* an idem__stop */
    _Atomic uint64_t generation; /* of the process that what follows is of */
    idem__selector selector;
    pthread_mutex_t lock; /* of the making of shared connections */
    _Atomic(idem__shared_conn *)
        conns[IDP_SHARDS_MAX]; /* made when first used */
    uint8_t nonce_base[IDEM__NONCE_BYTES];
    _Atomic uint64_t nonces_drawn;
    _Atomic uint64_t seed;
    idem__renewer renewer; /* of idem_run_once */
    idem__watch watch;
};

/* Makes it this process's, if it is a copy of another one's. 0, or what there
 * was not enough of. */
int32_t idem__client_take_over(idem_client *client, idem_error *err);
static inline int32_t idem__client_be_here(idem_client *client,
                                           idem_error *err) {
    uint64_t generation =
        atomic_load_explicit(&client->generation, memory_order_acquire);
    return idem__fork_is_copy(generation) ? idem__client_take_over(client, err)
                                          : 0;
}

/* idem_call; times: of the attempt that was answered. */
int32_t idem__client_call(idem_client *client, int32_t method,
                          const idem_args *args, idem_answer *answer,
                          idem_error *err, idem__times *times);

#endif
