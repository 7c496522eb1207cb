/* SPDX-License-Identifier: Apache-2.0 */
/* words.h -- one line of a history, read and written. */
#ifndef NEM_WORDS_H
#define NEM_WORDS_H

#include "bench/judge/history.h"

/* "250" is ns, "250ms" is ms. */
bool nem_read_time(const char *text, uint64_t *ns);

/* The line's first two words: sets invoke_ns, client and call, clears the
 * rest. What follows them is *rest. */
bool nem_read_who(char *line, nem_op *op, char **rest);

/* What follows; both change the text. */
bool nem_read_call(char *rest, nem_op *op);
bool nem_read_end(char *rest, nem_op *op);

#endif
