/* SPDX-License-Identifier: Apache-2.0 */
/* cases.c -- the list of cases, with level and section of the draft. Its own
 * words for statuses are "should"; that nothing is executed twice is what the
 * header is for. */
#include "tests/conformance/http/cases.h"

#define DRAFT "draft-ietf-httpapi-idempotency-key-header-07, "

const http_case http_cases[] = {
#define HTTP_ROW(number, level, section, name, what) \
    {"http/" #number, HTTP_##level, DRAFT section, what, http_##name},
    HTTP_CASES(HTTP_ROW)
#undef HTTP_ROW
};
const size_t http_cases_count = sizeof http_cases / sizeof *http_cases;
