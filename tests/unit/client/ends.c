/* SPDX-License-Identifier: Apache-2.0 */
/* ends.c -- see ends.h. */
#include "tests/unit/client/ends.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/client/fake.h"

struct ends_server {
    fake_server *fake;
    _Atomic int renewals[256];
    _Atomic int settled[256];
};

static void answer(void *ctx, uint64_t link, const idp_request *request,
                   fake_reply *reply) {
    ends_server *server = ctx;
    uint8_t key = request->key.ptr[0];
    (void)link;
    *reply = (fake_reply){.action = FAKE_ANSWER, .answer = fake_acquired(key)};
    reply->answer.lease_ms = 60;
    if (request->method == IDP_RENEW) {
        reply->answer.outcome = IDP_OUTCOME_RENEWED;
        atomic_fetch_add(&server->renewals[key], 1);
    } else if (request->method != IDP_ACQUIRE) {
        reply->answer.outcome = request->method == IDP_COMPLETE
                                    ? IDP_OUTCOME_COMPLETED
                                    : IDP_OUTCOME_RELEASED;
        atomic_fetch_add(&server->settled[key], 1);
    }
}

ends_server *ends_start(void) {
    ends_server *server = calloc(1, sizeof *server);
    fake_config config = {.script = answer, .ctx = server};
    server->fake = fake_start(&config);
    return server;
}

const char *ends_uri(ends_server *server) {
    return fake_uri(server->fake, "timeout_ms=60000");
}

void ends_stop(ends_server *server) {
    fake_stop(server->fake);
    free(server);
}

int ends_renewals(ends_server *server, char key) {
    return atomic_load(&server->renewals[(uint8_t)key]);
}

int ends_settled(ends_server *server, char key) {
    return atomic_load(&server->settled[(uint8_t)key]);
}

void ends_await_renewals(ends_server *server, char key, int more) {
    int until = ends_renewals(server, key) + more;
    while (ends_renewals(server, key) < until)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}
