/* SPDX-License-Identifier: Apache-2.0 */
/* group_json.h -- the record of a group, and a node's key, as the text that
 * etcd keeps.
 *
 *   config      {"v":1, "id":UUID, "epoch":N, "primary":MEMBER, "isr":[MEMBER],
 *                "why":WORD, "by":NODE}, a MEMBER being
 *               {"node":NAME, "inc":"16 hex digits", "at":"HOST:PORT"}
 *   alive/NODE  {"inc":"16 hex digits"}
 *
 * Fields that are not known are ignored, so that a later version may add some.
 * Pure. */
#ifndef IDS_ETCD_GROUP_JSON_H
#define IDS_ETCD_GROUP_JSON_H

#include "server/agent/group.h"

#include <stddef.h>

/* Of either text, and more than the largest one takes. */
#define IDS_GROUP_TEXT_BYTES_MAX 8192u
/* Arrays and objects within each other. */
#define IDS_ETCD_DEPTH_MAX       16u

/* The text, with a 0 at its end and to be freed; NULL: no memory. */
char *ids_group_text(const ids_group *group);
char *ids_group_alive_text(uint64_t incarnation);

/* False: it is no such text, and what is then not to be used. A group that is
 * read is sound (ids_group_is_sound). */
bool ids_group_from_text(ids_group *group, const char *text, size_t len);
bool ids_group_alive_from_text(uint64_t *incarnation, const char *text,
                               size_t len);

/* Is it within the depth? jansson has no such limit. */
bool ids_json_is_flat(const char *text, size_t len);

#endif
