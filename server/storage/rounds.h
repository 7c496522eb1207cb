/* SPDX-License-Identifier: Apache-2.0 */
/* rounds.h -- snapshots while the loops run. In a round each loop does its
 * part, in its own time, and who is the last installs them all.
 *
 * One round at a time: who has claimed it may begin it. Any thread, but for
 * what says otherwise. It knows neither who writes the parts nor who asks. */
#ifndef IDS_ROUNDS_H
#define IDS_ROUNDS_H

#include "server/journal/data_dir.h"
#include "server/worker/server.h"

#include <pthread.h>

/* After so long a snapshot that was given up is tried again; each further pause
 * is twice as long. */
#define IDS_SNAPSHOT_AGAIN_MS 5000
#define IDS_ROUND_TEXT_BYTES  (IDS_FAULT_TEXT_BYTES + 80)

typedef struct ids_rounds {
    /* Set before the loops run. */
    const ids_server *server;
    ids_disk *disk;
    ids_data_dir *dir;
    uint64_t start_ms; /* of this run */
    uint64_t log_bytes_max;
    /* A place for each loop: its part, where its log begins anew, and up to
     * where it was written as its part was there. */
    ids_snapshot_sum *sums;
    ids_log_end *firsts;
    ids_log_end *ends;
    /* One that is installed, and removes nothing yet. True: whoever ordered it
     * hears of it later, by ids_rounds_answer. On the thread that installs.
     * NULL: nobody is asked. */
    bool (*installed)(void *ctx, const idp_command_answer *answer);
    void *installed_ctx;
    atomic_uint count;               /* of those that were begun */
    atomic_bool busy;                /* one is claimed, or under way */
    atomic_bool held;                /* none is to be begun now */
    atomic_uint_least64_t log_bytes; /* since the last one was begun */
    /* One that was given up: when it is tried again (0: none was), the next
     * pause, how many were. */
    atomic_uint_least64_t again_ms, pause_ms, given_up_total;
    atomic_uint_least64_t parts_bytes; /* of the last one, at least */
    pthread_mutex_t lock;              /* of what is below */
    uint32_t parts_left;
    bool given_up;
    bool quiet; /* none is begun any more */
    /* To whoever ordered it, when has_answer is seen; its text is why. */
    idp_command_answer answer;
    char why[IDS_ROUND_TEXT_BYTES];
    atomic_bool has_answer;
    char logged[IDS_FAULT_TEXT_BYTES]; /* why it was given up, as the log has */
} ids_rounds;

/* log_bytes_max: a round begins when the logs have grown by so many. The rest
 * is borrowed. */
void ids_rounds_init(ids_rounds *rounds, const ids_server *server,
                     ids_data_dir *dir, ids_disk *disk, uint64_t log_bytes_max);
void ids_rounds_fini(ids_rounds *rounds);

/* Places for the loops' parts. False: no memory. */
bool ids_rounds_make_places(ids_rounds *rounds, uint64_t start_ms);

/* A round is the caller's to begin; false: one is under way, or none is to be
 * begun now. begin false: none is begun any more, and it stays claimed.
 * take_over: it is the caller's in any case, and one under way is none any
 * more. */
bool ids_rounds_claim(ids_rounds *rounds);
void ids_rounds_take_over(ids_rounds *rounds);
bool ids_rounds_begin(ids_rounds *rounds);

/* Before the first loop ends: no loop is woken any more. */
void ids_rounds_quiet(ids_rounds *rounds);

/* A log has grown. */
void ids_rounds_grew(ids_rounds *rounds, size_t log_bytes);

/* Begins the file of a loop's part of the next snapshot; false: see file. */
bool ids_rounds_create_part(const ids_rounds *rounds, uint32_t index,
                            ids_snapshot_file *file);

/* A loop's part is on the medium, and so is its log up to it; good false: it
 * was given up. True: it was the last, and ids_rounds_install is to be called
 * where it may block. */
bool ids_rounds_part_done(ids_rounds *rounds, uint32_t index, bool good,
                          const ids_snapshot_sum *sum, const ids_log_end *first,
                          const ids_log_end *end);
void ids_rounds_install(ids_rounds *rounds, uint64_t now_ms);

/* Nobody writes a part. What was written of the next snapshot is removed;
 * cancel: the round under way is given up, and why is said. */
void ids_rounds_remove_parts(const ids_rounds *rounds);
void ids_rounds_cancel(ids_rounds *rounds, const char *why);

/* Held: none is begun until it is let go, but by who takes over; and no file
 * that counts is removed. By who installs, and any thread. */
void ids_rounds_hold(ids_rounds *rounds);
void ids_rounds_let_go(ids_rounds *rounds);

/* What came of it, for whoever ordered it; why is copied. */
void ids_rounds_answer(ids_rounds *rounds, const idp_command_answer *answer,
                       const char *why);

/* What came of a round, once, for whoever ordered it; answer's text is in why.
 * False: nothing has come of one. */
bool ids_rounds_take_answer(ids_rounds *rounds, idp_command_answer *answer,
                            char why[static IDS_ROUND_TEXT_BYTES]);

#endif
