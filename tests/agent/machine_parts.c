/* SPDX-License-Identifier: Apache-2.0 */
/* machine_parts.c -- see machines.h: the processes. */
#include "tests/agent/machines.h"
#include "tests/nemesis/client.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PREFIX "10.78.0"
enum { ARGS_MAX = 40, ARG_BYTES = 200 };

static const char *const part_names[] = {"node", "agent", "etcd"};

typedef struct args {
    char text[ARGS_MAX][ARG_BYTES];
    char *argv[ARGS_MAX + 1];
    int count;
} args;

__attribute__((format(printf, 2, 3))) static void add(args *a,
                                                      const char *format, ...) {
    va_list given;
    va_start(given, format);
    vsnprintf(a->text[a->count], ARG_BYTES, format, given);
    va_end(given);
    a->argv[a->count] = a->text[a->count];
    a->count++;
}

/* --- what each is started with -------------------------------------------- */

static void add_node(const machines *m, int at, args *a) {
    add(a, "%s", m->idemstored);
    add(a, "--listen");
    add(a, "0.0.0.0:7117");
    add(a, "--advertise");
    add(a, PREFIX ".%d:7117", at + 1);
    add(a, "--node");
    add(a, "%c", machine_name(at));
    add(a, "--replication");
    add(a, "sync");
    add(a, "--agent");
    add(a, "--threads");
    add(a, "%d", 1 + at % 2);
    add(a, "--max-memory");
    add(a, "%um", m->memory_mib != 0 ? m->memory_mib : 64);
    add(a, "--secret-file");
    add(a, "%s/secret", m->dir);
    add(a, "--peer-state");
    add(a, "%s/%c.peer", m->dir, machine_name(at));
    for (int other = 0; other < MACHINES; other++) {
        if (other == at)
            continue;
        add(a, "--peer");
        add(a, PREFIX ".%d:7117", other + 1);
    }
    if (!m->journal)
        return;
    add(a, "--data-dir");
    add(a, "%s/%c.data", m->dir, machine_name(at));
}

static void add_etcd(const machines *m, int at, args *a) {
    const char *own = at < MACHINES ? "" : "other-";
    add(a, "etcd");
    add(a, "--name");
    add(a, "m%d", at);
    add(a, "--data-dir");
    add(a, "%s/etcd-%d", m->dir, at);
    add(a, "--unsafe-no-fsync");
    add(a, "--bcrypt-cost");
    add(a, "4");
    add(a, "--listen-client-urls");
    add(a, "http://0.0.0.0:2379");
    add(a, "--advertise-client-urls");
    add(a, "http://" PREFIX ".%d:2379", at + 1);
    add(a, "--listen-peer-urls");
    add(a, "http://0.0.0.0:2380");
    add(a, "--initial-advertise-peer-urls");
    add(a, "http://" PREFIX ".%d:2380", at + 1);
    add(a, "--initial-cluster-token");
    add(a, "%scluster", own);
    add(a, "--initial-cluster");
    if (at < MACHINES)
        add(a, "m0=http://" PREFIX ".1:2380,m1=http://" PREFIX
               ".2:2380,m2=http://" PREFIX ".3:2380");
    else
        add(a, "m%d=http://" PREFIX ".%d:2380", at, at + 1);
}

static bool write_settings(const machines *m, int at, bool astray) {
    char path[ARG_BYTES];
    snprintf(path, sizeof path, "%s/%c.conf", m->dir, machine_name(at));
    FILE *file = fopen(path, "we");
    if (!file)
        return false;
    fprintf(file,
            "group = \"shop\"\nnode = \"%c\"\nserver = \"" PREFIX
            ".%d:7117\"\nsecret_file = \"%s/secret\"\netcd = {",
            machine_name(at), at + 1, m->dir);
    /* Its own member first: etcd's load is spread. */
    for (int i = 0; i < MACHINES && !astray; i++)
        fprintf(file, "%s\"http://" PREFIX ".%d:2379\"", i ? ", " : "",
                (at + i) % MACHINES + 1);
    if (astray)
        fprintf(file, "\"http://" PREFIX ".%d:2379\"", MACHINE_OF_CLIENTS + 1);
    fprintf(file, "}\nothers = {");
    for (int i = 1; i < MACHINES; i++)
        fprintf(file, "%s\"" PREFIX ".%d:7117\"", i > 1 ? ", " : "",
                (at + i) % MACHINES + 1);
    fprintf(file, "}\n");
    if (m->auth && !astray)
        fprintf(file,
                "etcd_user = \"agent\"\netcd_password_file = "
                "\"%s/password\"\n",
                m->dir);
    return fclose(file) == 0;
}

