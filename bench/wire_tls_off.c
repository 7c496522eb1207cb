/* SPDX-License-Identifier: Apache-2.0 */
/* wire_tls_off.c -- an idembench without TLS: no target has it, so that none
 * of the calls behind a handshake is ever made. */
#include "bench/wire.h"

#include <errno.h>
#include <stdio.h>

bool idb_tls_is_built(void) {
    return false;
}

const char *idb_tls_init(idb_tls *tls, const idb_tls_files *files, bool system,
                         idp_tls_why *why) {
    (void)files;
    (void)system;
    *tls = (idb_tls){0};
    snprintf(why->text, sizeof why->text, "idembench was built without TLS");
    return why->text;
}

void idb_tls_fini(idb_tls *tls) {
    *tls = (idb_tls){0};
}

const char *idb_tls_shake(idb_wire *wire, const idb_endpoint *at) {
    (void)wire;
    (void)at;
    return "idembench was built without TLS";
}

ssize_t idb_tls_take(idb_wire *wire, uint8_t *to, size_t room, int flags) {
    (void)wire;
    (void)to;
    (void)room;
    (void)flags;
    errno = EPROTO;
    return -1;
}

size_t idb_tls_seal(idb_wire *wire, idp_slice *plain, uint8_t *to,
                    size_t room) {
    (void)wire;
    (void)plain;
    (void)to;
    (void)room;
    return 0;
}

bool idb_tls_owes(const idb_wire *wire) {
    (void)wire;
    return false;
}

const char *idb_tls_why_of(const idb_wire *wire) {
    (void)wire;
    return "";
}

void idb_tls_end(idb_wire *wire) {
    (void)wire;
}
