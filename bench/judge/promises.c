/* SPDX-License-Identifier: Apache-2.0 */
/* promises.c -- see promises.h. Pure, but for memory.
 *
 * Only what was answered counts here, and only the order that real time
 * gives: what had returned before something else was asked for. */
#include "bench/judge/promises.h"

#include <stdlib.h>
#include <string.h>

/* One kind of answer in one order, and for each the best of all up to it. */
typedef struct row {
    const nem_op **ops;
    const nem_op **best;
    size_t count;
} row;

typedef struct key_facts {
    const nem_op *ops;
    size_t count;
    row grants;    /* acquired, by return */
    row completes; /* answered completed, by return; best: kept longest */
    row firsts;    /* acquired as the first attempt, with a fp, by return */
    row asked;     /* every complete, by result then invoke */
    row released;  /* every release, by token then invoke */
} key_facts;

static bool is_before(const nem_op *a, const nem_op *b) {
    return a->return_ns < b->invoke_ns;
}

static bool said(const nem_op *op, int32_t method, int32_t outcome) {
    return op->method == method && op->end == NEM_ANSWERED &&
           op->outcome == outcome;
}

static uint64_t clock_of(const nem_op *op) {
    uint64_t clock = op->clock_ns != 0 ? op->clock_ns : op->invoke_ns;
    return clock > NEM_SLACK_NS ? clock - NEM_SLACK_NS : 0;
}

/* --- rows */

static int by_return(const void *left, const void *right) {
    const nem_op *a = *(const nem_op *const *)left;
    const nem_op *b = *(const nem_op *const *)right;
    return a->return_ns < b->return_ns ? -1 : a->return_ns > b->return_ns;
}

static int compare_results(const nem_result *a, uint64_t a_class,
                           const nem_result *b, uint64_t b_class) {
    if (a->given != b->given)
        return a->given ? 1 : -1;
    if (a->digest != b->digest)
        return a->digest < b->digest ? -1 : 1;
    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    return a_class < b_class ? -1 : a_class > b_class;
}

static int by_invoke(const nem_op *a, const nem_op *b) {
    return a->invoke_ns < b->invoke_ns ? -1 : a->invoke_ns > b->invoke_ns;
}

static int by_result(const void *left, const void *right) {
    const nem_op *a = *(const nem_op *const *)left;
    const nem_op *b = *(const nem_op *const *)right;
    int order = compare_results(&a->result, a->class, &b->result, b->class);
    return order != 0 ? order : by_invoke(a, b);
}

static int by_asked(const void *left, const void *right) {
    const nem_op *a = *(const nem_op *const *)left;
    const nem_op *b = *(const nem_op *const *)right;
    int order = nem_token_compare(a->asked, b->asked);
    return order != 0 ? order : by_invoke(a, b);
}

static int by_token(const void *left, const void *right) {
    const nem_op *a = *(const nem_op *const *)left;
    const nem_op *b = *(const nem_op *const *)right;
    int order = nem_token_compare(a->token, b->token);
    return order != 0 ? order : by_invoke(a, b);
}

static int by_nonce(const void *left, const void *right) {
    const nem_op *a = *(const nem_op *const *)left;
    const nem_op *b = *(const nem_op *const *)right;
    int order = strcmp(a->nonce, b->nonce);
    return order != 0 ? order : by_token(left, right);
}

static void row_init(row *r, size_t cap) {
    r->ops = calloc(cap + 1, sizeof *r->ops);
    r->best = calloc(cap + 1, sizeof *r->best);
    if (r->ops == NULL || r->best == NULL)
        abort();
}

static void row_fini(row *r) {
    free(r->ops);
    free(r->best);
}

static void row_sort(row *r, int (*order)(const void *, const void *)) {
    if (r->count > 0)
        qsort(r->ops, r->count, sizeof *r->ops, order);
}

/* The best of those that had returned before op was asked for; NULL: none. */
static const nem_op *best_before(const row *r, uint64_t invoke_ns) {
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (r->ops[mid]->return_ns < invoke_ns)
            low = mid + 1;
        else
            high = mid;
    }
    return low == 0 ? NULL : r->best[low - 1];
}

static void keep_best(row *r,
                      bool (*better)(const key_facts *f, const nem_op *a,
                                     const nem_op *b),
                      const key_facts *f) {
    for (size_t i = 0; i < r->count; i++)
        r->best[i] = i > 0 && !better(f, r->ops[i], r->best[i - 1])
                         ? r->best[i - 1]
                         : r->ops[i];
}

/* --- what follows from one answer */

static const nem_op *grant_of(const key_facts *f, nem_token token) {
    for (size_t i = 0; i < f->grants.count; i++)
        if (nem_token_same(f->grants.ops[i]->token, token))
            return f->grants.ops[i];
    return NULL;
}

