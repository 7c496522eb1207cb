/* SPDX-License-Identifier: Apache-2.0 */
/* web_stream.c -- see the header. Between the handler and whoever sends there
 * is a queue; a client that reads slowly makes the handler wait. */
#include "client/examples/web_stream.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_BYTES (64 * 1024)

struct web_stream {
    web_handler *handler;
    void *ctx;
    web_request request;
    web_answer answer;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* anything below */
    size_t queue_bytes;
    bool has_piece; /* the first one is there, or was */
    bool is_over;   /* the handler has returned */
    bool is_left;   /* nobody reads any more */
    char queue[QUEUE_BYTES];
};

static void *run(void *ctx) {
    web_stream *s = ctx;
    s->handler(s->ctx, &s->request, &s->answer);
    pthread_mutex_lock(&s->lock);
    s->is_over = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

web_stream *web_stream_start(web_handler *handler, void *ctx,
                             const web_request *request) {
    web_stream *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->handler = handler;
    s->ctx = ctx;
    s->request = *request;
    s->answer.stream = s;
    s->answer.keep_bytes_max = SIZE_MAX;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    if (pthread_create(&s->thread, NULL, run, s) == 0)
        return s;
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return NULL;
}

const web_answer *web_stream_answer(web_stream *s) {
    pthread_mutex_lock(&s->lock);
    while (!s->has_piece && !s->is_over)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
    return &s->answer;
}

/* One that fits into the queue. */
static void put_piece(web_stream *s, const char *bytes, size_t len) {
    pthread_mutex_lock(&s->lock);
    s->has_piece = true;
    pthread_cond_broadcast(&s->changed);
    while (!s->is_left && len > QUEUE_BYTES - s->queue_bytes)
        pthread_cond_wait(&s->changed, &s->lock);
    if (!s->is_left) {
        memcpy(s->queue + s->queue_bytes, bytes, len);
        s->queue_bytes += len;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
}

/* What is kept of it, for later askers. */
static void keep_piece(web_answer *answer, const void *bytes, size_t len) {
    if (answer->is_cut || len > answer->keep_bytes_max - answer->body_bytes) {
        answer->is_cut = true;
        return;
    }
    char *longer = realloc(answer->body, answer->body_bytes + len + 1);
    if (longer == NULL) {
        answer->is_cut = true;
        return;
    }
    memcpy(longer + answer->body_bytes, bytes, len);
    answer->body = longer;
    answer->body_bytes += len;
}

void web_answer_piece(web_answer *answer, const void *bytes, size_t len) {
    const char *at = bytes;
    keep_piece(answer, bytes, len);
    answer->is_streamed = true;
    while (len > 0) {
        size_t part = len < QUEUE_BYTES ? len : QUEUE_BYTES;
        put_piece(answer->stream, at, part);
        at += part;
        len -= part;
    }
}

ssize_t web_stream_read(web_stream *s, char *to, size_t max) {
    pthread_mutex_lock(&s->lock);
    while (s->queue_bytes == 0 && !s->is_over)
        pthread_cond_wait(&s->changed, &s->lock);
    size_t len = s->queue_bytes < max ? s->queue_bytes : max;
    bool has_failed = len == 0 && s->answer.is_broken;
    memcpy(to, s->queue, len);
    s->queue_bytes -= len;
    memmove(s->queue, s->queue + len, s->queue_bytes);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return has_failed ? -1 : (ssize_t)len;
}

void web_stream_end(web_stream *s) {
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    s->is_left = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    web_answer_fini(&s->answer);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
