/* SPDX-License-Identifier: Apache-2.0 */
/* hand.h -- a client over TLS that does as it is told, byte by byte if that is
 * wanted. What fails ends the program (CHECK). */
#ifndef TEST_HAND_H
#define TEST_HAND_H

#include "proto/tls/tls.h"

typedef struct hand {
    int fd;
    idp_tls *tls;
    uint8_t heard[4096]; /* plain */
    size_t heard_len;
    bool ended; /* the socket has */
} hand;

/* Connects from this address of the machine's own; nothing is said yet. */
void hand_open(hand *h, idp_tls_context *context, uint16_t port,
               const char *from);
void hand_close(hand *h);

/* Sends what the engine has and these bytes sealed: at most so many bytes, so
 * many at a time. Returns how many there were. */
size_t hand_send(hand *h, idp_slice plain, size_t most, size_t step);

/* Waits for bytes, and opens them. */
void hand_hear(hand *h);

/* Until hands are shaken. */
void hand_shake(hand *h, size_t step);

/* A ping, and its answer. */
extern const uint8_t hand_ping[9];
void hand_hears_pong(hand *h);
void hand_is_answered(hand *h, size_t step);

/* Until the daemon has ended, too: in order, with its close_notify. */
void hand_ends_in_order(hand *h);

#endif
