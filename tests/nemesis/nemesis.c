/* SPDX-License-Identifier: Apache-2.0 */
/* nemesis.c -- a pair of daemons, eight clients, a nemesis and an operator;
 * then a judge.
 *
 *     nemesis IDEMSTORED IDEMCTL [--seconds N] [--seed N] [--failovers N]
 *             [--loopback] [--journal] [--keep] [--slow] [--alone [--forgets]]
 *             [--async] [--tls]
 *     nemesis --judge FILE...        histories of an earlier run, once more
 *
 * Everything that goes wrong follows from the seed; when it meets the daemons
 * does not, since those are real. */
#include "bench/judge/judge.h"
#include "tests/nemesis/world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct options {
    uint64_t seconds, seed, failovers;
    bool loopback, journal, keep, slow, alone, forgets, async, tls;
} options;

static int usage(void) {
    fprintf(stderr,
            "usage: nemesis IDEMSTORED IDEMCTL [--seconds N] "
            "[--seed N] [--failovers N]\n               [--loopback] "
            "[--journal] [--keep] [--slow] [--alone [--forgets]] [--async]\n"
            "               [--tls]\n"
            "       nemesis --judge FILE...\n");
    return 64;
}

static bool parse(int argc, char **argv, options *o) {
    for (int i = 3; i < argc; i++) {
        uint64_t *number = strcmp(argv[i], "--seconds") == 0     ? &o->seconds
                           : strcmp(argv[i], "--seed") == 0      ? &o->seed
                           : strcmp(argv[i], "--failovers") == 0 ? &o->failovers
                                                                 : NULL;
        bool *flag = strcmp(argv[i], "--loopback") == 0  ? &o->loopback
                     : strcmp(argv[i], "--journal") == 0 ? &o->journal
                     : strcmp(argv[i], "--slow") == 0    ? &o->slow
                     : strcmp(argv[i], "--alone") == 0   ? &o->alone
                     : strcmp(argv[i], "--forgets") == 0 ? &o->forgets
                     : strcmp(argv[i], "--async") == 0   ? &o->async
                     : strcmp(argv[i], "--keep") == 0    ? &o->keep
                     : strcmp(argv[i], "--tls") == 0     ? &o->tls
                                                         : NULL;
        if (flag != NULL)
            *flag = true;
        else if (number != NULL && i + 1 < argc)
            *number = strtoull(argv[++i], NULL, 10);
        else
            return false;
    }
    o->forgets |= o->async;
    return argc >= 3;
}

/* --- a run */

