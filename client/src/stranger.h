/* SPDX-License-Identifier: Apache-2.0 */
/* stranger.h -- what listens there, when it is no idemstored: a guess by the
 * first words that it says. For messages to people only. */
#ifndef IDEM_STRANGER_H
#define IDEM_STRANGER_H

#include <stddef.h>
#include <stdint.h>

/* " (Redis, it seems)", or "" when the words tell nothing. Static storage. */
const char *idem__stranger_kind(const uint8_t *words, size_t len);

/* A program that reads lines waits for the end of one, and Redis reads none
 * behind a zero byte. Says a line of Redis' own on a connection beside fd, to
 * the same address; what answers as Redis does is told as above, NULL: nothing
 * did until deadline_ms, or it was no line of Redis. */
const char *idem__stranger_ask(int fd, uint64_t deadline_ms);

#endif
