/* SPDX-License-Identifier: Apache-2.0 */
/* reply.c -- the frame of a reply, errors and pong: encode and decode.
 *
 * Pure: nothing here allocates or formats. What stands in the frame is
 * answer.c's, hello.c's and stats.c's. */
#include "proto/reply.h"

#include "proto/commands.h"
#include "proto/metrics.h"
#include "proto/put.h"
#include "proto/scan.h"
#include "proto/text.h"

#include <assert.h>

static_assert(IDP_HELLO_BYTES_MAX <= IDP_REPLICATION_BYTES_MAX &&
                  IDP_COMMAND_REPLY_BYTES_MAX <= IDP_REPLICATION_BYTES_MAX,
              "the largest of the replies that are seldom asked for");

size_t idp_error_write(uint8_t *to, size_t cap, uint32_t msgid, idp_error error,
                       const char *text) {
    const char *code = idp_error_name(error);
    if (!text) {
        text = idp_error_text(error);
    }
    size_t code_len = strlen(code);
    idp_slice all = {(const uint8_t *)text,
                     strnlen(text, IDP_ERROR_TEXT_BYTES_MAX + 1)};
    size_t text_len = text_cut(all, IDP_ERROR_TEXT_BYTES_MAX);
    size_t space = text_len > 0;
    size_t len = code_len + space + text_len;
    if (cap < PUT_REPLY_HEAD_BYTES_MAX + PUT_HEADER_BYTES_MAX + len) {
        return 0;
    }
    uint8_t *at = put_uint(PUT(to, "\x94\x01"), msgid);
    at = len < 32 ? put_u8(at, (uint8_t)(0xa0 | len))
                  : put_header(at, 0xd9, len);
    at = put_raw(put_raw(at, code, code_len), " ", space);
    at = put_nil(put_raw(at, text, text_len));
    return (size_t)(at - to);
}

size_t idp_reply_begin_write(uint8_t to[static IDP_REPLY_BEGIN_BYTES_MAX],
                             uint32_t msgid) {
    return (size_t)(put_uint(PUT(to, "\x94\x01"), msgid) - to);
}

size_t idp_pong_write(uint8_t *to, size_t cap, uint32_t msgid) {
    if (cap < IDP_PONG_BYTES_MAX) {
        return 0;
    }
    uint8_t *at = put_word(put_reply_head(to, msgid), "pong");
    return (size_t)(at - to);
}

bool idp_pong_read(idp_slice result) {
    cursor c = cursor_over(result);
    idp_slice word;
    return cursor_bytes(&c, &word) && slice_is(word, "pong");
}

/* Reads the values of a frame that the scan found whole. */
static bool reply_read(idp_slice frame, idp_reply *reply) {
    cursor c = cursor_over(frame);
    uint32_t count;
    uint64_t type;
    *reply = (idp_reply){0};
    if (!cursor_array(&c, &count) || count != 4 || !cursor_uint(&c, &type) ||
        type != 1 || !cursor_u32(&c, &reply->msgid)) {
        return false;
    }
    if (cursor_nil(&c)) {
        reply->result = (idp_slice){c.at, cursor_left(&c)};
        return true;
    }
    size_t text_at;
    reply->is_error = true;
    if (!cursor_bytes(&c, &reply->text)) {
        return false;
    }
    reply->error = idp_error_parse((const char *)reply->text.ptr,
                                   reply->text.len, &text_at);
    return true;
}

idp_reply_read_status idp_reply_open(const uint8_t *bytes, size_t len,
                                     size_t reply_bytes_max, idp_reply *reply,
                                     size_t *frame_bytes) {
    /* What begins otherwise is no reply, however much of it comes. */
    if ((len > 0 && bytes[0] != 0x94) || (len > 1 && bytes[1] != 0x01)) {
        return IDP_REPLY_BROKEN;
    }
    scan s;
    idp_scan_start(&s, bytes, len, reply_bytes_max);
    scan_end end = idp_scan_value(&s, 0);
    if (end == SCAN_PARTIAL) {
        *frame_bytes = s.need_bytes;
        return IDP_REPLY_PARTIAL;
    }
    if (end != SCAN_WHOLE || !reply_read((idp_slice){bytes, s.at}, reply)) {
        return IDP_REPLY_BROKEN;
    }
    *frame_bytes = s.at;
    return IDP_REPLY_WHOLE;
}

size_t idp_reply_bytes_max(size_t result_bytes_max) {
    idp_answer replay = {.outcome = IDP_OUTCOME_REPLAY, .has_result = true};
    size_t answer = idp_answer_write_bound(&replay) + result_bytes_max;
    size_t stats = idp_stats_write_bound(IDP_STATS_MAX);
    size_t other =
        stats > IDP_REPLICATION_BYTES_MAX ? stats : IDP_REPLICATION_BYTES_MAX;
    size_t text = idp_metrics_write_bound(IDP_METRICS_TEXT_BYTES_MAX);
    if (text > other) {
        other = text;
    }
    return answer > other ? answer : other;
}
