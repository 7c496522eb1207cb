/* SPDX-License-Identifier: Apache-2.0 */
/* log_queue.h -- lines on their way to stderr: whoever logs leaves a line and
 * goes on, a thread of its own writes, and may block as long as it likes.
 *
 * stderr is what we were given: a terminal, a pipe that others write to as
 * well, a file on a full disk. It stays as it is; O_NONBLOCK would be
 * everybody's who shares it. */
#ifndef IDS_LOG_QUEUE_H
#define IDS_LOG_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDS_LOG_LINE_BYTES 1024

/* Called on the thread, a second after lines were lost or it was asked for.
 * Writes what there is to say with ids_log_queue_write. False: that can't be
 * done now. */
typedef bool ids_log_teller(uint64_t lost);

/* Starts the thread; false: there is none, and lines are written by whoever
 * logs them, as before the start. */
bool ids_log_queue_start(ids_log_teller *teller);

/* Any thread; never blocks once started. Where there is no room the line is
 * lost, and counted. */
void ids_log_queue_put(const char *line, size_t len);

/* The teller is called within a second. */
void ids_log_queue_tell_soon(void);

/* Lines lost since the start. Any thread. */
uint64_t ids_log_queue_lost(void);

/* The thread's, or before it runs anyone's: blocks. False: it could not be
 * written. */
bool ids_log_queue_write(const char *line, size_t len);

/* Waits until all is written, at most so long. */
void ids_log_queue_flush(unsigned ms_max);

#endif
