/* SPDX-License-Identifier: Apache-2.0 */
/* notation.h -- MessagePack for people, so that a test's table can be read.
 *
 *   [4 {1      the header of an array of 4, of a map of 1
 *   i70000     an integer, shortest form      f1.5 g1.5   64, 32 bit float
 *   'peek'     a str                          -           nil
 *   S513 B65   a str, a bin of so many 'x'    T           a token's 16 bytes
 *   xc1ff      raw bytes
 */
#ifndef NOTATION_H
#define NOTATION_H

#include <stddef.h>
#include <stdint.h>

/* Returns the number of bytes written; stops the test when text is no
 * notation or cap is too small. */
size_t notation(const char *text, uint8_t *to, size_t cap);

#endif
