/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.c -- see manifest.h. */
#include "server/journal/manifest.h"

#include "server/journal/crc32c.h"
#include "server/journal/mutant.h"
#include "server/journal/names.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES_MAX 160

void ids_manifest_fini(ids_manifest *m) {
    free(m->snapshot);
    ids_manifest_drop_runs(m, m->runs);
    *m = (ids_manifest){0};
}

void ids_manifest_drop_runs(ids_manifest *m, uint32_t count) {
    assert(count <= m->runs);
    for (uint32_t i = 0; i < count; i++)
        free(m->run[i].logs);
    m->runs -= count;
    assert(m->runs <= IDS_RUNS_MAX);
    memmove(m->run, m->run + count, m->runs * sizeof m->run[0]);
}

bool ids_manifest_add_run(ids_manifest *m, const ids_manifest_run *run) {
    ids_manifest_run *added = &m->run[m->runs];
    assert(m->runs < IDS_RUNS_MAX);
    assert(run->loops >= 1);
    assert(m->runs == 0 || m->run[m->runs - 1].closed);
    *added = *run;
    added->logs = calloc(run->loops, sizeof *added->logs);
    if (added->logs == NULL)
        return false;
    for (uint32_t i = 0; i < run->loops; i++)
        added->logs[i].first =
            (ids_log_end){.segment = 1, .at = IDS_FILE_HEAD_BYTES};
    m->runs++;
    return true;
}

static void *copy_of(const void *from, size_t bytes, bool *good) {
    void *to = bytes > 0 ? malloc(bytes) : NULL;
    *good = *good && (bytes == 0 || to != NULL);
    if (to != NULL)
        memcpy(to, from, bytes);
    return to;
}

bool ids_manifest_copy(ids_manifest *to, const ids_manifest *from) {
    bool good = true;
    assert(from->runs <= IDS_RUNS_MAX);
    *to = *from;
    to->snapshot = copy_of(
        from->snapshot, from->snapshot_loops * sizeof *from->snapshot, &good);
    for (uint32_t i = 0; i < from->runs; i++)
        to->run[i].logs =
            copy_of(from->run[i].logs,
                    from->run[i].loops * sizeof *from->run[i].logs, &good);
    if (!good)
        ids_manifest_fini(to);
    return good;
}

bool ids_manifest_of_backup(ids_manifest *to, const ids_manifest *from,
                            const ids_log_end *ends) {
    ids_manifest_run *run = &to->run[0];
    assert(from->runs == 1 && !from->run[0].closed && !from->run[0].replaced);
    if (!ids_manifest_copy(to, from))
        return false;
    for (uint32_t i = 0; i < run->loops; i++) {
        assert(ends[i].segment >= run->logs[i].first.segment);
        run->logs[i].end = ends[i];
    }
    run->closed = true;
    to->is_backup = true;
    to->file = to->mark = 0;
    return true;
}

/* Text --------------------------------------------------------------------- */

static size_t put_end(char *to, size_t cap, const ids_log_end *end) {
    assert(end->segment >= 1 && end->at >= IDS_FILE_HEAD_BYTES);
    return (size_t)snprintf(to, cap,
                            " %" PRIu64 " %" PRIu32 " %08" PRIx32 " %" PRIu64,
                            end->segment, end->at, end->chain, end->number);
}

static size_t put_run(char *to, size_t cap, const ids_manifest_run *run) {
    size_t len = (size_t)snprintf(
        to, cap, "run %" PRIu64 " %" PRIu64 " %s %" PRIu32 " %s\n", run->epoch,
        run->start_ms, ids_fsync_names[run->fsync], run->loops,
        run->closed     ? "closed"
        : run->replaced ? "replaced"
                        : "open");
    assert(run->loops >= 1);
    assert(!run->closed || !run->replaced);
    for (uint32_t i = 0; i < run->loops; i++) {
        const ids_manifest_log *log = &run->logs[i];
        assert(log->first.at == IDS_FILE_HEAD_BYTES);
        assert(!ids_run_has_ends(run) ||
               log->end.segment >= log->first.segment);
        len += (size_t)snprintf(to + len, cap - len, "log");
        len += put_end(to + len, cap - len, &log->first);
        if (ids_run_has_ends(run))
            len += put_end(to + len, cap - len, &log->end);
        len += (size_t)snprintf(to + len, cap - len, "\n");
    }
    return len;
}

