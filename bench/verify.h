/* SPDX-License-Identifier: Apache-2.0 */
/* verify.h -- --verify: contend for keys and check every answer. */
#ifndef IDB_VERIFY_H
#define IDB_VERIFY_H

#include "bench/options.h"

/* 0: no promise was broken; 1: one was, or the run failed; told on stdout
 * and stderr. */
int idb_verify(const idb_options *options);

#endif
