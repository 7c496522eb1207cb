/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_log.c -- any bytes as a segment of a log.
 *
 * Whatever they are, the reader says what is wrong with them or loads what is
 * sound; and what it has read once it reads again as far, as a log that was
 * closed there. */
#include "tests/fuzz/journal_feed.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_fault(const ids_fault *fault) {
    char text[IDS_FAULT_TEXT_BYTES];
    assert(fault->kind != IDS_FAULT_NONE && fault->what != NULL);
    ids_fault_text(fault, text);
    assert(strlen(text) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    feed f;
    ids_unit unit = {0};
    ids_manifest_log log = {.first = {.segment = 1, .at = 64}};
    ids_fault fault = {0};
    feed_open(&f, bytes, len, IDS_LOG_MAGIC);
    ids_data_dir dir = {.disk = &f.disk,
                        .log = {&unit},
                        .manifest = {.node = FEED_NODE,
                                     .runs = 1,
                                     .run = {{.epoch = FEED_EPOCH,
                                              .start_ms = FEED_START_MS,
                                              .loops = 1,
                                              .logs = &log}}}};
    if (ids_data_dir_read(&dir, 1, 0, &f.loader, &fault)) {
        uint64_t records = unit.records;
        assert(unit.end.segment == 1 && unit.end.at <= f.len);
        log.end = unit.end;
        dir.manifest.run[0].closed = true;
        assert(ids_data_dir_read(&dir, 1, 0, NULL, &fault));
        assert(unit.records == records);
    } else {
        check_fault(&fault);
    }
    feed_close(&f);
    return 0;
}
