/* SPDX-License-Identifier: Apache-2.0 */
/* failover.c -- a pair, with the same and with other thread counts: what was
 * acknowledged survives the loss of either machine.
 *
 *   failover IDEMSTORED */
#include "tests/e2e/pair.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

enum { BEFORE = 3000, WORKERS = 4, JOBS_MAX = 20000, REFUSED = 16 };

/* --- jobs ----------------------------------------------------------------- */

/* One client: whole jobs, one after the other, until its server is gone. */
typedef struct worker {
    pthread_t thread;
    const char *name;
    unsigned crew; /* keys of different crews are different */
    uint16_t port;
    unsigned done;    /* jobs of which every reply came */
    bool is_open;     /* the next one was granted, and not completed */
    idp_token token;  /* by this */
    int error;        /* what it heard last */
    atomic_uint seen; /* done, for those who watch */
    atomic_bool stop;
} worker;

static void key_of(const worker *who, unsigned job, char *key, size_t cap) {
    snprintf(key, cap, "%s-%u-%u", who->name, who->crew, job);
}

static bool one_job(worker *who, wire *w) {
    char key[64];
    idp_answer answer;
    key_of(who, who->done, key, sizeof key);
    idp_request ask = ask_acquire(key, 600000, 600000);
    who->error = wire_call(w, &ask, &answer);
    if (who->error != IDP_OK)
        return false;
    CHECK(answer.outcome == IDP_OUTCOME_ACQUIRED, "%s: outcome %d", key,
          (int)answer.outcome);
    who->token = answer.token;
    who->is_open = true;
    ask = ask_complete(key, who->token, key);
    who->error = wire_call(w, &ask, &answer);
    if (who->error != IDP_OK)
        return false;
    CHECK(answer.outcome == IDP_OUTCOME_COMPLETED, "%s: outcome %d", key,
          (int)answer.outcome);
    who->is_open = false;
    who->done++;
    atomic_store(&who->seen, who->done);
    return true;
}

static void *work(void *ctx) {
    worker *who = ctx;
    wire w;
    if (!wire_open(&w, who->port))
        return NULL;
    while (!atomic_load(&who->stop) && who->done < JOBS_MAX && one_job(who, &w))
        e2e_sleep_ms(1);
    wire_close(&w);
    return NULL;
}

static const char *const names[WORKERS] = {"ann", "bob", "cid", "dan"};

static void begin(worker *crew, const pair_node *at) {
    static unsigned crews;
    crews++;
    for (int i = 0; i < WORKERS; i++) {
        crew[i] = (worker){.name = names[i], .crew = crews, .port = at->port};
        CHECK(pthread_create(&crew[i].thread, NULL, work, &crew[i]) == 0,
              "no thread");
    }
}

static void await_progress(worker *crew, unsigned jobs) {
    for (int i = 0; i < WORKERS; i++) {
        unsigned goal = atomic_load(&crew[i].seen) + jobs;
        uint64_t until_ms = e2e_now_ms() + 30000;
        while (atomic_load(&crew[i].seen) < goal) {
            CHECK(e2e_now_ms() < until_ms, "%s did %u and heard %d",
                  crew[i].name, crew[i].done, crew[i].error);
            e2e_sleep_ms(5);
        }
    }
}

static void join(worker *crew) {
    for (int i = 0; i < WORKERS; i++)
        pthread_join(crew[i].thread, NULL);
}

/* The key is done, with this result. */
static void is_done(wire *w, const char *key) {
    idp_request ask = ask_acquire(key, 1000, 600000);
    idp_answer answer;
    int error = wire_call(w, &ask, &answer);
    CHECK(error == IDP_OK, "%s: error %d", key, error);
    CHECK(answer.outcome == IDP_OUTCOME_REPLAY, "%s: outcome %d", key,
          (int)answer.outcome);
    CHECK(answer.result.len == strlen(key) &&
              memcmp(answer.result.ptr, key, strlen(key)) == 0,
          "%s: another result", key);
}

static void nothing_is_lost(const worker *crew, const pair_node *at) {
    wire w;
    CHECK(wire_open(&w, at->port), "no connection");
    for (int i = 0; i < WORKERS; i++) {
        char key[64];
        idp_answer answer;
        for (unsigned job = 0; job < crew[i].done; job++) {
            key_of(&crew[i], job, key, sizeof key);
            is_done(&w, key);
        }
        if (!crew[i].is_open)
            continue;
        key_of(&crew[i], crew[i].done, key, sizeof key);
        idp_request ask = ask_complete(key, crew[i].token, key);
        CHECK(wire_call(&w, &ask, &answer) == IDP_OK &&
                  answer.outcome == IDP_OUTCOME_COMPLETED,
              "%s: its claim is lost", key);
    }
    wire_close(&w);
}

static void jobs_before(const pair_node *at) {
    wire w;
    char key[64];
    CHECK(wire_open(&w, at->port), "no connection");
    for (int i = 0; i < BEFORE; i++) {
        snprintf(key, sizeof key, "before-%d", i);
        e2e_do_once(&w, key, key);
    }
    wire_close(&w);
}

