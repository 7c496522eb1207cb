/* SPDX-License-Identifier: Apache-2.0 */
/* machine.h -- where and on what a report was made, in words. */
#ifndef IDB_MACHINE_H
#define IDB_MACHINE_H

#include "bench/options.h"

/* Each fills `to` with one line, empty where it is not known. */
void idb_machine_date(char *to, size_t cap);
void idb_machine_cpu(char *to, size_t cap);
void idb_machine_kernel(char *to, size_t cap);

/* What the server that --spawn starts for this target says it is. */
void idb_machine_version(const idb_options *options, const idb_target *target,
                         char *to, size_t cap);

#endif
