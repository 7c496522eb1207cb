/* SPDX-License-Identifier: Apache-2.0 */
/* scripted_inner.h -- between scripted.c, which listens, and
 * scripted_reply.c, which speaks. */
#ifndef CONF_SCRIPTED_INNER_H
#define CONF_SCRIPTED_INNER_H

#include "tests/conformance/scripted.h"

/* rest: error and result, packed. */
void scripted_reply(const scripted *net, scripted_conn *conn, uint32_t msgid,
                    const idt_buf *rest);
void scripted_hello(scripted *net, scripted_conn *conn, uint32_t msgid,
                    idt_cursor params);
void scripted_deny(const scripted *net, scripted_conn *conn, uint32_t msgid,
                   const char *text);
void scripted_pong(scripted *net, scripted_conn *conn, uint32_t msgid);

#endif
