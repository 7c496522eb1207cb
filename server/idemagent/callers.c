/* SPDX-License-Identifier: Apache-2.0 */
/* callers.c -- see callers.h. */
#include "server/idemagent/callers.h"

#include "server/idemagent/exchange.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    CALLERS_MAX = 2 * (2 * IDS_GROUP_NODES_MAX),
    QUEUE_MAX = 4,
    ANSWERS_MAX = 64,
    TELL_MS = 8000, /* a decision on a slow disk */
    URI_BYTES = 2048,
    STACK_BYTES = 512 * 1024
};

/* A thread, its connection, what it is to ask next. Questions and commands to
 * one node go by two of them: an answer must not wait for a disk. */
typedef struct caller {
    ida_callers *all;
    ids_endpoint to;
    bool tells;
    bool looked_at; /* what its node said unasked, since it was last asked */
    pthread_t thread;
    ida_line *line;
    ids_agent_act queue[QUEUE_MAX];
    uint32_t queued;
} caller;

struct ida_callers {
    const ida_config *config;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t more;
    bool ends;
    int fd;
    caller callers[CALLERS_MAX];
    uint32_t caller_count;
    ida_called answers[ANSWERS_MAX];
    uint32_t answer_count;
};

/* --- a thread ------------------------------------------------------------- */

static void hand_back_answer(ida_callers *all, const ida_called *called) {
    uint64_t one = 1;
    if (all->answer_count < ANSWERS_MAX) /* else it is late, and so is lost */
        all->answers[all->answer_count++] = *called;
    (void)!write(all->fd, &one, sizeof one);
}

static void carry_out_act(caller *c, const ids_agent_act *act,
                          ida_called *called) {
    *called = (ida_called){.kind = act->kind, .call = act->call, .to = act->to};
    if (!c->line)
        snprintf(called->why, sizeof called->why, "no memory");
    else if (c->tells)
        ida_line_tell(c->line, act, called, TELL_MS);
    else
        ida_line_ask(c->line, called, IDS_AGENT_CALL_MS);
}

