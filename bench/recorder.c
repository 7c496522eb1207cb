/* SPDX-License-Identifier: Apache-2.0 */
/* recorder.c -- see recorder.h. No socket, no clock. */
#include "bench/recorder.h"
#include "bench/judge/judge.h"
#include "proto/reply.h"

#include <stdlib.h>

#define OLD_MAX        4096
#define REPLAYS_ENOUGH 12 /* then the key retires */
#define SAME_ENOUGH    32 /* answers that show the same: more show no more */
/* The server reads its clock once per wake-up, so a retention may begin a
 * little before its ask was sent. */
#define CLOCK_SLACK_NS (100 * IDB_NS_PER_MS)
#define EPOCH_NS       IDB_NS_PER_S /* the history's time at the start */
#define KEY_NAME       "k"

/* Heard, and asked without an answer: a call is free without a method. */
typedef struct entry {
    uint64_t number;
    nem_history heard;
    nem_op *asked;
    uint32_t asked_cap;
    uint32_t under_way;
    uint32_t replays;
    nem_op shown[2]; /* the last that showed and changed nothing, a body each */
    uint32_t same[2];      /* how often in a row */
    uint64_t done_ns;      /* first heard of as completed */
    uint32_t done_attempt; /* 0: not completed, as far as we know */
    bool known, closing;
} entry;

/* The calls that changed its record. */
typedef struct old_key {
    uint64_t number;
    uint64_t until_ns; /* it must be remembered so long */
    nem_op *ops;
    size_t count;
} old_key;

struct idb_recorder {
    idb_work work;
    idb_rng rng;
    uint64_t start_ns, next_number;
    uint32_t keys, calls;
    entry *entries;
    old_key *old;
    uint32_t old_count, old_at;
    uint8_t *expected;
    idb_tally tally;
    char broken[256];
    uint64_t broken_number;
    nem_history broken_heard;
};

static bool is_broken(const idb_recorder *recorder) {
    return recorder->broken[0] != '\0';
}

/* --- keys */

static void entry_fini(entry *e) {
    nem_history_fini(&e->heard);
    free(e->asked);
}

static void entry_new(idb_recorder *recorder, entry *e) {
    entry_fini(e);
    *e = (entry){.number = IDB_SPACE_NEW | recorder->next_number++};
    nem_history_init(&e->heard);
    recorder->tally.keys++;
}

idb_recorder *idb_recorder_new(const idb_work *work, uint32_t keys,
                               uint64_t seed, uint64_t start_ns) {
    idb_recorder *recorder = calloc(1, sizeof *recorder);
    if (!recorder)
        return NULL;
    recorder->work = *work;
    recorder->rng.state = seed;
    recorder->start_ns = start_ns;
    recorder->keys = keys;
    recorder->entries = calloc(keys, sizeof *recorder->entries);
    recorder->old = calloc(OLD_MAX, sizeof *recorder->old);
    recorder->expected = malloc(work->result_bytes + 1);
    if (!recorder->entries || !recorder->old || !recorder->expected) {
        idb_recorder_free(recorder);
        return NULL;
    }
    for (uint32_t i = 0; i < keys; i++)
        entry_new(recorder, &recorder->entries[i]);
    return recorder;
}

void idb_recorder_free(idb_recorder *recorder) {
    if (!recorder)
        return;
    for (uint32_t i = 0; recorder->entries && i < recorder->keys; i++)
        entry_fini(&recorder->entries[i]);
    for (uint32_t i = 0; recorder->old && i < recorder->old_count; i++)
        free(recorder->old[i].ops);
    nem_history_fini(&recorder->broken_heard);
    free(recorder->entries);
    free(recorder->old);
    free(recorder->expected);
    free(recorder);
}

/* --- a call as the judge reads it */

static uint64_t time_of(const idb_recorder *recorder, uint64_t at_ns) {
    return EPOCH_NS +
           (at_ns > recorder->start_ns ? at_ns - recorder->start_ns : 0);
}

static void result_of(const idb_recorder *recorder, uint64_t number,
                      uint32_t attempt, uint8_t *to) {
    idb_result_write(&recorder->work, number ^ (uint64_t)attempt << 40, to);
}

static nem_result result_digest(const uint8_t *bytes, size_t len) {
    return (nem_result){
        .given = true, .len = len, .digest = nem_digest(bytes, len)};
}

