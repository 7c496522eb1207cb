/* SPDX-License-Identifier: Apache-2.0 */
/* nemesis.c -- three machines, each with a node, its agent and a member of
 * etcd; clients, a nemesis, and no operator; then the judge.
 *
 *     agent_nemesis IDEMSTORED IDEMAGENT [--seconds N] [--seed N]
 *             [--failovers N] [--etcd-away N] [--clients N] [--pause MS]
 *             [--clock LIBRARY] [--journal] [--auth] [--keep] [--slow]
 *             [--only FAULT] [--found]
 *
 * --clients, --pause: for many calls in a short time; 8, and up to 18 ms
 * between two calls of one, without them.
 *
 * --found: something is broken on purpose, and the run is good if the judge
 * finds that it was.
 *
 * It goes on until there were so many failovers, and for so long: at most five
 * times as long. Without --journal, --auth the seed says. Exits with 77 where
 * there are no namespaces to be had. */
#include "tests/agent/nemesis.h"
#include "bench/judge/judge.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct options {
    uint64_t seconds, seed, failovers, etcd_away, clients, pause_ms;
    const char *clock, *only;
    bool journal, auth, keep, slow, found;
} options;

/* --- what is told --------------------------------------------------------- */

static void tell(const agents_world *w, const char *format, va_list args) {
    printf("[%8.3f] ", (double)(nem_now_ns() - w->start_ns) / 1e9);
    vprintf(format, args);
    printf("\n");
    fflush(stdout);
}

void aw_say(agents_world *w, const char *format, ...) {
    va_list args;
    va_start(args, format);
    tell(w, format, args);
    va_end(args);
}

bool aw_fail(agents_world *w, const char *format, ...) {
    va_list args;
    va_start(args, format);
    printf("FAILED:\n");
    tell(w, format, args);
    va_end(args);
    if (!w->failed)
        machines_tell(&w->m);
    w->failed = true;
    return false;
}

void aw_rest_ms(unsigned ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000,
                                 .tv_nsec = (long)(ms % 1000) * 1000000},
              NULL);
}

unsigned aw_some(agents_world *w, unsigned low, unsigned high) {
    return idt_rng_between(&w->rng, low, high);
}

/* --- a run ---------------------------------------------------------------- */

