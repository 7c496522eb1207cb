/* SPDX-License-Identifier: Apache-2.0 */
/* net.c -- how a loop's turn begins; see net.h. */
#include "server/net/net.h"

#include "server/base/log.h"
#include "server/base/monotonic.h"
#include "server/os/clock.h"

#include <assert.h>
#include <stdlib.h>

/* The process stood still: what the other node has said meanwhile is read
 * before anything is judged by its silence. */
static void look_for_gap(ids_net *net) {
    uint64_t all_ms, gaps = ids_loop_clock_gaps(&all_ms);
    if (gaps == net->gaps)
        return;
    assert(gaps > net->gaps);
    net->gaps = gaps;
    if (net->worker->index == 0)
        ids_log(IDS_LOG_WARN,
                "this process stood still; deadlines wait for what came",
                "gaps=%llu all_ms=%llu", (unsigned long long)gaps,
                (unsigned long long)all_ms);
    if (net->repl)
        ids_repl_stood_still(net->repl, gaps, all_ms);
}

void ids_net_fini(ids_net *net) {
    free(net->sealing);
    net->sealing = NULL;
    idp_bytes_free(&net->http_scratch);
}

void ids_net_read_clock(ids_net *net) {
    uint64_t ns;
    uint64_t now_ms = ids_clock_at(ids_monotonic_read(&ns));
    ids_measures_read(&net->worker->measures, ns);
    if (now_ms > net->worker->now_ms)
        net->worker->now_ms = now_ms;
}

void ids_net_wake_up(ids_net *net) {
    if (net->awake)
        return;
    net->awake = true;
    net->shaken = 0;
    ids_mailbox_awake(net->mailbox);
    ids_net_read_clock(net);
    ids_measures_begin_turn(&net->worker->measures);
    ids_mailbox_turn(net->mailbox, net->worker->now_ms);
    look_for_gap(net);
}

bool ids_net_sleep(ids_net *net) {
    assert(net->awake);
    net->awake = false;
    return ids_mailbox_sleep(net->mailbox);
}
