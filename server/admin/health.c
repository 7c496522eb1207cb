/* SPDX-License-Identifier: Apache-2.0 */
/* health.c -- see health.h. */
#include "server/admin/health.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static __attribute__((format(printf, 2, 3))) ids_health
say(bool is_good, const char *format, ...) {
    ids_health health = {.is_good = is_good};
    va_list args;
    va_start(args, format);
    vsnprintf(health.why, sizeof health.why, format, args);
    va_end(args);
    return health;
}

/* Another worker's clock may have been read after ours. */
static uint64_t age_ms(const ids_mailbox *box, uint64_t now_ms) {
    uint64_t turned_ms = ids_mailbox_turned_ms(box);
    return turned_ms < now_ms ? now_ms - turned_ms : 0;
}

ids_health ids_health_of(const ids_server *server, uint64_t now_ms) {
    uint32_t slow = 0, worst = 0;
    uint64_t worst_ms = 0;
    for (uint32_t i = 0; i < server->loops; i++) {
        uint64_t age = age_ms(&server->mailboxes[i], now_ms);
        slow += age > IDS_HEALTH_TURN_MS_MAX;
        if (age > worst_ms) {
            worst_ms = age;
            worst = i;
        }
    }
    if (!slow)
        return say(true, "All %u workers answer.", server->loops);
    if (!ids_mailbox_turned_ms(&server->mailboxes[worst]))
        return say(false, "Worker %u of %u has not begun to serve yet.", worst,
                   server->loops);
    return say(false,
               "%u of %u workers did not answer for over 2 s; worker %u not "
               "for %llu ms.",
               slow, server->loops, worst, (unsigned long long)worst_ms);
}

/* Readiness ---------------------------------------------------------------- */

bool ids_ready_role_parse(idp_slice word, ids_ready_role *role) {
    static const struct {
        const char *word;
        ids_ready_role role;
    } words[] = {{"", IDS_READY_CLAIMS},
                 {"primary", IDS_READY_CLAIMS},
                 {"replica", IDS_READY_REPLICA},
                 {"any", IDS_READY_ANY}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (word.len == strlen(words[i].word) &&
            (!word.len || !memcmp(word.ptr, words[i].word, word.len))) {
            *role = words[i].role;
            return true;
        }
    return false;
}

static bool is_leaving(const ids_worker *worker) {
    const atomic_bool *leaves = worker->server->leaves;
    return worker->draining || (leaves && atomic_load(leaves));
}

/* Whether calls are answered here at all; with why not. */
static ids_health answers_calls(const ids_worker *worker) {
    const ids_role_state *state = &worker->role_state;
    if (is_leaving(worker))
        return say(false, "This server is going down.");
    if (worker->gate.shut)
        return say(false, "The journal failed: no reply leaves any more.");
    if (state->role == IDS_FOLLOWS)
        return say(false, "This server is a replica%s%s.",
                   state->primary_at[0] ? "; the primary is " : "",
                   state->primary_at);
    if (state->role == IDS_DRAINS)
        return say(false, "This server hands over to its replica.");
    if (state->changing == IDP_E_UNREPLICATED && state->why[0])
        return say(false, "Changes wait: %s.", state->why);
    if (state->changing != IDP_OK)
        return say(false, "Calls are refused: %s.",
                   idp_error_text(state->changing));
    return say(true, "Claims are served here.");
}

static ids_health makes_claims(const ids_worker *worker) {
    ids_health health = answers_calls(worker);
    if (!health.is_good)
        return health;
    if (worker->gate.disk_is_full)
        return say(false, "The disk is nearly full: no claims are made, all "
                          "else is served.");
    if (worker->now_ms < worker->gate.claims_from_ms)
        return say(
            false,
            "No claims are made for another %llu ms, after an empty "
            "start (--hold-claims).",
            (unsigned long long)(worker->gate.claims_from_ms - worker->now_ms));
    return health;
}

static ids_health is_replica(const ids_worker *worker, bool loading_will_do) {
    const ids_role_state *state = &worker->role_state;
    if (state->role != IDS_FOLLOWS)
        return say(false, "This server is no replica: it is the primary.");
    if (state->syncing)
        return say(loading_will_do,
                   "This replica loads a full copy of the primary's records.");
    if (!state->connected)
        return say(false, "This replica is not connected to the primary.");
    return state->is_in_sync
               ? say(true, "This replica is in sync.")
               : say(false, "This replica is not in the in-sync set.");
}

ids_health ids_ready(const ids_worker *worker, ids_ready_role role) {
    if (is_leaving(worker))
        return answers_calls(worker);
    switch (role) {
    case IDS_READY_CLAIMS:
        break;
    case IDS_READY_REPLICA:
        return is_replica(worker, false);
    case IDS_READY_ANY:
        return worker->role_state.role == IDS_FOLLOWS ? is_replica(worker, true)
                                                      : answers_calls(worker);
    }
    return makes_claims(worker);
}