static bool write_word(const machines *m, const char *name, const char *word) {
    char path[200];
    snprintf(path, sizeof path, "%s/%s", m->dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ssize_t len = (ssize_t)strlen(word);
    bool good = fd >= 0 && write(fd, word, (size_t)len) == len;
    if (fd >= 0)
        close(fd);
    return good;
}

static bool set_up(agents_world *w, const options *o, char **argv) {
    char path[200];
    const char *tmp = getenv("TMPDIR");
    machines *m = &w->m;
    *m = (machines){
        .idemstored = argv[1], .idemagent = argv[2], .clock = o->clock};
    /* What is kept for an hour is more where more is asked. */
    m->memory_mib = 64 * (unsigned)o->clients / CLIENTS_LEAST;
    m->journal = idt_rng_chance(&w->rng, 30) || o->journal;
    m->auth = idt_rng_chance(&w->rng, 30) || o->auth;
    printf("%s; etcd asks %s\n",
           m->journal ? "with a journal" : "all in memory",
           m->auth ? "for a user" : "for no user");
    snprintf(m->dir, sizeof m->dir, "%.90s/agents-XXXXXX", tmp ? tmp : "/tmp");
    if (mkdtemp(m->dir) == NULL ||
        !write_word(m, "secret", "not-for-strangers\n") ||
        !write_word(m, "password", "agent-word\n"))
        return false;
    snprintf(path, sizeof path, "%s/windows", m->dir);
    w->windows = fopen(path, "we");
    for (int at = 0; at < MACHINES; at++)
        machines_set_clock(m, at, 0);
    return w->windows != NULL && machines_open(m);
}

static bool begin(agents_world *w) {
    ids_group_view view;
    for (int at = 0; at < MACHINES; at++)
        if (!machines_start(&w->m, at, PART_ETCD) ||
            !machines_start(&w->m, at, PART_NODE))
            return aw_fail(w, "%c can't be started", machine_name(at));
    for (int tries = 0; !aw_look(w, &view); tries++)
        if (tries == 60)
            return aw_fail(w, "etcd does not answer");
    if (w->m.auth && !machines_ask_for_users(&w->m))
        return aw_fail(w, "no users");
    if (!machines_start_stranger(&w->m))
        return aw_fail(w, "no other etcd");
    return aw_heal(w);
}

static bool rage(agents_world *w) {
    if (!begin(w))
        return false;
    w->failovers = 0;
    w->start_ns = nem_now_ns();
    uint64_t end_ns = w->start_ns + w->seconds * 1000000000u;
    if (!aw_clients_start(w))
        return false;
    if (w->etcd_away_s && !(aw_etcd_away(w, w->etcd_away_s) && aw_heal(w)))
        return false;
    uint64_t last_ns = end_ns + 4 * w->seconds * 1000000000u;
    while (nem_now_ns() < end_ns ||
           (w->failovers < w->failovers_least && nem_now_ns() < last_ns)) {
        aw_rest_ms(aw_some(w, 100, 600));
        if (!aw_fault(w) || !aw_heal(w))
            return false;
    }
    return aw_clients_stop(w) && aw_clients_audit(w);
}

static bool judge(agents_world *w, const options *o) {
    nem_history h;
    nem_history_init(&h);
    bool good = aw_clients_histories(w, &h);
    nem_judgement j = nem_judge(&h, o->found ? NULL : stdout);
    printf("%u failovers, %u faults, well again within %" PRIu64
           " ms; %zu calls answered, %zu unknown, on %zu keys; %zu broken, %zu "
           "undecided, %" PRIu64 " steps\n",
           w->failovers, w->cycles, w->slowest_ms, j.answered, j.unknown,
           j.keys, j.broken, j.undecided, j.steps);
    if (o->found) {
        printf("that a rule is off shows: %s\n", j.first);
        nem_history_fini(&h);
        return j.broken > 0;
    }
    if (j.broken > 0 || j.undecided > 0)
        good = false;
    if (!w->failed && w->failovers < o->failovers)
        good = aw_fail(w, "only %u failovers of %" PRIu64, w->failovers,
                       o->failovers);
    if (!w->failed && j.answered < 10 * w->seconds)
        good = aw_fail(w, "only %zu calls were answered", j.answered);
    nem_history_fini(&h);
    return good;
}

/* The sanitizers write to the processes' logs; CTest reads only ours. */
static bool sanitizers_are_silent(agents_world *w) {
    char line[700];
    snprintf(line, sizeof line,
             "! grep -E 'ERROR: (Leak|Address|Thread)Sanitizer|WARNING: "
             "ThreadSanitizer|runtime error:' '%s'/*.log",
             w->m.dir);
    fflush(NULL);
    return system(line) == 0 || aw_fail(w, "a sanitizer has spoken");
}

static int run(const options *o, char **argv) {
    static agents_world w;
    w = (agents_world){.seed = o->seed,
                       .seconds = o->seconds,
                       .failovers_least = (unsigned)o->failovers,
                       .clients_run = (unsigned)o->clients,
                       .pause_ms = (unsigned)o->pause_ms,
                       .only = o->only,
                       .etcd_away_s = (unsigned)o->etcd_away,
                       .heal_ms_max = o->slow ? 180000 : 60000};
    printf("agent_nemesis: seed %" PRIu64 ", %" PRIu64 " s\n", o->seed,
           o->seconds);
    idt_rng_seed(&w.rng, o->seed);
    w.start_ns = nem_now_ns();
    if (!set_up(&w, o, argv))
        return 77;
    bool good = rage(&w);
    if (!good)
        aw_clients_stop(&w);
    good = judge(&w, o) && (good || o->found);
    machines_close(&w.m);
    good = sanitizers_are_silent(&w) && good;
    fclose(w.windows);
    printf("agent_nemesis: seed %" PRIu64 ": %s\n", o->seed,
           !good      ? "FAILED"
           : o->found ? "found"
                      : "nothing was lost");
    char line[200];
    snprintf(line, sizeof line, "rm -rf '%s'", w.m.dir);
    fflush(NULL);
    if (!good || o->keep || system(line) != 0)
        printf("histories and logs are in %s\n", w.m.dir);
    return good ? 0 : 1;
}

static uint64_t *number_of(options *o, const char *name) {
    return strcmp(name, "--seconds") == 0     ? &o->seconds
           : strcmp(name, "--seed") == 0      ? &o->seed
           : strcmp(name, "--failovers") == 0 ? &o->failovers
           : strcmp(name, "--etcd-away") == 0 ? &o->etcd_away
           : strcmp(name, "--clients") == 0   ? &o->clients
           : strcmp(name, "--pause") == 0     ? &o->pause_ms
                                              : NULL;
}

static const char **word_of(options *o, const char *name) {
    return strcmp(name, "--clock") == 0  ? &o->clock
           : strcmp(name, "--only") == 0 ? &o->only
                                         : NULL;
}

static bool *flag_of(options *o, const char *name) {
    return strcmp(name, "--journal") == 0 ? &o->journal
           : strcmp(name, "--auth") == 0  ? &o->auth
           : strcmp(name, "--keep") == 0  ? &o->keep
           : strcmp(name, "--slow") == 0  ? &o->slow
           : strcmp(name, "--found") == 0 ? &o->found
                                          : NULL;
}

static bool parse(int argc, char **argv, options *o) {
    for (int i = 3; i < argc; i++) {
        uint64_t *number = number_of(o, argv[i]);
        const char **word = word_of(o, argv[i]);
        bool *flag = flag_of(o, argv[i]);
        if (flag != NULL)
            *flag = true;
        else if (number != NULL && i + 1 < argc)
            *number = strtoull(argv[++i], NULL, 10);
        else if (word != NULL && i + 1 < argc)
            *word = argv[++i];
        else
            return false;
    }
    return argc >= 3 && o->clients >= CLIENTS_LEAST &&
           o->clients <= CLIENTS_MOST && o->pause_ms <= 1000 &&
           (o->only == NULL || aw_knows_fault(o->only));
}

int main(int argc, char **argv) {
    options o = {.seconds = 30, .seed = 1, .clients = CLIENTS_LEAST};
    if (!parse(argc, argv, &o)) {
        fprintf(stderr,
                "usage: agent_nemesis IDEMSTORED IDEMAGENT [--seconds N] "
                "[--seed N]\n               [--failovers N] [--etcd-away N] "
                "[--clients 8..256] [--pause MS]\n               "
                "[--clock LIBRARY] [--journal] [--auth] [--keep] [--slow]\n"
                "               [--only FAULT] [--found]\n");
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    return run(&o, argv);
}
