/* SPDX-License-Identifier: Apache-2.0 */
/* serve.h -- the whole daemon: sockets, threads, signals, and their end. */
#ifndef IDS_SERVE_H
#define IDS_SERVE_H

#include "server/admin/settings.h"

/* Serves until SIGTERM or SIGINT; given: what settings are read from again.
 * Both outlive it. Says on stdout where it listens, one line
 * per address: "listening on 127.0.0.1:7117". Returns the exit code. */
int ids_serve(const ids_settings *settings, const ids_given *given);

#endif
