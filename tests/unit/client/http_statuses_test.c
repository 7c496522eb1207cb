/* SPDX-License-Identifier: Apache-2.0 */
/* http_statuses_test.c -- the table of statuses as data and the functions of
 * the library say the same, of every status there is and of some there are
 * not. */
#include "client/include/idemclient_http.h"
#include "tests/unit/client/vectors.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct {
    const char *name;
    int32_t origin;
} origins[] = {{"handler", IDEM_HTTP_HANDLER},
               {"before", IDEM_HTTP_BEFORE},
               {"retryable", IDEM_HTTP_RETRYABLE},
               {"unsent", IDEM_HTTP_UNSENT},
               {"lost", IDEM_HTTP_LOST}};
#define ORIGINS (sizeof origins / sizeof *origins)

static const struct {
    const char *name;
    int32_t fate;
} fates[] = {{"store", IDEM_HTTP_STORE},
             {"release", IDEM_HTTP_RELEASE},
             {"leave", IDEM_HTTP_LEAVE}};
#define FATES (sizeof fates / sizeof *fates)

static const cJSON *item(const cJSON *row, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(row, name);
}

static bool has_text(const cJSON *list, const char *text) {
    const cJSON *entry;
    cJSON_ArrayForEach(entry, list) {
        if (strcmp(cJSON_GetStringValue(entry), text) == 0)
            return true;
    }
    return false;
}

static bool has_number(const cJSON *list, int32_t number) {
    const cJSON *entry;
    cJSON_ArrayForEach(entry, list) {
        if (entry->valueint == number)
            return true;
    }
    return false;
}

static bool rule_fits(const cJSON *rule, const char *origin, int32_t status) {
    return (!item(rule, "origin") || has_text(item(rule, "origin"), origin)) &&
           (!item(rule, "status") ||
            has_number(item(rule, "status"), status)) &&
           (!item(rule, "from") || status >= item(rule, "from")->valueint) &&
           (!item(rule, "to") || status <= item(rule, "to")->valueint);
}

static int32_t fate_named(const char *name) {
    for (size_t i = 0; i < FATES; i++)
        if (strcmp(fates[i].name, name) == 0)
            return fates[i].fate;
    return 0;
}

static int32_t fate_of(const cJSON *rules, const char *origin, int32_t status,
                       int32_t on_error) {
    const cJSON *rule;
    cJSON_ArrayForEach(rule, rules) {
        if (!rule_fits(rule, origin, status))
            continue;
        const char *name = cJSON_GetStringValue(item(rule, "fate"));
        if (strcmp(name, "on_error") == 0)
            return on_error != 0 ? on_error : IDEM_HTTP_STORE;
        return fate_named(name);
    }
    return 0;
}

Test(http_statuses, the_table_and_the_library_agree_on_every_status) {
    cJSON *table = vectors_object("http_statuses.json");
    const cJSON *rules = item(table, "rules");
    static const int32_t errors[] = {0, IDEM_HTTP_STORE, IDEM_HTTP_RELEASE,
                                     IDEM_HTTP_LEAVE};
    cr_assert_eq(cJSON_GetArraySize(item(table, "origins")), ORIGINS);
    for (int32_t status = -1; status <= 700; status++)
        for (size_t i = 0; i < ORIGINS; i++)
            for (size_t k = 0; k < sizeof errors / sizeof *errors; k++)
                cr_assert_eq(
                    idem_http_fate(status, origins[i].origin, errors[k]),
                    fate_of(rules, origins[i].name, status, errors[k]),
                    "%d of %s, on_error %d", status, origins[i].name,
                    errors[k]);
    cJSON_Delete(table);
}

