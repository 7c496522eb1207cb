/* SPDX-License-Identifier: Apache-2.0 */
/* speak.h -- what is decided for a primary that leads: T2 to T4, and whom it
 * is to be offered.
 *
 * Pure. The agent beside it speaks for it; where that one's key is gone, every
 * agent whose own node is not a member does (A3). Several at once are safe. */
#ifndef IDS_AGENT_SPEAK_H
#define IDS_AGENT_SPEAK_H

#include "server/agent/decide.h"

/* The primary's report, if it is for this agent to speak; else NULL. */
const ids_report *ids_speaks_with(const ids_agent_facts *facts);

/* report: of the revision that was read. */
void ids_speak(const ids_agent_facts *facts, const ids_report *report,
               ids_intent *intent);

#endif
