/* SPDX-License-Identifier: Apache-2.0 */
/* console.h -- the page at /, made of console/ by the build; see
 * console/README.md. */
#ifndef IDS_HTTP_CONSOLE_H
#define IDS_HTTP_CONSOLE_H

#include "server/http/answer.h"

extern const ids_http_page ids_http_console;

#endif