/* The first try at completing with this result: it counted no earlier. */
static const nem_op *first_of(const key_facts *f, const nem_result *result,
                              uint64_t class) {
    size_t low = 0, high = f->asked.count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        const nem_op *op = f->asked.ops[mid];
        if (compare_results(&op->result, op->class, result, class) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == f->asked.count)
        return NULL;
    const nem_op *op = f->asked.ops[low];
    return compare_results(&op->result, op->class, result, class) == 0 ? op
                                                                       : NULL;
}

/* Until then what the complete left is there. A client that repeats one
 * may have been heard at its first try. */
static uint64_t kept_until(const key_facts *f, const nem_op *op) {
    const nem_op *grant = grant_of(f, op->asked);
    uint64_t ttl_ms = op->ttl_ms != 0 ? op->ttl_ms
                      : grant != NULL ? grant->ttl_ms
                                      : 0;
    uint64_t from_ns = clock_of(op);
    for (size_t i = 0; i < f->asked.count; i++) {
        const nem_op *other = f->asked.ops[i];
        if (nem_token_same(other->asked, op->asked) &&
            clock_of(other) < from_ns)
            from_ns = clock_of(other);
    }
    return from_ns + ttl_ms * NEM_MS;
}

static bool keeps_longer(const key_facts *f, const nem_op *a, const nem_op *b) {
    return kept_until(f, a) > kept_until(f, b);
}

static bool has_higher_token(const key_facts *f, const nem_op *a,
                             const nem_op *b) {
    (void)f;
    return nem_token_compare(a->token, b->token) > 0;
}

static bool is_later(const key_facts *f, const nem_op *a, const nem_op *b) {
    (void)f;
    return a->return_ns > b->return_ns;
}

/* It bound its fingerprint, if no other call was the first by this nonce. */
static bool binds(const nem_op *op, const nem_op *ops, size_t count) {
    if (op->attempt != 1 || op->fp[0] == '\0')
        return false;
    if (op->nonce[0] == '\0')
        return true; /* nobody else can have been told of it */
    for (size_t i = 0; i < count; i++)
        if (strcmp(ops[i].nonce, op->nonce) == 0 &&
            strcmp(ops[i].fp, op->fp) != 0)
            return false;
    return true;
}

static void gather(key_facts *f, const nem_op *ops, size_t count) {
    row *rows[] = {&f->grants, &f->completes, &f->firsts, &f->asked,
                   &f->released};
    *f = (key_facts){.ops = ops, .count = count};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        row_init(rows[i], count);
    for (size_t i = 0; i < count; i++) {
        const nem_op *op = &ops[i];
        if (said(op, IDEM_ACQUIRE, IDEM_ACQUIRED)) {
            f->grants.ops[f->grants.count++] = op;
            if (binds(op, ops, count))
                f->firsts.ops[f->firsts.count++] = op;
        }
        if (said(op, IDEM_COMPLETE, IDEM_COMPLETED))
            f->completes.ops[f->completes.count++] = op;
        if (op->method == IDEM_COMPLETE && op->end != NEM_REFUSED)
            f->asked.ops[f->asked.count++] = op;
        if (op->method == IDEM_RELEASE && op->end != NEM_REFUSED)
            f->released.ops[f->released.count++] = op;
    }
    row_sort(&f->asked, by_result);
    row_sort(&f->released, by_asked);
    row_sort(&f->grants, by_return);
    row_sort(&f->firsts, by_return);
    row_sort(&f->completes, by_return);
    keep_best(&f->grants, has_higher_token, f);
    keep_best(&f->firsts, is_later, f);
    keep_best(&f->completes, keeps_longer, f);
}

static void let_go_of_promises(key_facts *f) {
    row_fini(&f->grants);
    row_fini(&f->completes);
    row_fini(&f->firsts);
    row_fini(&f->asked);
    row_fini(&f->released);
}

/* --- the promises */

static nem_broken kept(void) {
    return (nem_broken){0};
}

static nem_broken i1(const key_facts *f) {
    row by_tokens = {0};
    nem_broken b = kept();
    row_init(&by_tokens, f->completes.count);
    for (size_t i = 0; i < f->completes.count; i++)
        by_tokens.ops[by_tokens.count++] = f->completes.ops[i];
    row_sort(&by_tokens, by_asked);
    for (size_t i = 1; i < by_tokens.count && b.promise == NULL; i++) {
        const nem_op *one = by_tokens.ops[i - 1], *two = by_tokens.ops[i];
        const nem_op *grant = grant_of(f, two->asked);
        if (!nem_token_same(one->asked, two->asked) && grant != NULL &&
            grant->return_ns < kept_until(f, one))
            b = (nem_broken){"I1: two claims were completed in one retention",
                             two, one};
    }
    row_fini(&by_tokens);
    return b;
}

static nem_broken i2(const key_facts *f, const nem_op *op) {
    const nem_op *done;
    if (!said(op, IDEM_ACQUIRE, IDEM_ACQUIRED))
        return kept();
    done = best_before(&f->completes, op->invoke_ns);
    if (done != NULL && op->return_ns < kept_until(f, done))
        return (nem_broken){"I2: completed, and granted again", op, done};
    return kept();
}

