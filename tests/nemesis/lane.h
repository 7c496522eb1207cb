/* SPDX-License-Identifier: Apache-2.0 */
/* lane.h -- one direction of a connection through the proxy, and the few
 * things it does with sockets. */
#ifndef NEM_LANE_H
#define NEM_LANE_H

#include "tests/lib/rng.h"

#include <stdatomic.h>
#include <stddef.h>

enum { NEM_LANE_BYTES = 65536, NEM_LANE_PIECES = 64 };

/* See nem_wire. */
typedef struct nem_harm {
    unsigned delay_ms;
    unsigned drip_bytes;
    unsigned flip_1_in;
    unsigned cut_1_in;
    unsigned hole;
    atomic_uint *flips; /* counted here */
} nem_harm;

typedef struct nem_piece {
    uint64_t due_ms;
    size_t len;
} nem_piece;

typedef struct nem_lane {
    int in;
    int out;
    uint8_t *bytes; /* read and not yet written */
    size_t len;
    nem_piece pieces[NEM_LANE_PIECES];
    unsigned pieces_count;
    bool eof;   /* there is no more to read */
    bool ended; /* and the other side knows */
    bool cut;   /* after what is held: a reset */
} nem_lane;

bool nem_lane_wants(const nem_lane *lane);
/* Each false: the connection is to be reset. */
bool nem_lane_read(nem_lane *lane, const nem_harm *harm, uint64_t now_ms,
                   idt_rng *rng);
bool nem_lane_write(nem_lane *lane, const nem_harm *harm, uint64_t now_ms);

/* -1: it can't be. */
int nem_socket_listen(const char *address);
int nem_socket_accept(int listener);
int nem_socket_connect(const char *source, const char *target);
/* 1: it is, 0: not yet, -1: it failed. */
int nem_socket_connected(int fd);
void nem_socket_close(int fd, bool reset);
uint64_t nem_socket_now_ms(void);

#endif
