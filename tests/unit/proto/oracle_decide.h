/* SPDX-License-Identifier: Apache-2.0 */
/* oracle_decide.h -- of test_oracle.c: what an operator decides and
 * lists, drawn from a seed (ORACLE_SOME) and packed (ORACLE_PACK). */
#if defined ORACLE_PACK
static void pack_decision(packing *p, const idp_request *r) {
    bool completes = r->verb == IDP_VERB_COMPLETE;
    pack_claim(p, r, 5);
    pack_word(p, idp_verb_name(r->verb));
    msgpack_pack_map(&p->packer, completes ? 6 : 3);
    pack_word(p, "force");
    r->force ? msgpack_pack_true(&p->packer) : msgpack_pack_false(&p->packer);
    pack_word(p, "nonce");
    pack_slice(p, r->nonce, false);
    if (completes) {
        pack_word(p, "result");
        pack_slice(p, r->result, false);
        pack_word(p, "ttl_ms");
        pack_int(p, r->ttl_ms);
        pack_word(p, "class");
        pack_word(p, idp_class_name(r->class));
    }
    pack_word(p, "reason");
    pack_slice(p, r->reason, false);
}

static void pack_erasure(packing *p, const idp_request *r) {
    msgpack_pack_array(&p->packer, 3);
    pack_slice(p, r->ns, true);
    pack_slice(p, r->key, true);
    msgpack_pack_map(&p->packer, 2);
    pack_word(p, "dry_run");
    r->dry_run ? msgpack_pack_true(&p->packer) : msgpack_pack_false(&p->packer);
    pack_word(p, "reason");
    pack_slice(p, r->reason, false);
}

static void pack_list(packing *p, const idp_request *r) {
    msgpack_pack_array(&p->packer, 1);
    msgpack_pack_map(&p->packer, 5);
    pack_word(p, "prefix");
    pack_slice(p, r->key, true);
    pack_word(p, "oldest");
    r->oldest ? msgpack_pack_true(&p->packer) : msgpack_pack_false(&p->packer);
    pack_word(p, "older_ms");
    pack_int(p, r->older_ms);
    pack_word(p, "state");
    pack_word(p, idp_state_name(r->state));
    pack_word(p, "ns");
    pack_slice(p, r->ns, true);
}

static void pack_events(packing *p, const idp_request *r) {
    msgpack_pack_array(&p->packer, 1);
    msgpack_pack_map(&p->packer, 4);
    pack_word(p, "prefix");
    pack_slice(p, r->key, true);
    pack_word(p, "wait_ms");
    pack_int(p, r->wait_ms);
    pack_word(p, "kind");
    pack_word(p, idp_event_kind_name(r->kind));
    pack_word(p, "ns");
    pack_slice(p, r->ns, true);
}

static void pack_cursor(packing *p, const idp_request *r) {
    msgpack_pack_array(&p->packer, 1);
    if (r->method == IDP_CLIENTS) {
        msgpack_pack_map(&p->packer, 1);
        pack_word(p, "cursor");
    }
    pack_slice(p, r->cursor, true);
}

static void pack_operator(packing *p, const idp_request *r) {
    if (r->method == IDP_ERASE) {
        pack_erasure(p, r);
    } else if (r->method == IDP_LIST) {
        pack_list(p, r);
    } else if (r->method == IDP_EVENTS) {
        pack_events(p, r);
    } else if (r->method == IDP_CLIENTS || r->method == IDP_KILL) {
        pack_cursor(p, r);
    } else if (r->method == IDP_CONFIG || r->method == IDP_OFFER) {
        msgpack_pack_array(&p->packer, 1);
        pack_slice(p, r->result, false);
    } else {
        pack_decision(p, r);
    }
}
#elif defined ORACLE_SOME
static void some_decision(uint64_t *seed, idp_request *r) {
    r->token = (idp_token){draw(seed), draw(seed)};
    r->verb = (idp_verb)between(seed, 0, IDP_VERB_COUNT - 1);
    r->reason = some_bytes(seed, 1, IDP_REASON_BYTES_MAX);
    r->nonce = some_bytes(seed, 1, IDP_NONCE_BYTES_MAX);
    if (r->verb == IDP_VERB_COMPLETE) {
        r->result = some_bytes(seed, 0, limits.result_bytes_max);
        r->ttl_ms = between(seed, 1, IDP_TTL_MS_MAX);
        r->class = (idp_class)between(seed, 0, 1);
    }
}

static void some_watch(uint64_t *seed, idp_request *r) {
    r->kind = (idp_event_kind)between(seed, IDP_EVENT_ANY + 1,
                                      IDP_EVENT_KIND_END - 1);
    r->ns = some_bytes(seed, 0, IDP_NS_BYTES_MAX);
    r->key = some_bytes(seed, 0, IDP_KEY_BYTES_MAX);
    r->wait_ms = (uint32_t)between(seed, 1, IDP_WAIT_MS_MAX);
}
#endif
