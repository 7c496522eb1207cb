/* SPDX-License-Identifier: Apache-2.0 */
/* machines.c -- see machines.h: the network, and how to ask etcd. */
#include "tests/agent/machines.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PREFIX "10.78.0"
enum { READS = 20 };

void machines_enter(const machines *m, int place, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    if (setns(m->space[place], CLONE_NEWNET) != 0) {
        perror("setns");
        _exit(127);
    }
}

/* A line of shell; place -1: where the bridge is. What fails is shown. */
__attribute__((format(printf, 4, 5))) static bool
in_shell(const machines *m, int place, bool tell, const char *format, ...) {
    char line[1024];
    int status = -1;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    pid_t parent = getpid();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (place >= 0)
            machines_enter(m, place, parent);
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    if (child > 0)
        waitpid(child, &status, 0);
    if (status != 0 && tell)
        printf("this failed: %s\n", line);
    return status == 0;
}

/* --- namespaces ----------------------------------------------------------- */

/* A process that is in a namespace of its own; *fd is that namespace. */
static pid_t hold_space(int *fd) {
    char path[64], done = 0;
    int ready[2];
    pid_t parent = getpid();
    if (pipe2(ready, O_CLOEXEC) != 0)
        return -1;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        bool good = getppid() == parent && unshare(CLONE_NEWNET) == 0;
        if (!good || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    bool good = child > 0 && read(ready[0], &done, 1) == 1;
    close(ready[0]);
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)child);
    *fd = good ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    return child;
}

static bool join(machines *m, int place, pid_t holder) {
    return in_shell(m, -1, true,
                    "ip link add p%d type veth peer name eth0 netns %d && "
                    "ip link set p%d master br0 up",
                    place, (int)holder, place) &&
           in_shell(m, place, true,
                    "ip link set lo up && ip addr add " PREFIX
                    ".%d/24 dev eth0 "
                    "&& ip link set eth0 up && iptables -w -F",
                    place + 1);
}

static bool build(machines *m) {
    pid_t holder[PLACES];
    bool good = true;
    for (int i = 0; i < PLACES; i++) {
        holder[i] = hold_space(&m->space[i]);
        good = good && m->space[i] >= 0;
    }
    good = good && unshare(CLONE_NEWNET) == 0 &&
           in_shell(m, -1, true,
                    "ip link set lo up && ip link add br0 type bridge && "
                    "ip addr add " PREFIX ".10/24 dev br0 && "
                    "ip link set br0 up");
    for (int i = 0; good && i < PLACES; i++)
        good = join(m, i, holder[i]);
    for (int i = 0; i < PLACES; i++) {
        if (holder[i] <= 0)
            continue;
        kill(holder[i], SIGKILL);
        waitpid(holder[i], NULL, 0);
    }
    return good;
}

static ids_etcd *client_of_all(bool auth) {
    const ids_etcd_config config = {.endpoint = {"http://" PREFIX ".1:2379",
                                                 "http://" PREFIX ".2:2379",
                                                 "http://" PREFIX ".3:2379"},
                                    .endpoint_count = MACHINES,
                                    .prefix = "/idemstore/shop/",
                                    .user = auth ? "agent" : NULL,
                                    .password = auth ? "agent-word" : NULL,
                                    .node = {"a"},
                                    .lease_ms = 3000};
    return ids_etcd_new(&config);
}

bool machines_open(machines *m) {
    for (int i = 0; i < PLACES; i++)
        m->space[i] = -1;
    if (geteuid() != 0 ||
        !in_shell(m, -1, false,
                  "command -v etcd && command -v ip && command -v iptables && "
                  "command -v curl >/dev/null") ||
        !build(m)) {
        printf("it needs root, network namespaces, iptables, etcd and curl\n");
        return false;
    }
    m->etcd = client_of_all(false);
    return m->etcd != NULL;
}

void machines_close(machines *m) {
    for (int at = 0; at < MACHINES; at++)
        for (int what = 0; what < PARTS; what++)
            machines_kill(m, at, (part)what);
    if (m->stranger.pid > 0) {
        kill(m->stranger.pid, SIGKILL);
        waitpid(m->stranger.pid, NULL, 0);
    }
    ids_etcd_free(m->etcd);
    for (int i = 0; i < PLACES; i++)
        if (m->space[i] >= 0)
            close(m->space[i]);
}

