/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.c -- see ledger.h. No socket, no clock. */
#include "bench/ledger.h"
#include "proto/reply.h"

#include <stdarg.h>
#include <stdlib.h>

#define OLD_MAX        65536
#define REPLAYS_ENOUGH 12 /* then the key retires */
/* The server reads its clock once per wake-up, so a lease may begin a little
 * before its ask was sent. */
#define CLOCK_SLACK_NS (100 * IDB_NS_PER_MS)

typedef struct event {
    uint64_t at_ns;
    idb_ask ask;
    idp_outcome outcome; /* IDP_OUTCOME_COUNT: it was sent */
    uint32_t attempt;
} event;

typedef struct entry {
    uint64_t number;
    uint64_t known_ns;     /* first heard to exist; 0: not yet */
    uint64_t done_ns;      /* complete acknowledged, or a replay seen */
    uint32_t done_attempt; /* 0: not completed, as far as we know */
    uint32_t under_way;
    uint32_t replays;
    uint32_t attempt_max;
    bool closing;
    uint64_t granted, sent, renewed; /* bits of attempts */
    uint64_t granted_ns[IDB_ATTEMPTS_MAX];
    idp_token tokens[IDB_ATTEMPTS_MAX];
    uint32_t event_count;
    event events[IDB_HISTORY_MAX];
} entry;

typedef struct old_key {
    uint64_t number;
    uint64_t until_ns; /* it must be remembered so long */
    uint64_t granted_ns, done_ns;
    uint32_t attempt, replays;
} old_key;

struct idb_ledger {
    idb_work work;
    idb_rng rng;
    uint64_t start_ns, next_number;
    uint32_t keys;
    entry *entries;
    old_key *old;
    uint32_t old_count, old_at;
    uint8_t *expected;
    idb_tally tally;
    char broken[256];
    const entry *broken_entry; /* NULL: a retired key */
    idb_ask broken_ask;
};

static uint64_t bit(uint32_t attempt) {
    return attempt > 0 && attempt <= IDB_ATTEMPTS_MAX ? 1ull << attempt : 0;
}

static void entry_new(idb_ledger *ledger, entry *e) {
    memset(e, 0, sizeof *e);
    e->number = IDB_SPACE_NEW | ledger->next_number++;
    ledger->tally.keys++;
}

idb_ledger *idb_ledger_new(const idb_work *work, uint32_t keys, uint64_t seed,
                           uint64_t start_ns) {
    idb_ledger *ledger = calloc(1, sizeof *ledger);
    if (!ledger)
        return NULL;
    ledger->work = *work;
    ledger->rng.state = seed;
    ledger->start_ns = start_ns;
    ledger->keys = keys;
    ledger->entries = calloc(keys, sizeof *ledger->entries);
    ledger->old = calloc(OLD_MAX, sizeof *ledger->old);
    ledger->expected = malloc(work->result_bytes + 1);
    if (!ledger->entries || !ledger->old || !ledger->expected) {
        idb_ledger_free(ledger);
        return NULL;
    }
    for (uint32_t i = 0; i < keys; i++)
        entry_new(ledger, &ledger->entries[i]);
    return ledger;
}

void idb_ledger_free(idb_ledger *ledger) {
    if (!ledger)
        return;
    free(ledger->entries);
    free(ledger->old);
    free(ledger->expected);
    free(ledger);
}

static entry *entry_of(idb_ledger *ledger, const idb_ask *ask) {
    return ask->key == IDB_KEY_OLD ? NULL : &ledger->entries[ask->key];
}

static void note(entry *e, uint64_t at_ns, const idb_ask *ask,
                 idp_outcome outcome, uint32_t attempt) {
    e->events[e->event_count++ % IDB_HISTORY_MAX] =
        (event){at_ns, *ask, outcome, attempt};
}

__attribute__((format(printf, 4, 5))) static bool
broken(idb_ledger *ledger, const entry *e, const idb_ask *ask,
       const char *format, ...) {
    if (ledger->broken[0])
        return false;
    va_list args;
    va_start(args, format);
    vsnprintf(ledger->broken, sizeof ledger->broken, format, args);
    va_end(args);
    ledger->broken_entry = e;
    ledger->broken_ask = *ask;
    return false;
}

