/* SPDX-License-Identifier: Apache-2.0 */
/* idemclient_admin.h, frozen: see README.md. */
#ifndef IDEMCLIENT_ADMIN_H
#define IDEMCLIENT_ADMIN_H
#include "idemclient.h"
#ifdef __cplusplus
extern "C" {
#endif
enum {
    IDEM_COMMAND_PROMOTE = 601,
    IDEM_COMMAND_DETACH = 602,
    IDEM_COMMAND_SWITCHOVER = 603,
    IDEM_COMMAND_SNAPSHOT = 604
};
enum { IDEM_COMMAND_DONE = 701, IDEM_COMMAND_REFUSED = 702 };
#define IDEM_COMMAND_TIMEOUT_MS_DEFAULT 60000u
typedef struct idem_command_args {
    uint32_t size;
    int32_t command;
    int32_t accept_loss;
    uint32_t timeout_ms;
} idem_command_args;
#ifdef __cplusplus
#define IDEM_COMMAND_ARGS_INIT idem__sized<idem_command_args>()
#else
#define IDEM_COMMAND_ARGS_INIT \
    { .size = sizeof(idem_command_args) }
#endif
IDEM_API void idem_command_args_init(idem_command_args *args, size_t args_size);
typedef struct idem_command_answer {
    uint32_t size;
    int32_t outcome;
    uint64_t epoch;
    uint64_t records;
    uint64_t bytes;
    uint64_t ms;
    char primary[IDEM_ENDPOINT_BYTES];
    char text[416];
} idem_command_answer;
#ifdef __cplusplus
#define IDEM_COMMAND_ANSWER_INIT idem__sized<idem_command_answer>()
#else
#define IDEM_COMMAND_ANSWER_INIT \
    { .size = sizeof(idem_command_answer) }
#endif
IDEM_API void idem_command_answer_init(idem_command_answer *answer,
                                       size_t answer_size);
IDEM_API int32_t idem_command(const char *uri, const idem_command_args *args,
                              idem_command_answer *answer, idem_error *err);
typedef struct idem_lag {
    uint64_t ops;
    uint64_t bytes;
    uint64_t ms;
} idem_lag;
#define IDEM_IN_SYNC_MAX 8
#define IDEM_STREAMS_MAX 64
typedef struct idem_replication {
    uint32_t size;
    int32_t connected;
    int32_t syncing;
    int32_t safe_to_stop;
    uint32_t in_sync_count;
    uint32_t streams_count;
    uint64_t epoch;
    uint64_t copy_records;
    uint64_t copy_total;
    idem_lag lag;
    char role[16];
    char mode[16];
    char node[64];
    char primary[IDEM_ENDPOINT_BYTES];
    char peer[IDEM_ENDPOINT_BYTES];
    char state[416];
    char in_sync[IDEM_IN_SYNC_MAX][IDEM_ENDPOINT_BYTES];
    idem_lag streams[IDEM_STREAMS_MAX];
} idem_replication;
#ifdef __cplusplus
#define IDEM_REPLICATION_INIT idem__sized<idem_replication>()
#else
#define IDEM_REPLICATION_INIT \
    { .size = sizeof(idem_replication) }
#endif
IDEM_API void idem_replication_init(idem_replication *replication,
                                    size_t replication_size);
IDEM_API int32_t idem_replication_get(const char *uri, uint32_t timeout_ms,
                                      idem_replication *replication,
                                      idem_error *err);
#ifdef __cplusplus
}
#endif
#endif
