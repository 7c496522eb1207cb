/* SPDX-License-Identifier: Apache-2.0 */
/* run_inner.h -- what run.c has from run_env.c and run_answer.c. */
#ifndef CTL_RUN_INNER_H
#define CTL_RUN_INNER_H

#include "client/ctl/ctl.h"

/* Our own environment with IDEM_KEY (one without zero bytes), IDEM_KEY_HEX,
 * IDEM_TOKEN, IDEM_ATTEMPT and IDEM_PREVIOUS of this claim. NULL: no memory. */
char **run_env_new(const idem_args *args, const idem_run *claim);
void run_env_free(char **env);

/* The command did not run: prints what an earlier run printed and takes its
 * exit code, or says who is at it. */
ctl_exit run_say_answer(const ctl_ask *ask, const idem_answer *answer);

#endif
