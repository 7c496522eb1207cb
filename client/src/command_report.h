/* SPDX-License-Identifier: Apache-2.0 */
/* command_report.h -- how replication stands, from the wire's struct into the
 * caller's. Pure. */
#ifndef IDEM_COMMAND_REPORT_H
#define IDEM_COMMAND_REPORT_H

#include "client/include/idemclient_admin.h"
#include "proto/commands.h"

/* theirs may be an older caller's, and smaller. */
void idem__replication_fill(idem_replication *theirs,
                            const idp_replication *from);

#endif
