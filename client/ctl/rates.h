/* SPDX-License-Identifier: Apache-2.0 */
/* rates.h -- what numbers were at the last look, and so how much they change a
 * second: for --watch. Nothing is kept unless somebody watches. */
#ifndef CTL_RATES_H
#define CTL_RATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A look begins; the first call of it begins the watching. */
void rates_turn(uint64_t now_ms);

/* Somebody watches. */
bool rates_on(void);

/* Names are looked for below this one from now on: "" or a namespace's. */
void rates_scope(const void *name, size_t len);

/* Keeps the value for the next look. True: it was known at the last one, and
 * has changed by so much a second. */
bool rates_of(const char *name, size_t len, uint64_t value, double *per_s);

void rates_end(void);

#endif