static bool write_secret(const nem_pair *p) {
    char path[200];
    snprintf(path, sizeof path, "%s/secret", p->dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write(fd, "not-for-strangers\n", 18) == 18;
    if (fd >= 0)
        close(fd);
    return good;
}

static bool set_up(nem_world *w, const options *o, char **argv) {
    char path[200];
    const char *tmp = getenv("TMPDIR");
    nem_pair *p = &w->pair;
    *p = (nem_pair){.network = &w->network,
                    .daemon = argv[1],
                    .ctl = argv[2],
                    .alone = o->alone,
                    .async = o->async,
                    .tls = o->tls};
    snprintf(p->dir, sizeof p->dir, "%.90s/nemesis-XXXXXX",
             tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(p->dir) == NULL || !write_secret(p))
        return false;
    snprintf(path, sizeof path, "%s/windows", p->dir);
    w->windows = fopen(path, "we");
    p->journal = o->journal || (idt_rng_chance(&w->rng, 25) && !o->alone);
    p->proxied = idt_rng_chance(&w->rng, 60) || o->tls;
    p->advertise = idt_rng_chance(&w->rng, 40) || o->tls;
    p->threads[0] = nem_between(w, 1, 3);
    p->threads[1] = nem_between(w, 1, 3);
    printf("a has %u threads, b %u; %s; peers %s, clients are sent %s\n",
           p->threads[0], p->threads[1],
           p->journal ? "both with a journal" : "all in memory",
           p->proxied ? "through the proxy" : "straight",
           p->advertise ? "through the proxy" : "straight");
    return w->windows != NULL &&
           nem_network_open(&w->network, w->seed, o->loopback) &&
           (!o->tls || nem_pair_make_certs(p));
}

static bool begin(nem_world *w) {
    if (!nem_node_start(&w->pair, 0, false))
        return nem_fail(w, "a can't be started");
    if (w->pair.alone)
        return nem_probe(w);
    return nem_node_start(&w->pair, 1, true) && nem_heal(w);
}

static bool rage(nem_world *w, const options *o) {
    uint64_t end_ns = w->start_ns + w->seconds * 1000000000u;
    if (!begin(w) || !nem_clients_start(w))
        return false;
    while (nem_now_ns() < end_ns) {
        nem_wait_ms(nem_between(w, 200, 900));
        if (o->alone
                ? !nem_fault_alone(w, o->forgets)
                : !(o->async ? nem_fault_lag(w) : nem_fault(w)) || !nem_heal(w))
            return false;
    }
    return nem_clients_stop(w) && nem_clients_audit(w);
}

static bool judge(nem_world *w, const options *o) {
    nem_history h;
    nem_history_init(&h);
    bool good = nem_clients_histories(w, &h);
    nem_judgement j = nem_judge(&h, o->forgets ? NULL : stdout);
    printf("%u failovers, %u faults; %zu calls answered, %zu unknown, on %zu "
           "keys; %zu broken, %zu undecided, %" PRIu64 " steps\n",
           w->failovers, w->cycles, j.answered, j.unknown, j.keys, j.broken,
           j.undecided, j.steps);
    if (o->forgets && j.broken > 0)
        printf("that something was forgotten shows: %s\n", j.first);
    if (o->forgets ? j.broken == 0 : j.broken > 0 || j.undecided > 0)
        good = false;
    if (!w->failed && w->failovers < o->failovers)
        good = nem_fail(w, "only %u failovers of %" PRIu64, w->failovers,
                        o->failovers);
    if (j.answered < 20 * w->seconds)
        good = nem_fail(w, "only %zu calls were answered", j.answered);
    nem_history_fini(&h);
    return good;
}

/* The sanitizers write to the daemons' logs; CTest reads only ours. */
static bool sanitizers_are_silent(nem_world *w) {
    char line[700];
    snprintf(line, sizeof line,
             "! grep -E 'ERROR: (Leak|Address|Thread)Sanitizer|WARNING: "
             "ThreadSanitizer|runtime error:' '%s'/*.log",
             w->pair.dir);
    fflush(NULL);
    return system(line) == 0 || nem_fail(w, "a sanitizer has spoken");
}

/* Bits flipped, and that was noticed where it was to be. */
static bool tls_was_tried(nem_world *w) {
    char line[700];
    unsigned flips = 0;
    for (int i = 0; i < NEM_WIRES; i++)
        flips += atomic_load(&w->network.wires->wire[i].flips);
    printf("%u bits were flipped\n", flips);
    fflush(stdout);
    snprintf(
        line, sizeof line,
        "grep -hoE 'msg=\"TLS (failed|with the other node failed)|msg=\"no "
        "TLS with the other node' '%s'/*.log | sort | uniq -c; "
        "grep -q 'TLS failed' '%s'/*.log",
        w->pair.dir, w->pair.dir);
    return (flips > 0 && system(line) == 0) ||
           nem_fail(w, "no flipped bit was met");
}

static void clear(const nem_world *w) {
    char line[200];
    fflush(NULL);
    snprintf(line, sizeof line, "rm -rf '%s'", w->pair.dir);
    if (system(line) != 0)
        printf("%s is left behind\n", w->pair.dir);
}

static int run(const options *o, char **argv) {
    nem_world w = {.seed = o->seed,
                   .seconds = o->seconds,
                   .heal_ms_max = o->slow ? 90000 : 30000};
    printf("nemesis: seed %" PRIu64 ", %" PRIu64 " s\n", o->seed, o->seconds);
    idt_rng_seed(&w.rng, o->seed);
    w.start_ns = nem_now_ns();
    if (!set_up(&w, o, argv)) {
        printf("the stage can't be built: %s\n", strerror(errno));
        return 1;
    }
    w.start_ns = nem_now_ns();
    bool good = rage(&w, o);
    if (!good && w.over != NULL)
        nem_clients_stop(&w);
    good = judge(&w, o) && good;
    nem_pair_end(&w.pair);
    good = sanitizers_are_silent(&w) && good;
    good = (!o->tls || tls_was_tried(&w)) && good;
    nem_network_close(&w.network);
    fclose(w.windows);
    printf("nemesis: seed %" PRIu64 ": %s\n", o->seed,
           !good        ? "FAILED"
           : o->forgets ? "found"
                        : "nothing was lost");
    if (good && !o->keep)
        clear(&w);
    else
        printf("histories and logs are in %s\n", w.pair.dir);
    return good ? 0 : 1;
}

static int judge_files(int count, char **paths) {
    nem_history h;
    bool good = true;
    nem_history_init(&h);
    for (int i = 0; i < count && good; i++)
        good = nem_history_load(&h, paths[i]);
    if (!good)
        printf("%s\n", h.why);
    nem_judgement j = nem_judge(&h, stdout);
    printf("%zu keys, %zu calls answered; %zu broken, %zu undecided\n", j.keys,
           j.answered, j.broken, j.undecided);
    nem_history_fini(&h);
    return good && j.broken == 0 && j.undecided == 0 && j.answered > 0 ? 0 : 1;
}

int main(int argc, char **argv) {
    options o = {.seconds = 20, .seed = 1};
    if (argc > 2 && strcmp(argv[1], "--judge") == 0)
        return judge_files(argc - 2, argv + 2);
    if (!parse(argc, argv, &o))
        return usage();
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    return run(&o, argv);
}
