/* SPDX-License-Identifier: Apache-2.0 */
/* json.h -- the JSON that idembench writes, and reading it back. */
#ifndef IDB_JSON_H
#define IDB_JSON_H

#include <jansson.h>
#include <stdio.h>

/* A string with its quotes, escaped. */
void idb_json_text(FILE *to, const char *text);

/* A number, or null for NAN and infinities. */
void idb_json_number(FILE *to, double value);

/* The file's object, which json_decref frees; NULL after one line on stderr
 * that says what is wrong with the file. */
json_t *idb_json_load(const char *path);

/* A member of an object: NAN when it is no number, or there is none. */
double idb_json_get_number(const json_t *object, const char *name);

#endif
