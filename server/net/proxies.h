/* SPDX-License-Identifier: Apache-2.0 */
/* proxies.h -- who may say of a request where it comes from: those of
 * --http-trusted-proxy, in X-Forwarded-For. Pure but for inet_pton. */
#ifndef IDS_PROXIES_H
#define IDS_PROXIES_H

#include "server/admin/config.h"
#include "server/worker/who.h"

/* Addresses that begin alike; of unix sockets all. */
typedef struct ids_proxy_range {
    uint8_t address[16];
    uint8_t family; /* AF_INET, AF_INET6 or AF_UNIX */
    uint8_t bits;   /* that count; no others are set */
} ids_proxy_range;

typedef struct ids_proxies {
    ids_proxy_range all[IDS_LISTEN_MAX];
    uint32_t count;
} ids_proxies;

/* What a word has to be, for who wrote another one. */
#define IDS_PROXY_WORDS                                            \
    "not an address, the beginning of addresses (10.0.0.0/8, with" \
    " nothing set behind it), or unix"

/* 10.0.0.0/8, fd00::/8, one address, or unix. False: bad is the word that is
 * none of these; borrowed. */
bool ids_proxies_read(ids_proxies *to, const ids_config_list *words,
                      const char **bad);

/* Where the request comes from, by the last address that forwarded_for names;
 * it is what is written to from, without a name. False: who sent it is not
 * trusted, or names no address; then the connection's own counts. */
bool ids_proxies_forwarded(const ids_proxies *proxies, const ids_who *sender,
                           idp_slice forwarded_for, ids_who *from);

#endif
