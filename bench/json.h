/* SPDX-License-Identifier: Apache-2.0 */
/* json.h -- the JSON that idembench writes, and reading it back.
 *
 * Reading takes a whole file of a bounded size into a tree. */
#ifndef IDB_JSON_H
#define IDB_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A string with its quotes, escaped. */
void idb_json_text(FILE *to, const char *text);

/* A number, or null for NAN and infinities. */
void idb_json_number(FILE *to, double value);

typedef enum idb_json_kind {
    IDB_JSON_NULL,
    IDB_JSON_BOOL,
    IDB_JSON_NUMBER,
    IDB_JSON_STRING,
    IDB_JSON_ARRAY,
    IDB_JSON_OBJECT
} idb_json_kind;

typedef struct idb_json {
    idb_json_kind kind;
    double number;                 /* NUMBER; BOOL: 0 or 1 */
    const char *text;              /* STRING */
    const char *name;              /* as a member of an object */
    size_t count;                  /* ARRAY, OBJECT */
    struct idb_json *first, *next; /* children, siblings */
} idb_json;

typedef struct idb_json_doc idb_json_doc;

/* NULL after one line on stderr that says what is wrong with the file. */
idb_json_doc *idb_json_load(const char *path);
void idb_json_free(idb_json_doc *doc);
const idb_json *idb_json_root(const idb_json_doc *doc);

/* A member of an object; NULL when it is none or there is none. */
const idb_json *idb_json_get(const idb_json *object, const char *name);
double idb_json_get_number(const idb_json *object, const char *name);
const char *idb_json_get_text(const idb_json *object, const char *name);

#endif
