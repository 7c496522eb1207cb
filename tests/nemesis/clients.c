/* SPDX-License-Identifier: Apache-2.0 */
/* clients.c -- the client processes. */
#include "tests/nemesis/world.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AUDITOR = NEM_CLIENTS_MAX - 1, PROBER = NEM_CLIENTS_MAX - 2 };

static void history_path(const nem_world *w, unsigned number, char to[200]) {
    snprintf(to, 200, "%s/%u.history", w->pair.dir, number);
}

/* Half of them go straight to the nodes, half through the proxy. */
static nem_client told(nem_world *w, unsigned number, char uri[400],
                       char path[200]) {
    nem_pair_uri(&w->pair, (int)(number % 2), number / 2 % 2 == 0, uri, 400);
    history_path(w, number, path);
    return (nem_client){.number = number,
                        .seed = w->seed * 4099 + number,
                        .uri = uri,
                        .history = path,
                        .epoch_ns = w->start_ns,
                        .over = w->over};
}

static pid_t start(nem_world *w) {
    char uri[400], path[200];
    nem_client c = told(w, w->clients++, uri, path);
    pid_t parent = getpid();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        nem_network_enter(&w->network, NEM_CLIENTS, parent);
        _exit(nem_client_run(&c));
    }
    return child;
}

bool nem_clients_start(nem_world *w) {
    w->over = mmap(NULL, sizeof *w->over, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (w->over == MAP_FAILED)
        return nem_fail(w, "no memory to share");
    *w->over = false;
    for (unsigned i = 0; i < NEM_CLIENTS_RUN; i++)
        if ((w->pids[i] = start(w)) <= 0)
            return nem_fail(w, "no process for a client");
    return true;
}

void nem_clients_replace(nem_world *w, unsigned which) {
    if (w->clients >= PROBER)
        return;
    kill(w->pids[which], SIGKILL);
    waitpid(w->pids[which], NULL, 0);
    w->pids[which] = start(w);
}

bool nem_clients_stop(nem_world *w) {
    bool good = true;
    *w->over = true;
    for (unsigned i = 0; i < NEM_CLIENTS_RUN; i++) {
        int status = 1;
        if (w->pids[i] > 0 && waitpid(w->pids[i], &status, 0) > 0 &&
            status != 0)
            good = nem_fail(w, "a client ended with status %d", status);
        w->pids[i] = 0;
    }
    return good;
}

bool nem_clients_histories(nem_world *w, nem_history *h) {
    char path[200];
    for (unsigned i = 0; i < w->clients + 3; i++) {
        if (i < w->clients)
            history_path(w, i, path);
        else if (i == w->clients)
            snprintf(path, sizeof path, "%s/windows", w->pair.dir);
        else
            history_path(w, i == w->clients + 1 ? AUDITOR : PROBER, path);
        if (access(path, F_OK) == 0 && !nem_history_load(h, path))
            return nem_fail(w, "%s", h->why);
    }
    return true;
}

/* In a child of its own, where the clients are. */
static int in_child(nem_world *w, int (*what)(const nem_client *c, void *with),
                    unsigned number, void *with) {
    char uri[400], path[200];
    int status = 1;
    nem_client c = told(w, number, uri, path);
    pid_t parent = getpid();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        nem_network_enter(&w->network, NEM_CLIENTS, parent);
        _exit(what(&c, with));
    }
    return child > 0 && waitpid(child, &status, 0) > 0 && status == 0 ? 0 : 1;
}

static int audit(const nem_client *c, void *with) {
    long asked = nem_client_audit(c, with);
    printf("the audit asked for %ld results that must be kept\n", asked);
    fflush(stdout);
    return asked < 0;
}

bool nem_clients_audit(nem_world *w) {
    nem_history h;
    nem_history_init(&h);
    bool good = nem_clients_histories(w, &h);
    nem_history_close(&h);
    if (good && in_child(w, audit, AUDITOR, &h) != 0)
        good = nem_fail(w, "the audit could not ask");
    nem_history_fini(&h);
    return good;
}

static int probe(const nem_client *c, void *with) {
    nem_recorder recorder;
    nem_op op = {.method = IDEM_ACQUIRE, .lease_ms = 5000, .ttl_ms = 9000};
    int code = 1;
    if (!nem_recorder_open(&recorder, c))
        return 1;
    /* Calls are counted through, over all the probes. */
    recorder.calls = *(unsigned *)with * 4;
    snprintf(op.key, sizeof op.key, "probe%u", *(unsigned *)with);
    snprintf(op.nonce, sizeof op.nonce, "probe%u", *(unsigned *)with);
    nem_recorder_ask(&recorder, &op, 5000);
    if (op.end == NEM_ANSWERED && op.outcome == IDEM_ACQUIRED) {
        nem_op done = {.method = IDEM_COMPLETE, .asked = op.token};
        memcpy(done.key, op.key, sizeof done.key);
        nem_recorder_ask(&recorder, &done, 5000);
        code = done.end != NEM_ANSWERED || done.outcome != IDEM_COMPLETED;
    }
    nem_recorder_close(&recorder);
    return code;
}

bool nem_probe(nem_world *w) {
    unsigned number = w->cycles;
    return in_child(w, probe, PROBER, &number) == 0 ||
           nem_fail(w, "all faults are over, and no change is accepted");
}