/* Read without the table, as the promise is told. */
Test(http_statuses, what_a_handler_answers_is_stored_and_what_came_before_not) {
    static const int32_t never[] = {401, 407, 408, 413, 415,
                                    421, 425, 429, 431};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        cr_assert_eq(idem_http_fate(never[i], IDEM_HTTP_HANDLER, 0),
                     IDEM_HTTP_RELEASE);
    static const int32_t stored[] = {200, 201, 204, 303, 400, 402, 403,
                                     404, 409, 422, 500, 502, 503, 599};
    for (size_t i = 0; i < sizeof stored / sizeof *stored; i++) {
        cr_assert_eq(idem_http_fate(stored[i], IDEM_HTTP_HANDLER, 0),
                     IDEM_HTTP_STORE);
        cr_assert_eq(idem_http_fate(stored[i], IDEM_HTTP_BEFORE, 0),
                     IDEM_HTTP_RELEASE);
    }
    cr_assert_eq(idem_http_fate(200, IDEM_HTTP_LOST, 0), IDEM_HTTP_LEAVE);
}

Test(http_statuses, what_is_none_of_ours_is_left) {
    cr_assert_eq(idem_http_fate(200, 0, 0), IDEM_HTTP_LEAVE);
    cr_assert_eq(idem_http_fate(200, IDEM_HTTP_STORE, 0), IDEM_HTTP_LEAVE);
    cr_assert_eq(idem_http_fate(500, IDEM_HTTP_HANDLER, 7), IDEM_HTTP_LEAVE);
    cr_assert_eq(idem_http_fate(200, IDEM_HTTP_HANDLER, 7), IDEM_HTTP_STORE);
}

/* ----------------------------------------------------------------- errors */

static const int32_t codes[] = {IDEM_OK,
#define X(name, code, assume, text) code,
                                IDEM_ERRORS(X)
#undef X
};
#define CODES (sizeof codes / sizeof *codes)

Test(http_statuses, open_lets_by_what_never_left_and_what_had_no_answer) {
    cJSON *table = vectors_object("http_statuses.json");
    const cJSON *open = item(table, "on_unavailable_open");
    int passing = 0;
    for (size_t i = 0; i < CODES; i++) {
        int32_t may = idem_http_may_pass(codes[i]);
        cr_assert_eq(may, has_text(open, idem_error_name(codes[i])), "%s",
                     idem_error_name(codes[i]));
        cr_assert(!may || idem_error_assume(codes[i]) != IDEM_ASSUME_REFUSED);
        passing += may;
    }
    cr_assert_eq(passing, cJSON_GetArraySize(open));
    cr_assert_eq(idem_http_may_pass(-7777), 0);
    cJSON_Delete(table);
}

static int status_in(const cJSON *errors, const char *name) {
    const cJSON *row;
    cJSON_ArrayForEach(row, errors) {
        const cJSON *names = item(row, "errors");
        if (cJSON_IsString(names) || has_text(names, name))
            return item(row, "status")->valueint;
    }
    return 0;
}

Test(http_statuses, each_outcome_and_each_error_is_what_the_table_says) {
    cJSON *table = vectors_object("http_statuses.json");
    const cJSON *row;
    unsigned outcomes = 0;
    idem_http http = IDEM_HTTP_INIT;
    idem_answer answer = IDEM_ANSWER_INIT;
    for (answer.outcome = IDEM_ACQUIRED; answer.outcome <= IDEM_LEFT;
         answer.outcome++)
        cJSON_ArrayForEach(row, item(table, "answers")) {
            const char *name = cJSON_GetStringValue(item(row, "outcome"));
            if (strcmp(name, idem_outcome_name(answer.outcome)) != 0)
                continue;
            outcomes++;
            cr_assert_eq(idem_http_from_answer(&answer, NULL, 0, &http), 0);
            cr_assert_eq(http.status, item(row, "status")->valueint, "%s",
                         name);
            cr_assert_eq(http.retry_after_s > 0,
                         cJSON_IsTrue(item(row, "retry_after")), "%s", name);
        }
    cr_assert_eq((int)outcomes, cJSON_GetArraySize(item(table, "answers")));
    for (size_t i = 1; i < CODES; i++) {
        idem_http_from_error(codes[i], NULL, 0, &http);
        cr_assert_eq(http.status, status_in(item(table, "errors"),
                                            idem_error_name(codes[i])));
    }
    cJSON_Delete(table);
}