static int32_t method_of(idp_method method) {
    static const int32_t methods[] = {[IDP_ACQUIRE] = IDEM_ACQUIRE,
                                      [IDP_COMPLETE] = IDEM_COMPLETE,
                                      [IDP_RELEASE] = IDEM_RELEASE,
                                      [IDP_RENEW] = IDEM_RENEW,
                                      [IDP_PEEK] = IDEM_PEEK};
    return methods[method];
}

static int32_t outcome_of(idp_outcome outcome) {
    static const int32_t outcomes[IDP_OUTCOME_COUNT] = {
        [IDP_OUTCOME_ACQUIRED] = IDEM_ACQUIRED,
        [IDP_OUTCOME_REPLAY] = IDEM_REPLAY,
        [IDP_OUTCOME_IN_PROGRESS] = IDEM_IN_PROGRESS,
        [IDP_OUTCOME_MISMATCH] = IDEM_MISMATCH,
        [IDP_OUTCOME_ORPHANED] = IDEM_ORPHANED,
        [IDP_OUTCOME_COMPLETED] = IDEM_COMPLETED,
        [IDP_OUTCOME_RELEASED] = IDEM_RELEASED,
        [IDP_OUTCOME_RENEWED] = IDEM_RENEWED,
        [IDP_OUTCOME_STALE] = IDEM_STALE,
        [IDP_OUTCOME_UNKNOWN] = IDEM_NO_RECORD,
        [IDP_OUTCOME_RECORD] = IDEM_RECORD};
    return outcomes[outcome];
}

static nem_op op_of(idb_recorder *recorder, const idb_ask *ask) {
    /* Sent behind all that was heard at that time: one thread does both. */
    nem_op op = {.invoke_ns = time_of(recorder, ask->sent_ns) + 1,
                 .return_ns = NEM_NEVER,
                 .client = ask->asker,
                 .call = ++recorder->calls,
                 .method = method_of(ask->method),
                 .end = NEM_UNKNOWN,
                 .key = KEY_NAME,
                 .asked = {ask->token.epoch, ask->token.sequence}};
    if (ask->method == IDP_ACQUIRE || ask->method == IDP_RENEW)
        op.lease_ms = recorder->work.lease_ms;
    if (ask->method == IDP_ACQUIRE) {
        op.fp[0] = ask->other_body ? 'b' : 'a';
        op.ttl_ms = recorder->work.ttl_ms;
    }
    if (ask->method == IDP_COMPLETE) {
        result_of(recorder, ask->number, ask->attempt, recorder->expected);
        op.result =
            result_digest(recorder->expected, recorder->work.result_bytes);
    }
    return op;
}

static void op_end(idb_recorder *recorder, nem_op *op, uint64_t now_ns,
                   const idp_answer *a) {
    op->return_ns = time_of(recorder, now_ns);
    op->end = NEM_ANSWERED;
    op->outcome = outcome_of(a->outcome);
    op->state = IDEM_STATE_ABSENT + (int32_t)a->state;
    op->previous = IDEM_PREVIOUS_NONE + (int32_t)a->previous;
    op->attempt = a->attempt;
    op->token = (nem_token){a->token.epoch, a->token.sequence};
    op->kept = a->kept;
    op->lease_left_ms = a->lease_left_ms;
    op->ttl_left_ms = a->ttl_left_ms;
    op->replayed_class = a->class;
    if (a->has_result)
        op->replayed = result_digest(a->result.ptr, a->result.len);
}

static bool changes(const nem_op *op) {
    return op->outcome == IDEM_ACQUIRED || op->outcome == IDEM_COMPLETED ||
           op->outcome == IDEM_RELEASED || op->outcome == IDEM_RENEWED;
}

static bool shows_the_same(const nem_op *a, const nem_op *b) {
    return a->outcome == b->outcome && a->fp[0] == b->fp[0] &&
           a->attempt == b->attempt && a->state == b->state &&
           a->replayed.given == b->replayed.given &&
           a->replayed.len == b->replayed.len &&
           a->replayed.digest == b->replayed.digest;
}

/* A key that many want is in progress for most of them: some of those answers
 * are enough, as long as nothing else is heard. */
static void keep_recorder(entry *e, const nem_op *op) {
    int body = op->fp[0] == 'b';
    if (changes(op)) {
        e->same[0] = e->same[1] = 0;
    } else if (shows_the_same(&e->shown[body], op)) {
        if (++e->same[body] >= SAME_ENOUGH)
            return;
    } else {
        e->shown[body] = *op;
        e->same[body] = 0;
    }
    nem_history_add(&e->heard, op);
}

/* --- judging */

