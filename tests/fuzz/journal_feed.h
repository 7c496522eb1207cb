/* SPDX-License-Identifier: Apache-2.0 */
/* journal_feed.h -- what the journal's fuzz targets share: a disk that has one
 * file, of the fuzzer's bytes, and somewhere to load records into.
 *
 * The first byte says whether headers, chains and checksums are mended first:
 * a fuzzer does not find checksums, and what lies behind them would never be
 * read. */
#ifndef IDT_JOURNAL_FEED_H
#define IDT_JOURNAL_FEED_H

#include "server/journal/data_dir.h"
#include "tests/lib/mem.h"

enum { FEED_NODE = 1, FEED_EPOCH = 2, FEED_START_MS = 3 };

typedef struct feed {
    uint8_t *bytes;
    size_t len;
    idt_mem mem;
    ids_shard *shard;
    uint64_t now_ms;
    ids_disk disk;
    ids_loader loader;
} feed;

/* Copies the input; mended as a log or a snapshot if it asks for that. */
void feed_open(feed *f, const uint8_t *bytes, size_t len, const char *magic);
void feed_close(feed *f);

/* What the manifest would know of the file, if it ended where it does. */
ids_snapshot_sum feed_sum(const feed *f);

#endif
