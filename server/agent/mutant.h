/* SPDX-License-Identifier: Apache-2.0 */
/* mutant.h -- where the simulation can switch a rule of the agent off, to show
 * that it would notice. Outside the simulation's own build (which defines
 * IDS_AGENT_MUTANTS) nothing is left of it. */
#ifndef IDS_AGENT_MUTANT_H
#define IDS_AGENT_MUTANT_H

#define IDS_AGENT_RULES(X)                                                    \
    X(NONE, "none")                                                           \
    X(T0_COMPARE, "T0-compare")       /* creates over what there is */        \
    X(T0_EPOCH, "T0-epoch")           /* an epoch that nodes had before */    \
    X(T0_HISTORY, "T0-history")       /* a node that had a replica, too */    \
    X(T0_OTHERS, "T0-others")         /* though one does not answer */        \
    X(T1_MEMBER, "T1-member")         /* a detached one takes over */         \
    X(T1_GONE, "T1-gone")             /* from a primary that is there */      \
    X(T1_EPOCH, "T1-epoch")           /* in the epoch that there is */        \
    X(T1_SELF, "T1-self")             /* not again after a restart */         \
    X(INCARNATION, "incarnation")     /* a node is its name alone */          \
    X(COMPARE, "compare")             /* puts blindly */                      \
    X(COMPARE_FRESH, "compare-fresh") /* compares another read's revision */  \
    X(COMMAND_FIRST, "command-first") /* the node hears before etcd */        \
    X(T2_LOST, "T2-lost")             /* never detaches */                    \
    X(T2_MIN, "T2-min")               /* below min_in_sync */                 \
    X(T3_OFFER, "T3-offer")           /* admits without an offer */           \
    X(T3_REVISION, "T3-revision")     /* by an offer of before */             \
    X(T3_READY, "T3-ready")           /* before it has what was replied */    \
    X(T4_TOUCH, "T4-touch")           /* leaves a lost offer be */            \
    X(T6_COMPARE, "T6-compare")       /* accepts loss over what came since */ \
    X(T7_FAILURE, "T7-failure")       /* a failed compare is a success */     \
    X(T7_SILENCE, "T7-silence")       /* no answer is one */                  \
    X(A1_CONFIG, "A1-config")         /* tells the node once only */          \
    X(A2_SILENT, "A2-silent")         /* renews for a node that hangs */      \
    X(A2_INCARNATION, "A2-incarnation") /* alive, as whatever */              \
    X(A3_SPEAKS, "A3-speaks")           /* nobody speaks for another's */     \
    X(A6_BACKUP, "A6-backup")           /* decides by an etcd of before */

typedef enum ids_agent_rule {
#define X(name, text) IDS_AGENT_RULE_##name,
    IDS_AGENT_RULES(X)
#undef X
        IDS_AGENT_RULE_COUNT
} ids_agent_rule;

#ifdef IDS_AGENT_MUTANTS
extern ids_agent_rule ids_agent_rule_off; /* the simulation's */
#define IDS_AGENT_OFF(rule) (ids_agent_rule_off == IDS_AGENT_RULE_##rule)
#else
#define IDS_AGENT_OFF(rule) 0
#endif

#endif
