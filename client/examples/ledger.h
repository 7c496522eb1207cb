/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.h -- the points, in a file that every instance of the service shares.
 *
 * It stands for the database of a real service. Each row carries the
 * idempotency key, as a table's unique column would: who takes a key over
 * after a crash sees there whether the points were taken already. */
#ifndef EXAMPLE_LEDGER_H
#define EXAMPLE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#define LEDGER_POINTS_AT_START 1000
#define LEDGER_USER_CHARS_MAX  63

typedef enum ledger_take_status {
    LEDGER_TAKEN,
    LEDGER_TAKEN_BEFORE, /* a row with this key is there; nothing was added */
    LEDGER_TOO_FEW,      /* the balance is less than the cost */
    LEDGER_FAILED        /* the file can't be read or written */
} ledger_take_status;

typedef struct ledger_row {
    const char *key;   /* without tabs, spaces allowed */
    const char *user;  /* letters, digits, '_', '-', '.' */
    const char *token; /* the claim's fencing token, as text, for the audit */
    uint32_t cost;
} ledger_row;

/* Takes the points, once per key. left: what the user has afterwards. */
ledger_take_status ledger_take(const char *path, const ledger_row *row,
                               int64_t *left);

bool ledger_user_valid(const char *user);

#endif
