/* SPDX-License-Identifier: Apache-2.0 */
/* vectors.c -- see the header. */
#include "tests/unit/client/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef VECTORS_DIR
#error "the folder of the vectors is told by CMake"
#endif

static void need(bool so, const char *file, const char *what) {
    if (so)
        return;
    fprintf(stderr, "vectors: %s: %s\n", file, what);
    abort();
}

static FILE *open_file(const char *file) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", VECTORS_DIR, file);
    FILE *from = fopen(path, "re");
    need(from != NULL, file, "is not there");
    return from;
}

unsigned vectors_each(const char *file, vector_check *check) {
    FILE *from = open_file(file);
    char *line = NULL;
    size_t cap = 0;
    unsigned count = 0;
    while (getline(&line, &cap, from) > 0) {
        cJSON *row = cJSON_Parse(line);
        need(cJSON_IsObject(row), file, line);
        check(row);
        cJSON_Delete(row);
        count++;
    }
    free(line);
    fclose(from);
    return count;
}

cJSON *vectors_object(const char *file) {
    FILE *from = open_file(file);
    char *text = NULL;
    size_t cap = 0;
    need(getdelim(&text, &cap, '\0', from) > 0, file, "is empty");
    cJSON *object = cJSON_Parse(text);
    need(cJSON_IsObject(object), file, "is no object");
    free(text);
    fclose(from);
    return object;
}

const char *vector_what(const cJSON *row) {
    const char *what =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "what"));
    need(what != NULL, "a row", "has no what");
    return what;
}

const char *vector_error(const cJSON *row) {
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "error"));
}

long vector_number(const cJSON *row, const char *name) {
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(row, name);
    need(cJSON_IsNumber(number), vector_what(row), name);
    return (long)number->valuedouble;
}

/* NULL for null. */
static const char *text_of(const cJSON *row, const char *name) {
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(row, name);
    need(cJSON_IsString(text) || cJSON_IsNull(text), vector_what(row), name);
    return cJSON_GetStringValue(text);
}

static vector_bytes block(size_t len) {
    vector_bytes bytes = {.len = len, .ptr = malloc(len > 0 ? len : 1)};
    need(bytes.ptr != NULL, "memory", "there is none");
    return bytes;
}

vector_bytes vector_hex(const cJSON *row, const char *name) {
    const char *text = text_of(row, name);
    if (text == NULL)
        return (vector_bytes){.is_null = true};
    vector_bytes bytes = block(strlen(text) / 2);
    for (size_t i = 0; i < bytes.len; i++) {
        char two[3] = {text[2 * i], text[2 * i + 1], '\0'};
        bytes.ptr[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return bytes;
}

static vector_bytes copy_of(const char *text) {
    if (text == NULL)
        return (vector_bytes){.is_null = true};
    vector_bytes bytes = block(strlen(text));
    memcpy(bytes.ptr, text, bytes.len);
    return bytes;
}

vector_bytes vector_text(const cJSON *row, const char *name) {
    return copy_of(text_of(row, name));
}

vector_bytes vector_latin(const cJSON *text) {
    vector_bytes bytes = copy_of(cJSON_GetStringValue(text));
    size_t to = 0;
    for (size_t at = 0; at < bytes.len; at++, to++) {
        uint8_t first = bytes.ptr[at];
        if (first >= 0x80)
            first = (uint8_t)((first & 3) << 6 | (bytes.ptr[++at] & 0x3f));
        bytes.ptr[to] = first;
    }
    bytes.len = to;
    return bytes;
}
