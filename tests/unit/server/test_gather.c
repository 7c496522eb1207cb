/* SPDX-License-Identifier: Apache-2.0 */
/* test_gather.c -- requests that come alone on their connections are served
 * together, each once, in the order in which they were read. */
#include "server/line/gather.h"
#include "server/line/reader.h"
#include "tests/unit/server/harness.h"

#include <criterion/criterion.h>

#define CALLERS IDS_GATHERED_MAX

#define HEARS(c, text) cr_assert_str_eq(caller_hear(c), text)

static harness t;
static caller callers[CALLERS];

static ids_line *line(void) {
    return t.lines[0];
}

/* What came last on each of them was one request. */
static void open_all(void) {
    harness_plan(&t, 2);
    harness_open(&t);
    for (int i = 0; i < CALLERS; i++) {
        caller_open(&callers[i], &t, 0);
        ask_plain(&callers[i], 1, IDP_PING);
        HEARS(&callers[i], "1 pong");
    }
}

static void close_all(void) {
    for (int i = 0; i < CALLERS; i++)
        if (callers[i].conn)
            caller_close(&callers[i]);
    harness_run(&t);
    cr_assert_eq(t.workers[0]->buffers.bytes, 0);
    harness_close(&t);
}

TestSuite(gather, .init = open_all, .fini = close_all);

static bool gather_bytes(caller *c, const uint8_t *bytes, size_t len) {
    uint8_t *room = ids_gather_room(line(), c->conn);
    cr_assert_not_null(room);
    memcpy(room, bytes, len);
    return ids_gather_take(line(), c->conn, len);
}

static bool gather_acquire(caller *c, uint32_t msgid, const char *key) {
    uint8_t bytes[512];
    return gather_bytes(c, bytes, put_acquire(bytes, msgid, key, 0));
}

static void serve(void) {
    ids_reader_serve_gathered(line());
    harness_run(&t);
}

Test(gather, those_that_were_read_first_are_served_first) {
    const char *key = key_of(&t, 0, 0);
    for (int i = 0; i < CALLERS; i++)
        cr_assert(gather_acquire(&callers[CALLERS - 1 - i], 7, key));
    cr_assert(ids_gather_is_full(&line()->gather));
    HEARS(&callers[CALLERS - 1], "nothing");
    serve();
    HEARS(&callers[CALLERS - 1], "7 acquired");
    for (int i = 0; i < CALLERS - 1; i++)
        HEARS(&callers[i], "7 in_progress");
}

Test(gather, another_loops_key_goes_there) {
    cr_assert(gather_acquire(&callers[0], 7, key_of(&t, 1, 0)));
    cr_assert(gather_acquire(&callers[1], 8, key_of(&t, 0, 0)));
    serve();
    HEARS(&callers[0], "7 acquired");
    HEARS(&callers[1], "8 acquired");
}

Test(gather, one_that_stands_there_is_read_no_further) {
    cr_assert(gather_acquire(&callers[0], 7, key_of(&t, 0, 0)));
    cr_assert_null(ids_gather_room(line(), callers[0].conn));
    serve();
    cr_assert_not_null(ids_gather_room(line(), callers[0].conn));
}

Test(gather, a_pipeline_and_a_part_are_the_readers) {
    uint8_t bytes[1024];
    size_t one = put_acquire(bytes, 7, key_of(&t, 0, 0), 0);
    size_t two = one + put_acquire(bytes + one, 8, key_of(&t, 0, 0), 0);
    cr_assert_not(gather_bytes(&callers[0], bytes, two));
    ids_reader_input(line(), callers[0].conn, two);
    harness_run(&t);
    HEARS(&callers[0], "7 acquired");
    HEARS(&callers[0], "8 in_progress");
    cr_assert_null(ids_gather_room(line(), callers[0].conn));
    cr_assert_not(gather_bytes(&callers[1], bytes, one - 1));
    ids_reader_input(line(), callers[1].conn, one - 1);
    cr_assert_null(ids_gather_room(line(), callers[1].conn));
    caller_send(&callers[1], bytes + one - 1, 1);
    HEARS(&callers[1], "7 in_progress");
    cr_assert_eq(line()->gather.count, 0);
}

Test(gather, what_a_connection_asked_that_goes_is_not_served) {
    cr_assert(gather_acquire(&callers[0], 7, key_of(&t, 0, 0)));
    cr_assert(gather_acquire(&callers[1], 8, key_of(&t, 0, 0)));
    caller_close(&callers[0]);
    serve();
    HEARS(&callers[1], "8 acquired");
}

Test(gather, what_finds_no_room_is_kept_and_served_later) {
    callers[0].takes = 0;
    cr_assert(gather_acquire(&callers[0], 7, key_of(&t, 0, 0)));
    t.workers[0]->gate.full = true;
    serve();
    cr_assert(ids_conn_is_stalled(callers[0].conn));
    cr_assert_null(ids_gather_room(line(), callers[0].conn));
    t.workers[0]->gate.full = false;
    callers[0].takes = SIZE_MAX;
    ids_reader_resume(line(), callers[0].conn);
    harness_run(&t);
    HEARS(&callers[0], "7 acquired");
    HEARS(&callers[0], "nothing");
}
