/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c -- many connections that want the same keys, and behave badly.
 *
 * A winner completes, releases, renews first, dies (says nothing and lets its
 * lease run out) or comes back too late. The judge reads what is heard.
 * One thread: what it has heard before it asks is certain. */
#include "bench/verify.h"
#include "bench/load.h"
#include "bench/recorder.h"
#include "proto/reply.h"
#include "proto/request.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_BYTES (64u * 1024)

typedef enum mood { ASKS, WAITS } mood;

typedef struct actor {
    idb_ask ask;
    mood mood;
    uint64_t until_ns; /* WAITS: then `next` is sent, or a new ask */
    idp_method next;   /* IDP_ACQUIRE: nothing more about this key */
} actor;

typedef struct line {
    idb_wire wire;
    uint32_t number;
    size_t have, out_len;
    uint8_t *in, *out;
    actor *actors;
} line;

typedef struct stage {
    const idb_options *options;
    idb_work work;
    idb_recorder *recorder;
    idb_rng rng;
    line *lines;
    uint32_t count, actors;
    size_t request_max, reply_max;
    uint8_t *result;
    int epoll;
    const char *failed;
} stage;

static void request_put(stage *s, line *l, uint32_t number) {
    uint8_t key[IDB_KEY_BYTES_MAX], print[IDB_FINGERPRINT_BYTES_MAX];
    actor *a = &l->actors[number];
    const idb_work *work = &s->work;
    idb_key_write(work, a->ask.number, key);
    idp_request request = {.method = a->ask.method,
                           .msgid = number,
                           .ns = {key, 0},
                           .key = {key, work->key_bytes},
                           .token = a->ask.token};
    if (a->ask.method == IDP_ACQUIRE) {
        idb_fingerprint_write(work, a->ask.number, a->ask.other_body, print);
        request.fingerprint = (idp_slice){print, work->fingerprint_bytes};
        request.ttl_ms = work->ttl_ms;
    }
    if (a->ask.method == IDP_ACQUIRE || a->ask.method == IDP_RENEW)
        request.lease_ms = work->lease_ms;
    if (a->ask.method == IDP_COMPLETE) {
        idb_recorder_result(s->recorder, &a->ask, s->result);
        request.result = (idp_slice){s->result, work->result_bytes};
    }
    l->out_len +=
        idp_request_write(l->out + l->out_len, s->request_max, &request);
    a->mood = ASKS;
}

static void ask_next(stage *s, line *l, uint32_t number, uint64_t now_ns) {
    actor *a = &l->actors[number];
    a->ask.asker = l->number * s->actors + number + 1;
    idb_recorder_ask(s->recorder, now_ns, &a->ask);
    request_put(s, l, number);
}

static void say_request(stage *s, line *l, uint32_t number, idp_method method,
                        uint64_t now_ns) {
    actor *a = &l->actors[number];
    a->ask.method = method;
    a->ask.sent_ns = now_ns;
    idb_recorder_sent(s->recorder, &a->ask);
    request_put(s, l, number);
}

/* What a winner does with its claim. */
static void won(stage *s, line *l, uint32_t number, uint64_t now_ns) {
    actor *a = &l->actors[number];
    uint64_t lease_ns = s->work.lease_ms * IDB_NS_PER_MS;
    uint64_t dice = idb_rng_below(&s->rng, 100);
    if (dice < 50)
        say_request(s, l, number, IDP_COMPLETE, now_ns);
    else if (dice < 70)
        say_request(s, l, number, IDP_RELEASE, now_ns);
    else if (dice < 80)
        say_request(s, l, number, IDP_RENEW, now_ns);
    else {
        /* Works for a while, dies, or comes back too late. */
        a->mood = WAITS;
        a->next = dice < 90 || dice >= 95 ? IDP_COMPLETE : IDP_ACQUIRE;
        a->until_ns = now_ns + (dice < 90 ? lease_ns / 20 : lease_ns * 5 / 4);
    }
}

/* False: a promise is broken. */
static bool heard(stage *s, line *l, uint32_t number, uint64_t now_ns,
                  const idp_answer *answer) {
    actor *a = &l->actors[number];
    if (a->ask.method == IDP_ACQUIRE &&
        answer->outcome == IDP_OUTCOME_ACQUIRED && a->ask.key != IDB_KEY_OLD &&
        answer->attempt < IDB_ATTEMPTS_MAX) {
        a->ask.attempt = answer->attempt;
        a->ask.token = answer->token;
        won(s, l, number, now_ns);
        return true;
    }
    if (a->ask.method == IDP_RENEW && answer->outcome == IDP_OUTCOME_RENEWED) {
        say_request(s, l, number, IDP_COMPLETE, now_ns);
        return true;
    }
    bool kept = idb_recorder_drop(s->recorder, &a->ask);
    ask_next(s, l, number, now_ns);
    return kept;
}

