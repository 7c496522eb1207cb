/* SPDX-License-Identifier: Apache-2.0 */
/* audit_line.c -- a line of the audit log, field by field. See audit.h.
 *
 * What is not printable never stands in one: such bytes are base64. So a line
 * stays within what a pipe takes at once, and no terminal that shows it does
 * what a key says. */
#include "server/base/audit_inner.h"

#include <sodium/crypto_hash_sha256.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* For the end: }, a newline, and the NUL that printf writes. */
#define TAIL_BYTES 4

/* All of it, or nothing. */
static void put_to_line(ids_audit_line *line, const char *text, size_t len) {
    if (line->len + len + TAIL_BYTES > sizeof line->bytes)
        return;
    memcpy(line->bytes + line->len, text, len);
    line->len += len;
}

/* "name": of a field whose value takes so much; false: there is no room. */
static bool begin_field(ids_audit_line *line, const char *name,
                        const char *suffix, size_t value_bytes) {
    size_t len = strlen(name) + strlen(suffix) + 4;
    if (line->len + len + value_bytes + TAIL_BYTES > sizeof line->bytes)
        return false;
    put_to_line(line, line->len > 1 ? ",\"" : "\"", line->len > 1 ? 2 : 1);
    put_to_line(line, name, strlen(name));
    put_to_line(line, suffix, strlen(suffix));
    put_to_line(line, "\":", 2);
    return true;
}

/* How long a character of UTF-8 is that begins here and may be shown; 0: it
 * may not, or is none. */
static size_t shown_len(const uint8_t *at, size_t left) {
    uint32_t code;
    size_t len = at[0] < 0x80   ? 1
                 : at[0] < 0xc2 ? 0
                 : at[0] < 0xe0 ? 2
                 : at[0] < 0xf0 ? 3
                 : at[0] < 0xf5 ? 4
                                : 0;
    if (len == 0 || len > left)
        return 0;
    code = len == 1 ? at[0] : at[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3fu);
    }
    if (code < 0x20 || (code >= 0x7f && code < 0xa0) ||
        (code >= 0xd800 && code < 0xe000) || code > 0x10ffff ||
        (len == 3 && code < 0x800) || (len == 4 && code < 0x10000) ||
        (code >= 0x200b && code <= 0x200f) ||
        (code >= 0x2028 && code <= 0x202e) ||
        (code >= 0x2060 && code <= 0x206f) || code == 0xfeff)
        return 0;
    return len;
}

static bool is_shown(const uint8_t *bytes, size_t count) {
    for (size_t at = 0; at < count;) {
        size_t len = shown_len(bytes + at, count - at);
        if (len == 0)
            return false;
        at += len;
    }
    return true;
}

static void put_base64(ids_audit_line *line, const uint8_t *bytes, size_t len) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrs"
                                 "tuvwxyz0123456789+/";
    for (size_t at = 0; at < len; at += 3) {
        size_t left = len - at;
        uint32_t b = (uint32_t)bytes[at] << 16 |
                     (left > 1 ? (uint32_t)bytes[at + 1] << 8 : 0) |
                     (left > 2 ? bytes[at + 2] : 0u);
        const char four[4] = {digits[b >> 18], digits[b >> 12 & 63],
                              left > 1 ? digits[b >> 6 & 63] : '=',
                              left > 2 ? digits[b & 63] : '='};
        put_to_line(line, four, sizeof four);
    }
}

static void put_line_escaped(ids_audit_line *line, const char *text,
                             size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\')
            put_to_line(line, "\\", 1);
        put_to_line(line, text + i, 1);
    }
}

void ids_audit_bytes(ids_audit_line *line, const char *name, const void *bytes,
                     size_t len) {
    bool shown = is_shown(bytes, len);
    if (!begin_field(line, name, shown ? "" : "_b64",
                     (shown ? 2 * len : len / 3 * 4 + 4) + 2))
        return;
    put_to_line(line, "\"", 1);
    if (shown)
        put_line_escaped(line, bytes, len);
    else
        put_base64(line, bytes, len);
    put_to_line(line, "\"", 1);
}

void ids_audit_text(ids_audit_line *line, const char *name, const char *text) {
    ids_audit_bytes(line, name, text, strlen(text));
}

void ids_audit_hex(ids_audit_line *line, const char *name, const uint8_t *bytes,
                   size_t len) {
    static const char digits[] = "0123456789abcdef";
    if (!begin_field(line, name, "", 2 * len + 2))
        return;
    put_to_line(line, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        const char two[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
        put_to_line(line, two, sizeof two);
    }
    put_to_line(line, "\"", 1);
}

void ids_audit_number(ids_audit_line *line, const char *name, uint64_t value) {
    char text[24];
    int len = snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    if (begin_field(line, name, "", sizeof text))
        put_to_line(line, text, (size_t)len);
}

void ids_audit_bool(ids_audit_line *line, const char *name, bool value) {
    if (begin_field(line, name, "", 5))
        put_to_line(line, value ? "true" : "false", value ? 4 : 5);
}

/* 128 bits of it tell keys apart. */
void ids_audit_key(ids_audit_line *line, const void *key, size_t len) {
    uint8_t hash[crypto_hash_sha256_BYTES];
    if (!ids_audit_hashes_keys()) {
        ids_audit_bytes(line, "key", key, len);
        return;
    }
    crypto_hash_sha256(hash, key, len);
    ids_audit_hex(line, "key_sha256", hash, sizeof hash / 2);
}

static void put_time(ids_audit_line *line) {
    struct timespec wall;
    struct tm parts;
    char second[32] = "", text[48];
    clock_gettime(CLOCK_REALTIME, &wall);
    if (gmtime_r(&wall.tv_sec, &parts))
        strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text, sizeof text, "%s.%03ldZ", second, wall.tv_nsec / 1000000);
    ids_audit_text(line, "time", text);
}

void ids_audit_begin(ids_audit_line *line, const char *event, const char *phase,
                     uint64_t epoch, uint64_t id, uint32_t msgid,
                     const ids_audit_who *who) {
    char node[IDS_AUDIT_NODE_BYTES], name[40];
    line->len = 0;
    put_to_line(line, "{", 1);
    put_time(line);
    ids_audit_node(node);
    ids_audit_text(line, "node", node);
    ids_audit_number(line, "epoch", epoch);
    ids_audit_text(line, "event", event);
    ids_audit_text(line, "phase", phase);
    snprintf(name, sizeof name, "%llx.%x", (unsigned long long)id, msgid);
    ids_audit_text(line, "id", name);
    ids_audit_text(line, "user", who->user);
    ids_audit_text(line, "source", who->source);
    if (who->client[0])
        ids_audit_text(line, "client", who->client);
}
