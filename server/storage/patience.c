/* SPDX-License-Identifier: Apache-2.0 */
/* patience.c -- see patience.h. */
#include "server/storage/patience.h"

#include "server/base/log.h"
#include "server/os/clock.h"

#include <time.h>

#define TRY_AGAIN_MS 20
#define SAY_EVERY_MS 10000

static void say_patience(ids_patience *patience, const ids_fault *fault) {
    uint64_t now_ms = ids_loop_clock_ms();
    char text[IDS_FAULT_TEXT_BYTES];
    if (patience->logged_ms && now_ms - patience->logged_ms < SAY_EVERY_MS)
        return;
    patience->logged_ms = now_ms;
    ids_fault_text(fault, text);
    ids_log(IDS_LOG_WARN, "changes wait: the log can't go on yet",
            "reason=\"%s\"", text);
}

void ids_patience_set(ids_patience *patience, bool goes_on) {
    atomic_store(&patience->goes_on, goes_on);
}

void ids_patience_over(ids_patience *patience) {
    atomic_store_explicit(&patience->waits, false, memory_order_relaxed);
}

bool ids_patience_wait(void *ctx, const ids_fault *fault) {
    ids_patience *patience = ctx;
    if (!atomic_load(&patience->goes_on))
        return false;
    say_patience(patience, fault);
    atomic_store(&patience->waits, true);
    nanosleep(&(struct timespec){.tv_nsec = TRY_AGAIN_MS * 1000000L}, NULL);
    return atomic_load(&patience->goes_on);
}
