/* SPDX-License-Identifier: Apache-2.0 */
/* network.c -- see network.h. */
#include "tests/nemesis/network.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The last number of an address: nodes 1 and 2, clients 3, the middle 10,
 * the proxy's ways to the nodes 11 and 12, for their peers 21 and 22. */
enum { MIDDLE = 10, FOR_CLIENTS = 11, FOR_PEERS = 21 };

static const char *address(const nem_network *s, int last, char to[40]) {
    snprintf(to, 40, "%s.%d", s->prefix, last);
    return to;
}

const char *nem_network_address(const nem_network *s, int node, char to[40]) {
    return address(s, node + 1, to);
}

const char *nem_network_for_clients(const nem_network *s, int node,
                                    bool proxied, char to[40]) {
    return address(s, node + (proxied || !s->spaces ? FOR_CLIENTS : 1), to);
}

const char *nem_network_for_peer(const nem_network *s, int node, bool proxied,
                                 char to[40]) {
    return address(s, node + (proxied || !s->spaces ? FOR_PEERS : 1), to);
}

nem_wire *nem_network_client_wire(nem_network *s, int node) {
    return &s->wires->wire[node];
}

nem_wire *nem_network_peer_wire(nem_network *s, int node) {
    return &s->wires->wire[2 + node];
}

void nem_network_enter(const nem_network *s, nem_place place, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    if (s->spaces && setns(s->space[place], CLONE_NEWNET) != 0) {
        perror("setns");
        _exit(127);
    }
}

/* A line of shell in there. What it says is shown when it fails. */
__attribute__((format(printf, 3, 4))) static bool
run(const nem_network *s, nem_place place, const char *format, ...) {
    char line[512];
    int status = -1;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    pid_t parent = getpid();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        nem_network_enter(s, place, parent);
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    if (child > 0)
        waitpid(child, &status, 0);
    if (status != 0)
        printf("stage: this failed: %s\n", line);
    return status == 0;
}

/* --- namespaces */

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

static bool join(nem_network *s, nem_place place, pid_t holder) {
    return run(s, NEM_MIDDLE,
               "ip link add p%d type veth peer name eth0 netns %d && "
               "ip link set p%d master br0 up",
               place, (int)holder, place) &&
           run(s, place,
               "ip link set lo up && ip addr add %s.%d/24 dev eth0 && "
               "ip link set eth0 up",
               s->prefix, place + 1);
}

static bool build_spaces(nem_network *s) {
    pid_t holder[NEM_PLACES];
    bool good = true;
    s->spaces = true;
    snprintf(s->prefix, sizeof s->prefix, "10.77.0");
    for (int i = 0; i < NEM_PLACES; i++) {
        holder[i] = hold_space(&s->space[i]);
        good = good && s->space[i] >= 0;
    }
    good = good && run(s, NEM_MIDDLE,
                       "ip link set lo up && ip link add br0 type bridge && "
                       "for i in %d 11 12 21 22; do "
                       "ip addr add %s.$i/24 dev br0; done && "
                       "ip link set br0 up",
                       MIDDLE, s->prefix);
    for (int i = NEM_A; good && i < NEM_MIDDLE; i++)
        good = join(s, (nem_place)i, holder[i]);
    good = good && run(s, NEM_A, "iptables -w -F") &&
           run(s, NEM_B, "iptables -w -F");
    for (int i = 0; i < NEM_PLACES; i++) {
        if (holder[i] <= 0)
            continue;
        kill(holder[i], SIGKILL);
        waitpid(holder[i], NULL, 0);
    }
    return good;
}

/* --- the proxy */

static void set_wires(nem_network *s) {
    for (int i = 0; i < NEM_WIRES; i++) {
        nem_wire *wire = &s->wires->wire[i];
        int node = i % 2;
        address(s, (i < 2 ? FOR_CLIENTS : FOR_PEERS) + node, wire->listen);
        address(s, (i < 2 ? FOR_CLIENTS : FOR_PEERS) + node, wire->source);
        address(s, node + 1, wire->target);
    }
}