static void jobs_before_are_there(const pair_node *at) {
    wire w;
    char key[64];
    CHECK(wire_open(&w, at->port), "no connection");
    for (int i = 0; i < BEFORE; i++) {
        snprintf(key, sizeof key, "before-%d", i);
        is_done(&w, key);
    }
    wire_close(&w);
}

/* Whoever asks the wrong node hears where to go. */
static void sends_to(const pair_node *node, const pair_node *primary) {
    wire w;
    char goal[64], said[256];
    idp_request ask = ask_acquire("elsewhere", 1000, 1000);
    idp_reply reply;
    snprintf(goal, sizeof goal, "NOT_PRIMARY 127.0.0.1:%u", primary->port);
    CHECK(wire_open(&w, node->port), "no connection");
    CHECK(wire_ask(&w, &ask, &reply), "no reply");
    CHECK(reply.is_error && reply.error == IDP_E_NOT_PRIMARY, "it says %.*s",
          (int)reply.text.len, (const char *)reply.text.ptr);
    snprintf(said, sizeof said, "%.*s", (int)reply.text.len,
             (const char *)reply.text.ptr);
    CHECK(strstr(goal, said) && strlen(said) > 9, "it says %s, not %s", said,
          goal);
    wire_close(&w);
}

static void ordered(const pair_node *node, idp_method order, bool loss,
                    idp_command_outcome goal) {
    char text[512];
    idp_command_outcome got =
        pair_command(node, order, loss, text, sizeof text);
    CHECK(got == goal, "it says %s: %s", idp_command_outcome_name(got), text);
}

/* --- stories -------------------------------------------------------------- */

static void primary_dies(pair *p) {
    worker crew[WORKERS];
    pair_start(p, &p->a, NULL);
    jobs_before(&p->a);
    begin(crew, &p->a);
    pair_start(p, &p->b, &p->a);
    pair_await_in_sync(&p->a);
    pair_await_in_sync(&p->b);
    sends_to(&p->b, &p->a);
    puts("  copied under load, and in sync");
    await_progress(crew, 50);
    pair_kill(&p->a);
    join(crew);
    ordered(&p->b, IDP_PROMOTE, false, IDP_COMMAND_PROMOTED);
    nothing_is_lost(crew, &p->b);
    jobs_before_are_there(&p->b);
    puts("  the primary was killed, the replica promoted, nothing is lost");
}

static void old_primary_rejoins(pair *p) {
    char text[512];
    idp_command_outcome got;
    pair_start(p, &p->a, NULL);
    pair_await_role(&p->a, "replica");
    pair_await_in_sync(&p->b);
    sends_to(&p->a, &p->b);
    got = pair_command(&p->b, IDP_PROMOTE, false, text, sizeof text);
    CHECK(got == IDP_COMMAND_REFUSED, "a primary is promoted again");
    puts("  the old one came back with nothing, and follows");
}

static void roles_change(pair *p) {
    worker crew[WORKERS];
    char text[512], goal[64];
    begin(crew, &p->b);
    await_progress(crew, 50);
    idp_command_outcome got =
        pair_command(&p->b, IDP_SWITCHOVER, false, text, sizeof text);
    snprintf(goal, sizeof goal, "127.0.0.1:%u", p->a.port);
    CHECK(got == IDP_COMMAND_SWITCHED && strcmp(text, goal) == 0,
          "it says %s: %s", idp_command_outcome_name(got), text);
    join(crew);
    pair_await_role(&p->a, "primary");
    nothing_is_lost(crew, &p->a);
    jobs_before_are_there(&p->a);
    pair_await_in_sync(&p->a);
    sends_to(&p->b, &p->a);
    puts("  roles changed under load, nothing is lost");
}

static pid_t thread_named(const pair_node *node, const char *name) {
    char path[300], text[32];
    pid_t found = 0;
    const struct dirent *entry;
    snprintf(path, sizeof path, "/proc/%d/task", (int)node->daemon.child.pid);
    DIR *tasks = opendir(path);
    CHECK(tasks != NULL, "no %s", path);
    while (!found && (entry = readdir(tasks)) != NULL) {
        snprintf(path, sizeof path, "/proc/%d/task/%s/comm",
                 (int)node->daemon.child.pid, entry->d_name);
        FILE *comm = fopen(path, "re");
        if (comm == NULL)
            continue;
        if (fgets(text, sizeof text, comm) &&
            strcspn(text, "\n") == strlen(name) &&
            strncmp(text, name, strlen(name)) == 0)
            found = (pid_t)strtol(entry->d_name, NULL, 10);
        fclose(comm);
    }
    closedir(tasks);
    return found;
}

static bool may_read(const wire *w, int wait_ms) {
    struct pollfd one = {.fd = w->fd, .events = POLLIN};
    return poll(&one, 1, wait_ms) == 1;
}

/* 0: there is no such thread, or none may be traced here. */
static pid_t freeze(const pair_node *node, const char *name) {
    pid_t thread = thread_named(node, name);
    if (thread == 0)
        return 0;
    if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) != 0) {
        printf("  %s goes on: tracing is not allowed here\n", name);
        return 0;
    }
    CHECK(ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) == 0 &&
              waitpid(thread, NULL, __WALL) == thread,
          "%s does not stop", name);
    return thread;
}

