/* SPDX-License-Identifier: Apache-2.0 */
/* error.c -- the error list's names and texts, and the code of a message.
 *
 * Tables only; no formatting. */
#include "proto/error.h"

#include <stdbool.h>
#include <string.h>

static const struct {
    const char *name;
    const char *text;
} errors[] = {{"OK", "done"},
#define X(name, number, text) [-(number)] = {#name, text},
              IDP_ERRORS(X)
#undef X
};

#define ERROR_COUNT (sizeof errors / sizeof *errors)

static bool known(idp_error error) {
    return error <= 0 && (size_t) - (long)error < ERROR_COUNT;
}

const char *idp_error_name(idp_error error) {
    return known(error) ? errors[-(int)error].name : "UNKNOWN";
}

const char *idp_error_text(idp_error error) {
    return known(error) ? errors[-(int)error].text
                        : "an error of no known kind";
}

/* How long the code at the head of message is; 0 when it begins with none. */
static size_t code_len(const char *message, size_t len) {
    size_t at = 0;
    while (at < len &&
           ((message[at] >= 'A' && message[at] <= 'Z') ||
            (message[at] >= '0' && message[at] <= '9') || message[at] == '_')) {
        at++;
    }
    return at == len || message[at] == ' ' ? at : 0;
}

idp_error idp_error_parse(const char *message, size_t len, size_t *text_at) {
    size_t code = code_len(message, len);
    *text_at = code < len && code > 0 ? code + 1 : code;
    for (size_t i = 1; i < ERROR_COUNT; i++) {
        if (strlen(errors[i].name) == code &&
            memcmp(errors[i].name, message, code) == 0) {
            return (idp_error) - (int)i;
        }
    }
    return IDP_OK;
}