static bool judge(idb_recorder *recorder, nem_history *heard, uint64_t number) {
    nem_judgement j = nem_judge(heard, NULL);
    recorder->tally.undecided += j.undecided;
    if (j.broken == 0 || is_broken(recorder))
        return !is_broken(recorder);
    snprintf(recorder->broken, sizeof recorder->broken, "%s",
             j.first + strlen(KEY_NAME ": "));
    recorder->broken_number = number;
    recorder->broken_heard = *heard;
    nem_history_init(heard);
    return false;
}

static void retire(idb_recorder *recorder, entry *e) {
    old_key *old = &recorder->old[recorder->old_at++ % OLD_MAX];
    nem_op *ops = calloc(e->heard.count, sizeof *ops);
    if (!ops)
        return;
    free(old->ops);
    *old = (old_key){.number = e->number,
                     .ops = ops,
                     .until_ns =
                         e->done_ns + recorder->work.ttl_ms * IDB_NS_PER_MS};
    for (size_t i = 0; i < e->heard.count; i++)
        if (changes(&e->heard.ops[i]))
            old->ops[old->count++] = e->heard.ops[i];
    if (recorder->old_count < OLD_MAX)
        recorder->old_count++;
}

bool idb_recorder_drop(idb_recorder *recorder, const idb_ask *ask) {
    entry *e = ask->key == IDB_KEY_OLD ? NULL : &recorder->entries[ask->key];
    if (!e || --e->under_way > 0 || !e->closing)
        return true;
    if (!judge(recorder, &e->heard, e->number))
        return false;
    if (e->done_attempt)
        retire(recorder, e);
    entry_new(recorder, e);
    return true;
}

bool idb_recorder_end(idb_recorder *recorder) {
    for (uint32_t i = 0; i < recorder->keys; i++) {
        entry *e = &recorder->entries[i];
        for (uint32_t k = 0; k < e->asked_cap; k++)
            if (e->asked[k].method != 0)
                nem_history_add(&e->heard, &e->asked[k]);
        if (!judge(recorder, &e->heard, e->number))
            return false;
    }
    return true;
}

/* --- asking */

/* One ask in twelve is for a key that is long done; its answer is known. */
static bool ask_old(idb_recorder *recorder, uint64_t now_ns, idb_ask *ask) {
    if (recorder->old_count == 0 || idb_rng_below(&recorder->rng, 12) != 0)
        return false;
    ask->call = (uint32_t)idb_rng_below(&recorder->rng, recorder->old_count);
    const old_key *old = &recorder->old[ask->call];
    if (now_ns + CLOCK_SLACK_NS >= old->until_ns)
        return false;
    ask->key = IDB_KEY_OLD;
    ask->number = old->number;
    return true;
}

void idb_recorder_sent(idb_recorder *recorder, idb_ask *ask) {
    entry *e = &recorder->entries[ask->key];
    uint32_t at = 0;
    while (at < e->asked_cap && e->asked[at].method != 0)
        at++;
    if (at == e->asked_cap) {
        uint32_t cap = at ? at * 2 : 8;
        nem_op *asked = calloc(cap, sizeof *asked);
        if (!asked)
            abort();
        if (at)
            memcpy(asked, e->asked, at * sizeof *asked);
        free(e->asked);
        e->asked = asked;
        e->asked_cap = cap;
    }
    ask->call = at;
    e->asked[at] = op_of(recorder, ask);
}

void idb_recorder_ask(idb_recorder *recorder, uint64_t now_ns, idb_ask *ask) {
    uint32_t asker = ask->asker;
    *ask = (idb_ask){.sent_ns = now_ns, .asker = asker, .method = IDP_ACQUIRE};
    if (ask_old(recorder, now_ns, ask))
        return;
    uint32_t from = (uint32_t)idb_rng_below(&recorder->rng, recorder->keys);
    uint32_t at = from;
    while (recorder->entries[at].closing && (at + 1) % recorder->keys != from)
        at = (at + 1) % recorder->keys;
    entry *e = &recorder->entries[at];
    ask->key = at;
    ask->number = e->number;
    /* Only a key that is there can mismatch. */
    ask->other_body = e->known && idb_rng_below(&recorder->rng, 10) == 0;
    e->under_way++;
    idb_recorder_sent(recorder, ask);
}

void idb_recorder_result(const idb_recorder *recorder, const idb_ask *ask,
                         uint8_t *to) {
    result_of(recorder, ask->number, ask->attempt, to);
}

/* --- hearing */

