/* SPDX-License-Identifier: Apache-2.0 */
/* target.h -- a server under load: how each job becomes its commands.
 *
 * A target is a codec and no more: requests are written into a buffer,
 * replies are read from one. The load engine owns sockets, time and slots.
 * Write and read run once per operation and must not allocate or block. */
#ifndef IDB_TARGET_H
#define IDB_TARGET_H

#include "bench/job.h"
#include "bench/wire.h"
#include "proto/terms.h"

/* One of a connection's `pipeline` places: a job under way. */
typedef struct idb_slot {
    uint64_t since_ns; /* sent, or planned to be (open loop) */
    uint64_t number;   /* the job's */
    uint8_t token[16]; /* what acquire gave, for complete */
    uint8_t job;       /* idb_job */
    uint8_t step;      /* of the job's steps, the one under way */
    bool busy;
} idb_slot;

/* What every connection of a run shares, read-only once load has begun. */
typedef struct idb_codec {
    idb_work work;
    uint32_t shards; /* idem, shard-aware; else 1 */
    uint8_t hash_key[16];
    char sha_acquire[41]; /* redis-lua */
    char sha_complete[41];
    /* When not 0, every record ends at this time. */
    uint64_t deadline_ns;
    uint32_t slots; /* per connection */
} idb_codec;

typedef struct idb_reply {
    uint32_t bytes; /* what it took of the input */
    uint32_t slot;  /* whose it is */
    bool expected;  /* it says what the job must hear */
} idb_reply;

typedef enum idb_read_status {
    IDB_WHOLE,
    IDB_PARTIAL,
    IDB_BROKEN
} idb_read_status;

#define IDB_END_BYTES_MAX 64

/* Of a target that completes with a request of its own. */
#define IDB_STEPS                                              \
    {                                                          \
        [IDB_FRESH] = 2, [IDB_INFLIGHT] = 1, [IDB_REPLAY] = 1, \
        [IDB_MISMATCH] = 1, [IDB_CLAIM] = 1                    \
    }

typedef struct idb_target {
    const char *name;
    /* How many operations, each one round trip, the job takes. 0: the target
     * has no such job. */
    uint8_t steps[IDB_JOB_COUNT];
    /* Replies come in the order of the requests. */
    bool in_order;

    /* An upper bound of one request's bytes, and of one reply's. */
    size_t (*request_bytes_max)(const idb_work *work);

    /* Writes slot->step of slot->job; returns its size. */
    size_t (*write)(const idb_codec *codec, const idb_slot *slot,
                    uint32_t slot_number, uint8_t *to);

    /* Reads the reply at the head of bytes. front is the slot whose turn it
     * is where replies are in order; else the reply itself says. It may
     * keep the token in the slot. */
    idb_read_status (*read)(const idb_codec *codec, idb_slot *slots,
                            uint32_t front, const uint8_t *bytes, size_t len,
                            idb_reply *reply);

    /* Optional. Once per run, over a blocking connection: learn what the
     * codec must know. Returns 0, or a text that says what failed. */
    const char *(*prepare)(idb_codec *codec, idb_wire *wire);

    /* Optional. Once per connection, blocking, before load. */
    const char *(*handshake)(const idb_codec *codec, idb_wire *wire,
                             uint32_t number);

    /* Optional. Ends what is sent at once; returns its size, which is at most
     * IDB_END_BYTES_MAX. */
    size_t (*end)(uint8_t *to);

    /* Optional. What the reply to this slot says, for people, without any
     * bytes that are not text. False: it is no reply. */
    bool (*tell)(const idb_slot *slot, const uint8_t *bytes, size_t len,
                 char *to, size_t cap);

    /* Optional. May the job's key go over this connection? */
    bool (*belongs)(const idb_codec *codec, uint64_t number, uint32_t shard);
} idb_target;

extern const idb_target idb_target_idem;
extern const idb_target idb_target_idem_blind; /* does not know the shards */
extern const idb_target idb_target_idem_http;
extern const idb_target idb_target_redis;
extern const idb_target idb_target_redis_wait;       /* WAIT 1 after each */
extern const idb_target idb_target_redis_wait_batch; /* after each send */
extern const idb_target idb_target_redis_lua;
extern const idb_target idb_target_memcached;
extern const idb_target idb_target_echo;

/* The seconds or milliseconds that a record written now shall live. */
static inline uint64_t idb_ttl_ms(const idb_codec *codec) {
    if (codec->deadline_ns == 0)
        return codec->work.ttl_ms;
    uint64_t now = idb_now_ns();
    return codec->deadline_ns > now + IDB_NS_PER_MS
               ? (codec->deadline_ns - now) / IDB_NS_PER_MS
               : 1;
}

static inline uint64_t idb_lease_ms(const idb_codec *codec) {
    uint64_t ttl = idb_ttl_ms(codec);
    uint64_t lease = codec->deadline_ns ? ttl : codec->work.lease_ms;
    return lease < ttl ? lease : ttl;
}

#endif
