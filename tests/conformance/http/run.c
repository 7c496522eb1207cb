/* SPDX-License-Identifier: Apache-2.0 */
/* run.c -- what every case is played with: its key and body, requests in the
 * background, and how many executions there were. */
#include "tests/conformance/http/http.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -------------------------------------------------------------- templates */

/* The value of a {word} that stands there, and how long the word is. */
static const char *word_at(const char *at, const http_words *words,
                           char *number, size_t number_cap, size_t *len) {
    const char *value = NULL;
    if (strncmp(at, "{uuid}", *len = 6) == 0)
        value = words->uuid;
    else if (strncmp(at, "{ms}", *len = 4) == 0) {
        snprintf(number, number_cap, "%u", words->ms);
        value = number;
    } else if (strncmp(at, "{n}", *len = 3) == 0)
        value = words->n;
    return value;
}

bool http_fill(char *to, size_t cap, const char *format,
               const http_words *words) {
    size_t at = 0, word_len;
    char number[16];
    while (*format != '\0') {
        const char *value =
            word_at(format, words, number, sizeof number, &word_len);
        size_t len = value != NULL ? strlen(value) : 1;
        if (len >= cap - at)
            return false;
        memcpy(to + at, value != NULL ? value : format, len);
        at += len;
        format += value != NULL ? word_len : 1;
    }
    to[at] = '\0';
    return true;
}

bool http_run_slow(http_run *run, uint32_t ms, char *to, size_t cap) {
    if (run->o->slow != NULL)
        return http_fill(to, cap, run->o->slow, &(http_words){.ms = ms});
    http_unjudged(run, "needs --slow, a header that makes the handler take "
                       "longer");
    return false;
}

/* --------------------------------------------------------------- verdicts */

static http_verdict say(http_run *run, http_verdict verdict, const char *format,
                        va_list args) {
    vsnprintf(run->text, sizeof run->text, format, args);
    return run->said = verdict;
}

http_verdict http_fail(http_run *run, const char *format, ...) {
    va_list args;
    va_start(args, format);
    http_verdict verdict = say(run, HTTP_FAILED, format, args);
    va_end(args);
    return verdict;
}

http_verdict http_unjudged(http_run *run, const char *format, ...) {
    va_list args;
    va_start(args, format);
    http_verdict verdict = say(run, HTTP_NOT_JUDGED, format, args);
    va_end(args);
    return verdict;
}

/* -------------------------------------------------------------- executions */

static bool read_count(http_run *run, long *count) {
    http_reply reply;
    char text[64] = "", *end = text;
    http_get(run->o, run->o->count_url, &reply);
    bool is_there = http_is_success(&reply) &&
                    http_json_at(reply.body, reply.body_bytes,
                                 run->o->count_pointer, text, sizeof text);
    errno = 0;
    *count = strtol(text, &end, 10);
    if (!is_there || errno != 0 || end == text || *end != '\0' || *count < 0) {
        http_unjudged(run, "--count %s: %s", run->o->count_url,
                      reply.status == 0 ? reply.error
                                        : "there is no number in its answer");
        is_there = false;
    }
    http_reply_fini(&reply);
    return is_there;
}

static void note_id(http_run *run, const http_reply *reply) {
    char id[sizeof run->ids[0]];
    if (run->o->id_pointer == NULL || !http_is_success(reply))
        return;
    if (!http_json_at(reply->body, reply->body_bytes, run->o->id_pointer, id,
                      sizeof id)) {
        run->id_missing = true;
        return;
    }
    for (size_t i = 0; i < run->ids_count; i++)
        if (strcmp(run->ids[i], id) == 0)
            return;
    if (run->ids_count < HTTP_ANSWERS_MAX)
        strcpy(run->ids[run->ids_count++], id);
}

long http_run_executions(http_run *run) {
    long count;
    if (run->o->count_url != NULL)
        return read_count(run, &count) && run->count_before >= 0
                   ? count - run->count_before
                   : -1;
    if (run->o->id_pointer == NULL)
        http_unjudged(run, "needs --count or --id to tell executions");
    else if (run->id_missing)
        http_unjudged(run, "--id %s: an answer has nothing there",
                      run->o->id_pointer);
    else
        return (long)run->ids_count;
    return -1;
}

http_verdict http_run_at_most(http_run *run, long executions_max,
                              const char *format, ...) {
    long executions = http_run_executions(run);
    if (executions < 0)
        return HTTP_NOT_JUDGED;
    if (executions <= executions_max)
        return HTTP_PASSED;
    va_list args;
    va_start(args, format);
    http_verdict verdict = say(run, HTTP_FAILED, format, args);
    va_end(args);
    return verdict;
}

/* ---------------------------------------------------------------- requests */

static http_ask resolve(const http_run *run, const http_ask *ask) {
    http_ask own = *ask;
    if (own.key == NULL)
        own.key = run->key;
    if (own.body == NULL)
        own.body = run->body;
    return own;
}

static bool is_answered(http_run *run, const http_reply *reply) {
    if (reply->status == 0)
        http_fail(run, "there was no answer: %s", reply->error);
    else
        note_id(run, reply);
    return reply->status != 0;
}

bool http_run_send(http_run *run, const http_ask *ask, http_reply *reply) {
    http_ask own = resolve(run, ask);
    http_send(run->o, &own, reply);
    return is_answered(run, reply);
}

struct http_flight {
    const http_options *o;
    http_ask ask;
    http_reply reply;
    atomic_bool is_over;
    pthread_t thread;
};

static void *fly(void *ctx) {
    http_flight *flight = ctx;
    http_send(flight->o, &flight->ask, &flight->reply);
    atomic_store(&flight->is_over, true);
    return NULL;
}

http_flight *http_flight_start(const http_run *run, const http_ask *ask) {
    http_flight *flight = calloc(1, sizeof *flight);
    if (flight != NULL) {
        flight->o = run->o;
        flight->ask = resolve(run, ask);
        if (pthread_create(&flight->thread, NULL, fly, flight) == 0)
            return flight;
    }
    perror("idemconform: a request in the background");
    abort();
}

bool http_flight_over(http_flight *flight) {
    return atomic_load(&flight->is_over);
}

bool http_flight_end(http_flight *flight, http_run *run, http_reply *reply) {
    pthread_join(flight->thread, NULL);
    *reply = flight->reply;
    free(flight);
    return is_answered(run, reply);
}

/* -------------------------------------------------------------------- play */

static bool prepare(http_run *run) {
    const http_options *o = run->o;
    http_uuid(run->uuid);
    http_words words = {.uuid = run->uuid, .n = "1"};
    if (!http_fill(run->key, sizeof run->key, o->key_format, &words) ||
        !http_fill(run->body, sizeof run->body, o->body, &words)) {
        http_unjudged(run, "the key or the body is too long");
        return false;
    }
    words.n = "2";
    if (strstr(o->body, "{n}") != NULL)
        http_fill(run->other_body, sizeof run->other_body, o->body, &words);
    run->count_before = -1;
    if (o->count_url != NULL && !read_count(run, &run->count_before))
        run->count_before = -1;
    return true;
}

http_verdict http_play(const http_options *o, const http_case *one,
                       char text[static HTTP_TEXT_CHARS]) {
    http_run run = {.o = o};
    http_verdict verdict = HTTP_NOT_JUDGED;
    if (prepare(&run))
        verdict = one->play(&run);
    snprintf(text, HTTP_TEXT_CHARS, "%s",
             verdict == HTTP_PASSED ? "" : run.text);
    return verdict;
}
