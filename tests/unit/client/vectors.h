/* SPDX-License-Identifier: Apache-2.0 */
/* vectors.h -- reads proto/vectors for tests: a line after the other, and the
 * fields of one. What is not there, or of another type, ends the test. */
#ifndef TEST_VECTORS_H
#define TEST_VECTORS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct vector_bytes {
    bool is_null;
    size_t len;
    uint8_t *ptr; /* a block of exactly len bytes, so that a read past its end
                   * is seen; NULL for null */
} vector_bytes;

/* Calls it with each line of a file; returns how many there were. */
typedef void vector_check(const cJSON *row);
unsigned vectors_each(const char *file, vector_check *check);
/* A file that is one object; to be deleted. */
cJSON *vectors_object(const char *file);

const char *vector_what(const cJSON *row);
/* NULL when the row has no error. */
const char *vector_error(const cJSON *row);
long vector_number(const cJSON *row, const char *name);
/* From hex, and from a text. Freed by the caller. */
vector_bytes vector_hex(const cJSON *row, const char *name);
vector_bytes vector_text(const cJSON *row, const char *name);
/* Each character of a text is a byte of it. */
vector_bytes vector_latin(const cJSON *text);

#endif
