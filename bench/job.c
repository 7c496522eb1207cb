/* SPDX-License-Identifier: Apache-2.0 */
/* job.c -- keys that look like UUIDs, results that look like bodies.
 *
 * Runs inside the load loop: straight copies, no formatting functions. */
#include "bench/job.h"

static const char *const names[IDB_JOB_COUNT] = {
#define X(name, text) text,
    IDB_JOBS(X)
#undef X
};

const char *idb_job_name(idb_job job) {
    return names[job];
}

/* Eight bytes as sixteen hex digits, all at once: spread the nibbles, then
 * add '0', and 39 more where a nibble is above nine. */
static inline void hex16(uint64_t x, uint8_t *to) {
    for (int half = 0; half < 2; half++) {
        uint64_t v = (half ? x : x >> 32) & 0xffffffffu;
        v = ((v & 0xffff0000u) << 16) | (v & 0xffffu);
        v = ((v & 0x0000ff000000ff00u) << 8) | (v & 0x000000ff000000ffu);
        v = ((v & 0x00f000f000f000f0u) << 4) | (v & 0x000f000f000f000fu);
        uint64_t above = ((v + 0x0606060606060606u) >> 4) & 0x0101010101010101u;
        v = __builtin_bswap64(v + 0x3030303030303030u + above * 39);
        memcpy(to + 8 * half, &v, 8);
    }
}

static void uuid_write(uint64_t a, uint64_t b, uint8_t *to) {
    uint8_t hex[32];
    hex16(a, hex);
    hex16(b, hex + 16);
    memcpy(to, hex, 8);
    to[8] = '-';
    memcpy(to + 9, hex + 8, 4);
    to[13] = '-';
    memcpy(to + 14, hex + 12, 4);
    to[18] = '-';
    memcpy(to + 19, hex + 16, 4);
    to[23] = '-';
    memcpy(to + 24, hex + 20, 12);
}

void idb_key_write(const idb_work *work, uint64_t number, uint8_t *to) {
    uint64_t a = idb_mix(number ^ work->seed ^ work->run);
    uint32_t left = work->key_bytes;
    if (left == 36) {
        uuid_write(a, idb_mix(a), to);
        return;
    }
    while (left > 0) {
        uint8_t uuid[36];
        uint32_t part = left < 36 ? left : 36;
        uuid_write(a, idb_mix(a), uuid);
        memcpy(to, uuid, part);
        to += part, left -= part;
        a = idb_mix(a);
    }
}

/* The body is the same text over and over; its head is the job's own, so
 * that a result which was given to the wrong key shows. */
void idb_result_write(const idb_work *work, uint64_t number, uint8_t *to) {
    static const char text[64] = "{\"status\":200,\"order\":\"accepted\","
                                 "\"points\":-50,\"balance\":1250} ..";
    uint32_t left = work->result_bytes;
    uint8_t *at = to;
    while (left > 0) {
        uint32_t part = left < sizeof text ? left : (uint32_t)sizeof text;
        memcpy(at, text, part);
        at += part, left -= part;
    }
    uint64_t own = idb_mix(number ^ work->seed ^ 0x4e5u);
    memcpy(to, &own, work->result_bytes < 8 ? work->result_bytes : 8);
}