char *ids_manifest_text(const ids_manifest *m, size_t *len) {
    size_t lines = 11 + m->snapshot_loops, at;
    assert(m->runs <= IDS_RUNS_MAX);
    assert((m->snapshot_loops == 0) == (m->snapshot == NULL));
    for (uint32_t i = 0; i < m->runs; i++)
        lines += 1 + (size_t)m->run[i].loops;
    size_t cap = lines * LINE_BYTES_MAX;
    char *text = malloc(cap);
    if (text == NULL)
        return NULL;
    at = (size_t)snprintf(
        text, cap,
        "idemstore-data %d\nnode %" PRIu64 "\nincarnation %" PRIu64
        "\nepoch %" PRIu64 "\nclock %" PRIu64 "\nclean %s\nidentity %" PRIu64
        " %" PRIu64 " %" PRIu64 "\n%ssnapshot %" PRIu64 " %" PRIu32 "\n",
        m->is_backup ? IDS_MANIFEST_VERSION_BACKUP : IDS_MANIFEST_VERSION,
        m->node, m->incarnation, m->epoch, m->clock_ms, m->clean ? "yes" : "no",
        m->counter, m->file, m->mark, m->is_backup ? "backup yes\n" : "",
        m->generation, m->snapshot_loops);
    for (uint32_t i = 0; i < m->snapshot_loops; i++)
        at += (size_t)snprintf(
            text + at, cap - at, "file %" PRIu64 " %" PRIu64 " %08" PRIx32 "\n",
            m->snapshot[i].bytes, m->snapshot[i].records, m->snapshot[i].crc);
    for (uint32_t i = 0; i < m->runs; i++)
        at += put_run(text + at, cap - at, &m->run[i]);
    at += (size_t)snprintf(text + at, cap - at, "crc %08" PRIx32 "\n",
                           ids_crc32c(0, text, at));
    assert(at < cap);
    *len = at;
    return text;
}

/* A strict reader: what it doesn't expect makes it bad, and it stays so. */
typedef struct reader {
    const char *at;
    const char *end;
    bool bad;
    bool no_memory;
} reader;

static bool try_word(reader *r, const char *word) {
    size_t len = strlen(word);
    assert(r->at <= r->end);
    if (r->bad || (size_t)(r->end - r->at) < len ||
        memcmp(r->at, word, len) != 0)
        return false;
    r->at += len;
    return true;
}

static void want(reader *r, const char *word) {
    if (!try_word(r, word))
        r->bad = true;
}

static uint64_t read_manifest_number(reader *r, uint64_t max) {
    uint64_t value = 0;
    const char *from = r->at;
    assert(r->at <= r->end);
    while (!r->bad && r->at < r->end && *r->at >= '0' && *r->at <= '9') {
        uint64_t digit = (uint64_t)(*r->at++ - '0');
        if (value > (max - digit) / 10)
            r->bad = true;
        value = value * 10 + digit;
    }
    r->bad = r->bad || r->at == from;
    return r->bad ? 0 : value;
}

static uint32_t manifest_checksum(reader *r) {
    uint32_t value = 0;
    for (int i = 0; i < 8; i++) {
        char c = r->at < r->end ? *r->at++ : 0;
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint32_t)(c - 'a' + 10);
        else
            r->bad = true;
    }
    return value;
}

static uint64_t manifest_field(reader *r, const char *before, uint64_t max) {
    want(r, before);
    return read_manifest_number(r, max);
}

