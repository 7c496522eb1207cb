/* SPDX-License-Identifier: Apache-2.0 */
/* audit_inner.h -- between audit.c, which writes lines, and those that make
 * them. Nobody else includes this. */
#ifndef IDS_AUDIT_INNER_H
#define IDS_AUDIT_INNER_H

#include "server/base/audit.h"

#define IDS_AUDIT_NODE_BYTES 80

void ids_audit_node(char to[static IDS_AUDIT_NODE_BYTES]);
bool ids_audit_hashes_keys(void);

/* Closes the object; there is room for it. */
static inline void ids_audit_end(ids_audit_line *line) {
    line->bytes[line->len++] = '}';
    line->bytes[line->len++] = '\n';
}

#endif
