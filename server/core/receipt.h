/* SPDX-License-Identifier: Apache-2.0 */
/* receipt.h -- what an operator's last resolves of a key were answered.
 *
 * A resolve that is asked again with its nonce gets the answer that it got, on
 * this node or the next one, whatever has become of the key. So the answers
 * are kept in a record of their own, which journal, snapshot and peer carry as
 * they carry all records: completed, with the answers as its result. Its key
 * is the key, its namespace one byte longer than a client can name. It has its
 * key's hash, and so its owner. Pure. */
#ifndef IDS_RECEIPT_H
#define IDS_RECEIPT_H

#include "proto/terms.h"

#include <string.h>

#define IDS_RECEIPT_NS_BYTES (1 + IDP_NS_BYTES_MAX)
/* So many answers of one key, for so long after the last of them. */
#define IDS_RECEIPT_ANSWERS  4
#define IDS_RECEIPT_TTL_MS   (24u * 3600u * 1000u)

/* An answer: outcome, kept, ttl_ms (big-endian), the nonce and its length.
 * Outcome 0xff: none. */
#define IDS_RECEIPT_ANSWER_BYTES (1 + 1 + 8 + 1 + IDP_NONCE_BYTES_MAX)
#define IDS_RECEIPT_BYTES        (IDS_RECEIPT_ANSWERS * IDS_RECEIPT_ANSWER_BYTES)
#define IDS_RECEIPT_NONE         0xffu

_Static_assert(IDS_RECEIPT_NS_BYTES < 1 << 7, "it fits a record's bits");

/* Whether a record of this namespace is a receipt. */
static inline bool ids_receipt_is(idp_slice ns) {
    return ns.len > IDP_NS_BYTES_MAX;
}

/* The namespace of the receipt of a key in ns; it borrows from bytes. */
static inline idp_slice
ids_receipt_ns(idp_slice ns, uint8_t bytes[static IDS_RECEIPT_NS_BYTES]) {
    memset(bytes, 0, IDS_RECEIPT_NS_BYTES);
    bytes[0] = (uint8_t)ns.len;
    if (ns.len > 0)
        memcpy(bytes + 1, ns.ptr, ns.len);
    return (idp_slice){bytes, IDS_RECEIPT_NS_BYTES};
}

/* The namespace by which a record is hashed: its key's. */
static inline idp_slice ids_receipt_hashed_ns(idp_slice ns) {
    if (!ids_receipt_is(ns))
        return ns;
    return (idp_slice){ns.ptr + 1, ns.ptr[0]};
}

#endif
