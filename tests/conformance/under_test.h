/* SPDX-License-Identifier: Apache-2.0 */
/* under_test.h -- the client under test: a process that takes one JSON line a
 * call on its standard input, and answers with one on its standard output. */
#ifndef CONF_UNDER_TEST_H
#define CONF_UNDER_TEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { UNDER_TEST_ANSWERS_MAX = 64 };

typedef struct under_test {
    pid_t pid;
    int to, from;
    bool ended;
    char *in;
    size_t in_len;
    json_t *answers[UNDER_TEST_ANSWERS_MAX]; /* that nobody has taken yet */
    int answer_count;
    char wrong[512]; /* a line that is no JSON object with an id; "": none */
} under_test;

/* NULL: no process. */
under_test *under_test_start(char *const argv[]);
void under_test_end(under_test *one);

/* Takes the object. */
void under_test_send(under_test *one, json_t *line);

/* Reads what is there. */
void under_test_read(under_test *one);

/* The answer with that id, the caller's now; NULL: none yet. */
json_t *under_test_take(under_test *one, json_int_t id);

/* The most address space that it has had, in KiB; 0: can't be seen. */
uint64_t under_test_peak_kib(const under_test *one);

#endif