/* One reply: false when a promise is broken or it is no reply. */
static bool reply_take(stage *s, line *l, uint64_t now_ns,
                       const idp_reply *reply) {
    idp_answer answer;
    char text[128];
    if (reply->msgid >= s->actors || l->actors[reply->msgid].mood != ASKS) {
        s->failed = "a reply to what was not asked";
        return false;
    }
    actor *a = &l->actors[reply->msgid];
    if (reply->is_error) {
        snprintf(text, sizeof text, "%.*s", (int)reply->text.len,
                 (const char *)reply->text.ptr);
        return idb_recorder_error(s->recorder, now_ns, &a->ask, text);
    }
    if (!idp_answer_read(a->ask.method, reply->result, &answer))
        return idb_recorder_error(s->recorder, now_ns, &a->ask,
                                  "(its reply cannot be read)");
    if (!idb_recorder_hear(s->recorder, now_ns, &a->ask, &answer))
        return false;
    return heard(s, l, reply->msgid, now_ns, &answer);
}

static bool flush_line(stage *s, line *l) {
    if (!idb_wire_send(&l->wire, l->out, l->out_len)) {
        s->failed = idb_wire_why(&l->wire, "a connection was lost");
        return false;
    }
    l->out_len = 0;
    return true;
}

static bool readable(stage *s, line *l) {
    size_t at = 0;
    ssize_t got = idb_wire_take(&l->wire, l->in + l->have,
                                IN_BYTES + s->reply_max - l->have);
    if (got < 0 && (errno == EAGAIN || errno == EINTR || errno == EINPROGRESS))
        return true;
    if (got <= 0) {
        s->failed = idb_wire_why(&l->wire, "the server closed a connection");
        return false;
    }
    l->have += (size_t)got;
    uint64_t now_ns = idb_now_ns();
    for (;;) {
        idp_reply reply;
        size_t frame;
        idp_reply_read_status status = idp_reply_open(
            l->in + at, l->have - at, s->reply_max, &reply, &frame);
        if (status == IDP_REPLY_PARTIAL)
            break;
        if (status == IDP_REPLY_BROKEN) {
            s->failed = "the server sent what is no reply";
            return false;
        }
        if (!reply_take(s, l, now_ns, &reply))
            return false;
        at += frame;
    }
    memmove(l->in, l->in + at, l->have - at);
    l->have -= at;
    return flush_line(s, l);
}

static bool waiters_wake(stage *s, uint64_t now_ns) {
    for (uint32_t i = 0; i < s->count; i++) {
        line *l = &s->lines[i];
        for (uint32_t k = 0; k < s->actors; k++) {
            actor *a = &l->actors[k];
            if (a->mood != WAITS || now_ns < a->until_ns)
                continue;
            if (a->next == IDP_ACQUIRE) {
                if (!idb_recorder_drop(s->recorder, &a->ask))
                    return false;
                ask_next(s, l, k, now_ns);
            } else {
                say_request(s, l, k, a->next, now_ns);
            }
        }
        if (l->out_len > 0 && !flush_line(s, l))
            return false;
    }
    return true;
}

static bool play(stage *s) {
    struct epoll_event events[64];
    uint64_t end_ns = idb_now_ns() + (uint64_t)(s->options->duration_s * 1e9);
    for (uint64_t woken_ns = 0;;) {
        uint64_t now_ns = idb_now_ns();
        if (now_ns > end_ns)
            return idb_recorder_end(s->recorder);
        if (now_ns > woken_ns + IDB_NS_PER_MS) {
            if (!waiters_wake(s, now_ns))
                return false;
            woken_ns = now_ns;
        }
        int n = epoll_wait(s->epoll, events, 64, 1);
        for (int i = 0; i < n; i++)
            if (!readable(s, events[i].data.ptr))
                return false;
    }
}

