/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_session.c -- any bytes as what a server sends to the client's session,
 * with a call of every kind under way. Each call ends exactly once, and its
 * answer can be read.
 *
 * The first byte says in what pieces the others arrive. */
#include "client/include/idemclient_loop.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { CALLS = 16 };

typedef struct told {
    int times;
} told;

static volatile uint64_t sink; /* what is read is read */

static void read_answer(const idem_answer *answer) {
    const char *name;
    size_t name_len;
    size_t at = 0;
    uint64_t value;
    for (size_t i = 0; i < answer->result_len; i++)
        sink += answer->result[i];
    while (idem_stats_next(answer, &at, &name, &name_len, &value))
        for (size_t i = 0; i < name_len; i++)
            sink += (uint8_t)name[i] + value;
    assert(answer->outcome >= IDEM_ACQUIRED &&
           answer->outcome <= IDEM_COUNTERS);
    sink += strlen(idem_state_name(answer->state));
}

static void tell(void *ctx, const idem_answer *answer, const idem_error *err) {
    told *told_of = ctx;
    told_of->times++;
    assert((answer == NULL) != (err == NULL));
    if (answer != NULL)
        read_answer(answer);
    else
        assert(err->code < 0 && strlen(err->text) < sizeof err->text);
}

static void ask(idem_session *session, told calls[CALLS]) {
    idem_args args = {.size = sizeof args, .key = "k", .key_len = 1};
    int code = idem_session_hello(session, NULL, 0, 50, tell, &calls[0]);
    for (int i = 1; i < CALLS; i++)
        code |= idem_session_call(
            session, IDEM_ACQUIRE + (i - 1) % (IDEM_STATS - IDEM_ACQUIRE + 1),
            &args, 0, tell, &calls[i]);
    assert(code == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    idem_session *session = NULL;
    told calls[CALLS] = {0};
    if (len == 0 || idem_session_new(&session) != 0)
        return 0;
    ask(session, calls);
    size_t piece_max = bytes[0] == 0 ? len : bytes[0];
    for (size_t at = 1; at < len;) {
        size_t piece = len - at < piece_max ? len - at : piece_max;
        uint8_t *block = malloc(piece); /* reading past it is seen */
        memcpy(block, bytes + at, piece);
        int32_t code = idem_session_input(session, block, piece);
        free(block);
        at += piece;
        if (code != 0)
            break;
    }
    idem_session_tick(session, 60);
    idem_session_free(session);
    for (int i = 0; i < CALLS; i++)
        assert(calls[i].times == 1);
    return 0;
}
