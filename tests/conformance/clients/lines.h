/* SPDX-License-Identifier: Apache-2.0 */
/* lines.h -- the JSON lines of a client under test, in libidemclient's terms:
 * what both programs around it, the blocking one and the async one, have in
 * common. What the lines hold: tests/conformance/client/README.md. */
#ifndef LINES_H
#define LINES_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "client/include/idemclient.h"

/* Prints it whole, and frees it. Any thread. */
void print_line(json_t *line);
/* Held over a fork, so that a child may print. */
void hold_printing(void);
void let_print(void);

const char *text_of(const json_t *line, const char *name);
uint64_t number_of(const json_t *line, const char *name);

/* What a line asks for; memory is what its bytes lie in. */
typedef struct line_args {
    idem_args args;
    uint8_t fingerprint[64], token[64], result[64], nonce[64];
} line_args;

void read_args(const json_t *line, line_args *to);
/* 0: no call that has one. */
int32_t method_of(const char *call);

/* The line's id and nothing else, yet. */
json_t *reply_to(const json_t *line);
void add_answer(json_t *line, const idem_answer *a);
void add_error(json_t *line, const idem_error *err);

#endif