static const char *line_open(stage *s, line *l, const idb_endpoint *server) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = l};
    const char *failed = idb_wire_open(&l->wire, server);
    if (failed)
        return failed;
    l->in = malloc(IN_BYTES + s->reply_max);
    l->out = malloc(s->request_max * (s->actors + 1));
    l->actors = calloc(s->actors, sizeof *l->actors);
    if (!l->in || !l->out || !l->actors)
        return "out of memory";
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, l->wire.fd, &event) != 0)
        return "epoll_ctl failed";
    for (uint32_t k = 0; k < s->actors; k++)
        ask_next(s, l, k, idb_now_ns());
    return flush_line(s, l) ? NULL : s->failed;
}

static void stage_close(stage *s) {
    for (uint32_t i = 0; s->lines && i < s->count; i++) {
        line *l = &s->lines[i];
        idb_wire_close(&l->wire);
        free(l->in);
        free(l->out);
        free(l->actors);
    }
    if (s->epoll >= 0)
        close(s->epoll);
    free(s->lines);
    free(s->result);
}

static const char *stage_open(stage *s, const idb_plan *plan) {
    s->count = plan->connections;
    s->actors = plan->pipeline;
    s->request_max = 256 + plan->target->request_bytes_max(&s->work);
    s->reply_max = idp_reply_bytes_max(s->work.result_bytes);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->lines = calloc(s->count, sizeof *s->lines);
    s->result = malloc(s->work.result_bytes + 1);
    if (s->epoll < 0 || !s->lines || !s->result)
        return "out of memory";
    for (uint32_t i = 0; i < s->count; i++) {
        s->lines[i].wire.fd = -1;
        s->lines[i].number = i;
    }
    const char *failed = NULL;
    for (uint32_t i = 0; i < s->count && !failed; i++)
        failed = line_open(s, &s->lines[i], &plan->server);
    return failed;
}

static void tally_tell(const idb_tally *t, double seconds) {
    printf("verified %.1f s: %lu answers on %lu keys; %lu grants (%lu took "
           "over), %lu completes,\n%lu releases, %lu stale; %lu replays "
           "compared, %lu more of retired keys; %lu in progress, %lu "
           "mismatches.\n",
           seconds, (unsigned long)t->answers, (unsigned long)t->keys,
           (unsigned long)t->grants, (unsigned long)t->takeovers,
           (unsigned long)t->completes, (unsigned long)t->releases,
           (unsigned long)t->stales, (unsigned long)t->replays,
           (unsigned long)t->old_replays, (unsigned long)t->in_progress,
           (unsigned long)t->mismatches);
    if (t->undecided)
        printf("%lu keys had too many calls at a time to try every order of "
               "them: fewer connections,\nor a smaller --pipeline, or more "
               "--verify-keys.\n",
               (unsigned long)t->undecided);
    puts("No promise was broken.");
}

static const char *perform_verify(void *ctx, idb_plan *plan) {
    stage s = {.options = ctx, .work = plan->work, .epoll = -1};
    uint64_t start_ns = idb_now_ns();
    s.rng.state = plan->work.seed;
    s.recorder = idb_recorder_new(&s.work, s.options->verify_keys,
                                  plan->work.seed ^ 0x1ed9e7u, start_ns);
    const char *failed = "out of memory";
    bool kept = false;
    if (s.recorder) {
        failed = stage_open(&s, plan);
        kept = !failed && play(&s);
        if (!failed)
            failed = s.failed;
    }
    if (kept) {
        tally_tell(idb_recorder_tally(s.recorder),
                   (double)(idb_now_ns() - start_ns) / 1e9);
    } else if (!failed) {
        idb_recorder_tell(s.recorder, stdout);
        failed = "a promise is broken";
    }
    fflush(stdout);
    failed = idb_text_kept(failed);
    stage_close(&s);
    idb_recorder_free(s.recorder);
    return failed;
}

int idb_verify(const idb_options *options) {
    const idb_spec *spec = &options->specs[0];
    if (options->spec_count != 1 || strcmp(spec->target->name, "idem") != 0) {
        fprintf(stderr, "idembench: --verify takes one idem target\n");
        return IDB_EXIT_USAGE;
    }
    /* It sends before it reads: what is under way must fit a socket. */
    if ((uint64_t)options->work.result_bytes * options->pipeline > 64 * 1024) {
        fprintf(stderr, "idembench: --verify wants --result-bytes times "
                        "--pipeline to stay below 64 KiB\n");
        return IDB_EXIT_USAGE;
    }
    if (options->work.result_bytes < 8) {
        fprintf(stderr, "idembench: --verify wants --result-bytes of 8 or "
                        "more, to tell results apart\n");
        return IDB_EXIT_USAGE;
    }
    idb_options own = *options;
    return idb_with_server(options, spec, perform_verify, &own);
}
