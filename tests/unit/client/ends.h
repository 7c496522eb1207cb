/* SPDX-License-Identifier: Apache-2.0 */
/* ends.h -- a server that counts what comes for the claims of functions that
 * end in their own ways; plain enough for C++. */
#ifndef ENDS_H
#define ENDS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ends_server ends_server;

/* Grants every key a lease of 60 ms, and renews it. */
ends_server *ends_start(void);
const char *ends_uri(ends_server *server);
void ends_stop(ends_server *server);

/* Keys have one letter. How often it was renewed; completed or released. */
int ends_renewals(ends_server *server, char key);
int ends_settled(ends_server *server, char key);

/* Waits until the key was renewed so often again. */
void ends_await_renewals(ends_server *server, char key, int more);

#ifdef __cplusplus
}
#endif
#endif
