/* SPDX-License-Identifier: Apache-2.0 */
/* faulty.h -- a small server in a thread, in plain on loopback: it keeps one
 * record per key as it should, except for the one lie that it is told to tell.
 * A few thousand keys, few connections. */
#ifndef IDB_TEST_FAULTY_H
#define IDB_TEST_FAULTY_H

#include <stdint.h>

typedef enum lie {
    TRUTH,
    GRANTS_TWICE,
    SPOILS_REPLAYS,
    FORGETS,
    TAKES_STALE,
    LETS_OTHERS_IN,
    FALLS_SILENT,
    KNOWS_ALL
} lie;

/* Begins anew each time; one at a time. Its port. */
uint16_t faulty_start(lie told);
void faulty_stop(void);

#endif
