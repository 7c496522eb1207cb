/* SPDX-License-Identifier: Apache-2.0 */
/* problem.c -- see problem.h. */
#include "server/http/problem.h"

#include <stdarg.h>
#include <stdio.h>

bool ids_http_refuse(ids_http_problem *problem, uint16_t status,
                     const char *code, const char *format, ...) {
    va_list rest;
    problem->status = status;
    problem->code = code;
    va_start(rest, format);
    vsnprintf(problem->text, sizeof problem->text, format, rest);
    va_end(rest);
    return false;
}

const char *ids_http_status_text(uint16_t status) {
    static const struct {
        uint16_t status;
        const char *text;
    } rows[] = {{200, "OK"},
                {201, "Created"},
                {400, "Bad Request"},
                {401, "Unauthorized"},
                {403, "Forbidden"},
                {404, "Not Found"},
                {405, "Method Not Allowed"},
                {408, "Request Timeout"},
                {409, "Conflict"},
                {413, "Content Too Large"},
                {414, "URI Too Long"},
                {415, "Unsupported Media Type"},
                {417, "Expectation Failed"},
                {421, "Misdirected Request"},
                {422, "Unprocessable Content"},
                {429, "Too Many Requests"},
                {431, "Request Header Fields Too Large"},
                {500, "Internal Server Error"},
                {503, "Service Unavailable"},
                {504, "Gateway Timeout"},
                {505, "HTTP Version Not Supported"},
                {507, "Insufficient Storage"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].status == status)
            return rows[i].text;
    return "Unknown";
}
