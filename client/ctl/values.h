/* SPDX-License-Identifier: Apache-2.0 */
/* values.h -- texts that a person types, as values: durations, hexadecimal,
 * files. Each reader says by its return whether the text was one. */
#ifndef CTL_VALUES_H
#define CTL_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "500ms", "7s", "2m", "24h", "30d"; also "0". */
bool value_duration(const char *text, uint64_t *ms);

/* An even number of digits, at most bytes_max pairs of them. */
bool value_hex(const char *text, uint8_t *bytes, size_t bytes_max, size_t *len);

/* The whole file; "-" is stdin. The caller frees *bytes (never NULL on
 * success). On failure errno says why; EFBIG: longer than bytes_max. */
bool value_file(const char *path, size_t bytes_max, uint8_t **bytes,
                size_t *len);

#endif
