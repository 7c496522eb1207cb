/* SPDX-License-Identifier: Apache-2.0 */
/* mutant.h -- places where the simulation can switch a rule off, to show that
 * it would notice. Outside the simulation's own build nothing is left of
 * them. */
#ifndef IDS_JOURNAL_MUTANT_H
#define IDS_JOURNAL_MUTANT_H

#define IDS_MUTANTS_LIST(X)                                                    \
    X(NONE, "none")                                                            \
    X(NO_CHAIN, "no-chain")       /* a batch stands for itself alone */        \
    X(NO_CHECKSUM, "no-checksum") /* of a batch's body */                      \
    X(ACK_BEFORE_SYNC, "ack-before-sync")                                      \
    X(ROTATES_UNSYNCED, "rotates-unsynced")                                    \
    X(TAKES_SHORT_WRITES, "takes-short-writes")                                \
    X(IGNORES_WRITE_ERRORS, "ignores-write-errors")                            \
    X(IGNORES_SYNC_ERRORS, "ignores-sync-errors")                              \
    X(NO_FOLDER_SYNC, "no-folder-sync")                                        \
    X(MANIFEST_IN_PLACE, "manifest-in-place") /* no temp, no rename */         \
    X(MANIFEST_NOT_SYNCED, "manifest-not-synced")                              \
    X(REMOVES_TOO_EARLY, "removes-too-early") /* before the manifest */        \
    X(CUTS_TOO_LATE, "cuts-too-late") /* a snapshot's log from its end on */   \
    X(SNAPSHOT_UNSYNCED, "snapshot-unsynced")                                  \
    X(SNAPSHOT_WINS, "snapshot-wins")         /* over the log behind it */     \
    X(CUTS_CORRUPTION, "cuts-corruption")     /* where it should refuse */     \
    X(REFUSES_TORN, "refuses-torn")           /* where it should cut */        \
    X(FORGETS_MISSING, "forgets-missing")     /* a log may end anywhere */     \
    X(TRUSTS_THE_TAIL, "trusts-the-tail")     /* doesn't make it durable */    \
    X(TRUSTS_THE_SEALED, "trusts-the-sealed") /* the segment before it */      \
    X(SHRINKS_DEADLINES, "shrinks-deadlines") /* they run on while it's down*/ \
    X(CLOCK_STARTS_ANEW, "clock-starts-anew") /* log time isn't carried on */  \
    X(MIXES_HISTORIES, "mixes-histories") /* a copy's log on old records */    \
    X(KEEPS_INCARNATION, "keeps-incarnation") /* though a copy is not whole */ \
    X(ZEROES_THE_HEAD, "zeroes-the-head")     /* of the next segment, too */   \
    X(TRUSTS_A_COPY, "trusts-a-copy")         /* of the folder, put back */    \
    X(RESUMES_EPOCH, "resumes-epoch")                                          \
    X(IGNORES_FULL_DISK, "ignores-full-disk")

typedef enum ids_mutant {
#define X(name, text) IDS_MUTANT_##name,
    IDS_MUTANTS_LIST(X)
#undef X
        IDS_MUTANT_COUNT
} ids_mutant;

#ifdef IDS_MUTANTS
extern ids_mutant ids_mutant_now; /* the simulation's */
#define IDS_MUTANT(name) (ids_mutant_now == IDS_MUTANT_##name)
#else
#define IDS_MUTANT(name) 0
#endif

#endif
