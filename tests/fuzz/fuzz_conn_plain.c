/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_conn_plain.c -- see fuzz_conn.h: bytes are what they are. */
#include "tests/fuzz/fuzz_conn.h"

void fuzz_wire_begin(harness *t, uint8_t how) {
    (void)t, (void)how;
}

void fuzz_wire_end(harness *t) {
    (void)t;
}

void fuzz_wire_say(caller *c, uint8_t manner, const uint8_t *bytes,
                   size_t len) {
    (void)manner;
    caller_send(c, bytes, len);
}
