/* SPDX-License-Identifier: Apache-2.0 */
/* quota_node.c -- see quota_node.h. */
#include "tests/unit/core/quota_node.h"

#include <criterion/criterion.h>
#include <stdlib.h>

idt_mem mems[SHARDS + 1];
static idt_mem ledger_mem;

ids_ns_limits_table *new_limits(ids_ns_limits shop, ids_ns_limits others) {
    ids_ns_limits_table *limits =
        calloc(1, sizeof *limits + sizeof(ids_named_limits));
    ids_ns_limits_share(&shop, SHARDS);
    ids_ns_limits_share(&others, SHARDS);
    limits->others = others;
    limits->count = 1;
    limits->named[0].ns_len = 4;
    memcpy(limits->named[0].ns, "shop", 4);
    limits->named[0].limits = shop;
    return limits;
}

ids_ledger *new_ledger(void) {
    ids_ledger_config config = {.shards = SHARDS};
    idt_mem_init(&ledger_mem);
    config.mem = idt_mem_of(&ledger_mem);
    ids_ledger *ledger = ids_ledger_new(&config);
    cr_assert_not_null(ledger);
    return ledger;
}

ids_shard_config shard_config(void) {
    return (ids_shard_config){.memory_bytes_max = 64u << 20,
                              .result_bytes_max = 1000};
}

void node_open(node *n, ids_ns_limits shop, ids_ns_limits others) {
    ids_shard_config config = shard_config();
    *n = (node){.ledger = new_ledger(),
                .limits = new_limits(shop, others),
                .now_ms = IDS_CLOCK_START_MS};
    cr_assert(ids_ledger_name(n->ledger, n->limits, n->now_ms));
    config.limits = n->limits;
    config.ledger = n->ledger;
    for (int i = 0; i < SHARDS; i++)
        n->shards[i] = world_shard(&mems[i], config);
}

void node_close(node *n) {
    for (int i = 0; i < SHARDS; i++)
        world_shard_free(n->shards[i], &mems[i]);
    for (uint32_t i = IDS_NS_OTHER; i < n->ledger->used; i++) {
        cr_assert_eq(ids_ledger_at(n->ledger, i)->pins, 0);
        cr_assert_eq(ids_ledger_at(n->ledger, i)->records, 0);
        cr_assert_eq(ids_ledger_at(n->ledger, i)->bytes, 0);
    }
    ids_ledger_free(n->ledger);
    free(n->limits);
    cr_assert_eq(ledger_mem.blocks, 0);
}

idp_error call(ids_shard *shard, idp_request *q, uint64_t now_ms,
               idp_answer *answer) {
    idp_error error = IDP_OK;
    ids_call c = {.request = q,
                  .hash = world_key_hash(NULL, q->ns, q->key),
                  .now_ms = now_ms};
    memset(answer, 0, sizeof *answer);
    ids_shard_call(shard, &c, answer, &error);
    return error;
}

idp_error claim(ids_shard *shard, const char *ns, uint64_t key, uint64_t now_ms,
                idp_token *token) {
    idp_answer answer;
    idp_request q = {.method = IDP_ACQUIRE,
                     .ns = text(ns),
                     .key = world_key(key),
                     .lease_ms = 1000,
                     .ttl_ms = 10000};
    idp_error error = call(shard, &q, now_ms, &answer);
    if (token)
        *token = answer.token;
    cr_assert(error != IDP_OK || answer.outcome == IDP_OUTCOME_ACQUIRED);
    return error;
}

void drop(ids_shard *shard, const char *ns, uint64_t key, uint64_t now_ms,
          idp_token token) {
    idp_answer answer;
    idp_request q = {.method = IDP_RELEASE,
                     .ns = text(ns),
                     .key = world_key(key),
                     .token = token,
                     .unbind = true};
    cr_assert_eq(call(shard, &q, now_ms, &answer), IDP_OK);
    cr_assert_eq(answer.outcome, IDP_OUTCOME_RELEASED);
}

static void see(void *ctx, uint32_t number, idp_slice ns,
                const ids_ns_counts *counts) {
    looked *l = ctx;
    l->namespaces++;
    if (number == IDS_NS_OTHER)
        l->others = counts->records;
    else if (ns.len == strlen(l->ns) && memcmp(ns.ptr, l->ns, ns.len) == 0)
        l->counts = *counts;
}

looked look(const ids_shard *shard, const char *ns) {
    looked l = {.ns = ns};
    ids_shard_namespaces(shard, see, &l);
    return l;
}

ids_ns_limits of_records(uint64_t max) {
    ids_ns_limits limits = ids_ns_limits_none();
    limits.records_max = max;
    return limits;
}