/* One ask in twelve is for a key that is long done; its answer is known. */
static bool ask_old(idb_ledger *ledger, uint64_t now_ns, idb_ask *ask) {
    if (ledger->old_count == 0 || idb_rng_below(&ledger->rng, 12) != 0)
        return false;
    const old_key *old =
        &ledger->old[idb_rng_below(&ledger->rng, ledger->old_count)];
    if (now_ns + CLOCK_SLACK_NS >= old->until_ns)
        return false;
    ask->key = IDB_KEY_OLD;
    ask->number = old->number;
    ask->attempt = old->attempt;
    return true;
}

void idb_ledger_ask(idb_ledger *ledger, uint64_t now_ns, idb_ask *ask) {
    uint32_t asker = ask->asker;
    *ask = (idb_ask){.sent_ns = now_ns, .asker = asker, .method = IDP_ACQUIRE};
    if (ask_old(ledger, now_ns, ask))
        return;
    uint32_t from = (uint32_t)idb_rng_below(&ledger->rng, ledger->keys);
    uint32_t at = from;
    while (ledger->entries[at].closing && (at + 1) % ledger->keys != from)
        at = (at + 1) % ledger->keys;
    entry *e = &ledger->entries[at];
    ask->key = at;
    ask->number = e->number;
    /* Only a key that is there can mismatch. */
    ask->other_body = e->known_ns && idb_rng_below(&ledger->rng, 10) == 0;
    e->under_way++;
    note(e, now_ns, ask, IDP_OUTCOME_COUNT, 0);
}

static void result_of(const idb_ledger *ledger, uint64_t number,
                      uint32_t attempt, uint8_t *to) {
    idb_result_write(&ledger->work, number ^ (uint64_t)attempt << 40, to);
}

void idb_ledger_result(const idb_ledger *ledger, const idb_ask *ask,
                       uint8_t *to) {
    result_of(ledger, ask->number, ask->attempt, to);
}

void idb_ledger_sent(idb_ledger *ledger, const idb_ask *ask) {
    entry *e = entry_of(ledger, ask);
    note(e, ask->sent_ns, ask, IDP_OUTCOME_COUNT, ask->attempt);
    if (ask->method == IDP_COMPLETE)
        e->sent |= bit(ask->attempt);
    if (ask->method == IDP_RENEW)
        e->renewed |= bit(ask->attempt);
}

static bool tokens_grow(const entry *e, uint32_t attempt,
                        const idp_token *token) {
    for (uint32_t i = 1; i < IDB_ATTEMPTS_MAX; i++) {
        if (!(e->granted & bit(i)) || i == attempt)
            continue;
        const idp_token *t = &e->tokens[i];
        bool less = t->epoch < token->epoch ||
                    (t->epoch == token->epoch && t->sequence < token->sequence);
        if (less != (i < attempt))
            return false;
    }
    return true;
}

static bool grant(idb_ledger *ledger, entry *e, uint64_t now_ns,
                  const idb_ask *ask, const idp_answer *a) {
    uint32_t n = a->attempt;
    ledger->tally.grants++;
    if (ask->other_body)
        return broken(ledger, e, ask, "another body was granted the key");
    if (n == 0)
        return broken(ledger, e, ask, "a grant of attempt 0");
    if (e->granted & bit(n))
        return broken(ledger, e, ask,
                      "attempt %u was granted twice: two winners, or the key "
                      "was forgotten before its time",
                      n);
    if (e->done_attempt && n > e->done_attempt)
        return broken(ledger, e, ask,
                      "attempt %u was granted though attempt %u completed", n,
                      e->done_attempt);
    if (n >= IDB_ATTEMPTS_MAX) {
        e->closing = true;
        return true;
    }
    if (!tokens_grow(e, n, &a->token))
        return broken(ledger, e, ask, "attempt %u's token is out of order", n);
    bool over = a->previous == IDP_PREVIOUS_ORPHANED;
    ledger->tally.takeovers += over;
    uint64_t lease_ns = ledger->work.lease_ms * IDB_NS_PER_MS;
    if (over && (e->granted & bit(n - 1)) &&
        now_ns + CLOCK_SLACK_NS < e->granted_ns[n - 1] + lease_ns)
        return broken(ledger, e, ask,
                      "attempt %u was granted while attempt %u's lease ran", n,
                      n - 1);
    e->granted |= bit(n);
    e->granted_ns[n] = ask->sent_ns;
    e->tokens[n] = a->token;
    if (n > e->attempt_max)
        e->attempt_max = n;
    return true;
}

