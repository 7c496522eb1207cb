/* SPDX-License-Identifier: Apache-2.0 */
/* replace.c -- a whole copy takes the place of all records: the logs end, and
 * the manifest says where; see store.h. */
#include "server/base/log.h"
#include "server/os/clock.h"
#include "server/storage/fail.h"
#include "server/storage/store.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Each log is to end, and to go on in another segment; one that waits for room
 * would be waited for by all loops. */
static bool may_be_replaced(const ids_store *s) {
    int64_t room = s->disk.free_bytes(s->disk.ctx);
    uint64_t needed =
        (uint64_t)s->log_writers_count * 2 * IDS_SEGMENT_BYTES_MIN;
    bool waits = room >= 0 && (uint64_t)room < needed;
    for (uint32_t i = 0; i < s->log_writers_count && !waits; i++)
        waits = ids_log_writer_waits(s->log_writers[i]);
    return !waits;
}

static void say_copy_waits(ids_store *s, const char *why) {
    if (strcmp(s->logged_copy, why) != 0)
        ids_log(IDS_LOG_WARN, "a full copy waits for the disk",
                "at=\"--data-dir %s\" reason=\"%s\" so=\"it is not in sync "
                "until then\" todo=\"make room; it is tried again\"",
                s->config->data_dir, why);
    snprintf(s->logged_copy, sizeof s->logged_copy, "%s", why);
}

/* A thread may have the last part of a snapshot to install: all rest
 * before the first log ends. */
static void end_logs(ids_store *s) {
    assert(s->log_writers_count == s->server->loops);
    for (uint32_t i = 0; i < s->log_writers_count; i++)
        ids_log_writer_await_rest(s->log_writers[i]);
    for (uint32_t i = 0; i < s->log_writers_count; i++)
        ids_log_writer_begin_anew(s->log_writers[i], &s->rounds.firsts[i]);
    ids_rounds_remove_parts(&s->rounds);
}

bool ids_store_replace(ids_store *s) {
    ids_fault fault;
    char why[IDS_FAULT_TEXT_BYTES];
    if (!s->is_open)
        return true;
    if (!may_be_replaced(s)) {
        say_copy_waits(s, "the disk is full: each log needs another segment");
        return false;
    }
    end_logs(s);
    if (ids_data_dir_replaced(&s->dir, s->rounds.firsts, ids_loop_clock_ms(),
                              &fault))
        return true;
    if (!s->dir.unchanged)
        ids_storage_fail(&fault);
    ids_fault_text(&fault, why);
    say_copy_waits(s, why);
    ids_rounds_cancel(&s->rounds,
                      "a full copy was to take the place of all records");
    return false;
}

void ids_store_replaced(ids_store *s) {
    if (!s->is_open)
        return;
    s->logged_copy[0] = '\0';
    ids_log(IDS_LOG_INFO, "all records were replaced by the primary's",
            "until_a_snapshot=\"a restart finds the old ones\"");
    ids_rounds_take_over(&s->rounds);
    ids_rounds_begin(&s->rounds);
}
