/* SPDX-License-Identifier: Apache-2.0 */
/* client_fork.c -- one libidemclient that was opened before a fork, as prefork
 * servers do it: each child is an asker of its own. One grant per key, four
 * children, four sessions, and the parent's connections are left in peace.
 *
 * Told twice: with the page that the kernel wipes, and with pthread_atfork. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/include/idemclient_loop.h"
#include "client/src/fork.h"
#include "tests/e2e/harness.h"
#include "tests/lib/conn_turn.h"

#define CHILDREN 4
#define KEYS     50

/* What parent and children have in common. */
static struct shared {
    _Atomic int grants[KEYS];
    _Atomic int ready;
    _Atomic int runs;
} * shared;

static daemon_t store;

static const char *uri(const char *options) {
    static char text[160];
    snprintf(text, sizeof text, "idem://127.0.0.1:%u/shop?timeout_ms=60000&%s",
             store.port, options);
    return text;
}

static idem_client *open_client(const char *options) {
    idem_client *client = NULL;
    idem_error err = IDEM_ERROR_INIT;
    CHECK(idem_client_open(uri(options), &client, &err) == 0, "%s", err.text);
    return client;
}

static idem_args args_of(const char *key) {
    return (idem_args){
        .size = sizeof(idem_args), .key = key, .key_len = strlen(key)};
}

static int32_t acquire(idem_client *client, const char *key) {
    idem_args args = args_of(key);
    idem_answer answer = IDEM_ANSWER_INIT;
    idem_error err = IDEM_ERROR_INIT;
    CHECK(idem_acquire(client, &args, &answer, &err) == 0, "%s", err.text);
    return answer.outcome;
}

/* How many connections were made since; asking makes one. */
static uint64_t connections_since(uint64_t before) {
    return daemon_stat(&store, "connections_total") - before - 1;
}

/* --- children */

static pid_t start_child(void (*what)(void *ctx), void *ctx) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        what(ctx);
        fflush(NULL);
        _exit(0);
    }
    CHECK(pid > 0, "no child");
    return pid;
}

static void end_child(pid_t pid) {
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid, "no child");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
}

static void meet(int all) {
    atomic_fetch_add(&shared->ready, 1);
    while (atomic_load(&shared->ready) < all)
        usleep(100);
}

/* Every key is asked for by every child, at the same time. */
typedef struct asker {
    idem_client *client;
    const char *prefix;
    int children;
} asker;

static void ask_for_all(void *ctx) {
    asker *me = ctx;
    meet(me->children);
    for (int i = 0; i < KEYS; i++) {
        char key[32];
        snprintf(key, sizeof key, "%s-%d", me->prefix, i);
        if (acquire(me->client, key) == IDEM_ACQUIRED)
            atomic_fetch_add(&shared->grants[i], 1);
    }
    meet(2 * me->children); /* all have their connections still */
    meet(3 * me->children + 1);
    idem_client_close(me->client);
}

static void one_grant_per_key(void) {
    for (int i = 0; i < KEYS; i++)
        CHECK(atomic_load(&shared->grants[i]) == 1, "key %d: %d grants", i,
              atomic_load(&shared->grants[i]));
}

static void each_child_is_its_own_asker(idem_client *client,
                                        const char *prefix) {
    pid_t pids[CHILDREN];
    memset(shared, 0, sizeof *shared);
    uint64_t before = daemon_stat(&store, "connections_total");
    asker me = {client, prefix, CHILDREN};
    for (int i = 0; i < CHILDREN; i++)
        pids[i] = start_child(ask_for_all, &me);
    while (atomic_load(&shared->ready) < 2 * CHILDREN)
        usleep(100);
    uint64_t sessions = connections_since(before);
    CHECK(sessions == CHILDREN, "%llu sessions", (unsigned long long)sessions);
    meet(2 * CHILDREN + 1);
    for (int i = 0; i < CHILDREN; i++)
        end_child(pids[i]);
    one_grant_per_key();
}

/* The parent's connection is the one that it had. */
static void the_parent_goes_on(idem_client *client, const char *key) {
    uint64_t before = daemon_stat(&store, "connections_total");
    CHECK(acquire(client, key) == IDEM_ACQUIRED, "not acquired");
    CHECK(connections_since(before) == 0, "it connected anew");
}

static void opened_and_not_used(void) {
    idem_client *client = open_client("shard_aware=0");
    each_child_is_its_own_asker(client, "unused");
    CHECK(acquire(client, "unused-0") == IDEM_IN_PROGRESS, "granted twice");
    idem_client_close(client);
}

static void opened_and_used(void) {
    idem_client *client = open_client("shard_aware=0");
    CHECK(acquire(client, "first") == IDEM_ACQUIRED, "not acquired");
    each_child_is_its_own_asker(client, "used");
    the_parent_goes_on(client, "last");
    idem_client_close(client);
}

/* --- while other threads of the parent are in the middle of calls */

