/* SPDX-License-Identifier: Apache-2.0 */
/* promises.h -- I1 to I6 over one key's history, in linear time (after a
 * sort), without a model: each by what two or three answers say together. */
#ifndef NEM_PROMISES_H
#define NEM_PROMISES_H

#include "bench/judge/key_model.h"

typedef struct nem_broken {
    const char *promise; /* "I1: ..."; NULL: all are kept */
    const nem_op *by;
    const nem_op *after; /* what it can't be true beside; may be NULL */
} nem_broken;

/* ops: one key's, as nem_history_close leaves them. */
nem_broken nem_promises(const nem_op *ops, size_t count);

#endif
