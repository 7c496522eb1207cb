/* SPDX-License-Identifier: Apache-2.0 */
/* client.c -- all that the agent asks of etcd, and each compare both ways. */
#include "tests/etcd/etcd_process.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static etcd_process etcd;

static bool same_group(const ids_group *a, const ids_group *b) {
    bool same = strcmp(a->id.text, b->id.text) == 0 && a->epoch == b->epoch &&
                a->isr_count == b->isr_count && a->why == b->why &&
                strcmp(a->by.text, b->by.text) == 0;
    for (uint32_t i = 0; same && i < a->isr_count; i++)
        same = ids_group_same_member(&a->isr[i], &b->isr[i]) &&
               ids_endpoint_same(&a->isr[i].at, &b->isr[i].at);
    return same && ids_group_same_member(&a->primary, &b->primary);
}

/* --- the record ------------------------------------------------------------
 */

static void nothing_is_there(ids_etcd *client) {
    ids_etcd_answer read = etcd_read(client);
    CHECK(read.view.revision == 0 && read.view.cluster != 0);
    CHECK(read.view.group.isr_count == 0 && read.view.alive_count == 0);
    /* A revision where there is no key. */
    ids_group group = etcd_group(1, 50);
    ids_etcd_answer put = etcd_put(client, &group, 1);
    CHECK(put.outcome == IDS_ETCD_OK && !put.done && put.view.revision == 0);
    CHECK(etcd_read(client).view.revision == 0);
}

static void created_once(ids_etcd *client) {
    ids_group first = etcd_group(5, 100), other = etcd_group(2, 101);
    ids_etcd_answer put = etcd_put(client, &first, 0);
    CHECK(put.outcome == IDS_ETCD_OK && put.done && put.view.revision > 0);
    CHECK(same_group(&put.view.group, &first));
    ids_etcd_answer again = etcd_put(client, &other, 0);
    CHECK(again.outcome == IDS_ETCD_OK && !again.done);
    CHECK(again.view.revision == put.view.revision);
    CHECK(same_group(&again.view.group, &first));
    ids_etcd_answer read = etcd_read(client);
    CHECK(same_group(&read.view.group, &first));
}

static void changed_by_its_revision(ids_etcd *client) {
    ids_etcd_answer read = etcd_read(client);
    uint64_t revision = read.view.revision;
    ids_group next = etcd_group(2, (1ull << 53) - 1);
    next.why = IDS_GROUP_TAKEOVER;
    const uint64_t wrong[] = {revision - 1, revision + 1, UINT64_C(1) << 62};
    for (int i = 0; i < 3; i++) {
        ids_etcd_answer put = etcd_put(client, &next, wrong[i]);
        CHECK(put.outcome == IDS_ETCD_OK && !put.done);
        CHECK(put.view.revision == revision);
        CHECK(same_group(&put.view.group, &read.view.group));
    }
    ids_etcd_answer put = etcd_put(client, &next, revision);
    CHECK(put.outcome == IDS_ETCD_OK && put.done);
    CHECK(put.view.revision > revision && same_group(&put.view.group, &next));
    CHECK(put.view.cluster == read.view.cluster);
    /* The same text again is another revision: that is what T4 is. */
    uint64_t before = put.view.revision;
    next.epoch--;
    put = etcd_put(client, &next, before);
    CHECK(put.done && put.view.revision > before);
    CHECK(etcd_read(client).view.revision == put.view.revision);
}

/* --- leases ----------------------------------------------------------------
 */

static uint64_t lease_of(ids_etcd *client) {
    ids_agent_act act = {.kind = IDS_AGENT_GRANT};
    ids_etcd_answer answer = etcd_ask_until(client, &act, IDS_ETCD_OK);
    CHECK(answer.lease != 0);
    return answer.lease;
}

/* The lease may end on a machine that is slow: then from the begin. */
static void alive(ids_etcd *client) {
    ids_agent_act act = {.kind = IDS_AGENT_ALIVE,
                         .incarnation = 0xffffffffffffffffu};
    for (;;) {
        act.lease = lease_of(client);
        ids_etcd_answer put = etcd_ask(client, &act);
        ids_group_view view = etcd_read(client).view;
        if (put.outcome == IDS_ETCD_OK && view.alive_count == 1) {
            CHECK(put.lease == act.lease);
            CHECK(view.alive[0].incarnation == act.incarnation);
            CHECK(strcmp(view.alive[0].node.text, "a") == 0);
            return;
        }
    }
}

