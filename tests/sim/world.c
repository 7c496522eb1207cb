/* SPDX-License-Identifier: Apache-2.0 */
/* world.c -- see world.h. */
#include "tests/sim/compare.h"

#include "server/core/receipt.h"

#include "tests/lib/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what both sides call back -------------------------------------------- */

static uint64_t hash_of(void *ctx, idp_slice ns, idp_slice key) {
    const world *w = ctx;
    ns = ids_receipt_hashed_ns(ns);
    for (int i = 0; i < WORLD_KEYS_MAX; i++) {
        const world_key *k = &w->keys[i];
        if (k->ns.len == ns.len && k->key.len == key.len &&
            memcmp(k->key.ptr, key.ptr, key.len) == 0 &&
            (ns.len == 0 || memcmp(k->ns.ptr, ns.ptr, ns.len) == 0)) {
            return k->hash;
        }
    }
    return 0;
}

static void note_wake(world_wakes *wakes, ids_asker asker, uint32_t msgid,
                      idp_error error, const idp_answer *answer) {
    if (wakes->count == WORLD_WAKES_MAX) {
        return;
    }
    world_wake *wake = &wakes->at[wakes->count++];
    wake->asker = asker;
    wake->msgid = msgid;
    wake->error = error;
    wake->matched = false;
    if (answer) {
        wake->answer = *answer;
        size_t len = answer->outcome == IDP_OUTCOME_REPLAY && answer->has_result
                         ? answer->result.len
                         : 0;
        len = len < WORLD_RESULT_MAX ? len : WORLD_RESULT_MAX;
        if (len > 0) {
            memcpy(wake->result, answer->result.ptr, len);
        }
        wake->answer.result = (idp_slice){wake->result, len};
    }
}

static void shard_wakes(void *ctx, ids_asker asker, uint32_t msgid,
                        idp_error error, const idp_answer *answer) {
    world *w = ctx;
    world_wakes *wakes = &w->shard_wakes;
    if (w->config.mutant == MUTANT_WAKE_LOST && msgid % 8 == 0) {
        return;
    }
    note_wake(wakes, asker, msgid, error, answer);
    const world_parked *p = world_find_parked(w, msgid);
    if (wakes->count < WORLD_WAKES_MAX) {
        wakes->at[wakes->count - 1].limit = ids_shard_limited(w->shard).limit;
    }
    if (p && !(error != IDP_OK && w->draining)) {
        world_quota_said(w, &p->request, error, answer);
    }
    if (w->config.mutant == MUTANT_WAKES_BACKWARDS && wakes->count > 1) {
        world_wake last = wakes->at[wakes->count - 1];
        wakes->at[wakes->count - 1] = wakes->at[wakes->count - 2];
        wakes->at[wakes->count - 2] = last;
    }
}

static void model_wakes(void *ctx, ids_asker asker, const idp_request *q,
                        idp_error error, const idp_answer *answer) {
    world *w = ctx;
    note_wake(&w->model_wakes, asker, q->msgid, error, answer);
}

/* NO_MEMORY where memory is short or a namespace full, LIMIT where a rate is
 * used up; nothing else is taken the shard's word for. */
static idp_error believed(const world *w, idp_error error, ids_limit limit) {
    bool may = error == IDP_E_LIMIT
                   ? limit == IDS_LIMIT_RATE
                   : error == IDP_E_NO_MEMORY && (w->config.memory_short ||
                                                  limit == IDS_LIMIT_RECORDS ||
                                                  limit == IDS_LIMIT_MEMORY);
    return may ? error : IDP_OK;
}

static idp_error says_no(void *ctx, const idp_request *q) {
    const world *w = ctx;
    for (uint32_t i = 0; i < w->shard_wakes.count; i++) {
        const world_wake *wake = &w->shard_wakes.at[i];
        if (wake->msgid == q->msgid) {
            return believed(w, wake->error, wake->limit);
        }
    }
    if (q->msgid != w->msgid) {
        return IDP_OK;
    }
    if (w->verdict == IDS_REFUSED) {
        return believed(w, w->error, w->limited.limit);
    }
    bool drops = q->method != IDP_RESOLVE && w->verdict == IDS_ANSWERED &&
                 w->answer.outcome == IDP_OUTCOME_COMPLETED && !w->answer.kept;
    return drops && (w->config.memory_short || w->quota.on) ? IDP_E_NO_MEMORY
                                                            : IDP_OK;
}

