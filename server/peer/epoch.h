/* SPDX-License-Identifier: Apache-2.0 */
/* epoch.h -- epochs: how one is drawn, and which can't be one.
 *
 * Pure. An epoch is the unix time in ms << 10 as it was drawn, with 10 bits of
 * the node's name below: two nodes that draw in one millisecond do not draw
 * the same. After that it only grows, whatever a clock says. */
#ifndef IDS_PEER_EPOCH_H
#define IDS_PEER_EPOCH_H

#include <stdbool.h>
#include <stdint.h>

/* No client is told an integer above this. */
#define IDS_EPOCH_MAX       ((1ull << 53) - 1)
#define IDS_EPOCH_BITS      10
/* An epoch may be ahead of the clock, or of the highest on record, by so
 * much: a year. */
#define IDS_EPOCH_AHEAD_MAX ((365ull * 86400 * 1000) << IDS_EPOCH_BITS)

/* This time as an epoch, without a node's bits. 0: too late for one. */
uint64_t ids_epoch_of(uint64_t unix_ms);

/* The lowest of this node's that is above one and not below another; above
 * IDS_EPOCH_MAX: there is none left. */
uint64_t ids_epoch_draw(uint64_t above, uint64_t at_least, uint64_t node);

/* May someone else have drawn this, going by the highest on record and by the
 * clock? clock: as an epoch; 0: it is not to be believed. */
bool ids_epoch_is_sound(uint64_t epoch, uint64_t recorded, uint64_t clock);

#endif
