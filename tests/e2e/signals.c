/* SPDX-License-Identifier: Apache-2.0 */
/* signals.c -- no signal ends the daemon without a drain or a line.
 *
 *   signals IDEMSTORED */
#include "tests/e2e/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *program;

static void works(const daemon_t *daemon, const char *key) {
    wire w;
    CHECK(wire_open(&w, daemon->port), "can't connect");
    e2e_do_once(&w, key, "done");
    wire_close(&w);
}

/* All that a process may get and that says nothing about it. */
static void some_are_only_told(void) {
    static const int told[] = {SIGUSR1, SIGUSR2, SIGALRM,  SIGVTALRM,
                               SIGPROF, SIGIO,   SIGSTKFLT};
    static const int quiet[] = {SIGPIPE,  SIGXFSZ, SIGTTIN, SIGTTOU,
                                SIGWINCH, SIGCHLD, SIGURG};
    daemon_t daemon;
    daemon_start(&daemon, &(daemon_spec){.program = program});
    works(&daemon, "before-signals");
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "nothing done\" signal=%d ", told[i]);
        kill(daemon.child.pid, told[i]);
        CHECK(daemon_said(&daemon, text), "signal %d is not logged", told[i]);
    }
    for (size_t i = 0; i < sizeof quiet / sizeof quiet[0]; i++)
        kill(daemon.child.pid, quiet[i]);
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        kill(daemon.child.pid, number);
    kill(daemon.child.pid, SIGHUP);
    CHECK(daemon_said(&daemon, "msg=\"settings reloaded\""), "HUP reloads");
    works(&daemon, "after-signals");
    daemon_stop(&daemon);
    puts("  USR1, USR2 and others: a line; HUP: a reload; it goes on");
}

static void some_drain(void) {
    static const int drains[] = {SIGTERM, SIGINT, SIGQUIT, SIGPWR, SIGXCPU};
    for (size_t i = 0; i < sizeof drains / sizeof drains[0]; i++) {
        daemon_t daemon;
        daemon_start(&daemon, &(daemon_spec){.program = program});
        works(&daemon, "before");
        kill(daemon.child.pid, drains[i]);
        int code = daemon_exit(&daemon, 60);
        CHECK(code == 0, "signal %d ends it with %d", drains[i], code);
        CHECK(daemon_said(&daemon, "msg=\"draining\""), "without a drain");
        unlink(daemon.child.log_path);
    }
    puts("  TERM, INT, QUIT, PWR, XCPU: a drain");
}

/* No file may be as large as one of the log usually is: it goes on with smaller
 * ones. What can't be had so is the snapshot at the end, and it says so. */
static void a_limit_of_file_size_has_its_message(void) {
    char folder[] = "/tmp/idemstore-signals-XXXXXX";
    char command[64], result[100001];
    daemon_t daemon;
    wire w;
    CHECK(mkdtemp(folder) != NULL, "no folder");
    memset(result, 'x', sizeof result - 1);
    result[sizeof result - 1] = '\0';
    daemon_start(&daemon, &(daemon_spec){.program = program,
                                         .prefix = "ulimit -f 5000;",
                                         .flags = {"--data-dir", folder,
                                                   "--threads", "1"}});
    CHECK(wire_open(&w, daemon.port), "can't connect");
    for (int i = 0; i < 200; i++) {
        char key[32];
        snprintf(key, sizeof key, "large-%d", i);
        idp_request claim = ask_acquire(key, 60000, 60000);
        idp_answer answer;
        CHECK(wire_call(&w, &claim, &answer) == 0, "%s is not granted", key);
        idp_request complete = ask_complete(key, answer.token, result);
        CHECK(wire_call(&w, &complete, &answer) == 0 &&
                  answer.outcome == IDP_OUTCOME_COMPLETED,
              "%s is not completed", key);
    }
    wire_close(&w);
    kill(daemon.child.pid, SIGTERM);
    int code = daemon_exit(&daemon, 60);
    CHECK(code == 0, "it ends with %d", code);
    CHECK(daemon_said(&daemon, "a limit on the size of a file"),
          "it does not say why");
    unlink(daemon.child.log_path);
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0, "%s stays behind", folder);
    puts("  a limit on the size of files: smaller ones, and a line");
}

