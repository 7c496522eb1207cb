/* SPDX-License-Identifier: Apache-2.0 */
/* seal_off.c -- seal.h in a library without TLS (IDEM_TLS=OFF): idems:// is
 * refused when a client is opened, so that no connection comes to have it. */
#include "client/src/seal.h"

#include <assert.h>

#include "client/src/error.h"
#include "client/src/socket.h"

int32_t idem__seal_prepare(idem__uri *uri, const idem__seal_files *files,
                           idem_error *err) {
    (void)uri;
    (void)files;
    return idem__fail(err, IDEM_E_TLS,
                      "this libidemclient was built without TLS "
                      "(IDEM_TLS=OFF): it can't use idems://");
}

void idem__seal_forget(idem__uri *uri) {
    (void)uri;
}

bool idem__seal_begin(idem__seal *seal, const idem__uri *uri,
                      const idem__endpoint *endpoint) {
    (void)seal;
    (void)endpoint;
    return uri->tls == NULL;
}

void idem__seal_end(idem__seal *seal) {
    assert(seal->tls == NULL);
}

void idem__seal_hang_up(idem__seal *seal, int fd) {
    (void)seal;
    idem__hang_up(fd);
}

/* Of a connection that has TLS: there is none. */

uint8_t *idem__tls_room(idem__seal *seal, size_t *room) {
    assert(seal == NULL);
    *room = 0;
    return NULL;
}

idem__opened idem__tls_came(idem__seal *seal, idem__wire *wire, size_t len) {
    assert(seal == NULL && wire == NULL && len == 0);
    return IDEM__OPENED_FAILED;
}

bool idem__tls_fill(idem__seal *seal, idem__wire *wire) {
    assert(seal == NULL && wire == NULL);
    return false;
}

bool idem__tls_has_output(const idem__seal *seal, const idem__wire *wire) {
    assert(seal == NULL && wire == NULL);
    return false;
}

bool idem__tls_eof(idem__seal *seal) {
    assert(seal == NULL);
    return false;
}

int32_t idem__seal_fail(const idem__seal *seal, const char *name,
                        idem_error *err) {
    assert(seal == NULL && name == NULL);
    return idem__fail(err, IDEM_E_TLS, "there is no TLS");
}

const char *idem__seal_why(const idem__seal *seal) {
    assert(seal == NULL);
    return "";
}