static void renewed(ids_etcd *client) {
    ids_agent_act act = {.kind = IDS_AGENT_KEEPALIVE};
    ids_etcd_answer answer;
    do {
        act.lease = lease_of(client);
        answer = etcd_ask_until(client, &act, IDS_ETCD_OK);
    } while (answer.lease == 0);
    CHECK(answer.lease == act.lease);
}

static void gone_lease(ids_etcd *client) {
    ids_agent_act act = {.kind = IDS_AGENT_KEEPALIVE, .lease = 4711};
    ids_etcd_answer answer = etcd_ask_until(client, &act, IDS_ETCD_OK);
    CHECK(answer.lease == 0);
    act = (ids_agent_act){
        .kind = IDS_AGENT_ALIVE, .lease = 4711, .incarnation = 5};
    answer = etcd_ask_until(client, &act, IDS_ETCD_NO_LEASE);
    CHECK(answer.lease == 0 && strstr(answer.why, "lease not found"));
}

static void lease_ends(ids_etcd *client) {
    time_t until = time(NULL) + 120;
    while (etcd_read(client).view.alive_count > 0) {
        CHECK(time(NULL) < until);
        usleep(200000);
    }
}

/* --- what others put there -------------------------------------------------
 */

/* "/idemstore/shop/alive/b" = "x", "/idemstore/shop/config" = "x" */
static void not_ours(ids_etcd *client) {
    CHECK(etcd_admin(&etcd, NULL, "/v3/kv/put",
                     "{\"key\":\"L2lkZW1zdG9yZS9zaG9wL2FsaXZlL2I=\","
                     "\"value\":\"eA==\"}") == 0);
    CHECK(etcd_read(client).view.alive_count == 0);
    CHECK(etcd_admin(&etcd, NULL, "/v3/kv/put",
                     "{\"key\":\"L2lkZW1zdG9yZS9zaG9wL2NvbmZpZw==\","
                     "\"value\":\"eA==\"}") == 0);
    ids_agent_act act = {.kind = IDS_AGENT_READ};
    etcd_ask_until(client, &act, IDS_ETCD_RECORD);
}

/* --- no answer -------------------------------------------------------------
 */

static void next_endpoint(void) {
    char nowhere[64];
    snprintf(nowhere, sizeof nowhere, "http://127.0.0.1:%u", etcd_free_port());
    ids_etcd_config config = {.endpoint = {nowhere, etcd.url},
                              .endpoint_count = 2,
                              .prefix = "/idemstore/other/",
                              .node = {"a"},
                              .lease_ms = 3000};
    ids_etcd *client = ids_etcd_new(&config);
    CHECK(client != NULL);
    ids_agent_act act = {.kind = IDS_AGENT_READ};
    ids_etcd_answer answer = etcd_ask(client, &act);
    CHECK(answer.outcome == IDS_ETCD_NO_ANSWER && answer.why[0]);
    CHECK(etcd_read(client).view.revision == 0);
    ids_etcd_free(client);
}

static void stopped(ids_etcd *client) {
    ids_agent_act act = {.kind = IDS_AGENT_READ};
    kill(etcd.child.pid, SIGSTOP);
    etcd_ask_until(client, &act, IDS_ETCD_NO_ANSWER);
    kill(etcd.child.pid, SIGCONT);
    etcd_ask_until(client, &act, IDS_ETCD_RECORD);
}

/* More at a time than there may be: each is answered, once. */
static void many(ids_etcd *client) {
    enum { MANY = IDS_ETCD_CALLS_MAX + 3 };
    bool answered[MANY] = {false};
    ids_etcd_answer answer;
    for (uint64_t i = 0; i < MANY; i++) {
        ids_agent_act act = {.kind = IDS_AGENT_GRANT, .call = i};
        ids_etcd_ask(client, &act);
    }
    for (int left = MANY; left > 0;) {
        ids_etcd_wait(client, 1000);
        for (; ids_etcd_next(client, &answer); left--) {
            CHECK(answer.call < MANY && !answered[answer.call]);
            answered[answer.call] = true;
            CHECK(answer.call < IDS_ETCD_CALLS_MAX ||
                  answer.outcome == IDS_ETCD_NO_ANSWER);
        }
    }
    CHECK(!ids_etcd_next(client, &answer));
}

int main(void) {
    etcd_start(&etcd);
    ids_etcd *client = etcd_client(etcd.url, NULL, NULL);
    nothing_is_there(client);
    created_once(client);
    changed_by_its_revision(client);
    alive(client);
    renewed(client);
    gone_lease(client);
    lease_ends(client);
    not_ours(client);
    next_endpoint();
    stopped(client);
    many(client);
    ids_etcd_free(client);
    etcd_stop(&etcd);
    return 0;
}
