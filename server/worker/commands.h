/* SPDX-License-Identifier: Apache-2.0 */
/* commands.h -- what an operator asks of a server: promote, detach, switchover,
 * snapshot, backup, reload, and how replication stands.
 *
 * A command may come on any loop. It is carried out on loop 0, by whoever the
 * server says (the peer, the store, the reload), which answers now or later. A
 * few are under way at a time; an asker that goes away takes nothing back. */
#ifndef IDS_COMMANDS_H
#define IDS_COMMANDS_H

#include "proto/commands.h"
#include "server/peer/group.h"
#include "server/worker/message.h"

/* So many commands are under way at most, of all askers; one more is LIMIT. */
#define IDS_COMMANDS_MAX 4

typedef struct ids_worker ids_worker;
typedef struct ids_conn ids_conn;

/* Names a command that is under way. Never used twice. */
typedef uint64_t ids_command_id;

typedef struct ids_command_request {
    idp_method command; /* IDP_PROMOTE, DETACH, SWITCHOVER, SNAPSHOT, BACKUP,
                         * RELOAD, CONFIG, OFFER */
    bool accept_loss;   /* PROMOTE, DETACH */
    bool dry_run;       /* RELOAD */
    bool force;         /* RELOAD */
    /* DETACH, SWITCHOVER: which member, by name; borrowed from the asker. Or
     * else by number; 0: the only one, or any one. BACKUP: what it is called.
     */
    idp_slice node_name;
    uint64_t node;
    /* A failover agent's: borrowed for as long as begin takes. */
    uint64_t rev;                 /* CONFIG, OFFER */
    const ids_group *group;       /* CONFIG; OFFER: its epoch alone */
    const ids_group_member *whom; /* OFFER */
    ids_command_id id;            /* to answer with, once */
} ids_command_request;

/* Who carries commands out. Called on loop 0's thread, with its worker. */
typedef struct ids_command_handler {
    void *ctx;
    /* Does it, or begins to; ids_command_answer says what became of it, from
     * in here or later. NULL: nobody is there, and every command is refused. */
    void (*begin)(void *ctx, ids_worker *worker,
                  const ids_command_request *request);
    /* The peer's only: fills in how replication stands; at once, without
     * waiting for anybody. report is as without a peer before: role primary,
     * mode none, this server's epoch, alone in sync. NULL: it stays so. */
    void (*report)(void *ctx, ids_worker *worker, idp_replication *report);
} ids_command_handler;

/* Loop 0's thread: the answer to a command under way. Text and address are
 * copied. an id that is not under way any more is left alone. */
void ids_command_answer(ids_worker *worker, ids_command_id id,
                        const idp_command_answer *answer);

/* The same for a refusal: NUL-terminated, what would be lost, and the flag
 * that accepts it. */
void ids_command_refuse(ids_worker *worker, ids_command_id id,
                        const char *text);

/* The rest is the worker's own --------------------------------------------- */

typedef struct ids_command_under_way {
    ids_command_id id; /* 0: the place is free */
    ids_asker asker;
    uint32_t msgid;
} ids_command_under_way;

typedef struct ids_commands {
    ids_command_id given; /* the last one */
    ids_command_under_way under_way[IDS_COMMANDS_MAX];
} ids_commands;

static inline bool ids_method_is_command(idp_method method) {
    return (method >= IDP_REPLICATION && method <= IDP_RELOAD) ||
           method == IDP_CONFIG || method == IDP_OFFER || method == IDP_BACKUP;
}

/* A connection asks: it is sent to loop 0, or refused. */
void ids_command_ask(ids_worker *worker, ids_conn *conn,
                     const idp_request *request);

/* Loop 0: how replication stands, as a whole reply to msgid 0. Its size. */
size_t ids_command_report(ids_worker *worker,
                          uint8_t bytes[static IDP_REPLICATION_BYTES_MAX]);

/* Loop 0: what this node is called, or what names it for this one run. */
void ids_command_node(ids_worker *worker, char *to, size_t cap);

/* Loop 0: a command came by message, whose body names a node, or is empty, or
 * is what an agent tells (config, offer). */
void ids_command_take(ids_worker *worker, const ids_message *message,
                      const uint8_t *body);

/* Who waits hears SHUTTING_DOWN: nobody knows whether it was carried out. */
void ids_command_drain(ids_worker *worker);

#endif
