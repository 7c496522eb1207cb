/* SPDX-License-Identifier: Apache-2.0 */
/* sized_test.c -- a struct of another size than ours: of a shorter one nothing
 * behind its size is read or written, of a longer one what is set there is
 * refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "client/src/sized.h"
#include "tests/unit/client/script.h"

#define GUARD 0xA5
#define TAIL  64

static const idem__layout *const layouts[] = {
    &idem__args_layout,           &idem__answer_layout,
    &idem__error_layout,          &idem__info_layout,
    &idem__http_layout,           &idem__command_args_layout,
    &idem__command_answer_layout, &idem__replication_layout,
    &idem__status_layout,         &idem__http_answer_layout,
    &idem__http_request_layout,   &idem__tls_layout};
#define LAYOUTS (sizeof layouts / sizeof *layouts)

static uint8_t theirs[32768];
static uint8_t own[32768];

static void set_size(uint32_t size) {
    memcpy(theirs, &size, sizeof size);
}

Test(sized, every_layout_goes_from_the_size_to_the_last_field) {
    for (size_t i = 0; i < LAYOUTS; i++) {
        const idem__layout *at = layouts[i];
        cr_assert_eq(at->ends[0], sizeof(uint32_t), "%s", at->name);
        for (uint32_t k = 1; k < at->ends_count; k++)
            cr_assert_gt(at->ends[k], at->ends[k - 1], "%s", at->name);
        uint32_t last = at->ends[at->ends_count - 1];
        cr_assert_leq(last, at->bytes);
        cr_assert_lt(at->bytes - last, 8, "%s lacks a field", at->name);
    }
}

Test(sized, of_a_shorter_struct_only_whole_fields_are_written) {
    memset(own, 7, sizeof own);
    for (size_t i = 0; i < LAYOUTS; i++)
        for (uint32_t size = 4; size <= layouts[i]->bytes + TAIL; size++) {
            size_t inside = idem__sized_inside(layouts[i], size);
            cr_assert_leq(inside, size);
            memset(theirs, GUARD, size + TAIL);
            set_size(size);
            idem__sized_out(layouts[i], theirs, own);
            for (size_t at = 4; at < size + TAIL; at++)
                cr_assert_eq(theirs[at], at < inside ? 7 : GUARD);
        }
}

Test(sized, of_a_shorter_struct_only_whole_fields_are_read) {
    for (size_t i = 0; i < LAYOUTS; i++)
        for (uint32_t size = layouts[i]->least_bytes; size < layouts[i]->bytes;
             size++) {
            size_t inside = idem__sized_inside(layouts[i], size);
            memset(theirs, GUARD, sizeof theirs);
            memset(own, 7, sizeof own);
            set_size(size);
            cr_assert_eq(idem__sized_in(layouts[i], own, theirs, "x", NULL), 0);
            for (size_t at = 4; at < layouts[i]->bytes; at++)
                cr_assert_eq(own[at], at < inside ? GUARD : 0);
        }
}

Test(sized, of_a_longer_struct_what_is_set_there_is_refused) {
    idem_error err = IDEM_ERROR_INIT;
    for (size_t i = 0; i < LAYOUTS; i++) {
        uint32_t bytes = layouts[i]->bytes;
        memset(theirs, 0, sizeof theirs);
        set_size(bytes + TAIL);
        cr_assert_eq(idem__sized_in(layouts[i], own, theirs, "x", &err), 0);
        theirs[bytes + TAIL - 1] = 1;
        cr_assert_eq(idem__sized_in(layouts[i], own, theirs, "x", &err),
                     IDEM_E_ARGUMENT);
        cr_assert(strstr(err.text, "too old") != NULL, "%s", err.text);
    }
}

Test(sized, a_size_that_was_never_set_is_told_by_its_name) {
    static const uint32_t sizes[] = {0, 3, 4, 65537, UINT32_MAX};
    for (size_t i = 0; i < LAYOUTS; i++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            idem_error err = IDEM_ERROR_INIT;
            set_size(sizes[k]);
            cr_assert_eq(idem__sized_check(layouts[i], theirs, "it", &err),
                         IDEM_E_ARGUMENT);
            cr_assert(strstr(err.text, "it.size is ") != NULL, "%s", err.text);
            cr_assert(strstr(err.text, layouts[i]->name) != NULL);
        }
}

Test(sized, the_init_functions_zero_what_they_are_told_and_no_more) {
    memset(theirs, GUARD, sizeof theirs);
    idem_args_init((idem_args *)theirs, 100);
    for (size_t at = 4; at < 200; at++)
        cr_assert_eq(theirs[at], at < 100 ? 0 : GUARD);
    uint32_t size = 0;
    memcpy(&size, theirs, sizeof size);
    cr_assert_eq(size, 100);
    idem_args_init(NULL, 100);
    idem_args args, same = IDEM_ARGS_INIT;
    idem_args_init(&args, sizeof args);
    cr_assert_eq(memcmp(&args, &same, sizeof args), 0);
}

/* What a caller sees: each struct eight bytes shorter, in a real call. */
Test(sized, a_program_of_a_shorter_header_is_served) {
    script s = {.replies = {answer_with(fake_replay("points", 6))},
                .replies_count = 1};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_args args = args_of("k");
    idem_answer answer = IDEM_ANSWER_INIT;
    idem_info info = IDEM_INFO_INIT;
    args.size -= 8;
    answer.size -= 8;
    info.size -= 8;
    memset((uint8_t *)&answer + answer.size, GUARD, 8);
    memset((uint8_t *)&info + info.size, GUARD, 8);
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.outcome, IDEM_REPLAY);
    cr_assert_arr_eq(answer.result, "points", 6);
    cr_assert_eq(idem_client_info(client, 0, &info, NULL), 0);
    cr_assert_str_eq(info.role, "primary");
    for (int i = 0; i < 8; i++) {
        cr_assert_eq(((uint8_t *)&answer)[answer.size + (size_t)i], GUARD);
        cr_assert_eq(((uint8_t *)&info)[info.size + (size_t)i], GUARD);
    }
    idem_answer_fini(&answer);
    cr_assert_null(answer.memory);
    idem_error err = IDEM_ERROR_INIT;
    err.size -= 8;
    memset((uint8_t *)&err + err.size, GUARD, 8);
    args.key_len = 0;
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_ARGUMENT);
    cr_assert(strstr(err.text, "key is empty") != NULL, "%s", err.text);
    for (int i = 0; i < 8; i++)
        cr_assert_eq(((uint8_t *)&err)[err.size + (size_t)i], GUARD);
    idem_client_close(client);
    fake_stop(server);
}
