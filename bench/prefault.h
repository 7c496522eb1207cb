/* SPDX-License-Identifier: Apache-2.0 */
/* prefault.h -- memory that the machine really has, before servers are timed.
 */
#ifndef IDB_PREFAULT_H
#define IDB_PREFAULT_H

#include <stdint.h>

/* Touches so many MiB and gives them back, all but one page in 512.
 *
 * A virtual machine that reports its free memory to its hypervisor loses it in
 * blocks of 2 MiB, and the next to touch one pays for its fault: up to
 * 25 us per 4 KiB were seen, where the kernel's own work is 1. Whichever
 * server grows would be billed for that, by chance. The pages kept back keep
 * the freed ones from becoming such blocks again. NULL, or what failed. */
const char *idb_prefault(uint64_t mib);

#endif
