/* SPDX-License-Identifier: Apache-2.0 */
/* disk.c -- what every caller of a disk needs: all of it, or an error. */
#include "server/journal/disk.h"

#include "server/journal/mutant.h"

#include <errno.h>

int ids_disk_write_all(const ids_disk *disk, int file, uint64_t at,
                       const void *bytes, size_t len) {
    const uint8_t *from = bytes;
    while (len > 0) {
        int64_t took = disk->write(disk->ctx, file, at, from, len);
        if (took < 0)
            return (int)took;
        if (took == 0)
            return -EIO;
        if (IDS_MUTANT(TAKES_SHORT_WRITES))
            return 0;
        at += (uint64_t)took;
        from += took;
        len -= (size_t)took;
    }
    return 0;
}

int64_t ids_disk_read_all(const ids_disk *disk, int file, uint64_t at,
                          void *bytes, size_t len) {
    uint8_t *to = bytes;
    size_t had = 0;
    while (had < len) {
        int64_t got =
            disk->read(disk->ctx, file, at + had, to + had, len - had);
        if (got < 0)
            return got;
        if (got == 0)
            break;
        had += (size_t)got;
    }
    return (int64_t)had;
}
