/* SPDX-License-Identifier: Apache-2.0 */
/* secret.c -- a secret as it lies in a file. */
#include "server/worker/secret.h"

#include "server/base/log.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Two lines, and one byte more, so that a longer file is seen. */
#define TEXT_BYTES (2 * (IDP_SECRET_BYTES_MAX + 2) + 1)

typedef struct text {
    char bytes[TEXT_BYTES];
    size_t len;
} text;

static bool refuse_secret(char *why, size_t why_cap, const char *what) {
    snprintf(why, why_cap, "%s", what);
    return false;
}

/* No copy of it stays in a buffer of stdio's. */
static bool read_secret_text(text *to, const char *path, char *why,
                             size_t why_cap) {
    struct stat about;
    FILE *file = fopen(path, "rbe");
    if (!file)
        return refuse_secret(why, why_cap, strerror(errno));
    setvbuf(file, NULL, _IONBF, 0);
    if (fstat(fileno(file), &about) == 0 && S_ISREG(about.st_mode) &&
        (about.st_mode & S_IROTH))
        ids_log(IDS_LOG_WARN, "other users may read the secret file",
                "path=\"%s\" mode=%04o", path, about.st_mode & 07777);
    to->len = fread(to->bytes, 1, sizeof to->bytes, file);
    bool good = !ferror(file) || refuse_secret(why, why_cap, strerror(errno));
    fclose(file);
    return good;
}

static bool keep(ids_secret *secret, const char *bytes, size_t len, char *why,
                 size_t why_cap) {
    if (len && bytes[len - 1] == '\r')
        len--;
    if (!len)
        return refuse_secret(why, why_cap, "the file is empty");
    if (len > IDP_SECRET_BYTES_MAX) {
        snprintf(why, why_cap, "it is longer than %d bytes",
                 IDP_SECRET_BYTES_MAX);
        return false;
    }
    memcpy(secret->bytes, bytes, len);
    secret->len = len;
    return true;
}

static bool take_one(ids_secret *secret, text *from, char *why,
                     size_t why_cap) {
    if (from->len && from->bytes[from->len - 1] == '\n')
        from->len--;
    return keep(secret, from->bytes, from->len, why, why_cap);
}

static bool take_two(ids_secret *current, ids_secret *next, text *from,
                     char *why, size_t why_cap) {
    const char *end = memchr(from->bytes, '\n', from->len);
    size_t first = end ? (size_t)(end - from->bytes) : from->len;
    size_t behind = end ? first + 1 : first;
    if (!keep(current, from->bytes, first, why, why_cap))
        return false;
    const char *rest = from->bytes + behind;
    size_t len = from->len - behind;
    if (len && rest[len - 1] == '\n')
        len--;
    next->len = 0;
    if (memchr(rest, '\n', len))
        return refuse_secret(why, why_cap, "it has more than two lines");
    return !len || keep(next, rest, len, why, why_cap);
}

bool ids_secret_load(ids_secret *secret, const char *path, char *why,
                     size_t why_cap) {
    text whole;
    bool good = read_secret_text(&whole, path, why, why_cap) &&
                take_one(secret, &whole, why, why_cap);
    sodium_memzero(&whole, sizeof whole);
    return good;
}

bool ids_secret_load_two(ids_secret *current, ids_secret *next,
                         const char *path, char *why, size_t why_cap) {
    text whole;
    bool good = read_secret_text(&whole, path, why, why_cap) &&
                take_two(current, next, &whole, why, why_cap);
    sodium_memzero(&whole, sizeof whole);
    return good;
}
