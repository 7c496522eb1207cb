/* SPDX-License-Identifier: Apache-2.0 */
/* same.h -- whether two requests, or two answers, say the same. */
#ifndef IDT_SAME_H
#define IDT_SAME_H

#include <string.h>

#include "proto/reply.h"
#include "proto/request.h"

static inline bool idt_slice_same(idp_slice a, idp_slice b) {
    return a.len == b.len && (a.len == 0 || !memcmp(a.ptr, b.ptr, a.len));
}

static inline bool idt_request_same(const idp_request *a,
                                    const idp_request *b) {
    return a->method == b->method && a->msgid == b->msgid &&
           idt_slice_same(a->ns, b->ns) && idt_slice_same(a->key, b->key) &&
           idt_slice_same(a->fingerprint, b->fingerprint) &&
           idt_slice_same(a->nonce, b->nonce) &&
           idt_slice_same(a->result, b->result) &&
           a->token.epoch == b->token.epoch &&
           a->token.sequence == b->token.sequence && a->ttl_ms == b->ttl_ms &&
           a->lease_ms == b->lease_ms && a->wait_ms == b->wait_ms &&
           a->on_orphan == b->on_orphan && a->class == b->class &&
           a->unbind == b->unbind && a->accept_loss == b->accept_loss &&
           a->dry_run == b->dry_run && a->force == b->force &&
           a->has_shard == b->has_shard && a->shard == b->shard &&
           idt_slice_same(a->client, b->client) &&
           idt_slice_same(a->secret, b->secret);
}

static inline bool idt_answer_same(const idp_answer *a, const idp_answer *b) {
    return a->outcome == b->outcome && a->state == b->state &&
           a->previous == b->previous && a->class == b->class &&
           a->kept == b->kept && a->has_result == b->has_result &&
           a->attempt == b->attempt && a->token.epoch == b->token.epoch &&
           a->token.sequence == b->token.sequence &&
           a->lease_ms == b->lease_ms && a->lease_left_ms == b->lease_left_ms &&
           a->age_ms == b->age_ms && a->ttl_left_ms == b->ttl_left_ms &&
           a->result_bytes == b->result_bytes &&
           a->result.len == b->result.len &&
           (a->result.len == 0 ||
            memcmp(a->result.ptr, b->result.ptr, a->result.len) == 0);
}

#endif
