/* SPDX-License-Identifier: Apache-2.0 */
/* recheck.h -- the files that the settings name, looked at from time to time:
 * what has changed and has then stayed as it is from one look to the next is
 * read again, as at SIGHUP. One that is just being written is left alone. */
#ifndef IDS_RECHECK_H
#define IDS_RECHECK_H

#include "server/io/live.h"
#include "server/io/reload.h"

typedef struct ids_recheck {
    ids_reload *reload;
    const ids_live *live;
    uv_timer_t timer;
    uv_work_t work;
    char *paths; /* of the look that is under way: each with its NUL, and one
                  * more */
    uint64_t found, seen, taken; /* looks: this one, the last, the one that was
                                  * read */
    bool ended;
} ids_recheck;

/* The first loop's. So often, in seconds; 0: never. 0, or libuv's error. */
int ids_recheck_init(ids_recheck *recheck, ids_loop *first, ids_reload *reload,
                     const ids_live *live, uint64_t every_s);

/* Before the loop ends. */
void ids_recheck_close(ids_recheck *recheck);

#endif
