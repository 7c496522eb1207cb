/* SPDX-License-Identifier: Apache-2.0 */
/* near.h -- did you mean: the flag that is nearest to one that there isn't. */
#ifndef IDS_NEAR_H
#define IDS_NEAR_H

#include "server/admin/config.h"

/* NULL: none is near. Static storage. */
const ids_config_row *ids_nearest_row(const char *flag);

#endif
