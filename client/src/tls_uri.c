/* SPDX-License-Identifier: Apache-2.0 */
/* tls_uri.c -- a struct's TLS options, written into a URI. Pure. */
#include <string.h>

#include "client/src/error.h"
#include "client/src/sized.h"

#define TLS_SCHEME "idems://"

/* What is written, as far as there is room. */
typedef struct text {
    char *to;
    size_t len, room; /* with a NUL at the end */
} text;

static void put(text *t, char c) {
    if (t->len + 1 < t->room)
        t->to[t->len] = c;
    t->len++;
}

static void put_all(text *t, const char *words) {
    for (; *words != '\0'; words++)
        put(t, *words);
}

static bool stands_as_it_is(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || strchr("-._~/:", c) != NULL;
}

static void put_option(text *t, const char *name, const char *value) {
    static const char digits[] = "0123456789ABCDEF";
    if (value == NULL)
        return;
    put(t, memchr(t->to, '?', t->len < t->room ? t->len : t->room) ? '&' : '?');
    put_all(t, name);
    put(t, '=');
    for (; *value != '\0'; value++) {
        uint8_t byte = (uint8_t)*value;
        if (stands_as_it_is(*value)) {
            put(t, *value);
            continue;
        }
        put(t, '%');
        put(t, digits[byte >> 4]);
        put(t, digits[byte & 15]);
    }
}

static int32_t check_tls(const char *uri, const idem_tls *tls,
                         idem_error *err) {
    if (uri == NULL || strncmp(uri, TLS_SCHEME, strlen(TLS_SCHEME)) != 0)
        return idem__fail(err, IDEM_E_URI,
                          "a URI for TLS begins with " TLS_SCHEME);
    if (tls->verify < IDEM_VERIFY_FULL || tls->verify > IDEM_VERIFY_NONE)
        return idem__fail(err, IDEM_E_ARGUMENT,
                          "tls.verify is %d; it is IDEM_VERIFY_FULL, _CA or "
                          "_NONE",
                          tls->verify);
    return 0;
}

int32_t idem_tls_uri(const char *uri, const idem_tls *tls, char *to,
                     size_t to_bytes, idem_error *err) {
    static const char *const verify[] = {NULL, "ca", "none"};
    idem_tls own;
    text t = {.to = to, .room = to_bytes};
    if (to == NULL || to_bytes == 0)
        return idem__fail(err, IDEM_E_ARGUMENT, "to has no room");
    to[0] = '\0';
    int32_t code = idem__sized_in(&idem__tls_layout, &own, tls, "tls", err);
    if (code == 0)
        code = check_tls(uri, &own, err);
    if (code != 0)
        return code;
    put_all(&t, uri);
    put_option(&t, "ca", own.ca);
    put_option(&t, "cert", own.cert);
    put_option(&t, "key", own.key);
    put_option(&t, "verify", verify[own.verify]);
    put_option(&t, "server_name", own.server_name);
    to[t.len < to_bytes ? t.len : 0] = '\0';
    if (t.len < to_bytes)
        return 0;
    return idem__fail(err, IDEM_E_ARGUMENT, "to has room for %zu bytes of %zu",
                      to_bytes, t.len + 1);
}
