/* SPDX-License-Identifier: Apache-2.0 */
/* secret.c -- the shared secret that a connection must know. */
#include "server/worker/secret.h"

#include "server/base/log.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool read_whole(ids_secret *secret, FILE *file, char *why,
                       size_t why_cap) {
    char text[IDP_SECRET_BYTES_MAX + 2];
    size_t len = fread(text, 1, sizeof text, file);
    bool good = false;
    if (len && text[len - 1] == '\n')
        len--;
    if (len && text[len - 1] == '\r')
        len--;
    if (ferror(file))
        snprintf(why, why_cap, "%s", strerror(errno));
    else if (!len)
        snprintf(why, why_cap, "the file is empty");
    else if (len > IDP_SECRET_BYTES_MAX)
        snprintf(why, why_cap, "it is longer than %d bytes",
                 IDP_SECRET_BYTES_MAX);
    else
        good = true;
    if (good) {
        memcpy(secret->bytes, text, len);
        secret->len = len;
    }
    sodium_memzero(text, sizeof text);
    return good;
}

bool ids_secret_load(ids_secret *secret, const char *path, char *why,
                     size_t why_cap) {
    FILE *file = fopen(path, "rbe");
    if (!file) {
        snprintf(why, why_cap, "%s", strerror(errno));
        return false;
    }
    setvbuf(file, NULL, _IONBF, 0); /* no copy of it stays in a buffer */
    struct stat about;
    if (fstat(fileno(file), &about) == 0 && S_ISREG(about.st_mode) &&
        (about.st_mode & S_IROTH))
        ids_log(IDS_LOG_WARN, "other users may read the secret file",
                "path=\"%s\" mode=%04o", path, about.st_mode & 07777);
    bool good = read_whole(secret, file, why, why_cap);
    fclose(file);
    return good;
}

bool ids_secret_matches(const ids_secret *secret, idp_slice given) {
    uint8_t padded[IDP_SECRET_BYTES_MAX] = {0};
    size_t len = given.len <= sizeof padded ? given.len : sizeof padded;
    if (given.ptr)
        memcpy(padded, given.ptr, len);
    uint8_t wanted[IDP_SECRET_BYTES_MAX] = {0};
    memcpy(wanted, secret->bytes, secret->len);
    bool same = sodium_memcmp(padded, wanted, sizeof padded) == 0;
    sodium_memzero(padded, sizeof padded);
    sodium_memzero(wanted, sizeof wanted);
    return same && given.len == secret->len;
}
