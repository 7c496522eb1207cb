/* SPDX-License-Identifier: Apache-2.0 */
/* customer.h -- one client process: asks through libidemclient, at random
 * and at a steady pace, and writes down what it asks and hears. */
#ifndef NEM_CUSTOMER_H
#define NEM_CUSTOMER_H

#include "bench/judge/history.h"

typedef struct nem_customer {
    uint32_t number; /* its name in the history */
    uint64_t seed;
    const char *uri;
    const char *history; /* the file, which is appended to */
    uint64_t epoch_ns;   /* rounds count from here: the same for all */
    const volatile bool *over;
} nem_customer;

/* Runs until *over, then returns 0; or 1, and says why it can't work. */
int nem_customer_run(const nem_customer *c);

/* Asks for every key that is completed and kept for long, as the histories
 * in dir say: it must still be there. Appends to c->history. Returns how many
 * keys it asked for; -1 is an error. */
long nem_customer_audit(const nem_customer *c, const nem_history *seen);

/* Lines go to a file as they happen, so that a kill loses at most the last. */
typedef struct nem_book {
    int fd;
    uint32_t client;
    uint32_t calls;
    idem_client *handle;
} nem_book;

bool nem_book_open(nem_book *b, const nem_customer *c);
void nem_book_close(nem_book *b);

/* Asks, and writes both lines; the op comes back with its answer. */
void nem_book_ask(nem_book *b, nem_op *op, uint32_t timeout_ms);

enum { NEM_BODY_MAX = 600 }; /* of a complete */

uint64_t nem_now_ns(void);

#endif
