/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.c -- an append-only file of rows "key \t user \t cost \t token \n".
 *
 * A lock on the file orders the instances; a row is one write, so it is there
 * whole or not at all when its writer is killed. */
#include "client/examples/ledger.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define ROW_CHARS_MAX 1024

typedef struct ledger_sum {
    int64_t left;
    bool has_key;
} ledger_sum;

/* Cuts the row at its tabs; false when it does not have four fields. */
static bool split_row(char *line, char *field[static 4]) {
    char *rest = line;
    for (int i = 0; i < 4; i++)
        if ((field[i] = strsep(&rest, "\t\n")) == NULL)
            return false;
    return true;
}

static bool sum_rows(FILE *file, const ledger_row *row, ledger_sum *sum) {
    char line[ROW_CHARS_MAX];
    char *field[4];
    *sum = (ledger_sum){.left = LEDGER_POINTS_AT_START};
    rewind(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (!split_row(line, field))
            return false;
        if (strcmp(field[1], row->user) == 0)
            sum->left -= strtol(field[2], NULL, 10);
        if (strcmp(field[0], row->key) == 0)
            sum->has_key = true;
    }
    return !ferror(file);
}

static bool add_row(int fd, const ledger_row *row) {
    char line[ROW_CHARS_MAX];
    int len = snprintf(line, sizeof line, "%s\t%s\t%" PRIu32 "\t%s\n", row->key,
                       row->user, row->cost, row->token);
    return len > 0 && (size_t)len < sizeof line &&
           write(fd, line, (size_t)len) == len;
}

static ledger_take_status take_locked(FILE *file, const ledger_row *row,
                                      int64_t *left) {
    ledger_sum sum;
    if (!sum_rows(file, row, &sum))
        return LEDGER_FAILED;
    *left = sum.left;
    if (sum.has_key)
        return LEDGER_TAKEN_BEFORE;
    if (sum.left < (int64_t)row->cost)
        return LEDGER_TOO_FEW;
    if (!add_row(fileno(file), row))
        return LEDGER_FAILED;
    *left = sum.left - (int64_t)row->cost;
    return LEDGER_TAKEN;
}

ledger_take_status ledger_take(const char *path, const ledger_row *row,
                               int64_t *left) {
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r+");
    if (file == NULL) {
        if (fd >= 0)
            close(fd);
        return LEDGER_FAILED;
    }
    ledger_take_status status = LEDGER_FAILED;
    if (flock(fd, LOCK_EX) == 0)
        status = take_locked(file, row, left);
    fclose(file); /* and with it the lock */
    return status;
}

bool ledger_user_valid(const char *user) {
    size_t len = strlen(user);
    if (len == 0 || len > LEDGER_USER_CHARS_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)user[i]) && !strchr("_-.", user[i]))
            return false;
    return true;
}