idt_mem *world_mem(world *w) {
    return &w->mems[w->moves % 2];
}

/* --- opening and closing -------------------------------------------------- */

bool world_open(world *w, const world_config *config, const world_key *keys) {
    memset(w, 0, sizeof *w);
    w->config = *config;
    w->keys = keys;
    w->now_ms = IDS_CLOCK_START_MS;
    idt_mem_init(&w->mems[0]);
    if (config->fail_nth > 0) {
        (config->fail_on ? idt_mem_fail_from
                         : idt_mem_fail_once)(&w->mems[0], config->fail_nth);
    }
    idt_check_init(&w->check);
    w->shard_config =
        (ids_shard_config){.epoch = config->epoch,
                           .memory_bytes_max = config->memory_bytes_max,
                           .result_bytes_max = config->result_bytes_max,
                           .waiters_per_key_max = config->waiters_per_key_max,
                           .waiters_max = config->waiters_max,
                           .mem = idt_mem_of(&w->mems[0]),
                           .hash = hash_of,
                           .hash_ctx = w,
                           .on_wake = shard_wakes,
                           .wake_ctx = w,
                           .on_change = world_on_change,
                           .change_ctx = w};
    idt_model_config model = {.epoch = config->epoch,
                              .result_bytes_max = config->result_bytes_max,
                              .waiters_per_key_max =
                                  config->waiters_per_key_max,
                              .waiters_max = config->waiters_max,
                              .on_wake = model_wakes,
                              .refuses = says_no,
                              .limits = world_limits_of,
                              .ctx = w};
    if (!world_quota_open(w, config->limited ? &config->limits : NULL)) {
        return false;
    }
    w->shard = ids_shard_new(&w->shard_config);
    if (!w->shard) {
        world_quota_close(w);
        return false;
    }
    w->model = idt_model_new(&model);
    return true;
}

bool world_close(world *w) {
    if (w->config.mutant == MUTANT_LEAKS) {
        world_mem(w)->bytes += 64;
    }
    ids_shard_free(w->shard);
    world_quota_close(w);
    idt_model_free(w->model);
    free(w->tokens);
    w->shard = NULL;
    w->model = NULL;
    w->tokens = NULL;
    if (world_mem(w)->bytes != 0 || world_mem(w)->wrong != 0) {
        return world_fail(w, "I15: the shard kept %llu bytes for itself",
                          (unsigned long long)world_mem(w)->bytes);
    }
    return !w->failed;
}

/* --- after every step ----------------------------------------------------- */

static bool show_checker(world *w, uint32_t key, const idp_request *q,
                         const idp_answer *answer) {
    const char *broken = idt_check_answer(&w->check, key, w->now_ms, q, answer);
    return !broken || world_fail(w, "%s", broken);
}

static void trace_wake(world *w, const world_wake *wake) {
    char text[256];
    world_trace(w, "at %llu -> %c (call %u) %s", (unsigned long long)w->now_ms,
                (char)('A' + wake->asker), wake->msgid,
                idt_text_answer(wake->error, &wake->answer, text, sizeof text));
}

/* Shows the shard's wakes of this key to the checker and takes their parked
 * calls off the books; skip: as many of them have been shown already. */
static bool show_wakes(world *w, uint32_t from, uint32_t to) {
    for (uint32_t i = from; i < to; i++) {
        const world_wake *wake = &w->shard_wakes.at[i];
        const world_parked *p = world_find_parked(w, wake->msgid);
        if (w->tracing) {
            trace_wake(w, wake);
        }
        if (p && wake->error == IDP_OK &&
            !show_checker(w, p->key, &p->request, &wake->answer)) {
            return false;
        }
    }
    return true;
}

