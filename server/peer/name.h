/* SPDX-License-Identifier: Apache-2.0 */
/* name.h -- what a node is called.
 *
 * Pure. A name of 16 hex digits, as a drawn one is, is its number; of every
 * other the number is a hash. Frames and records compare numbers; people read
 * names. */
#ifndef IDS_PEER_NAME_H
#define IDS_PEER_NAME_H

#include "proto/terms.h"

#include <stdbool.h>

#define IDS_NODE_NAME_BYTES 64 /* with the 0 at its end */

typedef struct ids_node_name {
    char text[IDS_NODE_NAME_BYTES]; /* "": not known */
} ids_node_name;

/* False: not 1..63 letters, digits, '.', '_' or '-'. Empty bytes are "". */
bool ids_node_name_from(ids_node_name *name, idp_slice bytes);

/* Of a number that was drawn. */
ids_node_name ids_node_name_of(uint64_t node);

/* Its number; not 0, unless the name is "". */
uint64_t ids_node_number(const ids_node_name *name);

#endif
