/* SPDX-License-Identifier: Apache-2.0 */
/* fields.h -- what stands behind an outcome, as members of a JSON object. Pure.
 */
#ifndef IDS_HTTP_FIELDS_H
#define IDS_HTTP_FIELDS_H

#include "proto/reply.h"
#include "server/http/json.h"

/* A record that is none. */
static inline bool ids_http_is_absent(const idp_answer *answer) {
    return answer->outcome == IDP_OUTCOME_RECORD &&
           answer->state == IDP_STATE_ABSENT;
}

/* Each with a comma before it: the outcome stands there already. */
void ids_http_put_fields(ids_json_out *out, const idp_answer *answer);

#endif