static bool limits_hold(world *w) {
    ids_shard_stats stats;
    ids_shard_stats_get(w->shard, &stats);
    const char *broken =
        idt_check_limits(&w->shard_config, &stats, world_mem(w));
    if (broken) {
        return world_fail(w, "%s", broken);
    }
    if (stats.waiters != idt_model_waiters(w->model)) {
        return world_fail(w, "%llu waiters, the model has %u",
                          (unsigned long long)stats.waiters,
                          idt_model_waiters(w->model));
    }
    if (stats.records < idt_model_records(w->model, w->now_ms)) {
        return world_fail(w, "a live record was evicted");
    }
    return true;
}

/* What is left to compare when both sides have done the step. */
static bool compare_all(world *w, bool any_order) {
    bool good = world_match_wakes(w, any_order);
    for (uint32_t i = 0; i < w->shard_wakes.count; i++) {
        world_parked *p = world_find_parked(w, w->shard_wakes.at[i].msgid);
        if (p) {
            good = good && world_same_shadow(w, p->key);
            p->used = false;
        }
    }
    return good && limits_hold(w) && world_quota_holds(w);
}

static void start_step(world *w) {
    w->shard_wakes.count = 0;
    w->model_wakes.count = 0;
    world_quota_start(w);
}

/* --- calls ---------------------------------------------------------------- */

static void trace_call(world *w, const idp_request *q, ids_asker asker) {
    char asked[200], said[200];
    if (!w->tracing) {
        return;
    }
    const char *answer =
        w->verdict == IDS_PARKED
            ? "parked"
            : idt_text_answer(w->error, &w->answer, said, sizeof said);
    world_trace(w, "at %llu %c (call %u) %s -> %s",
                (unsigned long long)w->now_ms, (char)('A' + asker), q->msgid,
                idt_text_request(q, asked, sizeof asked), answer);
}

static bool park(world *w, uint32_t key, const idp_request *q,
                 ids_asker asker) {
    for (int i = 0; i < IDT_MODEL_WAITERS_MAX; i++) {
        if (!w->parked[i].used) {
            w->parked[i] = (world_parked){*q, key, asker, true};
            return true;
        }
    }
    return world_fail(w, "more waiters than the model can hold");
}

static bool same_verdict(world *w, ids_verdict verdict, idp_error error,
                         const idp_answer *answer) {
    static const char *const words[] = {"answered", "parked", "refused"};
    if (verdict != w->verdict) {
        char said[256] = "";
        if (verdict == IDS_ANSWERED) {
            idt_text_answer(IDP_OK, answer, said, sizeof said);
        } else if (w->verdict == IDS_ANSWERED) {
            idt_text_answer(IDP_OK, &w->answer, said, sizeof said);
        }
        return world_fail(w, "the model: %s, the shard: %s (%s)",
                          words[verdict], words[w->verdict], said);
    }
    if (verdict == IDS_REFUSED && error != w->error) {
        return world_fail(w, "the model refuses with %d, the shard with %d",
                          error, w->error);
    }
    return verdict != IDS_ANSWERED ||
           world_same_answer(w, "the call", answer, &w->answer);
}

/* How many of the shard's wakes, from the front, are those that time brought
 * about before the call: the model has made as many. Wakes of other keys may
 * stand between them; their order does not matter. */
static uint32_t shard_wakes_before(const world *w) {
    return w->model_wakes.count < w->shard_wakes.count ? w->model_wakes.count
                                                       : w->shard_wakes.count;
}

bool world_call(world *w, uint32_t key, idp_request *q, ids_asker asker) {
    if (w->failed) {
        return false;
    }
    start_step(w);
    q->msgid = ++w->msgid;
    q->ns = w->keys[key].ns;
    q->key = w->keys[key].key;
    idp_request asked = *q;
    asked.token = world_token(w, q->token);
    ids_call call = {&asked, w->keys[key].hash, w->now_ms, asker, 0};
    w->answered_before = w->shadows[key].state == IDP_STATE_COMPLETED ||
                         q->method == IDP_RESOLVE; /* perhaps */
    memset(&w->answer, 0, sizeof w->answer);
    w->error = IDP_OK;
    w->verdict =
        mutant_call(w->config.mutant, w->shard, &call, &w->answer, &w->error);
    w->limited = ids_shard_limited(w->shard);
    if (w->verdict == IDS_ANSWERED ||
        (w->verdict == IDS_REFUSED && w->limited.limit != IDS_LIMIT_NONE)) {
        world_quota_said(w, &asked, w->error, &w->answer);
    }

    idp_answer answer = {0};
    idp_error error = IDP_OK;
    call.request = q;
    idt_model_advance(w->model, w->now_ms);
    uint32_t before = shard_wakes_before(w);
    ids_verdict verdict = idt_model_call(w->model, &call, &answer, &error);

    bool good = show_wakes(w, 0, before);
    trace_call(w, &asked, asker);
    good =
        good && same_verdict(w, verdict, error, &answer) &&
        (verdict != IDS_ANSWERED || show_checker(w, key, &asked, &w->answer)) &&
        show_wakes(w, before, w->shard_wakes.count);
    good = compare_all(w, false) && good;
    if (verdict == IDS_PARKED && good) {
        good = park(w, key, &asked, asker);
    }
    return good && world_same_shadow(w, key);
}

