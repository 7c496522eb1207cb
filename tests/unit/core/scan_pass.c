/* SPDX-License-Identifier: Apache-2.0 */
/* scan_pass.c -- what one look through all records costs: a shard of so many,
 * half of them orphaned, in steps of 256 buckets as the daemon takes them.
 *
 *   scan_pass [RECORDS]
 *
 * Prints ns a record, what one pass a minute is of one core in percent, and the
 * longest step; fails where a record is not seen. Times are CPU time, and no
 * reason to fail. */
#include "server/core/scan.h"

#include "proto/owner.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define RECORDS   20000u
#define NOW_MS    (IDS_CLOCK_START_MS + 1000000)
#define A_LEASE   30000u
#define BUCKETS   256u
#define MINUTE_NS 60e9

static const uint8_t hash_key[IDP_HASH_KEY_BYTES] = {7};
static const ids_mix_key mix_key = {{11, 13}, {17, 19}};

static uint64_t hash_of(void *ctx, idp_slice ns, idp_slice key) {
    (void)ctx;
    return ids_mix_hash(&mix_key, idp_owner_hash(hash_key, ns, key));
}

/* As the daemon has it: large pages, if they are to be had. Nothing is used
 * again, which costs little here. */
typedef struct arena {
    uint8_t *at;
    size_t left;
} arena;

static void *take(void *ctx, size_t bytes) {
    arena *from = ctx;
    size_t whole = (bytes + 63) / 64 * 64;
    if (whole > from->left)
        return NULL;
    from->left -= whole;
    from->at += whole;
    return from->at - whole;
}

static void give(void *ctx, void *block, size_t bytes) {
    (void)ctx, (void)block, (void)bytes;
}

static arena open_arena(uint64_t records) {
    size_t bytes = (64u << 20) + records * 320;
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert(at != MAP_FAILED);
    madvise(at, bytes, MADV_HUGEPAGE);
    return (arena){at, bytes};
}

static uint64_t cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void claim(ids_shard *shard, uint64_t number) {
    static const uint8_t fingerprint[32] = {1};
    char key[40];
    int len = snprintf(key, sizeof key, "00000000-0000-4000-8000-%012" PRIu64,
                       number);
    const idp_request request = {
        .method = IDP_ACQUIRE,
        .ns = {(const uint8_t *)"bench", 5},
        .key = {(const uint8_t *)key, (size_t)len},
        .fingerprint = {fingerprint, sizeof fingerprint},
        .lease_ms = number % 2 ? A_LEASE : IDP_LEASE_MS_MAX,
        .ttl_ms = IDP_TTL_MS_MAX};
    const ids_call call = {.request = &request,
                           .hash = hash_of(NULL, request.ns, request.key),
                           .now_ms = IDS_CLOCK_START_MS};
    idp_answer answer;
    idp_error error;
    ids_verdict verdict = ids_shard_call(shard, &call, &answer, &error);
    assert(verdict == IDS_ANSWERED);
    (void)verdict;
}

static void see(void *ctx, const ids_sight *sight) {
    uint64_t *states = ctx;
    states[sight->state]++;
}

int main(int argc, char **argv) {
    uint64_t records = argc > 1 ? strtoull(argv[1], NULL, 10) : RECORDS;
    uint64_t states[IDP_STATE_COUNT] = {0}, longest_ns = 0, begun_ns;
    arena memory = open_arena(records);
    const ids_shard_config config = {.epoch = 1,
                                     .memory_bytes_max = SIZE_MAX / 2,
                                     .result_bytes_max = 1024,
                                     .waiters_per_key_max = 1,
                                     .waiters_max = 1,
                                     .mem = {&memory, take, give, NULL},
                                     .hash = hash_of};
    ids_shard *shard = ids_shard_new(&config);
    ids_scan scan = {.room = UINT32_MAX, .seen = see, .ctx = states};
    assert(shard);
    for (uint64_t i = 0; i < records; i++)
        claim(shard, i);
    begun_ns = cpu_ns();
    for (bool more = true; more;) {
        uint64_t step_ns = cpu_ns();
        scan.buckets_max = BUCKETS;
        more = ids_shard_scan(shard, NOW_MS, &scan);
        step_ns = cpu_ns() - step_ns;
        longest_ns = step_ns > longest_ns ? step_ns : longest_ns;
    }
    double ns = (double)(cpu_ns() - begun_ns);
    printf("%" PRIu64 " records: %.1f ns each, %.2f %% of a core for one pass "
           "a minute, longest step %.0f us\n",
           records, ns / (double)records, 100 * ns / MINUTE_NS,
           (double)longest_ns / 1000);
    ids_shard_free(shard);
    if (states[IDP_STATE_ORPHANED] == records / 2 &&
        states[IDP_STATE_IN_PROGRESS] == records - records / 2)
        return 0;
    fprintf(stderr, "scan_pass: %" PRIu64 " orphaned, %" PRIu64 " claimed\n",
            states[IDP_STATE_ORPHANED], states[IDP_STATE_IN_PROGRESS]);
    return 1;
}