static void thaw(pid_t thread) {
    CHECK(ptrace(PTRACE_DETACH, thread, NULL, NULL) == 0, "no detach");
}

/* An order is answered when every loop has carried it out: not while one of
 * them stands still. */
static void all_loops_detach(const pair_node *node) {
    wire w;
    idp_hello hello;
    idp_reply reply;
    idp_command_answer answer;
    idp_request ask = {.method = IDP_DETACH, .accept_loss = true};
    CHECK(wire_open(&w, node->port), "no connection");
    CHECK(wire_hello(&w, 0, NULL, &hello) == IDP_OK, "no hello");
    pid_t frozen = freeze(node, "loop-1");
    CHECK(wire_send_request(&w, &ask), "the connection is gone");
    if (frozen) {
        CHECK(!may_read(&w, 300), "answered before loop-1 knows of it");
        thaw(frozen);
    }
    CHECK(wire_reply(&w, &reply) && !reply.is_error &&
              idp_command_read(IDP_DETACH, reply.result, &answer) &&
              answer.outcome == IDP_COMMAND_DETACHED,
          "it isn't detached");
    wire_close(&w);
}

/* So many keys that some are each loop's. */
static void all_loops_refuse(wire *w) {
    for (int i = 0; i < REFUSED; i++) {
        char key[16];
        snprintf(key, sizeof key, "refused-%d", i);
        idp_request ask = ask_acquire(key, 600000, 600000);
        CHECK(wire_send_request(w, &ask), "the connection is gone");
    }
    for (int i = 0; i < REFUSED; i++) {
        idp_reply reply;
        CHECK(wire_reply(w, &reply), "no reply");
        CHECK(reply.is_error && reply.error == IDP_E_UNREPLICATED, "it says %d",
              (int)reply.error);
    }
}

static void replica_dies(pair *p) {
    wire w;
    idp_answer answer;
    idp_request ask = ask_acquire("unheard", 600000, 600000);
    ask.nonce = text_slice("n1");
    pair_kill(&p->b);
    CHECK(wire_open(&w, p->a.port), "no connection");
    int error = wire_call(&w, &ask, &answer);
    CHECK(error == IDP_E_UNREPLICATED, "it says %d", error);
    all_loops_refuse(&w);
    puts("  without its replica the primary says UNREPLICATED");
    all_loops_detach(&p->a);
    error = wire_call(&w, &ask, &answer);
    CHECK(error == IDP_OK && answer.outcome == IDP_OUTCOME_ACQUIRED,
          "detached, and it says %d", error);
    puts("  detached, it serves alone");
    pair_start(p, &p->b, &p->a);
    pair_await_in_sync(&p->a);
    pair_await_in_sync(&p->b);
    pair_kill(&p->a);
    ordered(&p->b, IDP_PROMOTE, false, IDP_COMMAND_PROMOTED);
    wire_close(&w);
    CHECK(wire_open(&w, p->b.port), "no connection");
    error = wire_call(&w, &ask, &answer);
    CHECK(error == IDP_OK && answer.outcome == IDP_OUTCOME_ACQUIRED &&
              answer.attempt == 1,
          "the same nonce, and it says %d", error);
    wire_close(&w);
    jobs_before_are_there(&p->b);
    puts("  started again it is in sync again, and may take over");
}

/* What fsync always has acknowledged is there again, and counts as in sync. */
static void both_die(pair *p) {
    worker crew[WORKERS];
    pair_start(p, &p->a, &p->b);
    pair_await_in_sync(&p->b);
    begin(crew, &p->b);
    await_progress(crew, 50);
    pair_kill(&p->a);
    pair_kill(&p->b);
    join(crew);
    pair_start(p, &p->a, NULL);
    pair_start(p, &p->b, NULL);
    pair_await_role(&p->a, "replica");
    ordered(&p->a, IDP_PROMOTE, false, IDP_COMMAND_PROMOTED);
    nothing_is_lost(crew, &p->a);
    jobs_before_are_there(&p->a);
    pair_await_in_sync(&p->a);
    puts("  both were killed, and what they kept is enough");
}

static void run(const char *program, unsigned a_threads, unsigned b_threads,
                bool kept) {
    pair p;
    printf("%u and %u threads%s\n", a_threads, b_threads,
           kept ? ", on disk" : "");
    pair_init(&p, program, a_threads, b_threads);
    if (kept)
        pair_keep(&p);
    primary_dies(&p);
    old_primary_rejoins(&p);
    roles_change(&p);
    replica_dies(&p);
    if (kept)
        both_die(&p);
    pair_end(&p);
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: failover IDEMSTORED");
    setvbuf(stdout, NULL, _IOLBF, 0);
    run(argv[1], 1, 1, false);
    run(argv[1], 1, 2, false);
    run(argv[1], 2, 1, false);
    run(argv[1], 2, 2, true);
    puts("good");
    return 0;
}
