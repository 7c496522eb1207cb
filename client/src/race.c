/* SPDX-License-Identifier: Apache-2.0 */
/* race.c -- see race.h. */
#include "client/src/race.h"

#include <errno.h>
#include <limits.h>

void idem__race_begin(idem__race *race, const idem__addr *addrs, uint32_t count,
                      uint64_t deadline_ms) {
    uint64_t now_ms = idem_now_ms();
    uint64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    uint64_t share_ms = count > 0 ? left_ms / count : left_ms;
    *race = (idem__race){.addrs = addrs,
                         .count = count,
                         .step_ms = share_ms < IDEM__RACE_STEP_MS
                                        ? share_ms
                                        : IDEM__RACE_STEP_MS,
                         .next_ms = now_ms,
                         .deadline_ms = deadline_ms,
                         .error = ETIMEDOUT};
}

static void remove_open(idem__race *race, uint32_t i) {
    race->open_count--;
    race->open[i] = race->open[race->open_count];
    race->at[i] = race->at[race->open_count];
}

/* One that fails at once makes room for the next one at once. */
static void start_one(idem__race *race, uint64_t now_ms) {
    int fd = idem__dial(&race->addrs[race->next]);
    if (fd < 0) {
        race->error = errno;
        race->next_ms = now_ms;
    } else {
        race->open[race->open_count] =
            (struct pollfd){.fd = fd, .events = POLLOUT};
        race->at[race->open_count++] = race->next;
        race->next_ms = now_ms + race->step_ms;
    }
    race->next++;
}

/* The first that is connected; -1. Those that failed are closed. */
static int take_ready(idem__race *race, uint32_t *at, uint64_t now_ms) {
    for (uint32_t i = race->open_count; i-- > 0;) {
        if (race->open[i].revents == 0)
            continue;
        int fd = race->open[i].fd;
        int error = idem__dial_error(fd);
        *at = race->at[i];
        remove_open(race, i);
        if (error == 0)
            return fd;
        idem__hang_up(fd);
        race->error = error;
        race->next_ms = now_ms;
    }
    return -1;
}

int idem__race_next(idem__race *race, uint32_t *at) {
    for (;;) {
        uint64_t now_ms = idem_now_ms();
        while (race->next < race->count &&
               (race->open_count == 0 || now_ms >= race->next_ms))
            start_one(race, now_ms);
        if (race->open_count == 0)
            return -1;
        if (now_ms >= race->deadline_ms) {
            race->error = ETIMEDOUT;
            return -1;
        }
        uint64_t until_ms = race->deadline_ms;
        if (race->next < race->count && race->next_ms < until_ms)
            until_ms = race->next_ms;
        uint64_t wait_ms = until_ms - now_ms;
        int ready = poll(race->open, race->open_count,
                         wait_ms < INT_MAX ? (int)wait_ms : INT_MAX);
        int fd = ready > 0 ? take_ready(race, at, idem_now_ms()) : -1;
        if (fd >= 0)
            return fd;
    }
}

uint32_t idem__race_left(const idem__race *race) {
    return race->open_count + race->count - race->next;
}

void idem__race_end(idem__race *race) {
    for (uint32_t i = 0; i < race->open_count; i++)
        idem__hang_up(race->open[i].fd);
    race->open_count = 0;
}
