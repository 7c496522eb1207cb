/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c.h -- the Castagnoli checksum: by the processor where it can, by a
 * table where not. Pure. */
#ifndef IDS_CRC32C_H
#define IDS_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc: 0, or what the bytes before these came to. */
uint32_t ids_crc32c(uint32_t crc, const void *bytes, size_t len);

/* The slow way, for the tests and for processors that can't: x86 without SSE
 * 4.2, arm64 without its CRC32 extension. */
uint32_t ids_crc32c_by_table(uint32_t crc, const void *bytes, size_t len);

#endif