static void add_agent(const machines *m, int at, args *a) {
    add(a, "%s", m->idemagent);
    add(a, "-c");
    add(a, "%s/%c.conf", m->dir, machine_name(at));
}

/* --- processes ------------------------------------------------------------ */

static void log_path(const machines *m, int at, part what, char to[ARG_BYTES]) {
    snprintf(to, ARG_BYTES, "%s/%s-%c.log", m->dir, part_names[what],
             machine_name(at));
}

static void shift_clock(const machines *m, int at) {
    char path[ARG_BYTES];
    if (!m->clock)
        return;
    snprintf(path, sizeof path, "%s/%c.clock", m->dir, machine_name(at));
    setenv("LD_PRELOAD", m->clock, 1);
    setenv("JUMPING_CLOCK", path, 1);
}

static bool begin(machines *m, process *p, int at, part what, const args *a) {
    char log[ARG_BYTES];
    pid_t parent = getpid();
    log_path(m, at, what, log);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        int nothing = open("/dev/null", O_RDONLY);
        dup2(nothing, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        machines_enter(m, at, parent);
        if (what == PART_NODE)
            shift_clock(m, at);
        execvp(a->argv[0], a->argv);
        perror(a->argv[0]);
        _exit(127);
    }
    *p = (process){.pid = child > 0 ? child : 0};
    return child > 0;
}

bool machines_start(machines *m, int at, part what) {
    args *a = calloc(1, sizeof *a);
    bool good = a != NULL;
    if (good && what == PART_NODE)
        add_node(m, at, a);
    else if (good && what == PART_ETCD)
        add_etcd(m, at, a);
    else if (good) {
        good = write_settings(m, at, false);
        add_agent(m, at, a);
    }
    good = good && begin(m, &m->at[at][what], at, what, a);
    free(a);
    return good;
}

bool machines_start_astray(machines *m, int at) {
    args *a = calloc(1, sizeof *a);
    if (a)
        add_agent(m, at, a);
    bool good = a && write_settings(m, at, true) &&
                begin(m, &m->at[at][PART_AGENT], at, PART_AGENT, a);
    free(a);
    return good;
}

bool machines_start_stranger(machines *m) {
    args *a = calloc(1, sizeof *a);
    if (a)
        add_etcd(m, MACHINE_OF_CLIENTS, a);
    bool good = a && begin(m, &m->stranger, MACHINE_OF_CLIENTS, PART_ETCD, a);
    free(a);
    return good;
}

void machines_kill(machines *m, int at, part what) {
    process *p = &m->at[at][what];
    if (p->pid <= 0)
        return;
    kill(p->pid, SIGKILL);
    waitpid(p->pid, NULL, 0);
    p->pid = 0;
    p->stopped = false;
}

void machines_stop(machines *m, int at, part what) {
    process *p = &m->at[at][what];
    if (p->pid <= 0)
        return;
    p->stopped = true;
    p->stopped_ns = nem_now_ns();
    kill(p->pid, SIGSTOP);
}

void machines_continue(machines *m, int at, part what) {
    process *p = &m->at[at][what];
    p->stopped = false;
    if (p->pid > 0)
        kill(p->pid, SIGCONT);
}

bool machines_one_died(machines *m) {
    bool any = false;
    for (int at = 0; at < MACHINES; at++)
        for (int what = 0; what < PARTS; what++) {
            process *p = &m->at[at][what];
            int status;
            if (p->pid <= 0 || waitpid(p->pid, &status, WNOHANG) != p->pid)
                continue;
            printf(
                "the %s of %c has ended by itself: %s %d\n", part_names[what],
                machine_name(at), WIFSIGNALED(status) ? "signal" : "exit code",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
            p->pid = 0;
            any = true;
        }
    return any;
}

void machines_tell(const machines *m) {
    char line[400], log[ARG_BYTES];
    for (int at = 0; at < MACHINES; at++)
        for (int what = 0; what < PART_ETCD; what++) {
            log_path(m, at, (part)what, log);
            snprintf(line, sizeof line,
                     "tail -n 25 '%s' | sed 's/^/    /' | cut -c1-240", log);
            printf("---- the %s of %c said at the end:\n", part_names[what],
                   machine_name(at));
            fflush(NULL);
            if (system(line) != 0)
                printf("    (nothing)\n");
        }
}

void machines_set_clock(machines *m, int at, int64_t seconds) {
    char path[ARG_BYTES];
    snprintf(path, sizeof path, "%s/%c.clock", m->dir, machine_name(at));
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (write(fd, &seconds, sizeof seconds) != sizeof seconds)
        perror(path);
    close(fd);
}
