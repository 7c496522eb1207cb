/* SPDX-License-Identifier: Apache-2.0 */
/* command_report.c -- see command_report.h. */
#include "client/src/command_report.h"

#include "client/src/error.h"
#include "client/src/sized.h"

#include <string.h>

static idem_lag lag_of(idp_lag lag) {
    return (idem_lag){.ops = lag.ops, .bytes = lag.bytes, .ms = lag.ms};
}

#define COPY(to, from) copy_text((to), sizeof(to), (from))

/* Cut where it is longer; what is no text in it is none here either. */
static void copy_text(char *to, size_t size, const char *from) {
    const idp_slice slice = {(const uint8_t *)from, strlen(from)};
    idem__text_copy(to, size, slice, ' ', UINT8_MAX);
}

static idem_replica replica_of(const idp_replica *from) {
    idem_replica own = {.member = from->member,
                        .in_sync = from->in_sync,
                        .connected = from->connected,
                        .syncing = from->syncing,
                        .copy_records = from->copy_records,
                        .copy_total = from->copy_total,
                        .lag = lag_of(from->lag)};
    COPY(own.node, from->node);
    COPY(own.at, from->at);
    return own;
}

void idem__replication_fill(idem_replication *theirs,
                            const idp_replication *from) {
    idem_replication own = {.epoch = from->epoch,
                            .connected = from->connected,
                            .syncing = from->syncing,
                            .safe_to_stop = from->safe_to_stop,
                            .copy_records = from->copy_records,
                            .copy_total = from->copy_total,
                            .lag = lag_of(from->lag),
                            .in_sync_count = from->in_sync_count,
                            .streams_count = from->streams_count,
                            .tokens_count = from->tokens_count,
                            .records = from->records,
                            .completed = from->completed,
                            .token_epoch = from->token_epoch};
    COPY(own.contents, from->contents);
    memcpy(own.tokens, from->tokens, sizeof own.tokens);
    own.parts_count = from->parts_count;
    for (uint32_t i = 0; i < from->parts_count; i++)
        own.parts[i] =
            (idem_part){from->parts[i].records, from->parts[i].completed};
    COPY(own.role, from->role);
    COPY(own.mode, from->mode);
    COPY(own.node, from->node);
    COPY(own.primary, from->primary);
    COPY(own.peer, from->peer);
    COPY(own.state, from->state);
    for (uint32_t i = 0; i < from->in_sync_count; i++)
        COPY(own.in_sync[i], from->in_sync[i]);
    for (uint32_t i = 0; i < from->streams_count; i++)
        own.streams[i] = lag_of(from->streams[i]);
    own.replicas_count = from->replicas_count;
    for (uint32_t i = 0; i < from->replicas_count; i++)
        own.replicas[i] = replica_of(&from->replicas[i]);
    idem__sized_out(&idem__replication_layout, theirs, &own);
}
