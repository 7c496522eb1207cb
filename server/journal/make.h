/* SPDX-License-Identifier: Apache-2.0 */
/* make.h -- inside the writer: a log's next segment is made. */
#ifndef IDS_JOURNAL_MAKE_H
#define IDS_JOURNAL_MAKE_H

#include "server/journal/writer.h"

/* As large as is planned, or on a disk that is nearly full a smaller one that
 * holds at_least bytes of frames. False: see fault. */
bool ids_writer_make(ids_writer *writer, uint64_t number, uint32_t at_least,
                     ids_segment_file *made);

/* Notes what a segment's file has against it: false. */
bool ids_writer_fail(ids_writer *writer, int error, uint64_t segment,
                     const char *what);

/* How much room the disk has is known anew. */
void ids_writer_look_for_room(ids_writer *writer);

#endif
