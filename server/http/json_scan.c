/* SPDX-License-Identifier: Apache-2.0 */
/* json_scan.c -- where a value of JSON ends, and an object's members; see
 * json.h. Nothing here allocates or recurses. */
#include "server/http/chars.h"
#include "server/http/json.h"

/* UTF-8 -------------------------------------------------------------------- */

/* How many bytes the character at the head has; 0: it is none. */
static size_t char_bytes(const uint8_t *at, size_t len) {
    uint8_t c = at[0];
    if (c < 0x80)
        return 1;
    size_t bytes = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || bytes > len)
        return 0;
    for (size_t i = 1; i < bytes; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool is_long = (c == 0xe0 && at[1] < 0xa0) || (c == 0xf0 && at[1] < 0x90);
    bool is_none = (c == 0xed && at[1] > 0x9f) || (c == 0xf4 && at[1] > 0x8f);
    return is_long || is_none ? 0 : bytes;
}

bool ids_is_utf8(idp_slice bytes) {
    for (size_t at = 0; at < bytes.len;) {
        size_t one = char_bytes(bytes.ptr + at, bytes.len - at);
        if (!one)
            return false;
        at += one;
    }
    return true;
}

/* Scalars ------------------------------------------------------------------ */

static void skip_space(idp_slice b, size_t *at) {
    while (*at < b.len && (b.ptr[*at] == ' ' || b.ptr[*at] == '\t' ||
                           b.ptr[*at] == '\n' || b.ptr[*at] == '\r'))
        ++*at;
}

static bool take_escape(idp_slice b, size_t *at) {
    size_t from = *at + 1;
    if (from >= b.len)
        return false;
    if (b.ptr[from] != 'u') {
        *at = from + 1;
        return b.ptr[from] && strchr("\"\\/bfnrt", b.ptr[from]);
    }
    if (b.len - from < 5)
        return false;
    for (size_t i = 1; i < 5; i++)
        if (hex_of(b.ptr[from + i]) < 0)
            return false;
    *at = from + 5;
    return true;
}

/* Where the first is that may not be itself in a string; only the last seven
 * may be any. */
static size_t plain_at(const uint8_t *bytes, size_t len) {
    size_t at = 0;
    for (; len - at >= 8; at += 8) {
        uint64_t eight = ids_get_u64(bytes + at);
        uint64_t which = (eight & IN_EACH(0x80)) | which_below(eight, 0x20) |
                         which_are(eight, '"') | which_are(eight, '\\');
        if (which)
            return at + bytes_before(which);
    }
    return at;
}

/* From its quote on. */
static bool take_string(idp_slice b, size_t *at) {
    if (*at >= b.len || b.ptr[*at] != '"')
        return false;
    ++*at;
    *at += plain_at(b.ptr + *at, b.len - *at);
    while (*at < b.len && b.ptr[*at] != '"') {
        uint8_t c = b.ptr[*at];
        if (c >= 0x20 && c < 0x80 && c != '\\') {
            ++*at;
            continue;
        }
        if (c < 0x20)
            return false;
        if (c == '\\') {
            if (!take_escape(b, at))
                return false;
            continue;
        }
        size_t one = char_bytes(b.ptr + *at, b.len - *at);
        if (!one)
            return false;
        *at += one;
    }
    return (*at)++ < b.len;
}

static size_t take_digits(idp_slice b, size_t *at) {
    size_t from = *at;
    while (*at < b.len && is_digit(b.ptr[*at]))
        ++*at;
    return *at - from;
}

static bool take_number(idp_slice b, size_t *at) {
    *at += b.ptr[*at] == '-';
    size_t whole_at = *at, whole = take_digits(b, at);
    if (!whole || (whole > 1 && b.ptr[whole_at] == '0'))
        return false;
    if (*at < b.len && b.ptr[*at] == '.') {
        ++*at;
        if (!take_digits(b, at))
            return false;
    }
    if (*at < b.len && (b.ptr[*at] == 'e' || b.ptr[*at] == 'E')) {
        ++*at;
        *at += *at < b.len && (b.ptr[*at] == '+' || b.ptr[*at] == '-');
        return take_digits(b, at) > 0;
    }
    return true;
}

static bool take_json_word(idp_slice b, size_t *at) {
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++) {
        size_t len = strlen(words[i]);
        if (b.len - *at >= len && memcmp(b.ptr + *at, words[i], len) == 0) {
            *at += len;
            return true;
        }
    }
    return false;
}

static bool take_scalar(idp_slice b, size_t *at) {
    uint8_t c = b.ptr[*at];
    if (c == '"')
        return take_string(b, at);
    return c == '-' || is_digit(c) ? take_number(b, at) : take_json_word(b, at);
}

/* Values ------------------------------------------------------------------- */

/* What it is in: a bit a level, set in an object. */
typedef struct nest {
    uint32_t depth;
    uint8_t is_object[IDS_JSON_DEPTH_MAX / 8];
} nest;

static bool nest_in(nest *n, bool is_object, uint32_t depth_max) {
    if (n->depth == depth_max)
        return false;
    uint8_t bit = (uint8_t)(1u << (n->depth & 7));
    uint8_t *byte = &n->is_object[n->depth >> 3];
    if (!(n->depth & 7))
        *byte = 0;
    *byte = (uint8_t)(is_object ? *byte | bit : *byte & ~bit);
    n->depth++;
    return true;
}

