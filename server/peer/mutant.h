/* mutant.h -- the one place per rule where the simulation can switch it off,
 * to show that it would notice. Outside the simulation's own build (which
 * defines IDS_PEER_MUTANTS) nothing is left of them. */
#ifndef IDS_PEER_MUTANT_H
#define IDS_PEER_MUTANT_H

typedef enum ids_rule {
    IDS_RULE_NONE,
    IDS_RULE_R1,
    IDS_RULE_R2,
    IDS_RULE_R3,
    IDS_RULE_R4,
    IDS_RULE_R5,
    IDS_RULE_R6,
    IDS_RULE_R7,
    IDS_RULE_R8,
    IDS_RULE_R9,
    IDS_RULE_R10,
    IDS_RULE_R11,
    IDS_RULE_R12,
    IDS_RULE_COUNT
} ids_rule;

#ifdef IDS_PEER_MUTANTS
extern ids_rule ids_rule_off; /* the simulation's */
#define IDS_RULE_OFF(rule) (ids_rule_off == IDS_RULE_##rule)
#else
#define IDS_RULE_OFF(rule) 0
#endif

#endif
