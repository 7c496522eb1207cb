/* SPDX-License-Identifier: Apache-2.0 */
/* rng.h -- random numbers that a seed repeats exactly, on every machine.
 *
 * xoshiro256**, seeded by splitmix64. For tests alone: nothing secret may
 * come from here. */
#ifndef IDT_RNG_H
#define IDT_RNG_H

#include <stdbool.h>
#include <stdint.h>

typedef struct idt_rng {
    uint64_t s[4];
} idt_rng;

static inline uint64_t idt_splitmix(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline void idt_rng_seed(idt_rng *rng, uint64_t seed) {
    for (int i = 0; i < 4; i++) {
        rng->s[i] = idt_splitmix(&seed);
    }
}

static inline uint64_t idt_rng_rotl(uint64_t x, int k) {
    return (x << k) | (x >> (64 - k));
}

static inline uint64_t idt_rng_next(idt_rng *rng) {
    uint64_t *s = rng->s;
    uint64_t result = idt_rng_rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = idt_rng_rotl(s[3], 45);
    return result;
}

/* 0 .. bound - 1; bound >= 1. The bias is below 2^-32 for small bounds. */
static inline uint32_t idt_rng_below(idt_rng *rng, uint32_t bound) {
    return (uint32_t)(((idt_rng_next(rng) >> 32) * bound) >> 32);
}

/* low .. high, both included. */
static inline uint32_t idt_rng_between(idt_rng *rng, uint32_t low,
                                       uint32_t high) {
    return low + idt_rng_below(rng, high - low + 1);
}

static inline bool idt_rng_chance(idt_rng *rng, uint32_t percent) {
    return idt_rng_below(rng, 100) < percent;
}

#endif