static bool nest_is_object(const nest *n) {
    uint32_t at = n->depth - 1;
    return n->is_object[at >> 3] >> (at & 7) & 1;
}

/* "name": of a member. */
static bool take_member_name(idp_slice b, size_t *at) {
    skip_space(b, at);
    if (!take_string(b, at))
        return false;
    skip_space(b, at);
    return *at < b.len && b.ptr[(*at)++] == ':';
}

/* Behind a value: what closes, and the comma. 1: a value comes, 0: that was
 * all, -1: it is no JSON. */
static int after_value(idp_slice b, size_t *at, nest *n) {
    while (n->depth) {
        skip_space(b, at);
        if (*at == b.len)
            return -1;
        uint8_t c = b.ptr[(*at)++];
        if (c == ',')
            return !nest_is_object(n) || take_member_name(b, at) ? 1 : -1;
        if (c != (nest_is_object(n) ? '}' : ']'))
            return -1;
        n->depth--;
    }
    return 0;
}

/* A bracket opens. 1: a value comes, 0: it closed at once, -1: no JSON. */
static int open_nest(idp_slice b, size_t *at, nest *n, uint32_t depth_max) {
    bool is_object = b.ptr[(*at)++] == '{';
    if (!nest_in(n, is_object, depth_max))
        return -1;
    skip_space(b, at);
    if (*at < b.len && b.ptr[*at] == (is_object ? '}' : ']')) {
        ++*at;
        n->depth--;
        return 0;
    }
    return !is_object || take_member_name(b, at) ? 1 : -1;
}

static bool take_value(idp_slice b, size_t *at, nest *n, uint32_t depth_max) {
    int next = 1;
    while (next > 0) {
        skip_space(b, at);
        if (*at >= b.len)
            return false;
        if (b.ptr[*at] == '{' || b.ptr[*at] == '[') {
            next = open_nest(b, at, n, depth_max);
            if (next > 0)
                continue;
        } else {
            next = take_scalar(b, at) ? 0 : -1;
        }
        if (!next)
            next = after_value(b, at, n);
    }
    return !next;
}

bool ids_json_value(idp_slice bytes, size_t *at, uint32_t depth_max,
                    idp_slice *value) {
    nest n;
    n.depth = 0;
    skip_space(bytes, at);
    size_t from = *at;
    if (!take_value(bytes, at, &n, depth_max))
        return false;
    *value = (idp_slice){bytes.ptr + from, *at - from};
    skip_space(bytes, at);
    return true;
}

bool ids_json_is_text(idp_slice bytes) {
    size_t at = 0;
    idp_slice value;
    return ids_json_value(bytes, &at, IDS_JSON_DEPTH_MAX, &value) &&
           at == bytes.len;
}

/* Objects ------------------------------------------------------------------ */

const ids_json_member *ids_json_find(const ids_json_object *object,
                                     const char *name) {
    for (uint32_t i = 0; i < object->count; i++)
        if (slice_equals(object->all[i].name, name))
            return &object->all[i];
    return NULL;
}

static bool is_there(const ids_json_object *object, idp_slice name) {
    for (uint32_t i = 0; i < object->count; i++)
        if (object->all[i].name.len == name.len &&
            memcmp(object->all[i].name.ptr, name.ptr, name.len) == 0)
            return true;
    return false;
}

static const char *read_member(idp_slice text, size_t *at, const char *deep,
                               ids_json_object *object) {
    skip_space(text, at);
    size_t from = *at + 1;
    if (!take_string(text, at))
        return "the body is no JSON: a member's name is missing";
    idp_slice name = {text.ptr + from, *at - from - 1}, value;
    if (memchr(name.ptr, '\\', name.len))
        return "names of members are written without escapes here";
    if (is_there(object, name))
        return "a member stands there twice";
    if (object->count == IDS_JSON_MEMBERS_MAX)
        return "the object has too many members";
    skip_space(text, at);
    if (*at >= text.len || text.ptr[(*at)++] != ':')
        return "the body is no JSON: a colon is missing";
    bool may_nest = deep && slice_equals(name, deep);
    if (!ids_json_value(
            text, at, may_nest ? IDS_JSON_DEPTH_MAX : IDS_JSON_MEMBER_DEPTH_MAX,
            &value))
        return "the body is no JSON, or is nested too deep";
    object->all[object->count++] = (ids_json_member){name, value};
    return NULL;
}

const char *ids_json_object_read(idp_slice text, const char *deep,
                                 ids_json_object *object) {
    size_t at = 0;
    const char *why = NULL;
    object->count = 0;
    skip_space(text, &at);
    if (at >= text.len || text.ptr[at++] != '{')
        return "the body is no JSON object";
    skip_space(text, &at);
    if (at < text.len && text.ptr[at] == '}') {
        at++;
    } else {
        do {
            why = read_member(text, &at, deep, object);
        } while (!why && at < text.len && text.ptr[at++] == ',');
        if (!why && text.ptr[at - 1] != '}')
            why = "the body is no JSON: it ends too early";
    }
    skip_space(text, &at);
    return !why && at < text.len ? "something stands behind the JSON" : why;
}
