/* SPDX-License-Identifier: Apache-2.0 */
/* audit_refused.c -- who was refused, so many a second and a day: a stranger
 * must not fill the disk. See audit.h. */
#include "server/base/audit.h"

#include "server/base/monotonic.h"

#include <pthread.h>

#define DAY_MS 86400000u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t filled_ms, tokens; /* thousandths of a line */
static uint64_t day_ms, day_bytes, unwritten;

/* Under the lock. Whether one more may be written, of so many bytes. */
static bool spend(size_t bytes) {
    const uint64_t most = 1000 * IDS_AUDIT_REFUSED_RATE;
    uint64_t now_ms = ids_monotonic_ms();
    if (filled_ms == 0)
        tokens = most;
    else
        tokens += (now_ms - filled_ms) * IDS_AUDIT_REFUSED_RATE;
    if (tokens > most)
        tokens = most;
    filled_ms = now_ms;
    if (now_ms - day_ms >= DAY_MS) {
        day_ms = now_ms;
        day_bytes = 0;
    }
    if (tokens < 1000 || day_bytes + bytes > IDS_AUDIT_REFUSED_DAY)
        return false;
    tokens -= 1000;
    day_bytes += bytes;
    return true;
}

void ids_audit_refused(uint64_t epoch, const ids_audit_who *who,
                       const char *reason) {
    ids_audit_line line;
    if (ids_audit_is_off())
        return;
    ids_audit_begin(&line, "refused", "outcome", epoch, 0, 0, who);
    ids_audit_text(&line, "reason", reason);
    pthread_mutex_lock(&lock);
    bool may = spend(line.len);
    uint64_t before = unwritten;
    unwritten = may ? 0 : unwritten + 1;
    pthread_mutex_unlock(&lock);
    if (!may)
        return;
    if (before)
        ids_audit_number(&line, "more_before", before);
    ids_audit_put(&line);
}
