/* SPDX-License-Identifier: Apache-2.0 */
/* read.h -- one reader for each kind of value that an option has: it puts the
 * text, as a value, where the ask has a place for it. False: ask->why says what
 * is wrong with it. */
#ifndef CTL_READ_H
#define CTL_READ_H

#include "client/ctl/ctl.h"

/* For an option whose command asks ctl_ask_text or ctl_ask_gives for it: any
 * text, and a flag, are legal. */
bool ctl_read_text(char *text, ctl_ask *ask);
bool ctl_read_flag(char *text, ctl_ask *ask);

bool ctl_read_lease(char *text, ctl_ask *ask);
bool ctl_read_ttl(char *text, ctl_ask *ask);
bool ctl_read_timeout(char *text, ctl_ask *ask);
bool ctl_read_wait(char *text, ctl_ask *ask);
bool ctl_read_on_orphan(char *text, ctl_ask *ask);
bool ctl_read_class(char *text, ctl_ask *ask);
bool ctl_read_watch(char *text, ctl_ask *ask);
bool ctl_read_count(char *text, ctl_ask *ask);
bool ctl_read_on_failure(char *text, ctl_ask *ask);
bool ctl_read_kill_after(char *text, ctl_ask *ask);
bool ctl_read_fingerprint(char *text, ctl_ask *ask);
bool ctl_read_nonce(char *text, ctl_ask *ask);
bool ctl_read_token(char *text, ctl_ask *ask);
bool ctl_read_key_hex(char *text, ctl_ask *ask);
bool ctl_read_key_file(char *path, ctl_ask *ask);
bool ctl_read_body(char *path, ctl_ask *ask);
bool ctl_read_result(char *text, ctl_ask *ask);
bool ctl_read_result_file(char *path, ctl_ask *ask);
bool ctl_read_namespace(char *text, ctl_ask *ask);
bool ctl_read_server(char *text, ctl_ask *ask);
bool ctl_read_unbind(char *text, ctl_ask *ask);
bool ctl_read_node(char *text, ctl_ask *ask);
bool ctl_read_accept_loss(char *text, ctl_ask *ask);
bool ctl_read_open_metrics(char *text, ctl_ask *ask);
bool ctl_read_dry_run(char *text, ctl_ask *ask);
bool ctl_read_force(char *text, ctl_ask *ask);
bool ctl_read_claim(char *text, ctl_ask *ask);
bool ctl_read_read(char *text, ctl_ask *ask);
bool ctl_read_resolve(char *text, ctl_ask *ask);
bool ctl_read_admin(char *text, ctl_ask *ask);
bool ctl_read_stats(char *text, ctl_ask *ask);
bool ctl_read_raw(char *text, ctl_ask *ask);
bool ctl_read_output(char *text, ctl_ask *ask);
bool ctl_read_verbose(char *text, ctl_ask *ask);
bool ctl_read_json(char *text, ctl_ask *ask);
bool ctl_read_help(char *text, ctl_ask *ask);
bool ctl_read_version(char *text, ctl_ask *ask);

#endif