static void ask_once(void *ctx) {
    asker *me = ctx;
    if (acquire(me->client, me->prefix) == IDEM_ACQUIRED)
        atomic_fetch_add(&shared->grants[0], 1);
    idem_client_close(me->client);
}

/* Not under AddressSanitizer: its allocator has locks, too, and a child that is
 * forked while another thread holds one waits for it for ever. */
#ifndef __SANITIZE_ADDRESS__
static _Atomic bool enough;

static void *be_busy(void *arg) {
    idem_client *client = arg;
    while (!atomic_load(&enough)) {
        idem_error err = IDEM_ERROR_INIT;
        CHECK(idem_ping(client, NULL, NULL, &err) == 0, "%s", err.text);
    }
    return NULL;
}

static void with_threads_in_its_locks(void) {
    pthread_t threads[CHILDREN];
    idem_client *client = open_client("");
    atomic_store(&enough, false);
    for (int i = 0; i < CHILDREN; i++)
        pthread_create(&threads[i], NULL, be_busy, client);
    for (int round = 0; round < 20; round++) {
        char key[32];
        pid_t pids[2];
        snprintf(key, sizeof key, "busy-%d", round);
        memset(shared, 0, sizeof *shared);
        asker me = {client, key, 2};
        for (int i = 0; i < 2; i++)
            pids[i] = start_child(ask_once, &me);
        for (int i = 0; i < 2; i++)
            end_child(pids[i]);
        CHECK(atomic_load(&shared->grants[0]) == 1, "%d grants",
              atomic_load(&shared->grants[0]));
    }
    atomic_store(&enough, true);
    for (int i = 0; i < CHILDREN; i++)
        pthread_join(threads[i], NULL);
    idem_client_close(client);
}

#else
static void with_threads_in_its_locks(void) {
}
#endif

/* --- children of children, and a daemon that closes all it has */

static void have_a_child(void *ctx) {
    asker *me = ctx;
    end_child(start_child(ask_once, me)); /* before this one has noticed */
    ask_once(me);
}

static void grandchildren(void) {
    idem_client *client = open_client("");
    memset(shared, 0, sizeof *shared);
    asker me = {client, "grand", 1};
    CHECK(acquire(client, "grandparent") == IDEM_ACQUIRED, "not acquired");
    end_child(start_child(have_a_child, &me));
    ask_once(&(asker){open_client(""), "grand", 1});
    CHECK(atomic_load(&shared->grants[0]) == 1, "%d grants",
          atomic_load(&shared->grants[0]));
    idem_client_close(client);
}

