/* SPDX-License-Identifier: Apache-2.0 */
/* run.h -- a story, told to a backend. */
#ifndef IDT_RUN_H
#define IDT_RUN_H

#include "tests/conformance/backend.h"

typedef enum run_verdict {
    RUN_PASSED,
    RUN_FAILED,
    RUN_LATE /* it failed, but this machine was late: says nothing */
} run_verdict;

/* stretch: each of the story's ms takes so many (real time). say: where a
 * failure is written to, as file:line, expected, got. */
run_verdict story_run(const story *s, backend *b, uint32_t stretch, char *say,
                      size_t say_cap);

#endif
