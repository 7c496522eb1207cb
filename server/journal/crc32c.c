/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c.c -- see crc32c.h. The polynomial is RFC 3720's, reflected. */
#include "server/journal/crc32c.h"

#include <string.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

/* Four bits a step: a table of 16, small enough to stand here as it is. */
static const uint32_t table[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
    0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
    0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};

uint32_t ids_crc32c_by_table(uint32_t crc, const void *bytes, size_t len) {
    const uint8_t *at = bytes;
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= at[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
by_processor(uint32_t crc, const uint8_t *at, size_t len) {
    uint64_t sum = (uint32_t)~crc;
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t word;
        memcpy(&word, at + i, sizeof word);
        sum = __builtin_ia32_crc32di(sum, word);
    }
    for (; i < len; i++)
        sum = __builtin_ia32_crc32qi((uint32_t)sum, at[i]);
    return ~(uint32_t)sum;
}

uint32_t ids_crc32c(uint32_t crc, const void *bytes, size_t len) {
    if (!__builtin_cpu_supports("sse4.2"))
        return ids_crc32c_by_table(crc, bytes, len);
    return by_processor(crc, bytes, len);
}
#elif defined(__aarch64__)
/* By hand: gcc and clang differ in what their headers give a function that
 * alone is built for processors with this extension. */
#define STEP(form, sum, value) \
    __asm__(".arch_extension crc\n\t" form : "+r"(sum) : "r"(value))

static uint32_t by_processor(uint32_t crc, const uint8_t *at, size_t len) {
    uint32_t sum = ~crc;
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t word;
        memcpy(&word, at + i, sizeof word);
        STEP("crc32cx %w0, %w0, %x1", sum, word);
    }
    for (; i < len; i++)
        STEP("crc32cb %w0, %w0, %w1", sum, (uint32_t)at[i]);
    return ~sum;
}

uint32_t ids_crc32c(uint32_t crc, const void *bytes, size_t len) {
    if (!(getauxval(AT_HWCAP) & HWCAP_CRC32))
        return ids_crc32c_by_table(crc, bytes, len);
    return by_processor(crc, bytes, len);
}
#else
uint32_t ids_crc32c(uint32_t crc, const void *bytes, size_t len) {
    return ids_crc32c_by_table(crc, bytes, len);
}
#endif
