/* SPDX-License-Identifier: Apache-2.0 */
/* client.h -- one client process: asks through libidemclient, at random
 * and at a steady pace, and writes down what it asks and hears. */
#ifndef NEM_CLIENT_H
#define NEM_CLIENT_H

#include "bench/judge/history.h"

typedef struct nem_client {
    uint32_t number; /* its name in the history */
    uint64_t seed;
    const char *uri;
    const char *history; /* the file, which is appended to */
    uint64_t epoch_ns;   /* rounds count from here: the same for all */
    uint32_t pause_ms;   /* at most, between two calls; 0: PAUSE_MS_MAX */
    uint32_t keys;       /* new ones per round; 0: KEYS_PER_ROUND */
    const volatile bool *over;
} nem_client;

/* Runs until *over, then returns 0; or 1, and says why it can't work. */
int nem_client_run(const nem_client *c);

/* Asks for every key that is completed and kept for long, as the histories
 * in dir say: it must still be there. Appends to c->history. Returns how many
 * keys it asked for; -1 is an error. */
long nem_client_audit(const nem_client *c, const nem_history *seen);

/* Lines go to a file as they happen, so that a kill loses at most the last. */
typedef struct nem_recorder {
    int fd;
    uint32_t client;
    uint32_t calls;
    idem_client *handle;
} nem_recorder;

bool nem_recorder_open(nem_recorder *b, const nem_client *c);
void nem_recorder_close(nem_recorder *b);

/* Asks, and writes both lines; the op comes back with its answer. */
void nem_recorder_ask(nem_recorder *b, nem_op *op, uint32_t timeout_ms);

enum { NEM_BODY_MAX = 600 }; /* of a complete */

uint64_t nem_now_ns(void);

#endif
