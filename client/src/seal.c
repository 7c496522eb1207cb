/* SPDX-License-Identifier: Apache-2.0 */
/* seal.c -- see seal.h. A build without TLS has seal_off.c instead. */
#include "client/src/seal.h"

#include <string.h>
#include <sys/socket.h>

#include "client/src/error.h"
#include "client/src/port.h"
#include "client/src/socket.h"

#define READ_BYTES 16640u /* a record, mostly */
#define FILL_BYTES 65536u /* sealed ahead of what is sent */

/* ------------------------------------------------- contexts, of the URI */

int32_t idem__seal_prepare(idem__uri *uri, const idem__seal_files *files,
                           idem_error *err) {
    idp_tls_why why;
    idp_tls_settings settings = {.cert_file = files->cert,
                                 .key_file = files->key,
                                 .ca_file = files->ca,
                                 .system_ca = true,
                                 .min_version = IDP_TLS_1_2};
    uri->tls = idp_tls_context_new(&settings, &why);
    if (uri->tls != NULL)
        return 0;
    return idem__fail(err, IDEM_E_TLS, "%s", why.text);
}

void idem__seal_forget(idem__uri *uri) {
    idp_tls_context_drop(uri->tls);
    uri->tls = NULL;
}

/* ------------------------------------------------------------ a connection */

bool idem__seal_begin(idem__seal *seal, const idem__uri *uri,
                      const idem__endpoint *endpoint) {
    const char *host =
        uri->server_name[0] != '\0' ? uri->server_name : endpoint->host;
    idem__seal_end(seal);
    if (uri->tls == NULL)
        return true;
    seal->tls = idp_tls_connect(uri->tls, host, uri->verify);
    return seal->tls != NULL;
}

void idem__seal_end(idem__seal *seal) {
    idp_tls_free(seal->tls);
    idem__buffer_fini(&seal->in);
    idem__buffer_fini(&seal->out);
    seal->tls = NULL;
}

/* An alert, or that no more will come; where a record was sent in part there is
 * no place for it. */
static void say_last(idem__seal *seal, int fd) {
    uint8_t last[512];
    if (idem__buffer_len(&seal->out) > 0)
        return;
    idp_tls_close(seal->tls);
    size_t len = idp_tls_write(seal->tls, NULL, last, sizeof last);
    if (len > 0)
        (void)!send(fd, last, len, IDEM__NOSIGNAL | MSG_DONTWAIT);
}

void idem__seal_hang_up(idem__seal *seal, int fd) {
    if (seal->tls != NULL)
        say_last(seal, fd);
    idem__hang_up(fd);
    idem__seal_end(seal);
}

uint8_t *idem__tls_room(idem__seal *seal, size_t *room) {
    idem__buffer_reset(&seal->in);
    uint8_t *to = idem__buffer_reserve(&seal->in, READ_BYTES);
    *room = to != NULL ? seal->in.cap - seal->in.end : 0;
    return to;
}

static idem__opened opened(const idem__seal *seal) {
    switch (idp_tls_state_of(seal->tls)) {
    case IDP_TLS_HANDSHAKE:
    case IDP_TLS_UP:
        return IDEM__OPENED;
    case IDP_TLS_ENDED:
        return IDEM__OPENED_ENDED;
    case IDP_TLS_FAILED:
        break;
    }
    return IDEM__OPENED_FAILED;
}

/* All that came is opened at once: a piece that waited here would not be told
 * by the descriptor. */
idem__opened idem__tls_came(idem__seal *seal, idem__wire *wire, size_t len) {
    idp_slice came = {seal->in.bytes + seal->in.at, len};
    size_t got = 0;
    size_t room = 0;
    do {
        uint8_t *to = idem__wire_room(wire, &room);
        if (to == NULL)
            return IDEM__OPENED_FAILED;
        got = idp_tls_read(seal->tls, &came, to, room);
        wire->in.end += got;
    } while (got == room);
    return opened(seal);
}

bool idem__tls_eof(idem__seal *seal) {
    idp_tls_eof(seal->tls);
    return idp_tls_state_of(seal->tls) != IDP_TLS_FAILED;
}

bool idem__tls_has_output(const idem__seal *seal, const idem__wire *wire) {
    return idem__buffer_len(&seal->out) > 0 || idp_tls_wants_write(seal->tls) ||
           (idem__buffer_len(&wire->out) > 0 &&
            idp_tls_state_of(seal->tls) == IDP_TLS_UP);
}

/* What is sealed counts as sent. */
bool idem__tls_fill(idem__seal *seal, idem__wire *wire) {
    if (idem__buffer_len(&seal->out) > 0 || !idem__tls_has_output(seal, wire))
        return true;
    idem__buffer_reset(&seal->out);
    size_t want = idem__buffer_len(&wire->out);
    want = want < FILL_BYTES ? want : FILL_BYTES;
    want = idp_tls_bound(want) + idp_tls_waiting(seal->tls);
    uint8_t *to = idem__buffer_reserve(&seal->out, want);
    if (to == NULL)
        return false;
    idp_slice plain = {wire->out.bytes + wire->out.at,
                       idem__buffer_len(&wire->out)};
    size_t before = plain.len;
    seal->out.end += idp_tls_write(seal->tls, &plain, to, want);
    wire->out.at += before - plain.len;
    wire->sent_bytes += before - plain.len;
    if (plain.len == 0)
        idem__buffer_reset(&wire->out);
    return true;
}

int32_t idem__seal_fail(const idem__seal *seal, const char *name,
                        idem_error *err) {
    const idem__where where = {.endpoint = name};
    const idp_tls_fault fault = idp_tls_fault_of(seal->tls);
    const char *why = idem__seal_why(seal);
    if (fault == IDP_TLS_NO_FAULT || fault == IDP_TLS_NO_MEMORY)
        return idem__fail(err, IDEM_E_MEMORY, "no memory for a connection");
    if (fault == IDP_TLS_CUT_OFF)
        return idem__fail_at(err, IDEM_E_CONNECT, where, "can't talk to %s: %s",
                             name, why);
    if (fault == IDP_TLS_NOT_TLS)
        return idem__fail_at(err, IDEM_E_TLS, where,
                             "the server at %s does not speak TLS; check the "
                             "port, or write idem:// if it is meant not to",
                             name);
    return idem__fail_at(err, IDEM_E_TLS, where, "no TLS connection to %s: %s",
                         name, why);
}

const char *idem__seal_why(const idem__seal *seal) {
    const char *why = idp_tls_why_of(seal->tls);
    return why[0] != '\0' ? why : "there is no memory";
}
