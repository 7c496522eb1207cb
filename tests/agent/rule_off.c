/* SPDX-License-Identifier: Apache-2.0 */
/* rule_off.c -- for an idemagent that is built with the simulation's switches:
 * the rule that the environment's RULE_OFF names is off. */
#include "server/agent/mutant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ids_agent_rule ids_agent_rule_off = IDS_AGENT_RULE_NONE;

__attribute__((constructor)) static void switch_rule_off(void) {
    static const char *const names[] = {
#define X(name, text) text,
        IDS_AGENT_RULES(X)
#undef X
    };
    const char *off = getenv("RULE_OFF");
    for (int i = 0; off && i < IDS_AGENT_RULE_COUNT; i++)
        if (strcmp(names[i], off) == 0)
            ids_agent_rule_off = (ids_agent_rule)i;
    if (!off || ids_agent_rule_off == IDS_AGENT_RULE_NONE) {
        fprintf(stderr, "RULE_OFF names no rule\n");
        exit(64);
    }
}
