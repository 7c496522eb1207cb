/* SPDX-License-Identifier: Apache-2.0 */
/* machine.h -- what this machine, or the cage we run in, has to offer. */
#ifndef IDS_MACHINE_H
#define IDS_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

/* Cores that this process may run on. */
uint32_t ids_machine_cores(void);

/* The smallest of: RAM, the cgroup's limits, RLIMIT_AS. */
uint64_t ids_machine_memory_bytes(void);

/* Descriptors that are open now; one of them for the look itself. */
uint64_t ids_machine_open_descriptors(void);

/* Raises the soft limit of descriptors to wanted, as far as it may. Returns
 * what it is now. */
uint64_t ids_machine_raise_descriptors(uint64_t wanted);

#endif