static void *run_caller(void *ctx) {
    caller *c = ctx;
    ida_callers *all = c->all;
    pthread_mutex_lock(&all->lock);
    for (;;) {
        while (c->queued == 0 && !all->ends)
            pthread_cond_wait(&all->more, &all->lock);
        if (all->ends)
            break;
        const ids_agent_act act = c->queue[0];
        pthread_mutex_unlock(&all->lock);
        ida_called called;
        carry_out_act(c, &act, &called);
        pthread_mutex_lock(&all->lock);
        c->queued--;
        memmove(c->queue, c->queue + 1, c->queued * sizeof *c->queue);
        hand_back_answer(all, &called);
    }
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

/* --- who is asked --------------------------------------------------------- */

static size_t put_option(char *uri, size_t at, const char *name,
                         const char *value) {
    if (!value)
        return at;
    return at + (size_t)snprintf(uri + at, at < URI_BYTES ? URI_BYTES - at : 0,
                                 "%c%s=%s", strchr(uri, '?') ? '&' : '?', name,
                                 value);
}

static ida_line *line_to(const ida_config *config, const ids_endpoint *to) {
    char uri[URI_BYTES];
    size_t at = (size_t)snprintf(
        uri, sizeof uri, "%s://%s", config->tls ? "idems" : "idem",
        ids_endpoint_is_set(to) ? to->text : config->server);
    at = put_option(uri, at, "secret_file", config->secret_file);
    at = put_option(uri, at, "client", "idemagent");
    if (config->tls) {
        at = put_option(uri, at, "ca", config->tls_ca);
        at = put_option(uri, at, "cert", config->tls_cert);
        at = put_option(uri, at, "key", config->tls_key);
        at = put_option(uri, at, "server_name", config->tls_server_name);
    }
    return at < sizeof uri ? ida_line_new(uri) : NULL;
}

static caller *begin_caller(ida_callers *all, const ids_endpoint *to,
                            bool tells) {
    caller *c = &all->callers[all->caller_count];
    pthread_attr_t attr;
    *c = (caller){.all = all,
                  .to = *to,
                  .tells = tells,
                  .line = line_to(all->config, to)};
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    bool good = pthread_create(&c->thread, &attr, run_caller, c) == 0;
    pthread_attr_destroy(&attr);
    if (!good) {
        ida_line_free(c->line);
        return NULL;
    }
    all->caller_count++;
    return c;
}

static caller *caller_of(ida_callers *all, const ids_endpoint *to, bool tells) {
    for (uint32_t i = 0; i < all->caller_count; i++) {
        caller *c = &all->callers[i];
        if (c->tells == tells && strcmp(c->to.text, to->text) == 0)
            return c;
    }
    /* A node that moves has another address; so many do not. */
    return all->caller_count < CALLERS_MAX ? begin_caller(all, to, tells)
                                           : NULL;
}

static bool is_same_act(const ids_agent_act *a, const ids_agent_act *b) {
    return a->kind == b->kind && a->kind != IDS_AGENT_ASK && a->rev == b->rev &&
           a->group.epoch == b->group.epoch &&
           strcmp(a->member.node.text, b->member.node.text) == 0 &&
           a->member.incarnation == b->member.incarnation;
}

static bool is_queued(const caller *c, const ids_agent_act *act) {
    for (uint32_t i = 0; i < c->queued; i++)
        if (is_same_act(&c->queue[i], act))
            return true;
    return false;
}

void ida_callers_ask(ida_callers *all, const ids_agent_act *act) {
    pthread_mutex_lock(&all->lock);
    caller *c = caller_of(all, &act->to, act->kind != IDS_AGENT_ASK);
    if (c && is_queued(c, act)) {
        pthread_mutex_unlock(&all->lock);
        return;
    }
    if (!c || c->queued == QUEUE_MAX) {
        const ida_called lost = {.kind = act->kind,
                                 .call = act->call,
                                 .to = act->to,
                                 .why = "it has not answered what it was asked "
                                        "before"};
        hand_back_answer(all, &lost);
    } else {
        c->queue[c->queued++] = *act;
        c->looked_at = false;
        pthread_cond_broadcast(&all->more);
    }
    pthread_mutex_unlock(&all->lock);
}

int ida_callers_fd(const ida_callers *all) {
    return all->fd;
}

bool ida_callers_next(ida_callers *all, ida_called *called) {
    uint64_t count;
    pthread_mutex_lock(&all->lock);
    bool any = all->answer_count > 0;
    if (any) {
        *called = all->answers[0];
        all->answer_count--;
        memmove(all->answers, all->answers + 1,
                all->answer_count * sizeof *all->answers);
    } else
        (void)!read(all->fd, &count, sizeof count);
    pthread_mutex_unlock(&all->lock);
    return any;
}

/* --- who hangs up --------------------------------------------------------- */

/* Its thread touches its line only while something is queued. */
static int idle_fd(const caller *c) {
    bool other = ids_endpoint_is_set(&c->to);
    return c->tells || !other || c->queued > 0 || c->looked_at || !c->line
               ? -1
               : ida_line_fd(c->line);
}

size_t ida_callers_idle(ida_callers *all, int fds[IDA_CALLERS_IDLE_MAX]) {
    size_t count = 0;
    pthread_mutex_lock(&all->lock);
    for (uint32_t i = 0; i < all->caller_count; i++) {
        int fd = idle_fd(&all->callers[i]);
        if (fd >= 0 && count < IDA_CALLERS_IDLE_MAX)
            fds[count++] = fd;
    }
    pthread_mutex_unlock(&all->lock);
    return count;
}

/* A node may say something unasked, as a ticket of TLS: that is for the next
 * question, and not looked at again before it. */
bool ida_callers_hung_up(ida_callers *all) {
    bool any = false;
    pthread_mutex_lock(&all->lock);
    for (uint32_t i = 0; i < all->caller_count; i++) {
        caller *c = &all->callers[i];
        struct pollfd look = {.fd = idle_fd(c), .events = POLLIN | POLLRDHUP};
        if (look.fd < 0 || poll(&look, 1, 0) != 1)
            continue;
        c->looked_at = true;
        any = any || (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
    }
    pthread_mutex_unlock(&all->lock);
    return any;
}

/* --- all of them ---------------------------------------------------------- */

ida_callers *ida_callers_new(const ida_config *config) {
    ida_callers *all = calloc(1, sizeof *all);
    if (!all)
        return NULL;
    all->config = config;
    all->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (all->fd < 0) {
        free(all);
        return NULL;
    }
    pthread_mutex_init(&all->lock, NULL);
    pthread_cond_init(&all->more, NULL);
    return all;
}

void ida_callers_free(ida_callers *all) {
    if (!all)
        return;
    pthread_mutex_lock(&all->lock);
    all->ends = true;
    pthread_cond_broadcast(&all->more);
    pthread_mutex_unlock(&all->lock);
    for (uint32_t i = 0; i < all->caller_count; i++) {
        pthread_join(all->callers[i].thread, NULL);
        ida_line_free(all->callers[i].line);
    }
    pthread_mutex_destroy(&all->lock);
    pthread_cond_destroy(&all->more);
    close(all->fd);
    free(all);
}
