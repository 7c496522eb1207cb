/* SPDX-License-Identifier: Apache-2.0 */
/* run_env.c -- the environment that a command under a claim finds. */
#include "client/ctl/run_inner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {"IDEM_KEY", "IDEM_KEY_HEX", "IDEM_TOKEN",
                                    "IDEM_ATTEMPT", "IDEM_PREVIOUS"};
#define NAMES (sizeof names / sizeof names[0])

/* A line of it, ours to free; NULL: no memory. */
static char *line_of(const char *name, const void *value, size_t len) {
    size_t name_len = strlen(name);
    char *line = malloc(name_len + 1 + len + 1);
    if (line == NULL)
        return NULL;
    memcpy(line, name, name_len);
    line[name_len] = '=';
    if (len > 0)
        memcpy(line + name_len + 1, value, len);
    line[name_len + 1 + len] = '\0';
    return line;
}

static char *hex_line(const char *name, const uint8_t *bytes, size_t len) {
    static const char digits[] = "0123456789abcdef";
    char text[2 * IDEM_KEY_BYTES_MAX];
    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    return line_of(name, text, 2 * len);
}

static char *own_line(size_t which, const idem_args *args,
                      const idem_run *claim) {
    idem_token token;
    char number[16];
    const char *previous = idem_previous_name(idem_run_previous(claim));
    switch (which) {
    case 0:
        return line_of(names[0], args->key, args->key_len);
    case 1:
        return hex_line(names[1], args->key, args->key_len);
    case 2:
        idem_run_token(claim, &token);
        return hex_line(names[2], token.bytes, IDEM_TOKEN_BYTES);
    case 3:
        snprintf(number, sizeof number, "%" PRIu32, idem_run_attempt(claim));
        return line_of(names[3], number, strlen(number));
    default:
        return line_of(names[4], previous, strlen(previous));
    }
}

/* An outer run's, perhaps. */
static bool is_own(const char *line) {
    size_t len = strcspn(line, "=");
    for (size_t i = 0; i < NAMES; i++)
        if (strlen(names[i]) == len && memcmp(line, names[i], len) == 0)
            return true;
    return false;
}

char **run_env_new(const idem_args *args, const idem_run *claim) {
    size_t count = 0, at = 0;
    while (environ != NULL && environ[count] != NULL)
        count++;
    char **env = calloc(count + NAMES + 1, sizeof *env);
    if (env == NULL)
        return NULL;
    bool has_zero = memchr(args->key, '\0', args->key_len) != NULL;
    for (size_t i = has_zero ? 1 : 0; i < NAMES; i++) {
        env[at] = own_line(i, args, claim);
        if (env[at++] == NULL) {
            run_env_free(env);
            return NULL;
        }
    }
    for (size_t i = 0; i < count; i++)
        if (!is_own(environ[i]))
            env[at++] = environ[i];
    return env;
}

/* Its own lines stand first. */
void run_env_free(char **env) {
    for (size_t i = 0; env != NULL && env[i] != NULL && is_own(env[i]); i++)
        free(env[i]);
    free(env);
}