/* A terminal ----------------------------------------------------------------
 */

/* Starts it as the first of a session on that terminal. */
static pid_t start_on_terminal(const char *name, const char *log) {
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    int terminal = open(name, O_RDWR);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (getppid() != parent || terminal < 0 || out < 0)
        _exit(127);
    ioctl(terminal, TIOCSCTTY, 0);
    dup2(terminal, 0);
    dup2(out, 1);
    dup2(out, 2);
    execl(program, program, "--listen", "127.0.0.1:0", NULL);
    _exit(127);
}

static void its_terminal_closes(void) {
    daemon_t daemon = {.child.name = "on-terminal"};
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0,
          "no terminal");
    snprintf(daemon.child.log_path, sizeof daemon.child.log_path,
             "/tmp/idemstore-terminal-%d.log", (int)getpid());
    daemon.child.pid =
        start_on_terminal(ptsname(master), daemon.child.log_path);
    daemon.port = child_port(&daemon.child);
    CHECK(daemon.port != 0, "it does not start on a terminal");
    works(&daemon, "on-a-terminal");
    kill(daemon.child.pid, SIGHUP);
    CHECK(daemon_said(&daemon, "msg=\"settings reloaded\""),
          "HUP with a terminal does not reload");
    works(&daemon, "after-hup");
    close(master);
    int code = daemon_exit(&daemon, 60);
    CHECK(code == 0 && daemon_said(&daemon, "msg=\"draining\""),
          "its terminal closes: it ends with %d", code);
    unlink(daemon.child.log_path);
    puts("  HUP drains when its terminal closes, and else reloads");
}

/* Until the delay is over it serves as before, new connections too. */
static void drains_later(void) {
    daemon_t daemon;
    daemon_start(&daemon, &(daemon_spec){.program = program,
                                         .flags = {"--drain-delay", "600000"}});
    kill(daemon.child.pid, SIGTERM);
    CHECK(daemon_said(&daemon, "msg=\"draining\" signal=15 delay_ms=600000"),
          "it does not say that it will end");
    works(&daemon, "after-term");
    kill(daemon.child.pid, SIGHUP);
    CHECK(daemon_said(&daemon, "msg=\"settings reloaded\""), "HUP reloads");
    kill(daemon.child.pid, SIGTERM);
    int code = daemon_exit(&daemon, 60);
    CHECK(code == 1, "the second signal ends it with %d", code);
    unlink(daemon.child.log_path);
    daemon_start(&daemon, &(daemon_spec){.program = program,
                                         .flags = {"--drain-delay", "200"}});
    daemon_stop(&daemon);
    puts("  --drain-delay: it serves on, then ends by itself");
}

static void nohup_stays(void) {
    daemon_t daemon;
    daemon_start(&daemon, &(daemon_spec){.program = program,
                                         .prefix = "trap '' HUP USR1;"});
    kill(daemon.child.pid, SIGHUP);
    kill(daemon.child.pid, SIGUSR1);
    kill(daemon.child.pid, SIGUSR2);
    CHECK(daemon_said(&daemon, "nothing done\" signal=12 "), "no USR2");
    CHECK(!daemon_has_said(&daemon, "settings reloaded") &&
              !daemon_has_said(&daemon, "nothing done\" signal=10 "),
          "what was ignored is taken");
    daemon_stop(&daemon);
    puts("  what was ignored at the start stays so");
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: signals IDEMSTORED");
    program = argv[1];
    some_are_only_told();
    some_drain();
    a_limit_of_file_size_has_its_message();
    its_terminal_closes();
    drains_later();
    nohup_stays();
    return 0;
}
