/* SPDX-License-Identifier: Apache-2.0 */
/* What probes are told: whether all workers answer, and whether the node is
 * what the probe looks for. */
#include "server/admin/health.h"
#include "server/worker/take_role.h"
#include "tests/unit/server/harness.h"

#include <criterion/criterion.h>
#include <string.h>

static harness t;

static void open_harness(void) {
    harness_plan(&t, 3);
    harness_open(&t);
}

static void open_replica(void) {
    harness_plan(&t, 1);
    t.is_replicated = true;
    harness_open(&t);
}

static void close_harness(void) {
    harness_close(&t);
}

static void says(ids_health health, bool is_good, const char *part) {
    cr_assert_eq(health.is_good, is_good, "%s", health.why);
    cr_assert_not_null(strstr(health.why, part), "%s", health.why);
    cr_assert_eq(health.why[strlen(health.why) - 1], '.');
}

TestSuite(health, .init = open_harness, .fini = close_harness);

Test(health, all_workers_answer_or_one_does_not) {
    const uint64_t now_ms = IDS_CLOCK_START_MS + 10000;
    ids_mailbox_turn(&t.boxes[0], now_ms);
    ids_mailbox_turn(&t.boxes[1], now_ms - IDS_HEALTH_TURN_MS_MAX);
    says(ids_health_of(&t.server, now_ms), false, "Worker 2 of 3 has not");
    ids_mailbox_turn(&t.boxes[2], now_ms + 1);
    says(ids_health_of(&t.server, now_ms), true, "All 3 workers");
    says(ids_health_of(&t.server, now_ms + 1), false,
         "1 of 3 workers did not answer for over 2 s; worker 1 not for 2001");
    ids_mailbox_turn(&t.boxes[1], now_ms + 1);
    says(ids_health_of(&t.server, now_ms + 1), true, "All 3 workers");
}

Test(health, a_server_alone_serves_claims) {
    ids_worker *worker = t.workers[0];
    says(ids_ready(worker, IDS_READY_CLAIMS), true, "Claims are served");
    says(ids_ready(worker, IDS_READY_ANY), true, "Claims are served");
    says(ids_ready(worker, IDS_READY_REPLICA), false, "it is the primary");

    worker->gate.claims_from_ms = worker->now_ms + 5;
    says(ids_ready(worker, IDS_READY_CLAIMS), false, "another 5 ms");
    worker->gate.claims_from_ms = worker->now_ms;
    says(ids_ready(worker, IDS_READY_CLAIMS), true, "Claims are served");

    worker->gate.disk_is_full = true;
    says(ids_ready(worker, IDS_READY_CLAIMS), false, "disk is nearly full");
    says(ids_ready(worker, IDS_READY_ANY), true, "served");
    worker->gate.disk_is_full = false;

    worker->gate.shut = true;
    says(ids_ready(worker, IDS_READY_ANY), false, "journal failed");
    worker->gate.shut = false;

    worker->draining = true;
    says(ids_ready(worker, IDS_READY_CLAIMS), false, "going down");
    says(ids_ready(worker, IDS_READY_REPLICA), false, "going down");
    says(ids_ready(worker, IDS_READY_ANY), false, "going down");
    worker->draining = false;

    atomic_bool leaves = false; /* a signal has come, clients are served on */
    t.server.leaves = &leaves;
    says(ids_ready(worker, IDS_READY_CLAIMS), true, "Claims are served");
    leaves = true;
    says(ids_ready(worker, IDS_READY_CLAIMS), false, "going down");
    says(ids_ready(worker, IDS_READY_ANY), false, "going down");
    t.server.leaves = NULL;
}

static void tell(const ids_role_state *state) {
    ids_worker_set_role(t.workers[0], state);
}

TestSuite(replica_health, .init = open_replica, .fini = close_harness);

Test(replica_health, loads_then_is_in_sync) {
    ids_worker *worker = t.workers[0];
    ids_role_state state = worker->role_state;
    state.role = IDS_FOLLOWS;
    strcpy(state.primary_at, "db-1:7117");
    tell(&state);
    says(ids_ready(worker, IDS_READY_CLAIMS), false,
         "a replica; the primary is db-1:7117");
    says(ids_ready(worker, IDS_READY_REPLICA), false, "not connected");
    says(ids_ready(worker, IDS_READY_ANY), false, "not connected");

    state.connected = state.syncing = true;
    tell(&state);
    says(ids_ready(worker, IDS_READY_REPLICA), false, "loads a full copy");
    says(ids_ready(worker, IDS_READY_ANY), true, "loads a full copy");

    state.syncing = false;
    tell(&state);
    says(ids_ready(worker, IDS_READY_REPLICA), false, "in-sync set");
    state.is_in_sync = true;
    tell(&state);
    says(ids_ready(worker, IDS_READY_REPLICA), true, "is in sync");
    says(ids_ready(worker, IDS_READY_ANY), true, "is in sync");
    says(ids_ready(worker, IDS_READY_CLAIMS), false, "a replica");
}

Test(replica_health, a_primary_waits_for_its_replica) {
    ids_worker *worker = t.workers[0];
    ids_worker_lead(worker, 7, worker->now_ms);
    ids_role_state state = worker->role_state;
    says(ids_ready(worker, IDS_READY_CLAIMS), true, "Claims are served");
    state.changing = IDP_E_UNREPLICATED;
    strcpy(state.why, "the replica is silent");
    tell(&state);
    says(ids_ready(worker, IDS_READY_CLAIMS), false,
         "Changes wait: the replica is silent.");
    says(ids_ready(worker, IDS_READY_ANY), false, "Changes wait");
    state.role = IDS_DRAINS;
    tell(&state);
    says(ids_ready(worker, IDS_READY_ANY), false, "hands over");
}

Test(health, roles_by_their_words) {
    ids_ready_role role;
    const struct {
        const char *word;
        bool is_one;
        ids_ready_role role;
    } words[] = {{"", true, IDS_READY_CLAIMS},
                 {"primary", true, IDS_READY_CLAIMS},
                 {"replica", true, IDS_READY_REPLICA},
                 {"any", true, IDS_READY_ANY},
                 {"an", false, 0},
                 {"anyy", false, 0},
                 {"REPLICA", false, 0}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        idp_slice word = {(const uint8_t *)words[i].word,
                          strlen(words[i].word)};
        role = words[i].role;
        cr_assert_eq(ids_ready_role_parse(word, &role), words[i].is_one);
        cr_assert_eq(role, words[i].role, "%s", words[i].word);
    }
}
