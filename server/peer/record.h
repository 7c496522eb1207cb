/* SPDX-License-Identifier: Apache-2.0 */
/* record.h -- a decision as bytes of a fixed layout, for a file.
 *
 * Pure. Little-endian:
 *
 *      0  "IDEMPEER"                    48  u64 replica's node
 *      8  u32 format                    56  u64 replica's incarnation
 *     12  u32 crc32c of the rest        64  u64 admitted in epoch
 *     16  u64 version                   72  u64 admitted node
 *     24  u64 epoch                     80  u64 admitted incarnation
 *     32  u64 this node                 88  u64 admitted by version
 *     40  u64 this incarnation          96  u8  role, u8 had a replica
 *                                       98  u8  length, the other's address
 *    354  u8  length, this node's name   418  u8  length, the replica's name
 *    482  u64 the highest epoch that this node led in
 *    490  u8  mode of replication
 *    491  u8  had a data directory: 0 not known, 1 no, 2 yes
 *    492  u64 which file this is, u64 which the lock beside it is
 *    508  zeros
 *    512  u64 epoch in which the history began, u8 an operator
 *         began it, and zeros up to its size
 * and, only where more than one replica has been in sync, in format 2:
 *    528  per further place u64 node, u64 incarnation, u8 length and name
 * and, only under failover agents, in format 3, all of that and
 *    768  u64 revision, the group's id as text with zeros behind it
 *
 * 0.1 wrote zeros from 354 on, and no more than 512 bytes: such are read. */
#ifndef IDS_PEER_RECORD_H
#define IDS_PEER_RECORD_H

#include "proto/terms.h"
#include "server/peer/decision.h"

#define IDS_RECORD_BYTES          528
#define IDS_RECORD_BYTES_0_1      512
#define IDS_RECORD_FORMAT         1
#define IDS_RECORD_FORMAT_SEVERAL 2
#define IDS_RECORD_FORMAT_GROUP   3
/* Of a replica in a further place; and of a record with them. */
#define IDS_RECORD_PLACE_BYTES    (16 + IDS_NODE_NAME_BYTES)
#define IDS_RECORD_BYTES_SEVERAL \
    (IDS_RECORD_BYTES + (IDS_FOLLOWERS_MAX - 1) * IDS_RECORD_PLACE_BYTES)
#define IDS_RECORD_BYTES_MAX (IDS_RECORD_BYTES_SEVERAL + 48)

/* What is wrong with one, as what a sentence about the file says of it. */
#define IDS_RECORD_FAULTS(X)                                           \
    X(OK, "is sound")                                                  \
    X(FOREIGN, "is not a record of a peer's decisions; name another "  \
               "file with --peer-state")                               \
    X(NEWER, "was written by a newer idemstored; start that one")      \
    X(DAMAGED, "is damaged; this node's part in the pair is unknown. " \
               "Move the file away and start this node as a replica "  \
               "of the other")

typedef enum ids_record_fault {
#define X(name, text) IDS_RECORD_##name,
    IDS_RECORD_FAULTS(X)
#undef X
        IDS_RECORD_FAULT_COUNT
} ids_record_fault;

const char *ids_record_fault_text(ids_record_fault fault);

/* How many bytes it is: IDS_RECORD_BYTES, or _MAX. */
size_t ids_decision_write(uint8_t to[static IDS_RECORD_BYTES_MAX],
                          const ids_decision *decision);

/* *decision is zeros unless it is OK. */
ids_record_fault ids_decision_read(idp_slice bytes, ids_decision *decision);

#endif
