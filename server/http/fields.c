/* SPDX-License-Identifier: Apache-2.0 */
/* fields.c -- see fields.h. */
#include "server/http/fields.h"

static void put_token_word(ids_json_out *out, idp_token token) {
    char text[2 * IDP_TOKEN_BYTES + 1];
    for (int i = 0; i < 16; i++) {
        text[i] = "0123456789abcdef"[token.epoch >> (60 - 4 * i) & 15];
        text[16 + i] = "0123456789abcdef"[token.sequence >> (60 - 4 * i) & 15];
    }
    text[2 * IDP_TOKEN_BYTES] = '\0';
    ids_json_put_word(out, "token", text);
}

static void put_kept_result(ids_json_out *out, const idp_answer *a) {
    ids_json_put(out, a->has_result ? ",\"kept\":true," : ",\"kept\":false");
    if (!a->has_result)
        return;
    if (ids_json_is_text(a->result)) {
        ids_json_put(out, "\"result\":");
        ids_json_put_bytes(out, a->result);
    } else if (ids_is_utf8(a->result)) {
        ids_json_put(out, "\"result_text\":");
        ids_json_put_string(out, a->result);
    } else {
        ids_json_put(out, "\"result_b64\":");
        ids_json_put_base64(out, a->result);
    }
}

static void put_record_fields(ids_json_out *out, const idp_answer *a) {
    ids_json_put_word(out, "state", idp_state_name(a->state));
    ids_json_put_field(out, "age_ms", a->age_ms);
    ids_json_put_field(out, "attempt", a->attempt);
    if (a->state == IDP_STATE_IN_PROGRESS)
        ids_json_put_field(out, "lease_left_ms", a->lease_left_ms);
    ids_json_put_field(out, "ttl_left_ms", a->ttl_left_ms);
    if (a->state != IDP_STATE_COMPLETED)
        return;
    ids_json_put(out, a->has_result ? ",\"kept\":true" : ",\"kept\":false");
    if (a->has_result)
        ids_json_put_field(out, "result_bytes", a->result_bytes);
    ids_json_put_word(out, "class", idp_class_name(a->class));
}

void ids_http_put_fields(ids_json_out *out, const idp_answer *a) {
    switch (a->outcome) {
    case IDP_OUTCOME_ACQUIRED:
        put_token_word(out, a->token);
        ids_json_put_field(out, "attempt", a->attempt);
        ids_json_put_word(out, "previous", idp_previous_name(a->previous));
        ids_json_put_field(out, "lease_ms", a->lease_ms);
        break;
    case IDP_OUTCOME_REPLAY:
        ids_json_put_word(out, "class", idp_class_name(a->class));
        ids_json_put_field(out, "age_ms", a->age_ms);
        ids_json_put_field(out, "ttl_left_ms", a->ttl_left_ms);
        put_kept_result(out, a);
        break;
    case IDP_OUTCOME_IN_PROGRESS:
        ids_json_put_field(out, "lease_left_ms", a->lease_left_ms);
        ids_json_put_field(out, "attempt", a->attempt);
        ids_json_put_field(out, "age_ms", a->age_ms);
        break;
    case IDP_OUTCOME_ORPHANED:
        ids_json_put_field(out, "age_ms", a->age_ms);
        ids_json_put_field(out, "attempt", a->attempt);
        break;
    case IDP_OUTCOME_COMPLETED:
        ids_json_put(out, a->kept ? ",\"kept\":true" : ",\"kept\":false");
        if (a->ttl_ms)
            ids_json_put_field(out, "ttl_ms", a->ttl_ms);
        break;
    case IDP_OUTCOME_RENEWED:
        ids_json_put_field(out, "lease_ms", a->lease_ms);
        break;
    case IDP_OUTCOME_MISMATCH:
    case IDP_OUTCOME_STALE:
    case IDP_OUTCOME_REFUSED:
        ids_json_put_word(out, "state", idp_state_name(a->state));
        break;
    case IDP_OUTCOME_ERASED:
    case IDP_OUTCOME_COUNTED:
        ids_json_put_field(out, "records", a->records);
        ids_json_put_field(out, "in_progress", a->running);
        break;
    case IDP_OUTCOME_RECORD:
        if (!ids_http_is_absent(a))
            put_record_fields(out, a);
        break;
    case IDP_OUTCOME_RELEASED:
    case IDP_OUTCOME_UNKNOWN:
    case IDP_OUTCOME_DELETED:
    case IDP_OUTCOME_COUNT:
        break;
    }
}
