/* SPDX-License-Identifier: Apache-2.0 */
/* refusal.h -- why two nodes do not work together, in words.
 *
 * Pure. Either end may find out, and tells the other by a code: so both logs
 * and both reports say the same. Each text is one sentence about the two,
 * true at both of them, and says what to do. */
#ifndef IDS_PEER_REFUSAL_H
#define IDS_PEER_REFUSAL_H

#include "server/peer/endpoint.h"
#include "server/peer/name.h"

/* The codes stand in frames: only append, and only before COUNT. */
#define IDS_REFUSALS(X)                                                        \
    X(NONE, "")                                                                \
    X(OTHER, "the other node refuses for a reason that this version does not " \
             "know; its log says which")                                       \
    X(WIRE_0_1, "one of the two is an idemstored 0.1: upgrade it "             \
                "(docs/replication.md says in which order)")                   \
    X(WIRE, "the two speak different versions of the peer's wire: run the "    \
            "same idemstored on both")                                         \
    X(FIELD, "one of the two needs what the other's version does not know: "   \
             "run the same idemstored on both")                                \
    X(MALFORMED, "what came is not the peer's wire, or was damaged on its "    \
                 "way")                                                        \
    X(NO_MEMORY, "there is no memory for the connection")                      \
    X(MUTE, "the connection was closed without a word: the node there may be " \
            "an idemstored 0.1, or none at all")                               \
    X(NO_PEER, "the node there runs without a peer: give it --replication")    \
    X(SECRET, "the two have different secrets: give both the same "            \
              "--secret-file")                                                 \
    X(SECRET_MISSING, "one of the two has a secret and the other has none: "   \
                      "give both the same --secret-file")                      \
    X(ITSELF, "a node is told to replicate from itself: name the other one "   \
              "in --replicate-from")                                           \
    X(SAME_NAME, "two nodes have the same name: give each its own --node (a "  \
                 "copied machine needs a --peer-state of its own)")            \
    X(PLACE_TAKEN, "another node has the replica's place: idemctl detach it "  \
                   "at the primary first, if it shall not come back")          \
    X(NOT_PRIMARY, "the node that is asked does not lead: --replicate-from "   \
                   "names the primary, and idemctl promote makes one")         \
    X(TWO_PRIMARIES, "both have led in the same epoch, and both stop: "        \
                     "compare them, and idemctl promote --accept-loss the "    \
                     "one that shall go on")                                   \
    X(EPOCH, "an epoch is out of bounds: set the clocks of both nodes; an "    \
             "epoch may be a year ahead and no more")                          \
    X(NUMBER, "a number is out of bounds: what came is damaged or made up")    \
    X(MAX_RESULT, "the two have different limits: give both the same "         \
                  "--max-result")                                              \
    X(ORIGIN, "the one that leads began without the records that the other "   \
              "one keeps: idemctl promote the other one, or start it with "    \
              "--accept-change to give up what it has")                        \
    X(NO_TLS, "one of the two has --peer-tls on, and the other one speaks "    \
              "plain: give it --tls-cert and --tls-key, and no --peer-tls "    \
              "off")                                                           \
    X(BAD_CERT, "one of the two has shown no certificate, or one that is not " \
                "good for the other: a log of theirs says why; --peer-ca "     \
                "names who signs for nodes")

typedef enum ids_refusal_why {
#define X(name, text) IDS_REFUSAL_##name,
    IDS_REFUSALS(X)
#undef X
        IDS_REFUSAL_COUNT
} ids_refusal_why;

const char *ids_refusal_text(ids_refusal_why why);

/* The last one, or one that the log shall tell. */
typedef struct ids_refusal {
    ids_refusal_why why; /* NONE: there was none */
    bool by_other;       /* the other node said so */
    uint64_t at_ms;      /* when, last */
    ids_endpoint at;     /* where the other node is, or empty */
    ids_node_name name;  /* what it calls itself, or "" */
} ids_refusal;

#endif
