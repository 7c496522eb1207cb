/* SPDX-License-Identifier: Apache-2.0 */
/* people.h -- who is connected to a worker, and how one is sent away. See
 * looks.h. */
#ifndef IDS_PEOPLE_H
#define IDS_PEOPLE_H

#include "server/admin/looks.h"

/* Whose connections the page begins with; whose this one is. */
idp_error ids_people_plan(const ids_worker *worker, ids_look *look,
                          const char **text);
idp_error ids_people_plan_kill(const ids_worker *worker, ids_look *look,
                               const char **text);

/* A page of this worker's connections, and where the next one begins. */
bool ids_people_page(const ids_worker *worker, const ids_look *look,
                     idp_bytes *frame);

/* The connection is closed: its waiters are forgotten, its claims stay. */
bool ids_people_kill(ids_worker *worker, const ids_look *look,
                     idp_bytes *frame);

#endif