static void manifest_snapshot(reader *r, ids_manifest *m) {
    uint32_t loops;
    assert(m->snapshot == NULL && m->snapshot_loops == 0);
    m->generation = manifest_field(r, "snapshot ", UINT64_MAX);
    loops = (uint32_t)manifest_field(r, " ", IDP_SHARDS_MAX);
    want(r, "\n");
    if (r->bad || loops == 0)
        return;
    m->snapshot = calloc(loops, sizeof *m->snapshot);
    if (m->snapshot == NULL) {
        r->bad = r->no_memory = true;
        return;
    }
    m->snapshot_loops = loops;
    for (uint32_t i = 0; i < loops && !r->bad; i++) {
        m->snapshot[i].bytes = manifest_field(r, "file ", UINT64_MAX);
        m->snapshot[i].records = manifest_field(r, " ", UINT64_MAX);
        want(r, " ");
        m->snapshot[i].crc = manifest_checksum(r);
        want(r, "\n");
    }
}

static ids_log_end read_end(reader *r) {
    ids_log_end end = {.segment = manifest_field(r, " ", UINT32_MAX)};
    end.at = (uint32_t)manifest_field(r, " ", IDS_SEGMENT_BYTES_MAX);
    want(r, " ");
    end.chain = manifest_checksum(r);
    end.number = manifest_field(r, " ", UINT64_MAX);
    r->bad = r->bad || end.segment == 0 || end.at < IDS_FILE_HEAD_BYTES;
    return end;
}

static void read_log(reader *r, bool has_end, ids_manifest_log *log) {
    want(r, "log");
    log->first = read_end(r);
    r->bad = r->bad || log->first.at != IDS_FILE_HEAD_BYTES;
    if (has_end) {
        log->end = read_end(r);
        r->bad = r->bad || log->end.segment < log->first.segment;
    }
    want(r, "\n");
}

static ids_fsync fsync_policy(reader *r) {
    for (int i = 0; i < IDS_FSYNC_COUNT; i++)
        if (try_word(r, ids_fsync_names[i]))
            return (ids_fsync)i;
    r->bad = true;
    return IDS_FSYNC_NO;
}

static void read_run(reader *r, ids_manifest *m) {
    ids_manifest_run run = {.epoch = read_manifest_number(r, UINT64_MAX)};
    assert(m->runs <= IDS_RUNS_MAX);
    run.start_ms = manifest_field(r, " ", IDS_LOG_MS_MAX);
    want(r, " ");
    run.fsync = fsync_policy(r);
    run.loops = (uint32_t)manifest_field(r, " ", IDP_SHARDS_MAX);
    run.closed = try_word(r, " closed\n");
    run.replaced = !run.closed && try_word(r, " replaced\n");
    if (!ids_run_has_ends(&run))
        want(r, " open\n");
    if (m->runs == IDS_RUNS_MAX || run.loops == 0 ||
        (m->runs > 0 && (!m->run[m->runs - 1].closed ||
                         m->run[m->runs - 1].epoch >= run.epoch)))
        r->bad = true;
    if (r->bad)
        return;
    if (!ids_manifest_add_run(m, &run)) {
        r->bad = r->no_memory = true;
        return;
    }
    for (uint32_t i = 0; i < run.loops && !r->bad; i++)
        read_log(r, ids_run_has_ends(&run), &m->run[m->runs - 1].logs[i]);
}