void machines_cable(machines *m, int place, bool in) {
    in_shell(m, -1, true, "ip link set p%d %s", place, in ? "up" : "down");
}

void machines_rule(machines *m, int place, const char *rule) {
    in_shell(m, place, true, "iptables -w -A %s", rule);
}

void machines_calm(machines *m) {
    for (int i = 0; i < PLACES; i++) {
        machines_cable(m, i, true);
        in_shell(m, i, true, "iptables -w -F");
    }
}

/* --- etcd ----------------------------------------------------------------- */

static const char *const users[][2] = {
    {"user/add", "{\"name\":\"root\",\"password\":\"root-word\"}"},
    {"role/add", "{\"name\":\"root\"}"},
    {"user/grant", "{\"user\":\"root\",\"role\":\"root\"}"},
    {"user/add", "{\"name\":\"agent\",\"password\":\"agent-word\"}"},
    {"role/add", "{\"name\":\"shop\"}"},
    /* "/idemstore/shop/" up to before "/idemstore/shop0" */
    {"role/grant",
     "{\"name\":\"shop\",\"perm\":{\"permType\":\"READWRITE\",\"key\":"
     "\"L2lkZW1zdG9yZS9zaG9wLw==\",\"range_end\":\"L2lkZW1zdG9yZS9zaG9wMA==\"}"
     "}"},
    {"user/grant", "{\"user\":\"agent\",\"role\":\"shop\"}"},
    {"enable", "{}"}};

bool machines_ask_for_users(machines *m) {
    for (size_t i = 0; i < sizeof users / sizeof *users; i++)
        if (!in_shell(m, -1, true,
                      "curl -sf -m 60 --retry 20 --retry-connrefused "
                      "-o /dev/null http://" PREFIX
                      ".1:2379/v3/auth/%s -d '%s'",
                      users[i][0], users[i][1]))
            return false;
    ids_etcd_free(m->etcd);
    m->etcd = client_of_all(true);
    return m->etcd != NULL;
}

bool machines_view(machines *m, ids_group_view *view) {
    static uint64_t calls;
    for (int reads = 0; reads < READS; reads++) {
        const ids_agent_act act = {.kind = IDS_AGENT_READ, .call = ++calls};
        ids_etcd_answer answer;
        ids_etcd_ask(m->etcd, &act);
        while (!ids_etcd_next(m->etcd, &answer))
            ids_etcd_wait(m->etcd, 1000);
        if (answer.outcome == IDS_ETCD_OK) {
            *view = answer.view;
            return true;
        }
        usleep(50000);
    }
    return false;
}

int machines_etcd_leader(const machines *m) {
    for (int at = 0; at < MACHINES; at++)
        if (in_shell(m, -1, false,
                     "curl -sf -m 2 http://" PREFIX ".%d:2379/metrics | "
                     "grep -q '^etcd_server_is_leader 1'",
                     at + 1))
            return at;
    return -1;
}

bool machines_order(const machines *m, int at, const char *order) {
    return in_shell(m, at, false,
                    "curl -sf -m 5 -o /dev/null -X POST "
                    "http://127.0.0.1:7118/v1/%s",
                    order);
}

/* --- a node's folder ------------------------------------------------------ */

/* It stands still meanwhile: a copy as a power cut would leave it. */
bool machines_keep_folder(machines *m, int at) {
    pid_t pid = m->at[at][PART_NODE].pid;
    char name = machine_name(at);
    kill(pid, SIGSTOP);
    bool good = in_shell(m, -1, true,
                         "cd '%s' && rm -rf %c.old && mkdir %c.old && "
                         "cp -a %c.data %c.peer %c.old/",
                         m->dir, name, name, name, name, name);
    kill(pid, SIGCONT);
    return good;
}

bool machines_put_folder_back(machines *m, int at) {
    char name = machine_name(at);
    return in_shell(m, -1, true,
                    "cd '%s' && rm -rf %c.data %c.peer && cp -a %c.old/* .",
                    m->dir, name, name, name);
}
