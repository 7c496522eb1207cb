/* SPDX-License-Identifier: Apache-2.0 */
/* byte_proxy.h -- passes bytes between clients and one server, until it is told
 * to swallow the reply to a certain call: the moment between a change and its
 * asker's hearing of it, as long as a test needs it. */
#ifndef TEST_BYTE_PROXY_H
#define TEST_BYTE_PROXY_H

#include <stdbool.h>
#include <stdint.h>

typedef struct byte_proxy byte_proxy;

/* Listens on a free loopback port and connects to this one. */
byte_proxy *proxy_start(uint16_t server_port);
uint16_t proxy_port(const byte_proxy *proxy);

/* From now on: once a request with this word in it was passed on, nothing more
 * of its connection goes back to the client. */
void proxy_swallow_after(byte_proxy *proxy, const char *word);
/* Waits until a reply was swallowed; false when none came in time. */
bool proxy_has_swallowed(byte_proxy *proxy, unsigned seconds_max);

/* Closes every connection, and stops. */
void proxy_stop(byte_proxy *proxy);

#endif
