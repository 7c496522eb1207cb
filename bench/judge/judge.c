/* SPDX-License-Identifier: Apache-2.0 */
/* judge.c -- see judge.h. */
#include "bench/judge/judge.h"

#include <inttypes.h>
#include <string.h>

enum { STEPS_MAX = 2000000, TOLD_MAX = 3 };

static const char *const kinds[] = {"absent", "held", "completed", "released"};

static void tell_op(FILE *tell, const char *what, const nem_op *op) {
    if (op == NULL)
        return;
    fprintf(tell, "  %s\n", what);
    nem_print(tell, op, 1);
}

static void tell_broken(FILE *tell, const nem_broken *b) {
    fprintf(tell, "  %s\n", b->promise);
    tell_op(tell, "this", b->by);
    tell_op(tell, "beside", b->after);
}

static void tell_unordered(FILE *tell, const nem_found *found) {
    const nem_record *r = &found->record;
    fprintf(tell,
            "  no order of the calls explains all answers: after %zu of them "
            "the record is\n  %s, token %" PRIu64 ".%" PRIu64
            ", attempt %" PRIu64 ", lease until %" PRIu64
            ", retention until %" PRIu64 "\n",
            found->placed, kinds[r->kind], r->token.epoch, r->token.sequence,
            r->attempt, r->lease_end_ns, r->ttl_end_ns);
    tell_op(tell, "and then there is", found->in_way);
}

static void judge_key(nem_judgement *j, const nem_op *ops, size_t count,
                      FILE *tell) {
    nem_broken broken = nem_promises(ops, count);
    nem_found found = nem_search(ops, count, STEPS_MAX);
    j->steps += found.steps;
    j->keys++;
    if (found.verdict == NEM_UNDECIDED)
        j->undecided++;
    if (broken.promise == NULL && found.verdict == NEM_LEGAL)
        return;
    if (broken.promise != NULL || found.verdict == NEM_ILLEGAL)
        j->broken++;
    if (j->first[0] == '\0')
        snprintf(j->first, sizeof j->first, "%s: %s", ops[0].key,
                 broken.promise != NULL ? broken.promise
                 : found.verdict == NEM_ILLEGAL
                     ? "L: no order of the calls explains all answers"
                     : "undecided");
    if (tell == NULL)
        return;
    fprintf(tell, "key %s:\n", ops[0].key);
    if (broken.promise != NULL)
        tell_broken(tell, &broken);
    if (found.verdict == NEM_ILLEGAL)
        tell_unordered(tell, &found);
    else if (found.verdict == NEM_UNDECIDED)
        fprintf(tell, "  undecided after %" PRIu64 " steps\n", found.steps);
    if (j->broken + j->undecided <= TOLD_MAX) {
        fprintf(tell, "  all of it:\n");
        nem_print(tell, ops, count);
    }
}

nem_judgement nem_judge(nem_history *h, FILE *tell) {
    nem_judgement j = {0};
    nem_history_close(h);
    for (size_t i = 0; i < h->count; i++) {
        j.answered += h->ops[i].end == NEM_ANSWERED;
        j.unknown += h->ops[i].end == NEM_UNKNOWN;
    }
    for (size_t from = 0, to; from < h->count; from = to) {
        for (to = from + 1;
             to < h->count && strcmp(h->ops[from].key, h->ops[to].key) == 0;
             to++)
            continue;
        judge_key(&j, &h->ops[from], to - from, tell);
    }
    return j;
}
