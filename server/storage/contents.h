/* SPDX-License-Identifier: Apache-2.0 */
/* contents.h -- what a data folder holds, in a form that two folders of a pair
 * can be compared by, whatever their numbers of threads.
 *
 * A journal's numbers are its own node's, and no other's compare with them. A
 * token is the primary's, and a record carries it wherever it goes: one that
 * is later for its key is larger. So records are compared by key, and how far
 * a folder has come by the last token of each of the primary's streams. */
#ifndef IDS_IO_CONTENTS_H
#define IDS_IO_CONTENTS_H

#include "server/journal/snapshot.h"

#include <pthread.h>

#define IDS_CONTENTS_HASH_BYTES 16

/* The last that is known of one key. */
typedef struct ids_contents_key {
    uint64_t hash[2]; /* of namespace and key; 0 0: a free place */
    idp_token token;  /* of a record that is gone: its last */
    uint64_t ends_ms; /* of its retention, in the folder's log time */
    idp_state state;
} ids_contents_key;

typedef struct ids_contents {
    pthread_mutex_t lock; /* of what is below, while it is read */
    bool keeps_keys;      /* they are to be compared: 48 bytes a key */
    uint8_t hash_key[IDS_CONTENTS_HASH_BYTES];
    uint64_t clock_ms; /* where the folder's log time ends */
    uint64_t epoch;    /* the highest of any token; 0: there is none */
    uint64_t newest[IDP_SHARDS_MAX]; /* its last token, per stream */
    ids_contents_key *keys;          /* cap places, a power of 2, or 0 */
    size_t cap, count;
} ids_contents;

/* hash_key NULL: keys are not kept. Two that are to be compared have the
 * same; it is random. */
void ids_contents_init(ids_contents *contents, const uint8_t *hash_key);
void ids_contents_fini(ids_contents *contents);

/* A loader's (ctx is the contents); any thread's. False: no memory. */
bool ids_contents_load(void *ctx, const ids_change *changes, size_t count,
                       uint64_t now_ms);

/* Streams that newest knows of. */
uint32_t ids_contents_streams(const ids_contents *contents);

/* Keys of which it has a record. */
uint64_t ids_contents_records(const ids_contents *contents);

/* Of one folder, against another. */
typedef struct ids_contents_side {
    uint64_t more;    /* keys of which the other has nothing, or an older
                       * token or state */
    uint64_t unclear; /* keys that are not at the other, which may never have
                       * had them, or have forgotten them since */
} ids_contents_side;

typedef enum ids_contents_verdict {
    IDS_CONTENTS_SAME,
    IDS_CONTENTS_FIRST, /* has all that the second one has, not so the second */
    IDS_CONTENTS_SECOND, /* the other way round */
    IDS_CONTENTS_EACH,   /* has what the other lacks */
    IDS_CONTENTS_UNKNOWN /* unclear keys could make it either */
} ids_contents_verdict;

/* Both keep keys, under one hash_key, and are read to their ends. */
ids_contents_verdict ids_contents_compare(const ids_contents *first,
                                          const ids_contents *second,
                                          ids_contents_side sides[static 2]);

#endif
