/* SPDX-License-Identifier: Apache-2.0 */
/* run_cases.h -- which cases are run, each in a process of its own, and what
 * came of them. */
#ifndef CONF_RUN_CASES_H
#define CONF_RUN_CASES_H

#include "tests/conformance/options.h"

/* One result for each case, in their order; the caller frees them. NULL when
 * an id of --only or --expected-failures is none: it was said on stderr. */
conf_result *conf_choose(const conf_options *options, const conf_cases *cases);

/* Runs what was chosen (what is not skipped). */
void conf_run(const conf_options *options, const conf_cases *cases,
              conf_result *results);

/* Is this result one that fails the run? An expected failure that passes is,
 * too. */
bool conf_is_bad(const conf_options *options, const conf_case *one,
                 const conf_result *result);

#endif