/* Attempt n is known to be the one that completed. */
static bool done(idb_ledger *ledger, entry *e, uint64_t now_ns,
                 const idb_ask *ask, uint32_t n) {
    if (e->done_attempt && e->done_attempt != n)
        return broken(ledger, e, ask, "attempts %u and %u both completed",
                      e->done_attempt, n);
    if (e->attempt_max > n)
        return broken(ledger, e, ask,
                      "attempt %u completed though attempt %u was granted", n,
                      e->attempt_max);
    e->done_attempt = n;
    if (!e->done_ns)
        e->done_ns = now_ns;
    return true;
}

static bool same_result(idb_ledger *ledger, uint64_t number, uint32_t attempt,
                        const idp_answer *a) {
    uint32_t bytes = ledger->work.result_bytes;
    if (!a->has_result || a->result.len != bytes)
        return false;
    result_of(ledger, number, attempt, ledger->expected);
    return memcmp(a->result.ptr, ledger->expected, bytes) == 0;
}

static bool replay(idb_ledger *ledger, entry *e, uint64_t now_ns,
                   const idb_ask *ask, const idp_answer *a) {
    ledger->tally.replays++;
    e->replays++;
    if (ask->other_body)
        return broken(ledger, e, ask, "another body was given the result");
    for (uint32_t n = 1; n < IDB_ATTEMPTS_MAX; n++) {
        if (!(e->sent & bit(n)) || !same_result(ledger, e->number, n, a))
            continue;
        if (e->replays >= REPLAYS_ENOUGH)
            e->closing = true;
        return done(ledger, e, now_ns, ask, n);
    }
    return broken(ledger, e, ask,
                  "a replay that is no result anyone completed with");
}

static bool hear_acquire(idb_ledger *ledger, entry *e, uint64_t now_ns,
                         const idb_ask *ask, const idp_answer *a) {
    switch (a->outcome) {
    case IDP_OUTCOME_ACQUIRED:
        return grant(ledger, e, now_ns, ask, a);
    case IDP_OUTCOME_REPLAY:
        return replay(ledger, e, now_ns, ask, a);
    case IDP_OUTCOME_MISMATCH:
        ledger->tally.mismatches++;
        return ask->other_body ||
               broken(ledger, e, ask, "the same body is called a mismatch");
    case IDP_OUTCOME_IN_PROGRESS:
        ledger->tally.in_progress++;
        if (ask->other_body)
            return broken(ledger, e, ask, "another body is not a mismatch");
        return !e->done_ns || ask->sent_ns < e->done_ns ||
               broken(ledger, e, ask, "in progress after it was completed");
    default:
        return broken(ledger, e, ask, "acquire was answered with %s",
                      idp_outcome_name(a->outcome));
    }
}

static bool hear_holder(idb_ledger *ledger, entry *e, uint64_t now_ns,
                        const idb_ask *ask, const idp_answer *a) {
    switch (a->outcome) {
    case IDP_OUTCOME_COMPLETED:
        ledger->tally.completes++;
        return done(ledger, e, now_ns, ask, ask->attempt);
    case IDP_OUTCOME_RELEASED:
        ledger->tally.releases++;
        return true;
    case IDP_OUTCOME_RENEWED:
        return true;
    case IDP_OUTCOME_STALE:
        ledger->tally.stales++;
        return true;
    case IDP_OUTCOME_UNKNOWN:
        return broken(ledger, e, ask, "the key was forgotten before its time");
    default:
        return broken(ledger, e, ask, "%s was answered with %s",
                      idp_method_name(ask->method),
                      idp_outcome_name(a->outcome));
    }
}

static bool hear_old(idb_ledger *ledger, const idb_ask *ask,
                     const idp_answer *a) {
    ledger->tally.old_replays++;
    if (a->outcome != IDP_OUTCOME_REPLAY)
        return broken(ledger, NULL, ask,
                      "a key that was completed, and whose retention runs, "
                      "was answered with %s",
                      idp_outcome_name(a->outcome));
    return same_result(ledger, ask->number, ask->attempt, a) ||
           broken(ledger, NULL, ask, "a late replay is not the result");
}

