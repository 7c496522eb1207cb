/* SPDX-License-Identifier: Apache-2.0 */
/* audited.h -- what this worker's connections asked that is on record, until it
 * is answered: who asked, and the request itself, so that the answer gets its
 * line, too. Nothing of it costs a request that is not. */
#ifndef IDS_AUDITED_H
#define IDS_AUDITED_H

#include "server/base/audit.h"
#include "server/base/list.h"
#include "server/worker/message.h"

typedef struct ids_worker ids_worker;
typedef struct ids_conn ids_conn;

/* So many are under way on a worker; one more is LIMIT. */
#define IDS_AUDITED_MAX 1024

typedef struct ids_audited_one {
    ids_listed in_list;
    ids_asker asker;
    uint32_t msgid;
    idp_method method;
    ids_audit_who who;
    /* erase: of the loops that were asked, and what they have said. */
    uint32_t parts_left;
    idp_error error;
    idp_answer answer;
    uint64_t hash; /* of a key's: its owner, and its hash there */
    uint32_t owner;
    uint32_t frame_bytes; /* 0: none is kept */
    uint8_t frame[];
} ids_audited_one;

typedef struct ids_audited {
    ids_list list;
    uint32_t count;
} ids_audited;

/* Whose connection it is. */
void ids_audited_who(const ids_conn *conn, ids_audit_who *who);

/* Keeps what was asked. frame may be empty. NULL: too many, or no memory. */
ids_audited_one *ids_audited_new(ids_worker *worker, const ids_conn *conn,
                                 const idp_request *request, idp_slice frame);
ids_audited_one *ids_audited_find(const ids_worker *worker, ids_asker asker,
                                  uint32_t msgid);
void ids_audited_drop(ids_worker *worker, ids_audited_one *one);
void ids_audited_fini(ids_worker *worker);

/* Begins its line, with what was asked. */
void ids_audited_line(const ids_worker *worker, const ids_audited_one *one,
                      const idp_request *request, const char *phase,
                      ids_audit_line *line);

/* Its outcome is on record, and it is dropped. answer NULL: an error, and text
 * what it says (NULL: nothing). */
void ids_audited_end(ids_worker *worker, ids_audited_one *one,
                     const idp_answer *answer, idp_error error,
                     const char *text);

/* A reply to this asker leaves the worker: if it is to something audited, its
 * outcome is on record. failed: not what the bytes say, but this error. */
void ids_audited_reply(ids_worker *worker, ids_asker asker, uint32_t msgid,
                       idp_slice reply, idp_error failed);

/* An operator's command was sent off: a line, and one when it is answered. */
void ids_audited_command(ids_worker *worker, const ids_conn *conn,
                         const idp_request *request);

#endif
