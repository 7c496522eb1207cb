/* SPDX-License-Identifier: Apache-2.0 */
/* page_bits.h -- a bit per page of a region, and runs of them. */
#ifndef IDS_PAGE_BITS_H
#define IDS_PAGE_BITS_H

#include <stdbool.h>
#include <stdint.h>

#define IDS_PAGE_BITS 512

/* The first page from at on whose bit is (or is not) set; IDS_PAGE_BITS: none.
 */
static inline uint32_t next_bit(const uint64_t *words, uint32_t at, bool set) {
    while (at < IDS_PAGE_BITS) {
        uint64_t word = set ? words[at / 64] : ~words[at / 64];
        word >>= at % 64;
        if (word)
            return at + (uint32_t)__builtin_ctzll(word);
        at = (at / 64 + 1) * 64;
    }
    return IDS_PAGE_BITS;
}

static inline void put_bits(uint64_t *words, uint32_t at, uint32_t count,
                            bool set) {
    while (count) {
        uint32_t here = 64 - at % 64 < count ? 64 - at % 64 : count;
        uint64_t mask = (here == 64 ? ~0ull : (1ull << here) - 1) << at % 64;
        if (set)
            words[at / 64] |= mask;
        else
            words[at / 64] &= ~mask;
        at += here;
        count -= here;
    }
}

/* How many from at on, before end, are set. */
static inline uint32_t count_bits(const uint64_t *words, uint32_t at,
                                  uint32_t end) {
    uint32_t count = 0;
    while ((at = next_bit(words, at, true)) < end) {
        uint32_t to = next_bit(words, at, false);
        to = to < end ? to : end;
        count += to - at;
        at = to;
    }
    return count;
}

/* The first run of so many free pages; IDS_PAGE_BITS: there is none. longest:
 * as far as was looked. */
static inline uint32_t find_run(const uint64_t *used, uint32_t count,
                                uint32_t *longest) {
    uint32_t at = next_bit(used, 0, false);
    *longest = 0;
    while (at < IDS_PAGE_BITS) {
        uint32_t end = next_bit(used, at, true);
        if (end - at > *longest)
            *longest = end - at;
        if (end - at >= count)
            return at;
        at = next_bit(used, end, false);
    }
    return IDS_PAGE_BITS;
}

static inline int floor_log2(uint32_t n) {
    return 31 - __builtin_clz(n);
}

#endif
