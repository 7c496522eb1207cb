/* SPDX-License-Identifier: Apache-2.0 */
/* copied.c -- whether a folder is the one that was written, or a copy of it
 * (a backup that was put back): see data_dir.h.
 *
 * What was copied may be older than what was acknowledged since, so it does
 * not stand for this node's memory any more. Each file that still counts
 * knows which file it was written into; and a copy that shares files with the
 * original, by hard links, is behind their mark. */
#include "server/journal/data_dir.h"
#include "server/journal/mutant.h"

#include <assert.h>

static bool is_file_as_it_was(const ids_disk *disk, int file,
                              ids_identity was) {
    assert(file >= 0);
    return !disk->identity ||
           ids_identity_same(disk->identity(disk->ctx, file), was);
}

/* A log that nobody has closed: what is in it is not in the manifest. */
static bool log_is_copied(const ids_data_dir *v, const ids_name *name) {
    const ids_disk *disk = v->disk;
    uint8_t bytes[IDS_FILE_HEAD_BYTES];
    char text[IDS_DISK_NAME_BYTES];
    ids_file_head head;
    ids_name_log(text, name->epoch, name->loop, name->number);
    int file = disk->open(disk->ctx, text, IDS_DISK_READ);
    if (file < 0)
        return false; /* reading it says why */
    int64_t got = ids_disk_read_all(disk, file, 0, bytes, sizeof bytes);
    bool good = got == (int64_t)sizeof bytes &&
                ids_file_head_check(bytes, sizeof bytes, IDS_LOG_MAGIC,
                                    &head) == IDS_FILE_OK;
    bool copied = good && !is_file_as_it_was(disk, file, head.identity);
    disk->close(disk->ctx, file);
    return copied;
}

static bool any_log_is_copied(const ids_data_dir *v) {
    const ids_manifest *m = &v->manifest;
    const ids_manifest_run *last = m->runs > 0 ? &m->run[m->runs - 1] : NULL;
    assert(m->runs <= IDS_RUNS_MAX);
    if (!last || last->closed)
        return false;
    for (size_t i = 0; i < v->logs_count; i++)
        if (v->logs[i].epoch == last->epoch && log_is_copied(v, &v->logs[i]))
            return true;
    return false;
}

const char *ids_data_dir_find_copied(const ids_data_dir *v, int manifest) {
    const ids_manifest *m = &v->manifest;
    const ids_disk *disk = v->disk;
    ids_disk_mark mark = {0};
    if (IDS_MUTANT(TRUSTS_A_COPY))
        return NULL;
    if (m->is_backup)
        return "it is a backup that was made while its daemon ran";
    if (disk->mark)
        mark = disk->mark(disk->ctx);
    if (!is_file_as_it_was(disk, manifest, m->file))
        return "the manifest is another file than the one that was written";
    if (!ids_identity_same(mark.identity, m->mark))
        return "the folder has another LOCK than the one it was written with";
    if (m->counter > 0 && mark.counter > m->counter)
        return "the folder has gone on after this was copied";
    if (any_log_is_copied(v))
        return "a log is another file than the one that was written";
    return NULL;
}
