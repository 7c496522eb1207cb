/* SPDX-License-Identifier: Apache-2.0 */
/* near.h -- did you mean: how far a word that is no name is from one. For the
 * programs that read words from people. Pure. */
#ifndef IDEM_NEAR_H
#define IDEM_NEAR_H

#include <stddef.h>

/* How many characters have to be put in, taken out, changed or swapped with
 * their neighbour; 0: the name begins with the word. SIZE_MAX: so many that it
 * can't be meant. */
size_t idem_near(const char *word, const char *name);

#endif
