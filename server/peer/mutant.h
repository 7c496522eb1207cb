/* SPDX-License-Identifier: Apache-2.0 */
/* mutant.h -- the one place per rule where the simulation can switch it off,
 * to show that it would notice: here, in server/node and in what a worker is.
 * Outside the simulation's own build (which defines IDS_PEER_MUTANTS) nothing
 * is left of them. */
#ifndef IDS_PEER_MUTANT_H
#define IDS_PEER_MUTANT_H

/* The rules of README.md, then halves of them and other ways to go wrong. */
#define IDS_RULES(X)                                                           \
    X(NONE, "none")                                                            \
    X(R1, "R1")                                                                \
    X(R2, "R2")                                                                \
    X(R3, "R3")                                                                \
    X(R4, "R4")                                                                \
    X(R5, "R5")                                                                \
    X(R6, "R6")                                                                \
    X(R7, "R7")                                                                \
    X(R8, "R8")                                                                \
    X(R9, "R9")                                                                \
    X(R10, "R10")                                                              \
    X(R11, "R11")                                                              \
    X(R12, "R12")                                                              \
    X(EPOCH_RISES, "epoch-rises")       /* R4: a promotion may repeat one */   \
    X(STEPS_DOWN, "steps-down")         /* R6: a higher epoch is ignored */    \
    X(DROPS_PENDING, "drops-pending")   /* R6: and its replies are sent */     \
    X(ACKS_APPLIED, "acks-applied")     /* what is on its way is, too */       \
    X(ACKS_SWAPPED, "acks-swapped")     /* before the copy is whole */         \
    X(JOINS_WHOLE, "joins-whole")       /* a member that lacks replies */      \
    X(DISOWNED, "disowned")             /* the detached isn't told so */       \
    X(SWAPS_WHOLE, "swaps-whole")       /* a copy that is not complete */      \
    X(KEPT_ALONE, "kept-alone")         /* R5: of a set of two, too */         \
    X(HAD_REPLICA, "had-replica")       /* R8: it leads after a takeover */    \
    X(KEPT_ACKS, "kept-acks")           /* R5: what no medium has, too */      \
    X(KEPT_AT, "kept-at")               /* R5: it goes on behind its place */  \
    X(RESTORED, "restored")             /* R5: a copied folder is believed */  \
    X(WHOLE_MS, "whole-ms")             /* R12: a deadline is cut off */       \
    X(STEALS_SESSION, "steals-session") /* R3: whoever dials has it */         \
    X(THIRD_NODE, "third-node")         /* R3: whoever dials is admitted */    \
    X(STATUS_BY_NAME, "status-by-name") /* and not by incarnation */           \
    X(ONE_LEADS, "one-leads")           /* R6: two lead in one epoch */        \
    X(EPOCH_BOUND, "epoch-bound")       /* R6: any epoch is believed */        \
    X(ORIGIN, "origin")                 /* R5: an empty one is followed */     \
    X(MIN_LEAVES, "min-leaves")         /* fewer than --min-in-sync will do */ \
    X(ALL_MEMBERS, "all-members")       /* R1: the first place's alone */      \
    X(OWN_ACKS, "own-acks")             /* R1: one's acks count for another */ \
    X(OWN_SESSION, "own-session")       /* R9: one's end is everybody's */     \
    X(OWN_PLACE, "own-place")           /* R3: another is dropped instead */   \
    X(YIELDS, "yields")                 /* R4: two members take over */        \
    X(N2_INCARNATION, "N2-incarnation") /* another memory leads */             \
    X(N2_REVISION, "N2-revision")       /* an older record is taken */         \
    X(N2_EPOCH, "N2-epoch")             /* of an older epoch */                \
    X(N2_RESUMES, "N2-resumes")         /* R8: an epoch is led twice */        \
    X(N3_REVISION, "N3-revision")       /* an offer of another revision */     \
    X(N3_ENDS, "N3-ends")               /* it ends with its session */         \
    X(N4_INHERITED, "N4-inherited")     /* shown before survivors have it */   \
    X(N5, "N5")                         /* the primary admits by itself */     \
    X(K_THEIRS, "K2-theirs")            /* not what the survivor changed */    \
    X(K_OWN, "K3-own")                  /* nor what the primary did */         \
    X(K_ABSENT, "K4-absent")            /* that there is none isn't said */    \
    X(K_TOUCHED, "K5-touched")          /* what a join wrote is forgotten */   \
    X(K_END, "K6-end")                  /* acknowledged before its end */      \
    X(K_WHOLE, "K7-whole")              /* half a join counts as one */        \
    X(K_LOW, "K9-low")                  /* what a ring let go, does not */     \
    X(K_LATER, "K10-later")             /* the common epoch's keys alone */    \
    X(KEPT_REPLIES, "kept-replies")     /* they leave before the medium */     \
    X(QUIESCE_WHOLE, "quiesce-whole")   /* a worker goes on too early */       \
    X(SWAPS_ALL, "swaps-all")           /* a copy on some workers only */      \
    X(ROLE_FIRST, "role-first")         /* a turn's end lets go before it */   \
    X(TELLS_FIRST, "tells-first")       /* and before the peer is told */      \
    X(WATERMARK_NOW, "watermark-now")   /* it is another turn's */             \
    X(REVOKES, "revokes")               /* R6: what is failed leaves, too */   \
    X(ON_RECORD, "on-record")           /* decided, and on no record */

typedef enum ids_rule {
#define X(name, text) IDS_RULE_##name,
    IDS_RULES(X)
#undef X
        IDS_RULE_COUNT
} ids_rule;

#ifdef IDS_PEER_MUTANTS
extern ids_rule ids_rule_off; /* the simulation's */
#define IDS_RULE_OFF(rule)  (ids_rule_off == IDS_RULE_##rule)
#define IDS_RULE_NOTE(what) (what) /* for a rule that is off */
#else
#define IDS_RULE_OFF(rule)  0
#define IDS_RULE_NOTE(what) ((void)0)
#endif

#endif
