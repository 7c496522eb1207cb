/* SPDX-License-Identifier: Apache-2.0 */
/* limited.h -- why an acquire was refused by what its namespace may have, as
 * it is told to who asked. */
#ifndef IDS_LIMITED_H
#define IDS_LIMITED_H

#include "server/worker/worker.h"

/* "namespace shop: max_records"; of a rate "retry_ms=40 namespace shop: rate".
 * The bytes of the name that are no letter, digit, '.', '_', ':', '/' or '-'
 * are %XX. NULL: the error, which the shard has just said, has another reason.
 * Good until the next call. */
const char *ids_limited_text(ids_worker *worker, idp_error error);

#endif
