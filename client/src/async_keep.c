/* SPDX-License-Identifier: Apache-2.0 */
/* async_keep.c -- claims that an idem_async renews. See async.h and term.h. */
#include <stddef.h>
#include <string.h>

#include "client/src/async.h"
#include "client/src/mem.h"

static void free_kept(idem_async *async, idem__kept *kept) {
    if (kept->prev != NULL)
        kept->prev->next = kept->next;
    else
        async->kept = kept->next;
    if (kept->next != NULL)
        kept->next->prev = kept->prev;
    idem__free(kept);
}

/* It names nothing any more; freed once no renewal is under way. */
static void end_kept(idem_async *async, idem__kept *kept) {
    kept->over = true;
    idem__alarms_unset(&async->alarms, &kept->alarm);
    idem__async_leave(async, kept->slot);
    if (!kept->asking)
        free_kept(async, kept);
}

static void lose_kept(idem_async *async, idem__kept *kept, int32_t outcome) {
    idem_lost_fn lost = kept->lost;
    void *ctx = kept->ctx;
    end_kept(async, kept);
    async->tells++;
    if (lost != NULL)
        lost(ctx, outcome);
}

static void note_failed(idem_async *async, idem__kept *kept) {
    uint64_t again_ms =
        async->now_ms + idem__term_again_ms(kept->args.lease_ms);
    kept->term.due_ms = again_ms;
    idem__alarms_set(&async->alarms, &kept->alarm,
                     again_ms < kept->term.end_ms ? again_ms
                                                  : kept->term.end_ms);
}

static void hear_renewed(void *ctx, const idem_answer *answer,
                         const idem_error *err) {
    idem__kept *kept = ctx;
    idem_async *async = kept->async;
    kept->asking = false;
    if (kept->over) {
        free_kept(async, kept);
    } else if (err != NULL) {
        note_failed(async, kept);
    } else if (answer->outcome != IDEM_RENEWED) {
        lose_kept(async, kept, answer->outcome);
    } else {
        const idem__attempt *attempt = &async->telling->attempt;
        kept->term =
            idem__term_of(kept->args.lease_ms,
                          (idem__times){attempt->queued_ms, async->now_ms});
        idem__alarms_set(&async->alarms, &kept->alarm, kept->term.due_ms);
    }
}

/* A call of its own, whose deadline is the lease's end. */
static void renew_kept(idem_async *async, idem__kept *kept) {
    idem_args args = kept->args;
    uint64_t left_ms = kept->term.end_ms - async->now_ms;
    args.timeout_ms =
        left_ms > IDEM__ASK_MS_MIN ? (uint32_t)left_ms : IDEM__ASK_MS_MIN;
    kept->asking = true;
    idem__alarms_set(&async->alarms, &kept->alarm, kept->term.end_ms);
    if (idem__task_renew(async, &args, hear_renewed, kept) == 0)
        return;
    kept->asking = false;
    note_failed(async, kept);
}

void idem__kept_due(idem_async *async, idem__kept *kept) {
    if (async->now_ms >= kept->term.end_ms)
        lose_kept(async, kept, 0);
    else if (!kept->asking)
        renew_kept(async, kept);
}

void idem__kept_forget(idem_async *async) {
    while (async->kept != NULL)
        free_kept(async, async->kept);
}

static idp_token token_of(const idem_args *args) {
    idp_token token = {0};
    for (int i = 0; i < 8; i++) {
        token.epoch = token.epoch << 8 | args->token.bytes[i];
        token.sequence = token.sequence << 8 | args->token.bytes[8 + i];
    }
    return token;
}

bool idem__kept_has(const idem_async *async, const idp_request *request) {
    for (const idem__kept *kept = async->kept; kept != NULL;
         kept = kept->next) {
        idp_token token = token_of(&kept->args);
        if (token.epoch == request->token.epoch &&
            token.sequence == request->token.sequence &&
            kept->args.key_len == request->key.len &&
            memcmp(kept->args.key, request->key.ptr, request->key.len) == 0)
            return true;
    }
    return false;
}

/* ------------------------------------------------------- what a program asks
 */

static idem__kept *make_kept(idem_async *async, const idem__task *task,
                             const idem_answer *answer) {
    const idp_request *claim = &task->request;
    idem__kept *kept =
        idem__calloc(sizeof *kept + claim->ns.len + claim->key.len);
    if (kept == NULL)
        return NULL;
    uint8_t *ns = kept->bytes;
    uint8_t *key = ns + claim->ns.len;
    if (claim->ns.len > 0)
        memcpy(ns, claim->ns.ptr, claim->ns.len);
    memcpy(key, claim->key.ptr, claim->key.len);
    kept->alarm.kind = IDEM__ALARM_KEPT;
    kept->async = async;
    kept->args = (idem_args){.size = sizeof kept->args,
                             .ns = (const char *)ns,
                             .ns_len = claim->ns.len,
                             .key = key,
                             .key_len = claim->key.len,
                             .token = answer->token,
                             .lease_ms = (uint32_t)answer->lease_ms};
    kept->term =
        idem__term_of(answer->lease_ms,
                      (idem__times){task->attempt.queued_ms, async->now_ms});
    return kept;
}

int32_t idem_async_keep(idem_async *async, idem_lost_fn lost, void *ctx,
                        uint64_t *id) {
    if (!idem__async_be_here(async))
        return IDEM_E_MEMORY;
    if (async->closing)
        return IDEM_E_CLOSED;
    if (async->told == NULL || async->told->outcome != IDEM_ACQUIRED ||
        id == NULL)
        return IDEM_E_ARGUMENT;
    if (async->slots_used >= IDEM_ASYNC_CALLS_MAX)
        return IDEM_E_BUSY;
    idem__kept *kept = make_kept(async, async->telling, async->told);
    if (kept == NULL)
        return IDEM_E_MEMORY;
    kept->lost = lost;
    kept->ctx = ctx;
    if (!idem__async_enter(async, &kept->alarm, &kept->slot)) {
        idem__free(kept);
        return IDEM_E_MEMORY;
    }
    kept->next = async->kept;
    if (kept->next != NULL)
        kept->next->prev = kept;
    async->kept = kept;
    idem__alarms_set(&async->alarms, &kept->alarm, kept->term.due_ms);
    *id = idem__async_id(async, kept->slot);
    return 0;
}

int32_t idem_async_let_go(idem_async *async, uint64_t id) {
    if (!idem__async_be_here(async))
        return 0;
    idem__alarm *alarm = idem__async_find(async, id);
    if (alarm == NULL || alarm->kind != IDEM__ALARM_KEPT)
        return 0;
    end_kept(async,
             (idem__kept *)((uint8_t *)alarm - offsetof(idem__kept, alarm)));
    return 1;
}
