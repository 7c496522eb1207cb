/* SPDX-License-Identifier: Apache-2.0 */
/* peer_decide.h -- operators who decide what became of claims, and what a
 * client lends them. */
#ifndef SIM_PEER_DECIDE_H
#define SIM_PEER_DECIDE_H

#include "tests/sim/peer_world.h"

/* decided: false: it is to be asked again. */
void pw_decide(pw_world *w, uint32_t client);
bool pw_decided(pw_world *w, pw_op *op, const pw_reply *reply);
void pw_check_decision(pw_world *w, const pw_reply *reply, const pw_op *op);
void pw_note_decision(pw_node *n, const idp_request *request);
void pw_keep_record(pw_world *w);

/* Of a client's calls. */
uint32_t pw_add_op(pw_world *w, int client, uint32_t key);
void pw_ask(pw_world *w, uint32_t op);
pw_text pw_text_of(const char *format, uint32_t number);

#endif
