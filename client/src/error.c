/* SPDX-License-Identifier: Apache-2.0 */
/* error.c -- the list of errors as names, texts and assumptions, and the
 * making of sentences. No key, result or secret ever goes into one. */
#include "client/src/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/src/sized.h"
#include "client/src/uri.h"

/* The server's words keep their numbers, so that mapping them is no work. */
#define X(name, number, text) \
    static_assert((int)IDEM_E_##name == (int)IDP_E_##name, "one list");
IDP_ERRORS(X)
#undef X

typedef struct row {
    int32_t code;
    int32_t assume;
    const char *name;
    const char *text;
} row;

static const row rows[] = {{0, 0, "OK", "it worked"},
#define X(name, code, assume, text) {code, IDEM_ASSUME_##assume, #name, text},
                           IDEM_ERRORS(X)
#undef X
};

static const row *find_error(int32_t code) {
    static const row unknown = {1, IDEM_ASSUME_UNKNOWN, "UNKNOWN",
                                "no error of this version"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].code == code)
            return &rows[i];
    return &unknown;
}

const char *idem_error_name(int32_t code) {
    return find_error(code)->name;
}

const char *idem_error_text(int32_t code) {
    return find_error(code)->text;
}

int32_t idem_error_assume(int32_t code) {
    return find_error(code)->assume;
}

void idem__error_copy(idem_error *to, const idem_error *from) {
    if (to == NULL || to == from)
        return;
    if (idem__sized_check(&idem__error_layout, to, "err", NULL) == 0)
        idem__sized_out(&idem__error_layout, to, from);
}

static void fill_error(idem_error *err, int32_t code, idem__where where,
                       const char *text) {
    idem_error made = {.size = sizeof made,
                       .code = code,
                       .assume = idem_error_assume(code),
                       .os_error = where.os_error};
    if (where.endpoint != NULL)
        snprintf(made.endpoint, sizeof made.endpoint, "%s", where.endpoint);
    snprintf(made.text, sizeof made.text, "%s", text);
    idem__error_copy(err, &made);
}

__attribute__((format(printf, 4, 0))) static void
fail_at(idem_error *err, int32_t code, idem__where where, const char *format,
        va_list args) {
    char text[sizeof err->text];
    if (err == NULL)
        return;
    vsnprintf(text, sizeof text, format, args);
    fill_error(err, code, where, text);
}

int32_t idem__fail(idem_error *err, int32_t code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fail_at(err, code, (idem__where){0}, format, args);
    va_end(args);
    return code;
}

int32_t idem__fault(idem_error *err, const char *text) {
    return idem__fail(err, IDEM_E_ARGUMENT, "%s", text);
}

int32_t idem__fail_at(idem_error *err, int32_t code, idem__where where,
                      const char *format, ...) {
    va_list args;
    va_start(args, format);
    fail_at(err, code, where, format, args);
    va_end(args);
    return code;
}

void idem__error_primary(idem_error *err, const char *primary) {
    idem__sized_set(&idem__error_layout, err, offsetof(idem_error, primary),
                    primary, sizeof err->primary);
}

void idem__error_nonce(idem_error *err, idp_slice nonce) {
    idem__sized_set_nonce(&idem__error_layout, err, offsetof(idem_error, nonce),
                          nonce);
}

/* Where NOT_PRIMARY sends us: copied only when it is an address. */
static void name_primary(idem_error *err, const idp_reply *reply) {
    idem__endpoint endpoint;
    size_t at = 0;
    const char *text = (const char *)reply->text.ptr;
    if (idp_error_parse(text, reply->text.len, &at) != IDP_E_NOT_PRIMARY ||
        !idem__endpoint_parse(text + at, reply->text.len - at, &endpoint) ||
        reply->text.len - at >= sizeof err->primary)
        return;
    char primary[sizeof err->primary] = "";
    memcpy(primary, text + at, reply->text.len - at);
    idem__error_primary(err, primary);
}

void idem__text_copy(char *to, size_t size, idp_slice from, uint8_t least,
                     uint8_t most) {
    size_t len = from.len < size ? from.len : size - 1;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = from.ptr[i];
        to[i] = c < least || c > most || c == 0x7f ? '?' : (char)c;
    }
    to[len] = '\0';
}

int32_t idem__fail_reply(idem_error *err, const char *endpoint,
                         const idp_reply *reply) {
    char said[IDP_ERROR_TEXT_BYTES_MAX + 1];
    idem__text_copy(said, sizeof said, reply->text, ' ', '~');
    int32_t code = reply->error != 0 ? (int32_t)reply->error : IDEM_E_SERVER;
    const bool refused = idem_error_assume(code) == IDEM_ASSUME_REFUSED;
    idem__fail_at(err, code, (idem__where){.endpoint = endpoint},
                  refused ? "%s answered: %s"
                          : "%s answered: %s; the call may have taken effect, "
                            "ask again with the same nonce or token",
                  endpoint, said);
    if (err != NULL && code == IDEM_E_NOT_PRIMARY)
        name_primary(err, reply);
    return code;
}

int32_t idem__fail_said(idem_error *err, const char *endpoint, idp_error said,
                        const char *text) {
    idp_reply reply = {.is_error = true,
                       .error = said,
                       .text = {(const uint8_t *)text, strlen(text)}};
    return idem__fail_reply(err, endpoint, &reply);
}

bool idem__is_final(int32_t code) {
    return code == IDEM_E_DENIED || code == IDEM_E_MEMORY ||
           code == IDEM_E_BAD_REQUEST || code == IDEM_E_UNKNOWN_METHOD ||
           code == IDEM_E_TLS;
}
