/* SPDX-License-Identifier: Apache-2.0 */
/* client_life.c -- how an idem_client begins, ends, and begins anew in a child
 * of a fork. What its calls do is in client.c. */
#include <string.h>

#include "client/src/client.h"
#include "client/src/error.h"
#include "client/src/handshake.h"
#include "client/src/mem.h"

/* ------------------------------------------------ which process's it is */

/* What is one process's alone: its place among the servers, locks, a thread,
 * and what nonces and pauses are drawn from. */
static int32_t make_client(idem_client *client, idem_error *err) {
    uint64_t seed = 0;
    idem__selector_init(&client->selector, &client->uri);
    client->selector.stop = &client->stop;
    client->selector.watch = &client->watch;
    idem__watch_init(&client->watch);
    pthread_mutex_init(&client->lock, NULL);
    idem__renewer_init(&client->renewer, client);
    atomic_store(&client->nonces_drawn, 0);
    if (!idem__random(&seed, sizeof seed) ||
        !idem__random(client->nonce_base, IDEM__NONCE_BYTES))
        return idem__fail(err, IDEM_E_MEMORY, "the system has no randomness");
    atomic_store(&client->seed, seed);
    atomic_store(&client->generation, idem__fork_here());
    return 0;
}

/* A child has the parent's client, as it stood: its shared connections are left
 * behind. */
int32_t idem__client_take_over(idem_client *client, idem_error *err) {
    int32_t code = 0;
    uint64_t here = idem__fork_here();
    idem__fork_lock();
    if (atomic_load(&client->generation) != here) {
        for (uint32_t i = 0; i < IDP_SHARDS_MAX; i++) {
            idem__shared_conn *conn = atomic_exchange(&client->conns[i], NULL);
            if (conn != NULL)
                idem__shared_conn_leave(conn);
        }
        code = make_client(client, err);
    }
    idem__fork_unlock();
    return code;
}

int32_t idem_client_open(const char *uri, idem_client **client,
                         idem_error *err) {
    *client = NULL;
    idem_client *made = idem__calloc(sizeof *made);
    if (made == NULL)
        return idem__fail(err, IDEM_E_MEMORY, "no memory for a client");
    int32_t code = idem__uri_parse(uri, &made->uri, err);
    if (code == 0 && !idem__fork_watch())
        code = idem__fail(err, IDEM_E_MEMORY, "no memory for a client");
    if (code == 0)
        code = make_client(made, err);
    if (code != 0) {
        idem__uri_fini(&made->uri);
        idem__free(made);
        return code;
    }
    *client = made;
    return 0;
}

void idem_client_close(idem_client *client) {
    if (client == NULL)
        return;
    (void)idem__client_be_here(client, NULL);
    atomic_store(&client->stop, IDEM__STOP_ALL);
    idem__renewer_fini(&client->renewer);
    for (uint32_t i = 0; i < IDP_SHARDS_MAX; i++) {
        idem__shared_conn *conn = atomic_load(&client->conns[i]);
        if (conn == NULL)
            continue;
        idem__shared_conn_fini(conn);
        idem__free(conn);
    }
    idem__selector_fini(&client->selector);
    pthread_mutex_destroy(&client->lock);
    idem__uri_fini(&client->uri);
    idem__free(client);
}

void idem_client_shutdown(idem_client *client) {
    uint32_t before = IDEM__GO_ON;
    if (client != NULL)
        atomic_compare_exchange_strong(&client->stop, &before,
                                       IDEM__STOP_CALLS);
}
