/* SPDX-License-Identifier: Apache-2.0 */
/* text.h -- requests and answers as a line of a story, for traces. */
#ifndef IDT_TEXT_H
#define IDT_TEXT_H

#include "server/core/shard.h"

/* Each writes at most cap bytes, NUL included, and returns to. */
const char *idt_text_request(const idp_request *request, char *to, size_t cap);

/* answer may be NULL where error says it all. */
const char *idt_text_answer(idp_error error, const idp_answer *answer, char *to,
                            size_t cap);

#endif
