/* SPDX-License-Identifier: Apache-2.0 */
/* check.h -- idemstored --check. */
#ifndef IDS_CHECK_H
#define IDS_CHECK_H

/* Reads the folder and prints what is in it: a line per file, one for all, and
 * what an operator compares, indented. other: the same of another folder, and
 * which of the two has more; or NULL. Returns the exit code. */
int ids_check(const char *path, const char *other);

#endif
