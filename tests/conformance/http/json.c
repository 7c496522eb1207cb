/* SPDX-License-Identifier: Apache-2.0 */
/* json.c -- one place in a JSON text, by a pointer (RFC 6901). */
#include "tests/conformance/http/http.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The next part of a pointer, ~1 and ~0 undone; NULL at its end, and for what
 * is no pointer. */
static const char *next_part(const char *pointer, char *part, size_t cap) {
    size_t len = 0;
    if (*pointer != '/')
        return NULL;
    for (pointer++; *pointer != '\0' && *pointer != '/'; pointer++) {
        char c = *pointer;
        if (c == '~') {
            pointer++;
            if (*pointer != '0' && *pointer != '1')
                return NULL;
            c = *pointer == '0' ? '~' : '/';
        }
        if (len + 1 == cap)
            return NULL;
        part[len++] = c;
    }
    part[len] = '\0';
    return pointer;
}

static const json_t *child_of(const json_t *parent, const char *part) {
    if (json_is_object(parent))
        return json_object_get(parent, part);
    char *end;
    unsigned long index = strtoul(part, &end, 10);
    if (!json_is_array(parent) || *part < '0' || *part > '9' || *end != '\0')
        return NULL;
    return json_array_get(parent, index);
}

static const json_t *value_at(const json_t *root, const char *pointer) {
    char part[256];
    while (root != NULL && *pointer != '\0') {
        pointer = next_part(pointer, part, sizeof part);
        if (pointer == NULL)
            return NULL;
        root = child_of(root, part);
    }
    return root;
}

static bool print(const json_t *value, char *to, size_t cap) {
    if (json_is_string(value))
        return snprintf(to, cap, "%s", json_string_value(value)) < (int)cap;
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    bool fits = text != NULL && snprintf(to, cap, "%s", text) < (int)cap;
    free(text);
    return fits;
}

bool http_json_at(const char *text, size_t len, const char *pointer, char *to,
                  size_t cap) {
    json_t *root = json_loadb(text, len, JSON_DECODE_ANY, NULL);
    const json_t *value = value_at(root, pointer);
    bool is_there = value != NULL && print(value, to, cap);
    json_decref(root);
    return is_there;
}
