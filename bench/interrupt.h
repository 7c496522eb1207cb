/* SPDX-License-Identifier: Apache-2.0 */
/* interrupt.h -- Ctrl-C: the round ends, and what was measured is told. */
#ifndef IDB_INTERRUPT_H
#define IDB_INTERRUPT_H

#include <stdbool.h>

/* From now on the first one is noted; a second one ends the process. */
void idb_interrupt_catch(void);
bool idb_interrupted(void);

#endif
