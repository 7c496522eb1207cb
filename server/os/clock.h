/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h -- the store's clock: it counts the time that this process ran.
 *
 * A process that was stopped, or whose machine was moved, has read nothing
 * meanwhile: renewals lie in its sockets, and so do the other node's
 * heartbeats. The time of such a gap does not count, and after it the clock
 * stands still for a moment more, so that everything that came in the gap is
 * read before any deadline. Deadlines only stretch.
 *
 * Any thread. A gap is noticed where no thread has read the clock for
 * IDS_CLOCK_GAP_MS; somebody must read it every IDS_CLOCK_PULSE_MS. */
#ifndef IDS_CLOCK_H
#define IDS_CLOCK_H

#include <stdint.h>

#define IDS_CLOCK_PULSE_MS 50u
#define IDS_CLOCK_GAP_MS   200u
#define IDS_CLOCK_HOLD_MS  200u

/* Milliseconds of this process' running since the first call, and
 * IDS_CLOCK_START_MS; monotonic. */
uint64_t ids_loop_clock_ms(void);

/* Sets it forward, before any loop runs: time that records have seen. */
void ids_loop_clock_set(uint64_t now_ms);

/* The loops begin to run: from here on gaps are looked for. Before that, one
 * thread recovers records, for as long as it takes. */
void ids_loop_clock_watch(void);

/* How many gaps there were, and how long all of them together; gaps that the
 * clock has shown, so that who reads it first and asks here then has seen
 * each. */
uint64_t ids_loop_clock_gaps(uint64_t *all_ms);

/* The clock as such, on a machine's clock that is handed in: see above. */
uint64_t ids_clock_at(uint64_t machine_ms);

#endif
