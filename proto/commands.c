/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c -- what an operator's commands answer: encode and decode.
 *
 * Pure. Keys and fields that a later version adds are skipped. */
#include "proto/commands.h"

#include "proto/cursor.h"
#include "proto/put.h"
#include "proto/text.h"

#include <assert.h>

#define X(name, text) text,
static const char *const outcomes[] = {IDP_COMMAND_OUTCOMES(X)};
#undef X

const char *idp_command_outcome_name(idp_command_outcome outcome) {
    return (size_t)outcome < IDP_COMMAND_COUNT ? outcomes[outcome] : "unknown";
}

/* Commands ----------------------------------------------------------------- */

static_assert(IDP_COMMAND_REPLY_BYTES_MAX >=
                      PUT_REPLY_HEAD_BYTES_MAX + 16 + 2 * PUT_HEADER_BYTES_MAX +
                          3 * PUT_UINT_BYTES_MAX + IDP_RELOAD_TEXT_BYTES_MAX &&
                  IDP_COMMAND_TEXT_BYTES_MAX >=
                      IDP_ENDPOINT_BYTES_MAX + 3 * PUT_UINT_BYTES_MAX,
              "what a reload does is the largest answer, and fits");

static uint8_t *put_bounded(uint8_t *to, idp_slice text, size_t max) {
    return put_str(to, text.ptr, text_cut(text, max));
}

size_t idp_command_write(uint8_t *to, size_t cap, uint32_t msgid,
                         const idp_command_answer *a) {
    static const uint8_t items[] = {2, 2, 3, 4, 4, 4, 5, 2, 2};
    if (cap < IDP_COMMAND_REPLY_BYTES_MAX ||
        (size_t)a->outcome >= IDP_COMMAND_COUNT) {
        return 0;
    }
    uint8_t *at = put_array(put_reply_head(to, msgid), items[a->outcome]);
    at = put_word(at, outcomes[a->outcome]);
    switch (a->outcome) {
    case IDP_COMMAND_SWITCHED:
        at = put_uint(at, a->epoch);
        at = put_bounded(at, a->primary, IDP_ENDPOINT_BYTES_MAX);
        break;
    case IDP_COMMAND_SNAPSHOT:
        at = put_uint(put_uint(at, a->records), a->bytes);
        at = put_uint(at, a->ms);
        break;
    case IDP_COMMAND_BACKUP:
        at = put_uint(put_uint(at, a->records), a->bytes);
        at = put_bounded(put_uint(at, a->ms), a->text,
                         IDP_RELOAD_TEXT_BYTES_MAX);
        break;
    case IDP_COMMAND_RELOADED:
    case IDP_COMMAND_EXAMINED:
        at = put_uint(put_uint(at, a->closed), a->admitted);
        at = put_bounded(at, a->text, IDP_RELOAD_TEXT_BYTES_MAX);
        break;
    case IDP_COMMAND_REFUSED:
        at = put_bounded(at, a->text, IDP_COMMAND_TEXT_BYTES_MAX);
        break;
    case IDP_COMMAND_PROMOTED:
    case IDP_COMMAND_DETACHED:
    case IDP_COMMAND_TOLD:
    case IDP_COMMAND_COUNT:
        at = put_uint(at, a->epoch);
        break;
    }
    return (size_t)(at - to);
}

static bool command_fields_read(cursor *c, uint32_t count, idp_method method,
                                idp_slice word, idp_command_answer *a) {
    if (slice_is(word, "refused")) {
        a->outcome = IDP_COMMAND_REFUSED;
        return count >= 2 && cursor_bytes(c, &a->text);
    }
    switch (method) {
    case IDP_PROMOTE:
        a->outcome = IDP_COMMAND_PROMOTED;
        return slice_is(word, "promoted") && count >= 2 &&
               cursor_uint(c, &a->epoch);
    case IDP_DETACH:
        a->outcome = IDP_COMMAND_DETACHED;
        return slice_is(word, "detached") && count >= 2 &&
               cursor_uint(c, &a->epoch);
    case IDP_SWITCHOVER:
        a->outcome = IDP_COMMAND_SWITCHED;
        return slice_is(word, "switched") && count >= 3 &&
               cursor_uint(c, &a->epoch) && cursor_bytes(c, &a->primary);
    case IDP_CONFIG:
    case IDP_OFFER:
        a->outcome = IDP_COMMAND_TOLD;
        return slice_is(word, "told") && count >= 2 &&
               cursor_uint(c, &a->epoch);
    case IDP_SNAPSHOT:
        a->outcome = IDP_COMMAND_SNAPSHOT;
        return slice_is(word, "snapshot") && count >= 4 &&
               cursor_uint(c, &a->records) && cursor_uint(c, &a->bytes) &&
               cursor_uint(c, &a->ms);
    case IDP_BACKUP:
        a->outcome = IDP_COMMAND_BACKUP;
        return slice_is(word, "backup") && count >= 5 &&
               cursor_uint(c, &a->records) && cursor_uint(c, &a->bytes) &&
               cursor_uint(c, &a->ms) && cursor_bytes(c, &a->text);
    case IDP_RELOAD:
        a->outcome = slice_is(word, "examined") ? IDP_COMMAND_EXAMINED
                                                : IDP_COMMAND_RELOADED;
        return (a->outcome == IDP_COMMAND_EXAMINED ||
                slice_is(word, "reloaded")) &&
               count >= 4 && cursor_uint(c, &a->closed) &&
               cursor_uint(c, &a->admitted) && cursor_bytes(c, &a->text);
    case IDP_ACQUIRE:
    case IDP_COMPLETE:
    case IDP_RELEASE:
    case IDP_RENEW:
    case IDP_PEEK:
    case IDP_HELLO:
    case IDP_PING:
    case IDP_STATS:
    case IDP_METRICS:
    case IDP_REPLICATION:
    case IDP_NAMESPACES:
    case IDP_LIST:
    case IDP_INSPECT:
    case IDP_CLIENTS:
    case IDP_KILL:
    case IDP_SLOW:
    case IDP_RESOLVE:
    case IDP_ERASE:
    case IDP_EVENTS:
    case IDP_METHOD_COUNT:
    default: /* no command */
        return false;
    }
}

bool idp_command_read(idp_method method, idp_slice result,
                      idp_command_answer *a) {
    cursor c = cursor_over(result);
    uint32_t count;
    idp_slice word;
    *a = (idp_command_answer){0};
    return cursor_array(&c, &count) && count >= 1 && cursor_bytes(&c, &word) &&
           command_fields_read(&c, count, method, word, a);
}
