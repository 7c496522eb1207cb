/* SPDX-License-Identifier: Apache-2.0 */
/* nemesis_clients.c -- the client processes, where the clients are. */
#include "tests/agent/nemesis.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AUDITOR = NEM_CLIENTS_MAX - 1, PROBER = NEM_CLIENTS_MAX - 2 };

static void history_path(const agents_world *w, unsigned number, char to[200]) {
    snprintf(to, 200, "%s/%u.history", w->m.dir, number);
}

/* Each begins at another node. */
static nem_client told(agents_world *w, unsigned number, char uri[400],
                       char path[200]) {
    snprintf(uri, 400,
             "idem://10.78.0.%u:7117,10.78.0.%u:7117,10.78.0.%u:7117/nemesis"
             "?secret_file=%s/secret&connect_timeout_ms=400",
             number % 3 + 1, (number + 1) % 3 + 1, (number + 2) % 3 + 1,
             w->m.dir);
    history_path(w, number, path);
    return (nem_client){.number = number,
                        .seed = w->seed * 4099 + number,
                        .uri = uri,
                        .history = path,
                        .epoch_ns = w->start_ns,
                        .pause_ms = w->pause_ms,
                        /* As many meet on a key as do where there are few. */
                        .keys = 10 * w->clients_run / CLIENTS_LEAST,
                        .over = w->over};
}

static pid_t start_client(agents_world *w) {
    char uri[400], path[200];
    nem_client c = told(w, w->clients++, uri, path);
    pid_t parent = getpid();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        machines_enter(&w->m, MACHINE_OF_CLIENTS, parent);
        _exit(nem_client_run(&c));
    }
    return child;
}

bool aw_clients_start(agents_world *w) {
    w->over = mmap(NULL, sizeof *w->over, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (w->over == MAP_FAILED)
        return aw_fail(w, "no memory to share");
    *w->over = false;
    for (unsigned i = 0; i < w->clients_run; i++)
        if ((w->pids[i] = start_client(w)) <= 0)
            return aw_fail(w, "no process for a client");
    return true;
}

void aw_clients_replace(agents_world *w, unsigned which) {
    if (w->clients >= PROBER)
        return;
    kill(w->pids[which], SIGKILL);
    waitpid(w->pids[which], NULL, 0);
    w->pids[which] = start_client(w);
}

bool aw_clients_stop(agents_world *w) {
    bool good = true;
    if (!w->over)
        return true;
    *w->over = true;
    for (unsigned i = 0; i < w->clients_run; i++) {
        int status = 1;
        if (w->pids[i] > 0 && waitpid(w->pids[i], &status, 0) > 0 &&
            status != 0)
            good = aw_fail(w, "a client ended with status %d", status);
        w->pids[i] = 0;
    }
    return good;
}

bool aw_clients_histories(agents_world *w, nem_history *h) {
    char path[200];
    for (unsigned i = 0; i < w->clients + 3; i++) {
        if (i < w->clients)
            history_path(w, i, path);
        else if (i == w->clients)
            snprintf(path, sizeof path, "%s/windows", w->m.dir);
        else
            history_path(w, i == w->clients + 1 ? AUDITOR : PROBER, path);
        if (access(path, F_OK) == 0 && !nem_history_load(h, path))
            return aw_fail(w, "%s", h->why);
    }
    return true;
}

/* In a child of its own, where the clients are. */
static bool in_child(agents_world *w,
                     int (*what)(const nem_client *c, void *with),
                     unsigned number, void *with) {
    char uri[400], path[200];
    int status = 1;
    nem_client c = told(w, number, uri, path);
    pid_t parent = getpid();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        machines_enter(&w->m, MACHINE_OF_CLIENTS, parent);
        _exit(what(&c, with));
    }
    return child > 0 && waitpid(child, &status, 0) > 0 && status == 0;
}

static int audit(const nem_client *c, void *with) {
    long asked = nem_client_audit(c, with);
    printf("the audit asked for %ld results that must be kept\n", asked);
    fflush(stdout);
    return asked < 0;
}

bool aw_clients_audit(agents_world *w) {
    nem_history h;
    nem_history_init(&h);
    bool good = aw_clients_histories(w, &h);
    nem_history_close(&h);
    if (good && !in_child(w, audit, AUDITOR, &h))
        good = aw_fail(w, "the audit could not ask");
    nem_history_fini(&h);
    return good;
}

static int probe(const nem_client *c, void *with) {
    nem_recorder recorder;
    unsigned number = *(unsigned *)with;
    nem_op op = {.method = IDEM_ACQUIRE, .lease_ms = 5000, .ttl_ms = 9000};
    int code = 1;
    if (!nem_recorder_open(&recorder, c))
        return 1;
    /* Calls are counted through, over all the probes. */
    recorder.calls = number * 4;
    snprintf(op.key, sizeof op.key, "probe%u", number);
    snprintf(op.nonce, sizeof op.nonce, "probe%u", number);
    nem_recorder_ask(&recorder, &op, 10000);
    if (op.end == NEM_ANSWERED && op.outcome == IDEM_ACQUIRED) {
        nem_op done = {.method = IDEM_COMPLETE, .asked = op.token};
        memcpy(done.key, op.key, sizeof done.key);
        nem_recorder_ask(&recorder, &done, 10000);
        code = done.end != NEM_ANSWERED || done.outcome != IDEM_COMPLETED;
    } else
        printf("the probe: %s %s\n", op.error,
               op.end == NEM_ANSWERED ? idem_outcome_name(op.outcome) : "");
    nem_recorder_close(&recorder);
    return code;
}

bool aw_clients_probe(agents_world *w) {
    static unsigned probes;
    unsigned number = ++probes;
    return in_child(w, probe, PROBER, &number) ||
           aw_fail(w, "no change is accepted");
}
