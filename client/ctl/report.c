/* SPDX-License-Identifier: Apache-2.0 */
/* report.c -- see the header. No byte that came over the wire reaches a
 * terminal or a JSON reader unescaped. */
#include "client/ctl/report.h"
#include "client/ctl/rates.h"

#include <inttypes.h>
#include <string.h>

#define NAME_COLUMNS 20

/* How many bytes the UTF-8 character at the head has; 0: it is none. */
static size_t utf8_char(const uint8_t *at, size_t len) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (at[0] < 0x80)
        return 1;
    size_t size = at[0] < 0xc0   ? 0
                  : at[0] < 0xe0 ? 2
                  : at[0] < 0xf0 ? 3
                  : at[0] < 0xf8 ? 4
                                 : 0;
    if (size == 0 || size > len)
        return 0;
    uint32_t code = at[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < least[size] || code > 0x10ffff || surrogate ? 0 : size;
}

static bool is_utf8(const uint8_t *bytes, size_t len) {
    size_t at = 0, size = 1;
    for (; at < len && size > 0; at += size)
        size = utf8_char(bytes + at, len - at);
    return size > 0;
}

/* C1 controls (U+0080..U+009F) are control characters to a terminal, too. */
static bool is_control(const uint8_t *at, size_t size) {
    return (size == 1 && (at[0] < 0x20 || at[0] == 0x7f)) ||
           (size == 2 && at[0] == 0xc2 && at[1] < 0xa0);
}

static void put_base64(FILE *to, const uint8_t *bytes, size_t len) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t at = 0; at < len; at += 3) {
        uint32_t group = (uint32_t)bytes[at] << 16;
        if (at + 1 < len)
            group |= (uint32_t)bytes[at + 1] << 8;
        if (at + 2 < len)
            group |= bytes[at + 2];
        fputc(digits[group >> 18], to);
        fputc(digits[group >> 12 & 63], to);
        fputc(at + 1 < len ? digits[group >> 6 & 63] : '=', to);
        fputc(at + 2 < len ? digits[group & 63] : '=', to);
    }
}

/* UTF-8 as a JSON string. */
static void put_json(FILE *to, const uint8_t *text, size_t len) {
    fputc('"', to);
    for (size_t at = 0, size; at < len; at += size) {
        size = utf8_char(text + at, len - at);
        if (text[at] == '"' || text[at] == '\\')
            fprintf(to, "\\%c", text[at]);
        else if (is_control(text + at, size))
            fprintf(to, "\\u%04x", text[at + size - 1]);
        else
            fwrite(text + at, 1, size, to);
    }
    fputc('"', to);
}

/* Anything, for a terminal: characters as they are, the rest as \xNN. */
void report_escape(FILE *to, const uint8_t *bytes, size_t len) {
    for (size_t at = 0, size; at < len; at += size) {
        size = utf8_char(bytes + at, len - at);
        if (bytes[at] == '\\')
            fputs("\\\\", to);
        else if (bytes[at] == '\n')
            fputs("\\n", to);
        else if (size > 0 && !is_control(bytes + at, size))
            fwrite(bytes + at, 1, size, to);
        else
            fprintf(to, "\\x%02x", bytes[at]), size = 1;
    }
}

void report_duration(FILE *to, uint64_t ms) {
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}};
    const char *gap = "";
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (ms < units[i].ms)
            continue;
        fprintf(to, "%s%" PRIu64 "%s", gap, ms / units[i].ms, units[i].unit);
        ms %= units[i].ms;
        gap = " ";
    }
    if (ms >= 1000 && ms % 1000 == 0)
        fprintf(to, "%s%" PRIu64 "s", gap, ms / 1000);
    else if (ms >= 1000)
        fprintf(to, "%s%" PRIu64 ".%" PRIu64 "s", gap, ms / 1000,
                ms % 1000 / 100); /* cut, not rounded up to 60s */
    else if (ms > 0 || *gap == '\0')
        fprintf(to, "%s%" PRIu64 "ms", gap, ms);
}

static void field(report *r, const char *name, size_t name_len) {
    if (!r->json) {
        fputs("\n  ", r->to);
        report_escape(r->to, (const uint8_t *)name, name_len);
        fprintf(r->to, "%*s",
                name_len < NAME_COLUMNS ? (int)(NAME_COLUMNS - name_len) : 1,
                "");
        return;
    }
    fputc(',', r->to);
    put_json(r->to, (const uint8_t *)name, name_len);
    fputc(':', r->to);
}

