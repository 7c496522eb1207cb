/* SPDX-License-Identifier: Apache-2.0 */
/* problem.h -- why a request over HTTP is refused, as its answer says it. */
#ifndef IDS_HTTP_PROBLEM_H
#define IDS_HTTP_PROBLEM_H

#include "proto/error.h"
#include "server/http/head.h"

#define IDS_HTTP_PROBLEM_BYTES 224

typedef struct ids_http_problem {
    uint16_t status;
    const char *code; /* a word of ours; static storage */
    char text[IDS_HTTP_PROBLEM_BYTES];
} ids_http_problem;

/* Always false, so that a check can end in it. */
bool ids_http_refuse(ids_http_problem *problem, uint16_t status,
                     const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* "Bad Request" ... */
const char *ids_http_status_text(uint16_t status);

#endif
