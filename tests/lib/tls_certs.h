/* SPDX-License-Identifier: Apache-2.0 */
/* tls_certs.h -- certificates for tests, made on the spot: their dates count
 * from now, so that no test stops working on a day. P-256. */
#ifndef TLS_CERTS_H
#define TLS_CERTS_H

#include <stdbool.h>

#define DAY_S 86400L

typedef struct cert_spec {
    const char *name;   /* of its files: NAME.pem and NAME.key */
    const char *cn;     /* NULL: name */
    const char *alt;    /* "DNS:localhost,IP:127.0.0.1"; NULL: none */
    const char *issuer; /* the name of one made before; NULL: itself */
    const char *usage;  /* "serverAuth", "clientAuth"; NULL: not told */
    long begins_s;      /* from now; 0: a day ago */
    long ends_s;        /* from now; 0: in 30 days */
    bool is_authority;
} cert_spec;

/* A folder of its own below the working one, as "./tls-a1b2c3". */
void certs_begin(char folder[32]);
/* Removes it. */
void certs_end(const char *folder);

void certs_make(const char *folder, const cert_spec *spec);
/* ca, a server's for localhost, 127.0.0.1 and ::1, and a client's. */
void certs_make_usual(const char *folder);

/* FOLDER/NAME in a buffer of its own, one of 16 in turns. */
const char *certs_path(const char *folder, const char *name);
/* Writes a file whole, with that mode. */
void certs_write(const char *path, const char *text, unsigned mode);
/* Reads one, to be freed. */
char *certs_read(const char *path);

#endif
