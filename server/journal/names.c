/* SPDX-License-Identifier: Apache-2.0 */
/* names.c -- see names.h. */
#include "server/journal/names.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void ids_name_log(char to[IDS_DISK_NAME_BYTES], uint64_t epoch, uint32_t loop,
                  uint64_t segment) {
    assert(segment >= 1 && loop <= UINT16_MAX);
    snprintf(to, IDS_DISK_NAME_BYTES,
             "log-%016" PRIx64 "-%04" PRIx32 "-%016" PRIx64, epoch, loop,
             segment);
}

void ids_name_snapshot(char to[IDS_DISK_NAME_BYTES], uint64_t generation,
                       uint32_t loop) {
    assert(loop <= UINT16_MAX);
    snprintf(to, IDS_DISK_NAME_BYTES, "snap-%016" PRIx64 "-%04" PRIx32,
             generation, loop);
}

/* digits of lower-case hexadecimal, or NULL. */
static const char *hex(const char *at, unsigned digits, uint64_t *value) {
    assert(digits <= 16);
    *value = 0;
    for (; at != NULL && digits > 0; digits--, at++) {
        if (*at >= '0' && *at <= '9')
            *value = *value << 4 | (uint64_t)(*at - '0');
        else if (*at >= 'a' && *at <= 'f')
            *value = *value << 4 | (uint64_t)(*at - 'a' + 10);
        else
            return NULL;
    }
    return at;
}

static const char *word(const char *at, const char *text) {
    size_t len = strlen(text);
    return at != NULL && strncmp(at, text, len) == 0 ? at + len : NULL;
}

ids_name_kind ids_name_parse(const char *text, ids_name *name) {
    uint64_t loop = 0;
    const char *at;
    *name = (ids_name){0};
    if (strcmp(text, IDS_NAME_MANIFEST) == 0)
        return IDS_NAME_IS_MANIFEST;
    if (strcmp(text, IDS_NAME_MANIFEST_NEW) == 0)
        return IDS_NAME_IS_MANIFEST_NEW;
    at = hex(word(text, "log-"), 16, &name->epoch);
    at = hex(word(at, "-"), 4, &loop);
    at = hex(word(at, "-"), 16, &name->number);
    if (at != NULL && *at == 0) {
        name->loop = (uint32_t)loop;
        return IDS_NAME_IS_LOG;
    }
    at = hex(word(text, "snap-"), 16, &name->number);
    at = hex(word(at, "-"), 4, &loop);
    name->loop = (uint32_t)loop;
    return at != NULL && *at == 0 ? IDS_NAME_IS_SNAPSHOT : IDS_NAME_OTHER;
}
