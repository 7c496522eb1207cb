/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_run_faults.c -- idemctl run while things fail: it is killed, stopped,
 * asked to end; its lease is lost to another; the daemon dies and comes back; a
 * replica is promoted.
 *
 *   ctl_run_faults IDEMSTORED IDEMCTL */
#include "tests/e2e/ctl_shell.h"
#include "tests/e2e/pair.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 120000

/* idemctl itself, and nothing between it and us. */
typedef struct runner {
    pid_t pid;
} runner;

/* words: key, options, "--", command; each stands by its own. Its output goes
 * to $DIR/said; without a terminal it is in a session of its own. */
static runner begin(const char *const words[]) {
    const char *argv[32] = {getenv("CTL"), "run"};
    size_t count = 2;
    for (; words[count - 2] != NULL && count < 31; count++)
        argv[count] = words[count - 2];
    fflush(NULL);
    runner r = {fork()};
    CHECK(r.pid >= 0, "no process");
    if (r.pid > 0)
        return r;
    setsid();
    char path[512];
    snprintf(path, sizeof path, "%s/said", getenv("DIR"));
    if (freopen(path, "w", stdout) == NULL)
        _exit(99);
    dup2(STDOUT_FILENO, STDERR_FILENO);
    execv(argv[0], (char *const *)argv);
    _exit(99);
}

