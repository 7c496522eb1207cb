/* SPDX-License-Identifier: Apache-2.0 */
/* people.c -- see people.h. */
#include "server/admin/people.h"

#include "proto/clients.h"
#include "server/base/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* So many places are looked at for one page. */
#define SLOTS_A_PAGE 4096u
#define ID_DIGITS    16
#define LOOP_DIGITS  4
#define SLOT_DIGITS  8

/* So many digits of the text. False: it has others, or another length. */
static bool read_digits(idp_slice text, size_t digits, uint64_t *number) {
    if (text.len != digits)
        return false;
    *number = 0;
    for (size_t i = 0; i < digits; i++) {
        uint8_t c = text.ptr[i];
        uint8_t digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                               : 16;
        if (digit == 16)
            return false;
        *number = *number << 4 | digit;
    }
    return true;
}

idp_error ids_people_plan(const ids_worker *worker, ids_look *look,
                          const char **text) {
    uint64_t at = 0;
    look->owner = 0;
    if (!look->request->cursor.ptr)
        return IDP_OK;
    if (!read_digits(look->request->cursor, LOOP_DIGITS + SLOT_DIGITS, &at) ||
        at >> 32 >= worker->server->loops) {
        *text = "cursor: it is none that clients gave";
        return IDP_E_BAD_REQUEST;
    }
    look->owner = (uint32_t)(at >> 32);
    look->word = at & UINT32_MAX;
    return IDP_OK;
}

idp_error ids_people_plan_kill(const ids_worker *worker, ids_look *look,
                               const char **text) {
    if (!read_digits(look->request->cursor, ID_DIGITS, &look->word)) {
        *text = "an id has 16 hexadecimal digits, as clients tells it";
        return IDP_E_BAD_REQUEST;
    }
    uint32_t loop = ids_asker_loop(look->word);
    if (look->word == look->asker) {
        *text = "that is the connection that asks";
        return IDP_E_BAD_REQUEST;
    }
    if (loop < worker->server->loops)
        look->owner = loop; /* else it is nobody's, which we can say, too */
    return IDP_OK;
}

/* A page ---------------------------------------------------------------- */

typedef struct told {
    char id[ID_DIGITS + 1];
    char from[IDS_WHO_FROM_BYTES];
} told;

static idp_slice text_slice_of(const char *text) {
    return (idp_slice){(const uint8_t *)text, strlen(text)};
}

static void tell_client_row(const ids_worker *worker, const ids_look *look,
                            const ids_conn *conn, told *texts,
                            idp_client_row *row) {
    const ids_verifier *verifier = conn->reading.verifier;
    snprintf(texts->id, sizeof texts->id, "%016" PRIx64, conn->asker);
    *row = (idp_client_row){.id = text_slice_of(texts->id),
                            .is_tls = conn->seal != NULL,
                            .is_http = conn->http != NULL,
                            .age_ms = worker->now_ms - conn->opened_ms,
                            .requests = conn->reading.asked,
                            .waiting = conn->waiting,
                            .unsent_bytes = ids_conn_unsent(conn)};
    if (conn->who.client)
        row->name = text_slice_of(conn->who.client);
    if (verifier)
        row->user = text_slice_of(verifier->user->name);
    if (look->flags & IDS_MESSAGE_MAY_ADMIN) {
        ids_who_from(&conn->who, texts->from);
        row->address = text_slice_of(texts->from);
    }
}

/* Where the next page begins; false: this one was the last. */
static bool next_cursor(const ids_worker *worker, uint32_t slot,
                        char cursor[static LOOP_DIGITS + SLOT_DIGITS + 1]) {
    uint32_t loop = worker->index;
    if (slot >= worker->slots.used) {
        loop++;
        slot = 0;
    }
    snprintf(cursor, LOOP_DIGITS + SLOT_DIGITS + 1, "%04x%08x", loop & 0xffff,
             slot);
    return loop < worker->server->loops;
}

bool ids_people_page(const ids_worker *worker, const ids_look *look,
                     idp_bytes *frame) {
    told texts[IDP_CLIENT_ROWS_MAX];
    char cursor[LOOP_DIGITS + SLOT_DIGITS + 1];
    idp_clients_page page = {.row_count = 0};
    uint32_t slot = (uint32_t)look->word;
    for (uint32_t i = 0; i < SLOTS_A_PAGE && slot < worker->slots.used &&
                         page.row_count < IDP_CLIENT_ROWS_MAX;
         i++, slot++) {
        const ids_conn *conn = worker->slots.all[slot].conn;
        if (!conn || ids_conn_is_dead(conn) || conn->life == IDS_CONN_PEER)
            continue;
        tell_client_row(worker, look, conn, &texts[page.row_count],
                        &page.rows[page.row_count]);
        page.row_count++;
    }
    if (next_cursor(worker, slot, cursor))
        page.cursor = text_slice_of(cursor);
    size_t bound = idp_clients_page_write_bound(&page);
    if (!idp_bytes_reserve(frame, bound))
        return false;
    frame->len = idp_clients_page_write(frame->ptr, frame->cap,
                                        look->request->msgid, &page);
    return true;
}

/* Sent away ------------------------------------------------------------- */

bool ids_people_kill(ids_worker *worker, const ids_look *look,
                     idp_bytes *frame) {
    ids_conn *conn = ids_asker_loop(look->word) == worker->index
                         ? ids_worker_find(worker, look->word)
                         : NULL;
    bool is_there = conn && !ids_conn_is_dead(conn) &&
                    conn->life != IDS_CONN_MOVING &&
                    conn->life != IDS_CONN_PEER;
    if (is_there) {
        ids_log_who(IDS_LOG_WARN, "connection closed", &conn->who,
                    "an operator has killed it");
        ids_conn_become(conn, IDS_CONN_DEAD);
        ids_worker_mark(worker, conn);
    }
    if (!idp_bytes_reserve(frame, IDP_KILLED_BYTES_MAX))
        return false;
    frame->len = idp_killed_write(frame->ptr, frame->cap, look->request->msgid,
                                  is_there);
    return true;
}
