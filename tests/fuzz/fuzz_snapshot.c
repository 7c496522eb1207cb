/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_snapshot.c -- any bytes as a snapshot.
 *
 * Whatever they are, the reader says what is wrong with them or loads what is
 * sound, and nothing else is taken for what the manifest means. */
#include "tests/fuzz/journal_feed.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    feed f;
    uint64_t clock_ms = 0;
    ids_fault fault = {0};
    const ids_file_head head = {.node = FEED_NODE, .number = 1};
    feed_open(&f, bytes, len, IDS_SNAPSHOT_MAGIC);
    ids_snapshot_sum sum = feed_sum(&f);
    if (ids_snapshot_read(&f.disk, &head, &sum, &f.loader, &clock_ms, &fault)) {
        assert(clock_ms <= IDS_LOG_MS_MAX);
        sum.records++;
        assert(
            !ids_snapshot_read(&f.disk, &head, &sum, NULL, &clock_ms, &fault));
    }
    assert(fault.kind != IDS_FAULT_NONE);
    feed_close(&f);
    return 0;
}
