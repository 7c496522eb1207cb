/* SPDX-License-Identifier: Apache-2.0 */
/* web_stream.h -- a handler on a thread of its own, so that its answer can be
 * sent while it is made. Inside web.c only. */
#ifndef EXAMPLE_WEB_STREAM_H
#define EXAMPLE_WEB_STREAM_H

#include "client/examples/web.h"

#include <sys/types.h>

typedef struct web_stream web_stream;

/* Runs the handler. What the request points to lives until web_stream_end. NULL
 * when there is no thread for it. */
web_stream *web_stream_start(web_handler *handler, void *ctx,
                             const web_request *request);

/* Waits until the answer is whole, or its first piece is there. Status and
 * headers of what is returned don't change then. */
const web_answer *web_stream_answer(web_stream *stream);

/* Up to max bytes of the pieces; waits for the next one. 0: there are no more.
 * -1: the handler has failed half way. */
ssize_t web_stream_read(web_stream *stream, char *to, size_t max);

/* Nobody reads any more: waits for the handler, which goes on, and frees all.
 */
void web_stream_end(web_stream *stream);

#endif
