/* SPDX-License-Identifier: Apache-2.0 */
/* lookup.c -- see lookup.h. */
#include "client/src/lookup.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/src/mem.h"
#include "client/src/thread.h"

/* Threads of a process that wait for a resolver; each ends when that gives
 * up. */
#define JOBS_MAX 64

/* Shared by its thread and its owner; who lets go last frees it. */
struct lookup_job {
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool is_over;  /* under lock, as all that follows */
    bool is_alone; /* the other one has let go */
    int code;      /* of getaddrinfo */
    uint32_t count;
    idem__addr addrs[IDEM__ADDRS_MAX];
    pid_t pid; /* a child of fork has no such thread */
    char host[IDEM__HOST_BYTES_MAX];
    char port[8];
};

static _Atomic int jobs;

static uint32_t copy_addrs(const struct addrinfo *found, idem__addr *addrs) {
    uint32_t count = 0;
    for (; found != NULL && count < IDEM__ADDRS_MAX; found = found->ai_next) {
        if (found->ai_addrlen > sizeof addrs[0].storage)
            continue;
        memcpy(&addrs[count].storage, found->ai_addr, found->ai_addrlen);
        addrs[count++].len = found->ai_addrlen;
    }
    return count;
}

static int ask_resolver(const char *host, const char *port, int flags,
                        idem__addr addrs[IDEM__ADDRS_MAX], uint32_t *count) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV | flags};
    struct addrinfo *found = NULL;
    *count = 0;
    int code = getaddrinfo(host, port, &hints, &found);
    if (code == 0) {
        *count = copy_addrs(found, addrs);
        freeaddrinfo(found);
    }
    return code;
}

static void let_go_of_job(struct lookup_job *job) {
    pthread_mutex_lock(&job->lock);
    bool last = job->is_alone;
    job->is_alone = true;
    pthread_mutex_unlock(&job->lock);
    if (!last)
        return;
    pthread_cond_destroy(&job->over);
    pthread_mutex_destroy(&job->lock);
    idem__free(job);
}

static void *run_lookup_job(void *arg) {
    struct lookup_job *job = arg;
    idem__addr addrs[IDEM__ADDRS_MAX];
    uint32_t count = 0;
    int code = ask_resolver(job->host, job->port, 0, addrs, &count);
    pthread_mutex_lock(&job->lock);
    job->code = code;
    job->count = count;
    memcpy(job->addrs, addrs, count * sizeof addrs[0]);
    job->is_over = true;
    pthread_cond_signal(&job->over);
    pthread_mutex_unlock(&job->lock);
    let_go_of_job(job);
    atomic_fetch_sub(&jobs, 1);
    return NULL;
}

static struct lookup_job *begin_job(const idem__endpoint *endpoint,
                                    const char *port) {
    if (atomic_fetch_add(&jobs, 1) >= JOBS_MAX) {
        atomic_fetch_sub(&jobs, 1);
        return NULL;
    }
    struct lookup_job *job = idem__calloc(sizeof *job);
    if (job != NULL) {
        pthread_mutex_init(&job->lock, NULL);
        idem__cond_init(&job->over);
        job->pid = getpid();
        snprintf(job->host, sizeof job->host, "%s", endpoint->host);
        snprintf(job->port, sizeof job->port, "%s", port);
        if (idem__thread_start(NULL, run_lookup_job, job))
            return job;
        job->is_alone = true;
        let_go_of_job(job);
    }
    atomic_fetch_sub(&jobs, 1);
    return NULL;
}

static bool await_resolver(struct lookup_job *job, uint64_t deadline_ms) {
    int error = 0;
    pthread_mutex_lock(&job->lock);
    while (!job->is_over && error == 0)
        error = idem__cond_wait(&job->over, &job->lock, deadline_ms);
    bool is_over = job->is_over;
    pthread_mutex_unlock(&job->lock);
    return is_over;
}

void idem__lookup_drop(idem__lookup *lookup) {
    /* In a child of fork the thread is none, and its lock may be taken. */
    if (lookup->job != NULL && lookup->job->pid == getpid())
        let_go_of_job(lookup->job);
    lookup->job = NULL;
}

static bool is_for(const struct lookup_job *job, const idem__endpoint *endpoint,
                   const char *port) {
    return job->pid == getpid() && strcmp(job->host, endpoint->host) == 0 &&
           strcmp(job->port, port) == 0;
}

static uint32_t by_thread(idem__lookup *lookup, const idem__endpoint *endpoint,
                          const char *port, uint64_t deadline_ms,
                          idem__addr addrs[IDEM__ADDRS_MAX], const char **why) {
    if (lookup->job != NULL && !is_for(lookup->job, endpoint, port))
        idem__lookup_drop(lookup);
    if (lookup->job == NULL)
        lookup->job = begin_job(endpoint, port);
    *why = "no thread or no memory to look it up";
    if (lookup->job == NULL)
        return 0;
    *why = "the resolver has not answered yet";
    if (!await_resolver(lookup->job, deadline_ms))
        return 0;
    uint32_t count = lookup->job->count;
    *why =
        lookup->job->code != 0 ? gai_strerror(lookup->job->code) : "no address";
    memcpy(addrs, lookup->job->addrs, count * sizeof addrs[0]);
    idem__lookup_drop(lookup);
    return count;
}

static uint32_t unix_address(const idem__endpoint *endpoint, idem__addr *addr) {
    struct sockaddr_un *path = (struct sockaddr_un *)&addr->storage;
    size_t len = strlen(endpoint->host); /* the URI's grammar bounds it */
    memset(addr, 0, sizeof *addr);
    path->sun_family = AF_UNIX;
    memcpy(path->sun_path, endpoint->host, len);
    addr->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    return 1;
}

uint32_t idem__lookup_addrs(idem__lookup *lookup,
                            const idem__endpoint *endpoint,
                            uint64_t deadline_ms,
                            idem__addr addrs[IDEM__ADDRS_MAX],
                            const char **why) {
    if (endpoint->is_unix)
        return unix_address(endpoint, addrs);
    char port[8];
    uint32_t count = 0;
    snprintf(port, sizeof port, "%u", endpoint->port);
    if (ask_resolver(endpoint->host, port, AI_NUMERICHOST, addrs, &count) == 0)
        return count;
    return by_thread(lookup, endpoint, port, deadline_ms, addrs, why);
}

static bool same_addr(const idem__addr *one, const idem__addr *other) {
    return one->len == other->len &&
           memcmp(&one->storage, &other->storage, one->len) == 0;
}

void idem__addrs_prefer(idem__addr *addrs, uint32_t count,
                        const idem__addr *good) {
    for (uint32_t i = 1; i < count; i++) {
        if (!same_addr(&addrs[i], good))
            continue;
        addrs[i] = addrs[0];
        addrs[0] = *good;
        return;
    }
}
