/* SPDX-License-Identifier: Apache-2.0 */
/* disk.c -- what every caller of a disk needs: all of it, or an error. */
#include "server/journal/disk.h"

#include "server/journal/mutant.h"

#include <assert.h>
#include <errno.h>

int ids_disk_write_all(const ids_disk *disk, int file, uint64_t at,
                       const void *bytes, size_t len) {
    const uint8_t *from = bytes;
    assert(file >= 0);
    while (len > 0) {
        int64_t took = disk->write(disk->ctx, file, at, from, len);
        if (took < 0)
            return (int)took;
        if (took == 0)
            return -EIO;
        if (IDS_MUTANT(TAKES_SHORT_WRITES))
            return 0;
        assert((size_t)took <= len);
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
    assert(file >= 0);
    while (had < len) {
        int64_t got =
            disk->read(disk->ctx, file, at + had, to + had, len - had);
        if (got < 0)
            return got;
        if (got == 0)
            break;
        assert((size_t)got <= len - had);
        had += (size_t)got;
    }
    return (int64_t)had;
}
