/* SPDX-License-Identifier: Apache-2.0 */
/* job.h -- what a client of an idempotency store does, in no one's terms.
 *
 * A job is turned into commands by each target (target.h). Every job is a
 * number: its key, fingerprint, nonce and result follow from it and the
 * seed, so that a replay can be asked for and checked without a table. */
#ifndef IDB_JOB_H
#define IDB_JOB_H

#include "bench/clock.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define IDB_JOBS(X)                                                           \
    X(FRESH, "fresh")       /* acquire a new key, then complete it */         \
    X(INFLIGHT, "inflight") /* acquire what someone else holds */             \
    X(REPLAY, "replay")     /* acquire what is done: the result comes back */ \
    X(MISMATCH, "mismatch") /* acquire what is done, with another body */     \
    X(CLAIM, "claim")       /* acquire a new key and leave it so */

typedef enum idb_job {
#define X(name, text) IDB_##name,
    IDB_JOBS(X)
#undef X
        IDB_JOB_COUNT
} idb_job;

const char *idb_job_name(idb_job job);

/* The sizes and times of the work. */
typedef struct idb_work {
    uint64_t seed;
    uint64_t run; /* makes the keys those of one run; 0: nobody else's anyway */
    uint32_t key_bytes;
    uint32_t fingerprint_bytes;
    uint32_t nonce_bytes; /* 0: none */
    uint32_t result_bytes;
    uint32_t lease_ms;
    uint64_t ttl_ms;
} idb_work;

#define IDB_KEY_BYTES_MAX         512
#define IDB_FINGERPRINT_BYTES_MAX 64
#define IDB_NONCE_BYTES_MAX       32
#define IDB_RESULT_BYTES_MAX      (1u << 20)

/* A job's number says which family it is of in its top byte. */
#define IDB_SPACE_SHIFT 56
#define IDB_SPACE_DONE  (1ull << IDB_SPACE_SHIFT) /* completed beforehand */
#define IDB_SPACE_HELD  (2ull << IDB_SPACE_SHIFT) /* in flight beforehand */
#define IDB_SPACE_NEW   (3ull << IDB_SPACE_SHIFT) /* fresh */
#define IDB_SPACE_FILL  (4ull << IDB_SPACE_SHIFT) /* --prefill */

/* Each writes exactly as many bytes as the work says. */
void idb_key_write(const idb_work *work, uint64_t number, uint8_t *to);
void idb_result_write(const idb_work *work, uint64_t number, uint8_t *to);

/* Words that follow from the number; a fingerprint of another body differs
 * in every word. */
static inline void idb_words_write(uint64_t from, uint32_t len, uint8_t *to) {
    while (len >= 8) {
        from = idb_mix(from);
        memcpy(to, &from, 8);
        to += 8, len -= 8;
    }
    from = idb_mix(from);
    memcpy(to, &from, len);
}

static inline void idb_fingerprint_write(const idb_work *work, uint64_t number,
                                         bool other_body, uint8_t *to) {
    uint64_t from = work->seed ^ number ^ (other_body ? 0xb0d4u : 0xf19eu);
    idb_words_write(from, work->fingerprint_bytes, to);
}

static inline void idb_nonce_write(const idb_work *work, uint64_t number,
                                   uint8_t *to) {
    idb_words_write(work->seed ^ number ^ 0x40ceu, work->nonce_bytes, to);
}

#endif