static bool start_proxy(nem_network *s, uint64_t seed) {
    pid_t parent = getpid();
    set_wires(s);
    fflush(NULL);
    s->proxy = fork();
    if (s->proxy == 0) {
        nem_network_enter(s, NEM_MIDDLE, parent);
        nem_proxy_run(s->wires, seed);
        perror("proxy");
        _exit(1);
    }
    for (int i = 0; i < 500 && atomic_load(&s->wires->ready) == 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    return atomic_load(&s->wires->ready) != 0;
}

bool nem_network_open(nem_network *s, uint64_t seed, bool loopback) {
    int pid = (int)getpid();
    *s = (nem_network){.space = {-1, -1, -1, -1}};
    s->wires = mmap(NULL, sizeof *s->wires, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s->wires == MAP_FAILED)
        return false;
    if (loopback || !build_spaces(s)) {
        s->spaces = false;
        snprintf(s->prefix, sizeof s->prefix, "127.%d.%d",
                 64 + (pid >> 8) % 128, pid & 255);
    }
    printf("stage: %s %s.0/24\n",
           s->spaces ? "network namespaces," : "loopback,", s->prefix);
    return start_proxy(s, seed);
}

void nem_network_close(nem_network *s) {
    if (s->proxy > 0) {
        kill(s->proxy, SIGKILL);
        waitpid(s->proxy, NULL, 0);
    }
    for (int i = 0; i < NEM_PLACES; i++)
        if (s->space[i] >= 0)
            close(s->space[i]);
    munmap(s->wires, sizeof *s->wires);
}

/* --- what goes wrong on it */

static void hole(nem_wire *wire, bool to, bool from) {
    if (to)
        atomic_store(&wire->hole_to, 1);
    if (from)
        atomic_store(&wire->hole_from, 1);
}

void nem_network_link(nem_network *s, nem_place place, bool up) {
    if (s->spaces)
        run(s, NEM_MIDDLE, "ip link set p%d %s", place, up ? "up" : "down");
    for (int i = 0; i < NEM_WIRES && !s->spaces && !up; i++)
        if (place == NEM_CLIENTS ? i < 2 : i >= 2 || i == (int)place)
            hole(&s->wires->wire[i], true, true);
    for (int i = 0; i < NEM_WIRES && !s->spaces && up; i++)
        nem_wire_calm(&s->wires->wire[i]);
}

/* Between the nodes: each has a way of its own, through either of the
 * proxy's, or straight. */
static void drop_between(nem_network *s, int from, int to) {
    if (s->spaces) {
        run(s, (nem_place)to,
            "for i in %d 21 22; do iptables -w -A INPUT -s %s.$i -j DROP; done",
            from + 1, s->prefix);
        return;
    }
    hole(nem_network_peer_wire(s, to), true, false);
    hole(nem_network_peer_wire(s, from), false, true);
}

void nem_network_drop(nem_network *s, nem_place from, nem_place to) {
    int node = from == NEM_CLIENTS ? (int)to : (int)from;
    bool towards = from == NEM_CLIENTS;
    if (from != NEM_CLIENTS && to != NEM_CLIENTS) {
        drop_between(s, (int)from, (int)to);
        return;
    }
    if (s->spaces)
        run(s, (nem_place)node,
            "for i in 3 %d; do iptables -w -A %s %s.$i -j DROP; done",
            FOR_CLIENTS + node, towards ? "INPUT -s" : "OUTPUT -d", s->prefix);
    else
        hole(nem_network_client_wire(s, node), towards, !towards);
}

void nem_network_heal(nem_network *s) {
    for (int i = 0; i < NEM_WIRES; i++)
        nem_wire_calm(&s->wires->wire[i]);
    if (!s->spaces)
        return;
    run(s, NEM_A, "iptables -w -F");
    run(s, NEM_B, "iptables -w -F");
    run(s, NEM_MIDDLE, "for i in 0 1 2; do ip link set p$i up; done");
}