/* Its code, or 256 + a signal. */
static int end_of(runner r) {
    int status = 0;
    for (uint64_t until = e2e_now_ms() + PATIENCE_MS;;) {
        pid_t got = waitpid(r.pid, &status, WNOHANG);
        if (got == r.pid)
            break;
        CHECK(e2e_now_ms() < until, "idemctl run does not end");
        e2e_sleep_ms(20);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static void ends_with(runner r, int code, const char *text) {
    int got = end_of(r);
    ctl_shell("cat $DIR/said");
    CHECK(got == code, "it ends with %d, not %d: %s", got, code, ctl_output);
    CHECK(strstr(ctl_output, text) != NULL, "it does not say \"%s\": %s", text,
          ctl_output);
}

/* Until the shell says so. */
static void await(const char *condition) {
    for (uint64_t until = e2e_now_ms() + PATIENCE_MS;
         ctl_shell(condition) != 0;) {
        CHECK(e2e_now_ms() < until, "in vain: %s", condition);
        e2e_sleep_ms(50);
    }
}

#define AWAIT_GO "until test -e $DIR/go; do sleep 0.05; done; "

static void fresh(void) {
    ctl_shell("rm -f $DIR/go $DIR/began $DIR/ended $DIR/pid $DIR/told");
}

static runner begin_job(const char *key, const char *lease, const char *job) {
    fresh();
    runner r =
        begin((const char *const[]){key, "--lease", lease, "--kill-after", "1s",
                                    "--", "sh", "-c", job, NULL});
    await("test -e $DIR/began");
    return r;
}

static void go(void) {
    ctl_shell("touch $DIR/go");
}

/* ------------------------------------------------------------ signals, kills
 */

static void it_is_killed(void) {
    runner r = begin_job("killed", "2s",
                         "trap 'touch $DIR/told; exit 0' TERM; touch "
                         "$DIR/began; " AWAIT_GO);
    kill(r.pid, SIGKILL);
    CHECK(end_of(r) == 256 + SIGKILL, "it was not killed");
    await("test -e $DIR/told");
    await("$CTL peek killed | grep -q orphaned");
    fresh();
    r = begin((const char *const[]){"killed", "--fingerprint", "00", "--",
                                    "true", NULL});
    ends_with(r, 65, "another fingerprint");
    puts("  killed, it takes the command along, and the claim is orphaned");
}

static void a_signal_is_passed_on(void) {
    runner r = begin_job("term", "60s",
                         "trap 'echo heard; exit 7' TERM; touch $DIR/began; "
                         "sleep 300 & wait");
    kill(r.pid, SIGTERM);
    ends_with(r, 7, "heard");
    r = begin_job("hup", "60s", "touch $DIR/began; exec sleep 300");
    kill(r.pid, SIGHUP);
    ends_with(r, 128 + SIGHUP, "ended by signal 1");
    /* The shell's own children hear it as well: it is their group. */
    r = begin_job("group", "60s",
                  "trap '' INT; (trap 'touch $DIR/told; exit' USR1; touch "
                  "$DIR/began; " AWAIT_GO ") & wait; wait; exit 9");
    kill(r.pid, SIGUSR1);
    ends_with(r, 128 + SIGUSR1, "ended by signal");
    await("test -e $DIR/told");
    puts("  signals are passed on, to all that the command has started");
}

/* ----------------------------------------------------------------- the lease
 */

static void it_is_renewed(void) {
    runner r = begin_job("long", "1s",
                         "touch $DIR/began; sleep 4; echo after four leases");
    ends_with(r, 0, "after four leases");
    ctl_says(0, "completed", "$CTL peek long");
    puts("  the lease is renewed while the command runs");
}

/* Another takes over while it stands still. */
static void take_over(const char *key) {
    char line[256];
    snprintf(line, sizeof line,
             "until $CTL peek %s | grep -q orphaned; do sleep 0.05; done; "
             "$CTL acquire %s --lease 5m",
             key, key);
    ctl_says(0, "orphaned", line);
}

static void lost_while_it_stood_still(void) {
    runner r =
        begin_job("lost", "1s",
                  "trap 'echo told to end; exit 0' TERM; touch $DIR/began; "
                  "while :; do sleep 0.05; done");
    kill(r.pid, SIGSTOP);
    take_over("lost");
    kill(r.pid, SIGCONT);
    ends_with(r, 75, "the command is asked to end (TERM)");
    CHECK(strstr(ctl_output, "told to end") != NULL, "%s", ctl_output);
    r = begin_job("deaf", "1s",
                  "trap '' TERM; touch $DIR/began; while :; do sleep 0.05; "
                  "done");
    kill(r.pid, SIGSTOP);
    take_over("deaf");
    kill(r.pid, SIGCONT);
    ends_with(r, 75, "it is killed (KILL)");
    ctl_says(0, "in_progress", "$CTL peek deaf");
    puts("  a lost lease: TERM, then KILL, and 75");
}

static void lost_and_kept_running(void) {
    fresh();
    runner r = begin((const char *const[]){
        "kept", "--lease", "1s", "--keep-running", "--", "sh", "-c",
        "touch $DIR/began; " AWAIT_GO "exit 8", NULL});
    await("test -e $DIR/began");
    kill(r.pid, SIGSTOP);
    take_over("kept");
    kill(r.pid, SIGCONT);
    await("grep -q 'goes on' $DIR/said");
    go();
    ends_with(r, 8, "nothing of it is recorded");
    ctl_says(0, "in_progress", "$CTL peek kept");
    puts("  --keep-running lets it end, and records nothing");
}

/* Nobody took it over: it is still its own. */
static void stood_still_and_nobody_came(void) {
    runner r = begin_job("still", "1s",
                         "touch $DIR/began; " AWAIT_GO "echo all is well");
    kill(r.pid, SIGSTOP);
    await("$CTL peek still | grep -q orphaned");
    kill(r.pid, SIGCONT);
    await("$CTL peek still | grep -q in_progress");
    go();
    ends_with(r, 0, "all is well");
    r = begin_job("done", "1s",
                  "touch $DIR/began; " AWAIT_GO
                  "echo all is well; touch $DIR/ended");
    kill(r.pid, SIGSTOP);
    await("$CTL peek done | grep -q orphaned");
    go();
    await("test -e $DIR/ended");
    kill(r.pid, SIGCONT);
    ends_with(r, 0, "all is well");
    ctl_says(0, "completed", "$CTL peek done");
    puts("  stopped for longer than its lease, it goes on if nobody came");
}

static void alone(const char *daemon_path, const char *ctl) {
    daemon_t daemon;
    ctl_start(&daemon, &(daemon_spec){.program = daemon_path}, ctl, "run");
    it_is_killed();
    a_signal_is_passed_on();
    it_is_renewed();
    lost_while_it_stood_still();
    lost_and_kept_running();
    stood_still_and_nobody_came();
    daemon_stop(&daemon);
}

/* ----------------------------------------------------------------- the store
 */

static void ask(const pair_node *a, const pair_node *b) {
    char uri[128];
    if (b == NULL)
        snprintf(uri, sizeof uri, "idem://127.0.0.1:%u/run", a->port);
    else
        snprintf(uri, sizeof uri, "idem://127.0.0.1:%u,127.0.0.1:%u/run",
                 a->port, b->port);
    setenv("IDEMSTORE_URL", uri, 1);
}

static void the_daemon_dies(const char *program) {
    pair p;
    pair_init(&p, program, 1, 1);
    pair_keep(&p);
    pair_start(&p, &p.a, NULL);
    ask(&p.a, NULL);
    runner r = begin_job("dies", "60s",
                         "touch $DIR/began; " AWAIT_GO
                         "echo it was there; touch $DIR/ended");
    pair_kill(&p.a);
    go();
    await("test -e $DIR/ended");
    pair_start(&p, &p.a, NULL);
    ends_with(r, 0, "it was there");
    ctl_says(0, "it was there",
             "$CTL run dies -- sh -c 'touch $DIR/began; " AWAIT_GO
             "echo it was there; touch $DIR/ended'");
    pair_end(&p);
    puts("  a daemon that dies and comes back records it all the same");
}

/* It has forgotten the claim, and may grant it to the next one. */
static void a_daemon_that_forgets(const char *program) {
    pair p;
    pair_init(&p, program, 1, 1);
    pair_start(&p, &p.a, NULL);
    ask(&p.a, NULL);
    runner r = begin_job("forgets", "2s",
                         "touch $DIR/began; while :; do sleep 0.05; done");
    pair_kill(&p.a);
    pair_start(&p, &p.a, NULL);
    ends_with(r, 75, "the lease is lost");
    r = begin_job("gone", "2s",
                  "touch $DIR/began; while :; do sleep 0.05; done");
    pair_kill(&p.a);
    ends_with(r, 75, "the lease is lost");
    pair_end(&p);
    puts("  one that has forgotten it, or stays away: the lease is lost");
}

static void a_failover(const char *program) {
    pair p;
    pair_init(&p, program, 1, 1);
    pair_start_both(&p);
    ask(&p.a, &p.b);
    runner r = begin_job("failover", "60s",
                         "touch $DIR/began; " AWAIT_GO "echo of two nodes");
    pair_kill(&p.a);
    pair_carry_out(&p.b, IDP_PROMOTE, false);
    go();
    ends_with(r, 0, "of two nodes");
    ask(&p.b, NULL);
    ctl_says(0, "of two nodes",
             "$CTL run failover -- sh -c 'touch $DIR/began; " AWAIT_GO
             "echo of two nodes'");
    pair_end(&p);
    puts("  a failover: recorded at the new primary");
}

int main(int argc, char *argv[]) {
    char folder[] = "/tmp/ctl_run_faults-XXXXXX";
    CHECK(argc >= 3, "usage: ctl_run_faults IDEMSTORED IDEMCTL");
    CHECK(mkdtemp(folder) != NULL, "no folder");
    setenv("DIR", folder, 1);
    setvbuf(stdout, NULL, _IOLBF, 0);
    alone(argv[1], argv[2]);
    the_daemon_dies(argv[1]);
    a_daemon_that_forgets(argv[1]);
    a_failover(argv[1]);
    ctl_shell("rm -rf $DIR");
    return 0;
}