static void close_all_and_open_others(void *ctx) {
    int files[40];
    for (int fd = 3; fd < 100; fd++)
        close(fd);
    for (int i = 0; i < 40; i++)
        files[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
    ask_once(ctx);
    for (int i = 0; i < 40; i++)
        CHECK(fcntl(files[i], F_GETFD) >= 0, "descriptor %d is gone", files[i]);
}

static void numbers_that_are_something_else_by_now(void) {
    idem_client *client = open_client("shard_aware=0");
    asker me = {client, "demon", 1};
    CHECK(acquire(client, "demons parent") == IDEM_ACQUIRED, "not acquired");
    end_child(start_child(close_all_and_open_others, &me));
    the_parent_goes_on(client, "demons parent too");
    idem_client_close(client);
}

/* --- a function that forks under its claim */

static pid_t forked;

static int32_t fork_and_return(idem_run *run, void *ctx) {
    fflush(NULL);
    atomic_fetch_add(&shared->runs, 1);
    CHECK(idem_run_set_result(run, "parent", 6, 0) == 0, "no memory");
    forked = fork();
    if (forked == 0) {
        CHECK(idem_run_lost(run) == 1, "the child believes that it holds it");
        CHECK(idem_run_set_result(run, "child", 5, 0) == IDEM_E_CLOSED,
              "the child sets its result");
        CHECK(acquire(ctx, "within") == IDEM_ACQUIRED, "the child can't ask");
    } else {
        end_child(forked);
    }
    return IDEM_RUN_DONE;
}

static void a_run_that_forks(void) {
    idem_client *client = open_client("");
    idem_answer answer = IDEM_ANSWER_INIT;
    idem_error err = IDEM_ERROR_INIT;
    idem_args args = args_of("forks");
    memset(shared, 0, sizeof *shared);
    int32_t code =
        idem_run_once(client, &args, fork_and_return, client, &answer, &err);
    if (forked == 0) {
        CHECK(code == IDEM_E_CLOSED, "%s", idem_error_name(code));
        CHECK(answer.outcome == 0, "%s", idem_outcome_name(answer.outcome));
        idem_client_close(client);
        _exit(0);
    }
    CHECK(code == 0 && answer.outcome == IDEM_COMPLETED, "%s", err.text);
    CHECK(idem_acquire(client, &args, &answer, &err) == 0, "%s", err.text);
    CHECK(answer.result_len == 6 && memcmp(answer.result, "parent", 6) == 0,
          "the child settled it");
    idem_answer_fini(&answer);
    idem_client_close(client);
}

/* --- a connection on an event loop, and one without sockets */

typedef struct heard {
    int calls;
    int32_t outcome;
} heard;

static void hear(void *ctx, const idem_answer *answer, const idem_error *err) {
    heard *h = ctx;
    CHECK(err == NULL, "%s", err->text);
    h->calls++;
    h->outcome = answer->outcome;
}

static void call(idem_conn *conn, const char *key, heard *h) {
    idem_args args = args_of(key);
    CHECK(idem_conn_call(conn, IDEM_ACQUIRE, &args, idem_now_ms(), hear, h) ==
              0,
          "no call");
    int before = h->calls;
    while (h->calls == before)
        idt_conn_turn(conn);
}

typedef struct loop {
    idem_conn *conn;
    heard *of_the_parent;
} loop;

static void ask_on_the_loop(void *ctx) {
    loop *l = ctx;
    heard own = {0};
    CHECK(idem_conn_fd(l->conn) == -1, "it shows the parent's descriptor");
    CHECK(idem_conn_wanted(l->conn) == 0, "it wants its events");
    CHECK(idem_conn_timeout_ms(l->conn, idem_now_ms()) == 0, "it sleeps");
    call(l->conn, "on a loop", &own);
    if (own.outcome == IDEM_ACQUIRED)
        atomic_fetch_add(&shared->grants[0], 1);
    idem_conn_close(l->conn);
    CHECK(l->of_the_parent->calls == 0, "it heard the parent's answer");
}

static void on_an_event_loop(void) {
    idem_conn *conn = NULL;
    heard parents = {0};
    pid_t pids[CHILDREN];
    memset(shared, 0, sizeof *shared);
    CHECK(idem_conn_open(uri(""), idem_now_ms(), &conn, NULL) == 0, "no conn");
    call(conn, "before the fork", &(heard){0});
    idem_args args = args_of("under way");
    idem_conn_call(conn, IDEM_ACQUIRE, &args, idem_now_ms(), hear, &parents);
    loop l = {conn, &parents};
    for (int i = 0; i < CHILDREN; i++)
        pids[i] = start_child(ask_on_the_loop, &l);
    for (int i = 0; i < CHILDREN; i++)
        end_child(pids[i]);
    uint64_t serial = idem_conn_fd_serial(conn);
    while (parents.calls == 0)
        idt_conn_turn(conn);
    CHECK(parents.outcome == IDEM_ACQUIRED, "not acquired");
    CHECK(idem_conn_fd_serial(conn) == serial, "its connection was ended");
    CHECK(atomic_load(&shared->grants[0]) == 1, "%d grants",
          atomic_load(&shared->grants[0]));
    idem_conn_close(conn);
}

static void use_a_session(void *ctx) {
    idem_session *session = ctx;
    size_t len = 1;
    idem_args args = args_of("k");
    CHECK(idem_session_output(session, &len) == NULL && len == 0,
          "the child would send the parent's bytes");
    CHECK(idem_session_call(session, IDEM_ACQUIRE, &args, 0, hear, NULL) ==
              IDEM_E_CLOSED,
          "it goes on in the child");
    idem_session_free(session);
}

static void a_session_without_sockets(void) {
    idem_session *session = NULL;
    size_t len = 0;
    heard h = {0};
    idem_args args = args_of("k");
    CHECK(idem_session_new(&session) == 0, "no session");
    CHECK(idem_session_call(session, IDEM_PING, &args, 0, hear, &h) == 0,
          "no call");
    end_child(start_child(use_a_session, session));
    CHECK(idem_session_output(session, &len) != NULL && len > 0, "it is over");
    static const uint8_t pong[] = {0x94, 1, 1, 0xc0, 0xa4, 'p', 'o', 'n', 'g'};
    CHECK(idem_session_input(session, pong, sizeof pong) == 0, "garbled");
    CHECK(h.calls == 1, "not answered");
    idem_session_free(session);
}

/* --- a fork that no handler of the C library hears of */

static void past_the_c_library(void) {
    idem_client *client = open_client("shard_aware=0");
    CHECK(acquire(client, "raw parent") == IDEM_ACQUIRED, "not acquired");
    fflush(NULL);
    long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        CHECK(acquire(client, "raw child") == IDEM_ACQUIRED, "not acquired");
        _exit(0);
    }
    end_child((pid_t)pid);
    the_parent_goes_on(client, "raw parent too");
    idem_client_close(client);
}

int main(int argc, char **argv) {
    CHECK(argc == 3, "usage: client_fork IDEMSTORED wipe|atfork");
    idem__fork_without_wipe = strcmp(argv[2], "atfork") == 0;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    daemon_spec spec = {.program = argv[1], .flags = {"--threads", "2"}};
    daemon_start(&store, &spec);
    opened_and_not_used();
    opened_and_used();
    with_threads_in_its_locks();
    grandchildren();
    numbers_that_are_something_else_by_now();
    a_run_that_forks();
    on_an_event_loop();
    a_session_without_sockets();
    if (!idem__fork_without_wipe)
        past_the_c_library();
    daemon_stop(&store);
    return 0;
}