static nem_broken i3(const key_facts *f, const nem_op *op,
                     const nem_op **last) {
    const nem_op *first, *before = *last, *of_before;
    if (!said(op, IDEM_ACQUIRE, IDEM_REPLAY))
        return kept();
    first = first_of(f, &op->replayed, op->replayed_class);
    if (first == NULL)
        return (nem_broken){"I3: a replay of what nobody completed", op, NULL};
    if (first->invoke_ns > op->return_ns)
        return (nem_broken){"I3: a replay before its complete", op, first};
    *last = op;
    if (before == NULL || !is_before(before, op) ||
        compare_results(&before->replayed, before->replayed_class,
                        &op->replayed, op->replayed_class) == 0)
        return kept();
    of_before = first_of(f, &before->replayed, before->replayed_class);
    if (of_before != NULL && op->return_ns < kept_until(f, of_before))
        return (nem_broken){"I3: two replays differ", op, before};
    return kept();
}

static nem_broken i4(const key_facts *f, const nem_op *op) {
    const nem_op *high;
    if (op->end != NEM_ANSWERED)
        return kept();
    if (said(op, IDEM_ACQUIRE, IDEM_ACQUIRED)) {
        high = best_before(&f->grants, op->invoke_ns);
        if (high != NULL && nem_token_compare(op->token, high->token) < 0)
            return (nem_broken){"I4: a token is not above an older one", op,
                                high};
        return kept();
    }
    if (op->outcome != IDEM_COMPLETED && op->outcome != IDEM_RELEASED &&
        op->outcome != IDEM_RENEWED)
        return kept();
    high = best_before(&f->grants, op->from_ns);
    if (high != NULL && nem_token_compare(op->asked, high->token) < 0)
        return (nem_broken){"I4: a stale token was taken", op, high};
    return kept();
}

static bool was_released(const key_facts *f, const nem_op *grant,
                         uint64_t by_ns) {
    for (size_t i = 0; i < f->released.count; i++)
        if (nem_token_same(f->released.ops[i]->asked, grant->token) &&
            f->released.ops[i]->invoke_ns < by_ns)
            return true;
    return false;
}

static nem_broken i5_pair(const key_facts *f, const nem_op *a,
                          const nem_op *b) {
    if (nem_token_same(a->token, b->token))
        return a->nonce[0] != '\0' && strcmp(a->nonce, b->nonce) == 0
                   ? kept()
                   : (nem_broken){"I5: two askers have one token", b, a};
    if (a->nonce[0] == '\0' || strcmp(a->nonce, b->nonce) != 0 ||
        b->return_ns >= clock_of(a) + a->lease_ms * NEM_MS ||
        was_released(f, a, b->return_ns))
        return kept();
    return (nem_broken){"I5: the same nonce, another token", b, a};
}

static nem_broken i5(const key_facts *f) {
    int (*const orders[])(const void *, const void *) = {by_token, by_nonce};
    row sorted = {0};
    nem_broken b = kept();
    row_init(&sorted, f->grants.count);
    for (size_t i = 0; i < f->grants.count; i++)
        sorted.ops[sorted.count++] = f->grants.ops[i];
    for (size_t k = 0; k < 2 && b.promise == NULL; k++) {
        row_sort(&sorted, orders[k]);
        for (size_t i = 1; i < sorted.count && b.promise == NULL; i++)
            b = i5_pair(f, sorted.ops[i - 1], sorted.ops[i]);
    }
    row_fini(&sorted);
    return b;
}

static bool was_unbound(const key_facts *f, uint64_t by_ns) {
    for (size_t i = 0; i < f->released.count; i++)
        if (f->released.ops[i]->unbind && f->released.ops[i]->invoke_ns < by_ns)
            return true;
    return false;
}

static nem_broken i6(const key_facts *f, const nem_op *op) {
    const nem_op *bound;
    if (op->method != IDEM_ACQUIRE || op->end != NEM_ANSWERED ||
        op->outcome == IDEM_MISMATCH || op->fp[0] == '\0')
        return kept();
    bound = best_before(&f->firsts, op->from_ns);
    if (bound == NULL || strcmp(bound->fp, op->fp) == 0 ||
        op->return_ns >= clock_of(bound) + bound->ttl_ms * NEM_MS ||
        was_unbound(f, op->return_ns))
        return kept();
    return (nem_broken){"I6: another fingerprint, and no mismatch", op, bound};
}

nem_broken nem_promises(const nem_op *ops, size_t count) {
    key_facts f;
    const nem_op *last_replay = NULL;
    gather(&f, ops, count);
    nem_broken b = i1(&f);
    if (b.promise == NULL)
        b = i5(&f);
    for (size_t i = 0; i < count && b.promise == NULL; i++) {
        b = i2(&f, &ops[i]);
        if (b.promise == NULL)
            b = i3(&f, &ops[i], &last_replay);
        if (b.promise == NULL)
            b = i4(&f, &ops[i]);
        if (b.promise == NULL)
            b = i6(&f, &ops[i]);
    }
    let_go_of_promises(&f);
    return b;
}