report report_begin(FILE *to, bool json, const char *kind, const char *name) {
    if (json)
        fprintf(to, "{\"%s\":\"%s\"", kind, name);
    else
        fputs(name, to);
    return (report){.to = to, .json = json};
}

void report_end(report *r) {
    fputs(r->json ? "}\n" : "\n", r->to);
    fflush(r->to);
}

void report_text(report *r, const char *name, const char *text) {
    report_bytes(r, name, (const uint8_t *)text, strlen(text));
}

void report_number(report *r, const char *name, uint64_t value) {
    report_counter(r, name, strlen(name), value);
}

/* Behind the number; in JSON a field of its own. */
static void put_rate(report *r, const char *name, size_t name_len,
                     uint64_t value) {
    double per_s = 0;
    bool is_time = name_len > 3 && memcmp(name + name_len - 3, "_ms", 3) == 0;
    if (is_time || !rates_of(name, name_len, value, &per_s))
        return;
    if (!r->json) {
        fprintf(r->to, "  (%+.1f/s)", per_s);
        return;
    }
    char whole[96];
    snprintf(whole, sizeof whole, "%.*s_per_s", (int)(name_len & 0x3f), name);
    fputc(',', r->to);
    put_json(r->to, (const uint8_t *)whole, strlen(whole));
    fprintf(r->to, ":%.1f", per_s);
}

void report_counter(report *r, const char *name, size_t name_len,
                    uint64_t value) {
    if (r->json && !is_utf8((const uint8_t *)name, name_len))
        return;
    field(r, name, name_len);
    fprintf(r->to, "%" PRIu64, value);
    put_rate(r, name, name_len, value);
}

void report_whole(report *r, const char *name, uint64_t value) {
    field(r, name, strlen(name));
    fprintf(r->to, "%" PRIu64, value);
}

void report_flag(report *r, const char *name, bool value) {
    field(r, name, strlen(name));
    if (r->json)
        fputs(value ? "true" : "false", r->to);
    else
        fputs(value ? "yes" : "no", r->to);
}

void report_ms(report *r, const char *name, uint64_t ms) {
    if (r->json) {
        report_number(r, name, ms);
        return;
    }
    field(r, name, strlen(name) - strlen("_ms"));
    report_duration(r->to, ms);
}

void report_hex(report *r, const char *name, const uint8_t *bytes, size_t len) {
    const char *quote = r->json ? "\"" : "";
    field(r, name, strlen(name));
    fputs(quote, r->to);
    for (size_t i = 0; i < len; i++)
        fprintf(r->to, "%02x", bytes[i]);
    fputs(quote, r->to);
}

void report_list(report *r, const char *name) {
    field(r, name, strlen(name));
    if (r->json)
        fputc('[', r->to);
}

void report_item(report *r, uint32_t at, const char *text) {
    const uint8_t *bytes = (const uint8_t *)text;
    size_t len = strlen(text);
    if (at > 0)
        fputs(r->json ? "," : ", ", r->to);
    if (r->json && is_utf8(bytes, len))
        put_json(r->to, bytes, len);
    else if (r->json)
        fputs("null", r->to);
    else
        report_escape(r->to, bytes, len);
}

void report_lag_item(report *r, uint32_t at, const uint64_t lag[static 3]) {
    if (r->json) {
        fprintf(r->to, "%s[%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]",
                at > 0 ? "," : "", lag[0], lag[1], lag[2]);
        return;
    }
    fprintf(r->to, "%s%*s%" PRIu32 ": %" PRIu64 " ops, %" PRIu64 " bytes, ",
            at > 0 ? "\n  " : "", at > 0 ? NAME_COLUMNS : 0, "", at, lag[0],
            lag[1]);
    report_duration(r->to, lag[2]);
}

void report_list_end(report *r, uint32_t count) {
    if (r->json)
        fputc(']', r->to);
    else if (count == 0)
        fputs("(none)", r->to);
}

void report_bytes(report *r, const char *name, const uint8_t *bytes,
                  size_t len) {
    field(r, name, strlen(name));
    if (bytes == NULL) {
        fputs(r->json ? "null" : "(none)", r->to);
    } else if (!r->json) {
        report_escape(r->to, bytes, len);
    } else if (is_utf8(bytes, len)) {
        put_json(r->to, bytes, len);
    } else {
        fputc('"', r->to);
        put_base64(r->to, bytes, len);
        fprintf(r->to, "\",\"%s_encoding\":\"base64\"", name);
    }
}
