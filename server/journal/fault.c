/* SPDX-License-Identifier: Apache-2.0 */
/* fault.c -- see fault.h. */
#include "server/journal/fault.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool ids_fault_set(ids_fault *fault, ids_fault_kind kind, const char *file,
                   const char *what) {
    assert(kind != IDS_FAULT_NONE && what != NULL);
    *fault = (ids_fault){.kind = kind, .what = what};
    snprintf(fault->file, sizeof fault->file, "%s", file);
    return false;
}

bool ids_fault_at(ids_fault *fault, const char *file, uint64_t at,
                  const char *what) {
    ids_fault_set(fault, IDS_FAULT_CORRUPT, file, what);
    fault->at = at;
    return false;
}

bool ids_fault_disk(ids_fault *fault, int error, const char *file,
                    const char *what) {
    assert(error < 0);
    ids_fault_set(fault, IDS_FAULT_DISK, file, what);
    fault->error = error;
    return false;
}

bool ids_fault_is_room(int error) {
    return error == -ENOSPC || error == -EDQUOT || error == -EFBIG;
}

bool ids_fault_may_pass(int error) {
    switch (-error) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
    case EINTR:
        return true;
    default:
        return ids_fault_is_room(error);
    }
}

static const char *reason(int error) {
    return error == -ESTALE
               ? "its lock was removed or replaced, and may be another "
                 "idemstored's now"
               : strerror(-error);
}

void ids_fault_text(const ids_fault *fault, char text[IDS_FAULT_TEXT_BYTES]) {
    switch (fault->kind) {
    case IDS_FAULT_NONE:
        snprintf(text, IDS_FAULT_TEXT_BYTES, "nothing is wrong");
        return;
    case IDS_FAULT_DISK:
        if (fault->needs > 0) {
            snprintf(text, IDS_FAULT_TEXT_BYTES,
                     "%s: %s: %s; it needs %" PRIu64 " bytes of room. Make "
                     "room and start again: nothing is lost",
                     fault->file, fault->what, reason(fault->error),
                     fault->needs);
            return;
        }
        snprintf(text, IDS_FAULT_TEXT_BYTES, "%s: %s: %s", fault->file,
                 fault->what, reason(fault->error));
        return;
    case IDS_FAULT_MEMORY:
        snprintf(text, IDS_FAULT_TEXT_BYTES,
                 "%s: %s; give it more memory (--max-memory)", fault->file,
                 fault->what);
        return;
    case IDS_FAULT_FOREIGN:
        snprintf(text, IDS_FAULT_TEXT_BYTES,
                 "%s: %s; is this the right folder?", fault->file, fault->what);
        return;
    case IDS_FAULT_NEWER:
        snprintf(text, IDS_FAULT_TEXT_BYTES,
                 "%s: %s; start the version that wrote it", fault->file,
                 fault->what);
        return;
    case IDS_FAULT_CORRUPT:
        snprintf(text, IDS_FAULT_TEXT_BYTES,
                 "%s: at byte %" PRIu64 ": %s; what was acknowledged has "
                 "changed: put back a copy of the folder, or start with an "
                 "empty one and lose every claim",
                 fault->file, fault->at, fault->what);
        return;
    case IDS_FAULT_MISSING:
        snprintf(text, IDS_FAULT_TEXT_BYTES,
                 "%s: %s; put the file or a copy of the folder back, or start "
                 "with an empty one and lose every claim",
                 fault->file, fault->what);
        return;
    }
}
