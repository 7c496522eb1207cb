/* SPDX-License-Identifier: Apache-2.0 */
/* json.c -- see json.h. Strings are unescaped in place, in the file's own
 * bytes; \u escapes other than ASCII become '?', as we write none. */
#include "bench/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (64u << 20)
#define DEPTH_MAX      32

struct idb_json_doc {
    char *bytes, *at;
    idb_json *root;
    const char *wrong;
};

void idb_json_text(FILE *to, const char *text) {
    fputc('"', to);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(to, "\\%c", c);
        else if (c < 32 || c == '<' || c > 126)
            fprintf(to, "\\u%04x", c);
        else
            fputc(c, to);
    }
    fputc('"', to);
}

void idb_json_number(FILE *to, double value) {
    if (isfinite(value))
        fprintf(to, "%.9g", value);
    else
        fputs("null", to);
}

static idb_json *wrong(idb_json_doc *doc, const char *why) {
    if (!doc->wrong)
        doc->wrong = why;
    return NULL;
}

static void node_free(idb_json *node) {
    while (node) {
        idb_json *next = node->next;
        node_free(node->first);
        free(node);
        node = next;
    }
}

static void blanks(idb_json_doc *doc) {
    doc->at += strspn(doc->at, " \t\r\n");
}

/* Behind the opening quote. */
static const char *string_read(idb_json_doc *doc) {
    char *from = ++doc->at, *to = from;
    for (; *doc->at && *doc->at != '"'; doc->at++) {
        if (*doc->at != '\\') {
            *to++ = *doc->at;
            continue;
        }
        char c = *++doc->at;
        if (c == 'u') {
            char hex[5] = {0};
            strncpy(hex, doc->at + 1, 4);
            size_t digits = strspn(hex, "0123456789abcdefABCDEF");
            if (digits != 4)
                break;
            long code = strtol(hex, NULL, 16);
            *to++ = code > 0 && code < 127 ? (char)code : '?';
            doc->at += 4;
        } else if (c == '\0') {
            break;
        } else {
            *to++ = c == 'n' ? '\n' : c == 't' ? '\t' : c;
        }
    }
    if (*doc->at != '"') {
        wrong(doc, "a string has no end");
        return NULL;
    }
    doc->at++;
    *to = '\0';
    return from;
}

static idb_json *value_read(idb_json_doc *doc, int depth);

static idb_json *member_read(idb_json_doc *doc, bool named, int depth) {
    const char *name = NULL;
    blanks(doc);
    if (named) {
        if (*doc->at != '"')
            return wrong(doc, "a member has no name");
        name = string_read(doc);
        blanks(doc);
        if (!name || *doc->at++ != ':')
            return wrong(doc, "a name has no value");
    }
    idb_json *node = value_read(doc, depth + 1);
    if (node)
        node->name = name;
    return node;
}

static bool children_read(idb_json_doc *doc, idb_json *node, int depth) {
    bool named = node->kind == IDB_JSON_OBJECT;
    char end = named ? '}' : ']';
    idb_json **last = &node->first;
    doc->at++;
    blanks(doc);
    if (*doc->at == end) {
        doc->at++;
        return true;
    }
    for (;;) {
        *last = member_read(doc, named, depth);
        if (!*last)
            return false;
        last = &(*last)->next;
        node->count++;
        blanks(doc);
        char c = *doc->at ? *doc->at++ : '\0';
        if (c == end)
            return true;
        if (c != ',')
            return wrong(doc, "a list is not closed") != NULL;
    }
}

static bool word_read(idb_json_doc *doc, idb_json *node) {
    static const char *const words[] = {"null", "false", "true"};
    for (int i = 0; i < 3; i++) {
        size_t len = strlen(words[i]);
        if (strncmp(doc->at, words[i], len) != 0)
            continue;
        node->kind = i == 0 ? IDB_JSON_NULL : IDB_JSON_BOOL;
        node->number = i == 0 ? NAN : (double)(i - 1);
        doc->at += len;
        return true;
    }
    char *end;
    node->kind = IDB_JSON_NUMBER;
    node->number = strtod(doc->at, &end);
    if (end == doc->at)
        return wrong(doc, "not JSON") != NULL;
    doc->at = end;
    return true;
}

static idb_json *value_read(idb_json_doc *doc, int depth) {
    blanks(doc);
    if (depth > DEPTH_MAX)
        return wrong(doc, "too deep");
    idb_json *node = calloc(1, sizeof *node);
    if (!node)
        return wrong(doc, "out of memory");
    bool ok = true;
    if (*doc->at == '{' || *doc->at == '[') {
        node->kind = *doc->at == '{' ? IDB_JSON_OBJECT : IDB_JSON_ARRAY;
        ok = children_read(doc, node, depth);
    } else if (*doc->at == '"') {
        node->kind = IDB_JSON_STRING;
        node->text = string_read(doc);
        ok = node->text != NULL;
    } else {
        ok = word_read(doc, node);
    }
    if (ok)
        return node;
    node_free(node);
    return NULL;
}

static bool slurp(idb_json_doc *doc, const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file)
        return wrong(doc, strerror(errno)) != NULL;
    doc->bytes = malloc(FILE_BYTES_MAX + 1);
    size_t len = doc->bytes ? fread(doc->bytes, 1, FILE_BYTES_MAX, file) : 0;
    bool whole = doc->bytes && feof(file);
    fclose(file);
    if (!whole)
        return wrong(doc, "cannot be read, or is too large") != NULL;
    doc->bytes[len] = '\0';
    doc->at = doc->bytes;
    return true;
}

idb_json_doc *idb_json_load(const char *path) {
    idb_json_doc *doc = calloc(1, sizeof *doc);
    if (doc && slurp(doc, path))
        doc->root = value_read(doc, 0);
    if (doc && doc->root)
        return doc;
    fprintf(stderr, "idembench: %s: %s\n", path,
            doc ? doc->wrong : "out of memory");
    idb_json_free(doc);
    return NULL;
}

void idb_json_free(idb_json_doc *doc) {
    if (!doc)
        return;
    node_free(doc->root);
    free(doc->bytes);
    free(doc);
}

const idb_json *idb_json_root(const idb_json_doc *doc) {
    return doc->root;
}

const idb_json *idb_json_get(const idb_json *object, const char *name) {
    if (!object || object->kind != IDB_JSON_OBJECT)
        return NULL;
    for (const idb_json *at = object->first; at; at = at->next)
        if (!strcmp(at->name, name))
            return at;
    return NULL;
}

double idb_json_get_number(const idb_json *object, const char *name) {
    const idb_json *node = idb_json_get(object, name);
    return node && node->kind == IDB_JSON_NUMBER ? node->number : NAN;
}

const char *idb_json_get_text(const idb_json *object, const char *name) {
    const idb_json *node = idb_json_get(object, name);
    return node && node->kind == IDB_JSON_STRING ? node->text : NULL;
}
