/* SPDX-License-Identifier: Apache-2.0 */
/* fields.h -- the map in HELLO and WELCOME: what an end says of itself, field
 * by field, so that a later version may say more.
 *
 * Pure. A field is u16 tag, u16 length, bytes; little-endian, none twice. Who
 * does not know a tag skips the field, unless bit 15 of the tag says that it
 * is needed: then he refuses. A known field may be longer than it was: what
 * follows is skipped, too.
 *
 *      1  member     u64 node, u64 incarnation
 *      2  nonce      16 bytes
 *      3  life       u64, drawn by the process at its start
 *      4  at         text: host:port or :port where clients reach it
 *      5  name       text: --node
 *      6  limits     u64 --max-result
 *      7  settings   u64, a digest of what both nodes should have alike
 *      8  led        u64, the highest epoch that it has led in; 0: none
 *      9  program    text: its version
 *     10  offer      WELCOME: u64 session, streams, first and last of the
 *                    ring, 1: you are in the in-sync set; and the first change
 *                    that such a one may lack, 0: not known
 *     11  origin     u64 epoch in which the history of its records began, bits:
 *                    1 an operator began it, 2 they must not give way
 *     16  http       text: host:port or :port of its HTTP side; not there, or
 *                    empty: it has none
 *     63  proof      WELCOME: 32 bytes; the last one
 *   and reserved for later versions, skipped by this one:
 *     17  members    the in-sync set: each u64 node, u64 incarnation, u8 and
 *                    text of its name, u8 and text of its address
 *     18  config     the failover agent's: 16 bytes id, u64 revision
 *     19  history    the epochs in which it was whole, with positions
 *     20  features   u64, a bit for each thing that may be used if both have
 *                    it */
#ifndef IDS_PEER_FIELDS_H
#define IDS_PEER_FIELDS_H

#include "proto/terms.h"

#include <stdbool.h>

typedef enum ids_field_tag {
    IDS_FIELD_MEMBER = 1,
    IDS_FIELD_NONCE,
    IDS_FIELD_LIFE,
    IDS_FIELD_AT,
    IDS_FIELD_NAME,
    IDS_FIELD_LIMITS,
    IDS_FIELD_SETTINGS,
    IDS_FIELD_LED,
    IDS_FIELD_PROGRAM,
    IDS_FIELD_OFFER,
    IDS_FIELD_ORIGIN,
    IDS_FIELD_HTTP = 16,
    IDS_FIELD_PROOF = 63,
    IDS_FIELD_COUNT
} ids_field_tag;

#define IDS_FIELD_NEEDED     0x8000u
#define IDS_FIELD_HEAD_BYTES 4

/* Known fields of a map by their tag; ptr NULL: not there. */
typedef struct ids_fields {
    idp_slice at[IDS_FIELD_COUNT];
} ids_fields;

typedef enum ids_fields_fault {
    IDS_FIELDS_OK,
    IDS_FIELDS_BROKEN, /* cut off, or one that is there twice */
    IDS_FIELDS_NEEDED  /* one that is needed is not known */
} ids_fields_fault;

/* Where the next field goes; its bytes were written behind the head. */
uint8_t *ids_field_put(uint8_t *at, ids_field_tag tag, const void *bytes,
                       size_t len);

/* What it finds borrows from map. */
ids_fields_fault ids_fields_read(idp_slice map, ids_fields *fields);

/* The field's number at this index. False: it is not so long. */
bool ids_field_u64(const ids_fields *fields, ids_field_tag tag, size_t index,
                   uint64_t *to);

#endif
