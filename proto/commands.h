/* SPDX-License-Identifier: Apache-2.0 */
/* commands.h -- what an operator's commands answer: encode and decode.
 *
 * Pure, like reply.h. Commands are rare, so nothing here is made for speed. */
#ifndef IDP_COMMANDS_H
#define IDP_COMMANDS_H

#include "proto/group.h"
#include "proto/terms.h"

#define IDP_ENDPOINT_BYTES_MAX     280 /* "host:port" */
#define IDP_COMMAND_TEXT_BYTES_MAX 400
#define IDP_RELOAD_TEXT_BYTES_MAX  4000
#define IDP_BACKUP_NAME_BYTES_MAX  64

#define IDP_COMMAND_OUTCOMES(X)                                           \
    X(PROMOTED, "promoted") /* promote: this server is the primary now */ \
    X(DETACHED, "detached") /* detach: it serves without the other */     \
    X(SWITCHED, "switched") /* switchover: the other is the primary */    \
    X(SNAPSHOT, "snapshot") /* snapshot: it is installed */               \
    X(RELOADED, "reloaded") /* reload: what is live holds */              \
    X(EXAMINED, "examined") /* reload, dry_run: it could be done */       \
    X(BACKUP, "backup")     /* backup: it is made, and read back */       \
    X(TOLD, "told")         /* config, offer: it holds from now on */     \
    X(REFUSED, "refused")   /* any of them: nothing was done */

typedef enum idp_command_outcome {
#define X(name, text) IDP_COMMAND_##name,
    IDP_COMMAND_OUTCOMES(X)
#undef X
        IDP_COMMAND_COUNT
} idp_command_outcome;

/* What became of a command. */
typedef struct idp_command_answer {
    idp_command_outcome outcome;
    uint64_t epoch;    /* PROMOTED, DETACHED, SWITCHED, TOLD */
    idp_slice primary; /* SWITCHED: "host:port" of who is it now */
    uint64_t records;  /* SNAPSHOT, BACKUP: of its snapshot */
    uint64_t bytes;    /* SNAPSHOT, BACKUP */
    uint64_t ms;       /* SNAPSHOT, BACKUP: how long it took */
    uint64_t closed;   /* RELOADED, EXAMINED: connections whose credential is
                        * gone, */
    uint64_t admitted; /* of so many */
    idp_slice text;    /* REFUSED: why, and what would make it possible;
                        * RELOADED, EXAMINED: lines, each a change; BACKUP:
                        * where it lies */
} idp_command_answer;

/* Text that is longer than its limit is cut. */
#define IDP_COMMAND_REPLY_BYTES_MAX 4096
size_t idp_command_write(uint8_t *to, size_t cap, uint32_t msgid,
                         const idp_command_answer *answer);

/* False when result is not what method, a command, answers. Slices borrow
 * from it. */
bool idp_command_read(idp_method method, idp_slice result,
                      idp_command_answer *answer);

const char *idp_command_outcome_name(idp_command_outcome outcome);

/* How far the other is behind. */
typedef struct idp_lag {
    uint64_t ops;
    uint64_t bytes;
    uint64_t ms;
} idp_lag;

#define IDP_IN_SYNC_MAX  5
#define IDP_REPLICAS_MAX 4
#define IDP_STREAMS_MAX  IDP_CONTAINER_ITEMS_MAX

#define IDP_PARTS_MAX 64

/* Of a part of the keys. */
typedef struct idp_part {
    uint64_t records, completed;
} idp_part;

/* One replica of a primary: a member of the in-sync set, or one that is or was
 * connected. */
typedef struct idp_replica {
    char node[64];                       /* its name; "": not known */
    char at[IDP_ENDPOINT_BYTES_MAX + 1]; /* "host:port"; "": not known */
    bool member;    /* replies wait for it, whether it is there or not */
    bool in_sync;   /* and it has the memory that it is a member with */
    bool connected; /* and was heard of just now */
    bool syncing;   /* a full copy to it is under way */
    uint64_t copy_records, copy_total;
    idp_lag lag;
} idp_replica;

/* What `replication` answers. Text is NUL-terminated; "" is nil. */
typedef struct idp_replication {
    char role[16]; /* "primary" | "replica" */
    char mode[16]; /* "none" | "async" | "sync" */
    uint64_t epoch;
    char node[64]; /* the server's own name */
    /* The members of the in-sync set, the primary first: their addresses, or
     * their names where those are not known. */
    uint32_t in_sync_count;
    char in_sync[IDP_IN_SYNC_MAX][IDP_ENDPOINT_BYTES_MAX + 1];
    bool connected;    /* to the other server */
    bool syncing;      /* a full copy is under way */
    bool safe_to_stop; /* stopped for good, now, this server takes nothing with
                        * it that was acknowledged, and the other leads or may
                        * be promoted */
    uint64_t copy_records, copy_total; /* of the full copy under way, or of the
                                        * last: N of M records */
    char primary[IDP_ENDPOINT_BYTES_MAX + 1]; /* where clients should go */
    char peer[IDP_ENDPOINT_BYTES_MAX + 1];    /* the other server */
    idp_lag lag;                              /* of all streams */
    uint32_t streams_count; /* of more than IDP_STREAMS_MAX the first ones */
    idp_lag streams[IDP_STREAMS_MAX];
    char state[IDP_COMMAND_TEXT_BYTES_MAX + 1]; /* one plain sentence */
    /* What a replica brought back from its folder, until it takes part again:
     * records, those that are completed, and per stream of the highest epoch
     * of a token the last one's count. contents: the same text on both servers
     * if they have the same; "": none of this is known. */
    char contents[24];
    uint64_t records, completed, token_epoch;
    uint32_t tokens_count;
    uint64_t tokens[IDP_STREAMS_MAX];
    /* The same, per part of all keys: a key is in the same part everywhere. */
    uint32_t parts_count;
    idp_part parts[IDP_PARTS_MAX];
    /* Of a primary. */
    uint32_t replicas_count;
    idp_replica replicas[IDP_REPLICAS_MAX];
    idp_group_standing group; /* under failover agents; else self is nobody */
} idp_replication;

#define IDP_REPLICATION_BYTES_MAX (12288 + IDP_STANDING_BYTES_MAX)
size_t idp_replication_write(uint8_t *to, size_t cap, uint32_t msgid,
                             const idp_replication *report);
bool idp_replication_read(idp_slice result, idp_replication *report);

#endif
