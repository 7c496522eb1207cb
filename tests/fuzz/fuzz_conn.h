/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_conn.h -- what lies between fuzz_conn.c's clients and the server:
 * nothing (fuzz_conn_plain.c), or TLS (fuzz_conn_seal.c). */
#ifndef FUZZ_CONN_H
#define FUZZ_CONN_H

#include "tests/unit/server/harness.h"

/* Before the harness opens; how: the first byte of the input. */
void fuzz_wire_begin(harness *t, uint8_t how);
/* After it has closed. */
void fuzz_wire_end(harness *t);

/* A client says these bytes, in this manner (0 to 8). */
void fuzz_wire_say(caller *c, uint8_t manner, const uint8_t *bytes, size_t len);

#endif