static void read_lines(reader *r, ids_manifest *m, uint64_t version) {
    m->node = manifest_field(r, "node ", UINT64_MAX);
    m->incarnation = manifest_field(r, "\nincarnation ", UINT64_MAX);
    m->epoch = manifest_field(r, "\nepoch ", UINT64_MAX);
    m->clock_ms = manifest_field(r, "\nclock ", IDS_LOG_MS_MAX);
    want(r, "\nclean ");
    m->clean = try_word(r, "yes\n");
    if (!m->clean)
        want(r, "no\n");
    if (version > 1) {
        m->counter = manifest_field(r, "identity ", UINT64_MAX);
        m->file = manifest_field(r, " ", UINT64_MAX);
        m->mark = manifest_field(r, " ", UINT64_MAX);
        want(r, "\n");
    }
    m->is_backup = version == IDS_MANIFEST_VERSION_BACKUP;
    if (m->is_backup)
        want(r, "backup yes\n");
    manifest_snapshot(r, m);
    while (try_word(r, "run "))
        read_run(r, m);
}

static bool refuse_manifest(ids_fault *fault, ids_fault_kind kind,
                            const char *what) {
    return ids_fault_set(fault, kind, IDS_NAME_MANIFEST, what);
}

bool ids_manifest_parse(ids_manifest *m, const char *text, size_t len,
                        ids_fault *fault) {
    reader r = {.at = text, .end = text + len};
    *m = (ids_manifest){0};
    if (!try_word(&r, "idemstore-data "))
        return refuse_manifest(fault, IDS_FAULT_FOREIGN,
                               "not a manifest of idemstore's");
    uint64_t version = read_manifest_number(&r, UINT32_MAX);
    if (version > IDS_MANIFEST_VERSION_BACKUP)
        return refuse_manifest(fault, IDS_FAULT_NEWER,
                               "written by a newer version");
    r.bad = r.bad || version == 0;
    want(&r, "\n");
    read_lines(&r, m, version);
    const char *behind = r.at;
    want(&r, "crc ");
    uint32_t crc = manifest_checksum(&r);
    want(&r, "\n");
    if (r.bad || r.at != r.end ||
        crc != ids_crc32c(0, text, (size_t)(behind - text))) {
        ids_manifest_fini(m);
        if (r.no_memory)
            return refuse_manifest(fault, IDS_FAULT_MEMORY, "it doesn't fit");
        return ids_fault_at(fault, IDS_NAME_MANIFEST, (uint64_t)(behind - text),
                            "the manifest is damaged");
    }
    return true;
}

/* Writes the text into the file, which is new and to be closed. */
static int write_text(ids_manifest *m, const ids_disk *disk, int file) {
    size_t len;
    assert(file >= 0);
    if (disk->identity)
        m->file = disk->identity(disk->ctx, file);
    char *text = ids_manifest_text(m, &len);
    int error = text ? ids_disk_write_all(disk, file, 0, text, len) : -ENOMEM;
    free(text);
    if (!error && !IDS_MUTANT(MANIFEST_NOT_SYNCED))
        error = disk->sync(disk->ctx, file);
    return error;
}

int ids_manifest_install(ids_manifest *m, const ids_disk *disk, bool *unknown) {
    const char *temp = IDS_MUTANT(MANIFEST_IN_PLACE) ? IDS_NAME_MANIFEST
                                                     : IDS_NAME_MANIFEST_NEW;
    *unknown = IDS_MUTANT(MANIFEST_IN_PLACE);
    disk->remove(disk->ctx, temp);
    int file = disk->open(disk->ctx, temp, IDS_DISK_CREATE);
    if (file < 0)
        return file;
    m->counter++;
    assert(m->counter > 0);
    if (disk->mark)
        m->mark = disk->mark(disk->ctx).identity;
    int error = write_text(m, disk, file);
    disk->close(disk->ctx, file);
    if (!error && !IDS_MUTANT(MANIFEST_IN_PLACE))
        error = disk->rename(disk->ctx, temp, IDS_NAME_MANIFEST);
    if (error) {
        disk->remove(disk->ctx, temp); /* what it took of a full disk */
        return error;
    }
    *unknown = true;
    if (!IDS_MUTANT(NO_FOLDER_SYNC))
        error = disk->sync_folder(disk->ctx);
    if (!error && disk->set_mark)
        disk->set_mark(disk->ctx, m->counter);
    return error;
}