static void count_recorder(idb_recorder *recorder, const idb_ask *ask,
                           const idp_answer *a) {
    idb_tally *t = &recorder->tally;
    uint64_t *const counts[IDP_OUTCOME_COUNT] = {
        [IDP_OUTCOME_ACQUIRED] = &t->grants,
        [IDP_OUTCOME_REPLAY] =
            ask->key == IDB_KEY_OLD ? &t->old_replays : &t->replays,
        [IDP_OUTCOME_IN_PROGRESS] = &t->in_progress,
        [IDP_OUTCOME_MISMATCH] = &t->mismatches,
        [IDP_OUTCOME_COMPLETED] = &t->completes,
        [IDP_OUTCOME_RELEASED] = &t->releases,
        [IDP_OUTCOME_STALE] = &t->stales};
    t->answers++;
    if (counts[a->outcome])
        ++*counts[a->outcome];
    t->takeovers += a->outcome == IDP_OUTCOME_ACQUIRED &&
                    a->previous == IDP_PREVIOUS_ORPHANED;
}

/* With what is known to have changed it, as if that were all. */
static bool hear_old(idb_recorder *recorder, uint64_t now_ns,
                     const idb_ask *ask, const idp_answer *a) {
    const old_key *old = &recorder->old[ask->call];
    nem_op op = op_of(recorder, ask);
    if (old->number != ask->number)
        return true; /* retired from here too, meanwhile */
    nem_history heard;
    nem_history_init(&heard);
    for (size_t i = 0; i < old->count; i++)
        nem_history_add(&heard, &old->ops[i]);
    op_end(recorder, &op, now_ns, a);
    nem_history_add(&heard, &op);
    bool kept = judge(recorder, &heard, ask->number);
    nem_history_fini(&heard);
    return kept;
}

static void note_done(entry *e, uint64_t now_ns, uint32_t attempt) {
    if (e->done_attempt)
        return;
    e->done_attempt = attempt;
    e->done_ns = now_ns;
}

/* When it retires; what is right, the judge says. */
static void follow_recorder(entry *e, uint64_t now_ns, const idb_ask *ask,
                            const idp_answer *a) {
    e->known = true;
    if (a->outcome == IDP_OUTCOME_COMPLETED)
        note_done(e, now_ns, ask->attempt);
    if (a->outcome == IDP_OUTCOME_REPLAY)
        e->closing |= ++e->replays >= REPLAYS_ENOUGH;
    if (a->outcome == IDP_OUTCOME_ACQUIRED)
        e->closing |= a->attempt >= IDB_ATTEMPTS_MAX;
}

bool idb_recorder_hear(idb_recorder *recorder, uint64_t now_ns,
                       const idb_ask *ask, const idp_answer *answer) {
    count_recorder(recorder, ask, answer);
    if (ask->key == IDB_KEY_OLD)
        return hear_old(recorder, now_ns, ask, answer);
    entry *e = &recorder->entries[ask->key];
    nem_op *op = &e->asked[ask->call];
    op_end(recorder, op, now_ns, answer);
    keep_recorder(e, op);
    op->method = 0;
    follow_recorder(e, now_ns, ask, answer);
    return true;
}

bool idb_recorder_error(idb_recorder *recorder, uint64_t now_ns,
                        const idb_ask *ask, const char *text) {
    (void)now_ns;
    if (is_broken(recorder))
        return false;
    snprintf(recorder->broken, sizeof recorder->broken, "%s was refused: %s",
             idp_method_name(ask->method), text);
    recorder->broken_number = ask->number;
    if (ask->key != IDB_KEY_OLD) {
        recorder->broken_heard = recorder->entries[ask->key].heard;
        nem_history_init(&recorder->entries[ask->key].heard);
    }
    return false;
}

void idb_recorder_tell(idb_recorder *recorder, FILE *to) {
    char key[IDB_KEY_BYTES_MAX + 1];
    idb_key_write(&recorder->work, recorder->broken_number, (uint8_t *)key);
    key[recorder->work.key_bytes] = '\0';
    fprintf(to, "violation: %s\nkey %s, told as " KEY_NAME ", times in ns:\n",
            recorder->broken, key);
    nem_judgement j = nem_judge(&recorder->broken_heard, to);
    if (j.broken == 0 && recorder->broken_heard.count > 0)
        nem_print(to, recorder->broken_heard.ops, recorder->broken_heard.count);
}

const idb_tally *idb_recorder_tally(const idb_recorder *recorder) {
    return &recorder->tally;
}