bool idb_ledger_hear(idb_ledger *ledger, uint64_t now_ns, const idb_ask *ask,
                     const idp_answer *answer) {
    ledger->tally.answers++;
    if (ask->key == IDB_KEY_OLD)
        return hear_old(ledger, ask, answer);
    entry *e = entry_of(ledger, ask);
    bool has_attempt = answer->outcome == IDP_OUTCOME_ACQUIRED ||
                       answer->outcome == IDP_OUTCOME_IN_PROGRESS;
    note(e, now_ns, ask, answer->outcome,
         has_attempt ? answer->attempt : ask->attempt);
    if (!e->known_ns)
        e->known_ns = now_ns;
    if (ask->method == IDP_ACQUIRE)
        return hear_acquire(ledger, e, now_ns, ask, answer);
    return hear_holder(ledger, e, now_ns, ask, answer);
}

bool idb_ledger_error(idb_ledger *ledger, uint64_t now_ns, const idb_ask *ask,
                      const char *text) {
    (void)now_ns;
    return broken(ledger, entry_of(ledger, ask), ask, "%s was refused: %s",
                  idp_method_name(ask->method), text);
}

void idb_ledger_drop(idb_ledger *ledger, const idb_ask *ask) {
    entry *e = entry_of(ledger, ask);
    if (!e || --e->under_way > 0 || !e->closing)
        return;
    if (e->done_attempt) {
        old_key *old = &ledger->old[ledger->old_at++ % OLD_MAX];
        *old = (old_key){.number = e->number,
                         .attempt = e->done_attempt,
                         .replays = e->replays,
                         .granted_ns = e->granted_ns[e->done_attempt],
                         .done_ns = e->done_ns,
                         .until_ns =
                             e->done_ns + ledger->work.ttl_ms * IDB_NS_PER_MS};
        if (ledger->old_count < OLD_MAX)
            ledger->old_count++;
    }
    entry_new(ledger, e);
}

static double ms_of(const idb_ledger *ledger, uint64_t at_ns) {
    uint64_t start_ns = ledger->start_ns;
    return at_ns < start_ns ? 0 : (double)(at_ns - start_ns) / 1e6;
}

static void event_tell(const idb_ledger *ledger, const event *e, FILE *to) {
    fprintf(to, "[%10.3f ms] conn %-4u %s%s", ms_of(ledger, e->at_ns),
            e->ask.asker, idp_method_name(e->ask.method),
            e->ask.other_body ? " (another body)" : "");
    if (e->outcome == IDP_OUTCOME_COUNT)
        fprintf(to, " sent");
    else
        fprintf(to, " -> %s", idp_outcome_name(e->outcome));
    if (e->attempt)
        fprintf(to, ", attempt %u", e->attempt);
    fputc('\n', to);
}

/* Of a retired key only the outline was kept. */
static void old_tell(const idb_ledger *ledger, FILE *to) {
    const idb_ask *ask = &ledger->broken_ask;
    for (uint32_t i = 0; i < ledger->old_count; i++) {
        const old_key *old = &ledger->old[i];
        if (old->number != ask->number)
            continue;
        fprintf(to,
                "[%10.3f ms] attempt %u granted\n"
                "[%10.3f ms] attempt %u completed, %u replays agreed since\n",
                ms_of(ledger, old->granted_ns), old->attempt,
                ms_of(ledger, old->done_ns), old->attempt, old->replays);
    }
    fprintf(to, "[%10.3f ms] conn %-4u acquire sent: the answer is wrong\n",
            ms_of(ledger, ask->sent_ns), ask->asker);
}

void idb_ledger_tell(const idb_ledger *ledger, FILE *to) {
    char key[IDB_KEY_BYTES_MAX + 1];
    idb_key_write(&ledger->work, ledger->broken_ask.number, (uint8_t *)key);
    key[ledger->work.key_bytes] = '\0';
    fprintf(to, "violation: %s\nkey %s\n", ledger->broken, key);
    const entry *e = ledger->broken_entry;
    if (!e) {
        old_tell(ledger, to);
        return;
    }
    uint32_t first =
        e->event_count > IDB_HISTORY_MAX ? e->event_count - IDB_HISTORY_MAX : 0;
    for (uint32_t i = first; i < e->event_count; i++)
        event_tell(ledger, &e->events[i % IDB_HISTORY_MAX], to);
}

const idb_tally *idb_ledger_tally(const idb_ledger *ledger) {
    return &ledger->tally;
}