bool world_forget(world *w, ids_asker asker) {
    if (w->failed) {
        return false;
    }
    start_step(w);
    world_trace(w, "at %llu %c leaves", (unsigned long long)w->now_ms,
                (char)('A' + asker));
    mutant_forget(w->config.mutant, w->shard, asker);
    idt_model_forget(w->model, asker);
    for (int i = 0; i < IDT_MODEL_WAITERS_MAX; i++) {
        w->parked[i].used &= w->parked[i].asker != asker;
    }
    return compare_all(w, false);
}

bool world_drain(world *w) {
    if (w->failed) {
        return false;
    }
    start_step(w);
    world_trace(w, "at %llu the shard is drained",
                (unsigned long long)w->now_ms);
    w->draining = true;
    ids_shard_drain(w->shard, IDP_E_SHUTTING_DOWN, UINT32_MAX);
    w->draining = false;
    idt_model_drain(w->model, IDP_E_SHUTTING_DOWN);
    return show_wakes(w, 0, w->shard_wakes.count) && compare_all(w, true);
}

/* --- time ----------------------------------------------------------------- */

static bool turn(world *w, uint64_t now_ms, uint32_t steps) {
    start_step(w);
    w->now_ms = now_ms;
    ids_shard_tick(w->shard, now_ms, steps);
    idt_model_advance(w->model, now_ms);
    return show_wakes(w, 0, w->shard_wakes.count) && compare_all(w, false);
}

bool world_advance(world *w, uint64_t to_ms, uint32_t steps) {
    uint32_t turns = 0;
    while (!w->failed) {
        uint64_t next = mutant_next_ms(w->config.mutant, w->shard);
        if (idt_model_next_ms(w->model) < next) {
            return world_fail(w,
                              "the shard would sleep until %llu, past a "
                              "deadline at %llu",
                              (unsigned long long)next,
                              (unsigned long long)idt_model_next_ms(w->model));
        }
        if (next > to_ms) {
            w->now_ms = to_ms;
            return true;
        }
        turns = next > w->now_ms ? 0 : turns + 1;
        if (turns > 10000) {
            return world_fail(w, "turn after turn, and still more to do now");
        }
        turn(w, next > w->now_ms ? next : w->now_ms, steps);
    }
    return false;
}

void world_oversleep(world *w, uint64_t to_ms) {
    w->now_ms = to_ms;
}

bool world_run_out(world *w) {
    ids_shard_stats stats;
    for (uint64_t next; (next = ids_shard_next_ms(w->shard)) != UINT64_MAX;) {
        if (!world_advance(w, next > w->now_ms ? next : w->now_ms, 8)) {
            return false;
        }
    }
    ids_shard_stats_get(w->shard, &stats);
    if (stats.records != 0 || stats.waiters != 0) {
        return world_fail(w,
                          "I15: %llu records and %llu waiters that nothing "
                          "will ever reclaim",
                          (unsigned long long)stats.records,
                          (unsigned long long)stats.waiters);
    }
    return !w->failed;
}

void world_print_trace(const world *w) {
    uint64_t from =
        w->traced > WORLD_TRACE_LINES ? w->traced - WORLD_TRACE_LINES : 0;
    for (uint64_t i = from; i < w->traced; i++) {
        printf("    %s\n", w->trace[i % WORLD_TRACE_LINES]);
    }
}
