/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_terminal.c -- idemctl as a person types it, into a real terminal.
 *
 *   ctl_terminal IDEMSTORED IDEMCTL */
#include "tests/e2e/ctl_shell.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS_MAX 60
#define PROMPT      "idem 127.0.0.1:"

static const char *program;
static char history[] = "/tmp/idemstore-history-XXXXXX";

typedef struct terminal {
    int fd;
    pid_t pid;
} terminal;

/* words end with NULL. */
static terminal sit_down(const char *const words[]) {
    terminal t;
    fflush(NULL);
    t.pid = forkpty(&t.fd, NULL, NULL, NULL);
    CHECK(t.pid >= 0, "no terminal");
    if (t.pid == 0) {
        char *argv[8] = {(char *)program};
        for (int i = 0; words[i] != NULL; i++)
            argv[i + 1] = (char *)words[i];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setenv("TERM", "dumb", 1);
        /* libedit never frees the names of the keys that are bound. */
        setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
        setenv("IDEMCTL_HISTORY", history, 1);
        unsetenv("LC_ALL"), unsetenv("LC_CTYPE"), unsetenv("LANG");
        execv(program, argv);
        _exit(127);
    }
    return t;
}

/* The text, and behind it a prompt: what is typed now is typed into a line. */
static bool has_answered(const char *text) {
    const char *at = strstr(ctl_output, text);
    bool is_prompt = strstr(text, "> ") != NULL;
    return at != NULL && (is_prompt || strstr(at, PROMPT) != NULL);
}

/* Reads until it has answered so; what came is in ctl_output. */
static void shows(const terminal *t, const char *text) {
    size_t len = 0;
    ctl_output[0] = '\0';
    for (int i = 0; i < SECONDS_MAX * 10 && !has_answered(text); i++) {
        struct pollfd ready = {.fd = t->fd, .events = POLLIN};
        if (poll(&ready, 1, 100) <= 0)
            continue;
        ssize_t got =
            read(t->fd, ctl_output + len, sizeof ctl_output - 1 - len);
        if (got <= 0)
            break;
        len += (size_t)got;
        ctl_output[len] = '\0';
    }
    CHECK(has_answered(text), "the terminal shows no \"%s\": %s", text,
          ctl_output);
}

static void type(const terminal *t, const char *text) {
    ssize_t len = (ssize_t)strlen(text);
    CHECK(write(t->fd, text, (size_t)len) == len, "can't type");
}

/* Types the last words; it has to end with this code. They are typed again
 * after a second, on a cleared line: the line editor shows its prompt just
 * before it makes the terminal raw, and a ^D that comes between the two turns
 * into a character. */
static void leave(const terminal *t, const char *words, int code) {
    int status = 0;
    pid_t ended = 0;
    for (int i = 0; i < SECONDS_MAX * 100 && ended == 0; i++) {
        if (i % 100 == 0 && ((i > 0 && write(t->fd, "\025", 1) < 0) ||
                             write(t->fd, words, strlen(words)) < 0))
            e2e_sleep_ms(10); /* it has closed its end: it is ending */
        /* It may wait for its last words to be read. */
        struct pollfd ready = {.fd = t->fd, .events = POLLIN};
        if (poll(&ready, 1, 10) > 0 &&
            read(t->fd, ctl_output, sizeof ctl_output) <= 0)
            e2e_sleep_ms(10);
        ended = waitpid(t->pid, &status, WNOHANG);
    }
    CHECK(ended == t->pid && WIFEXITED(status), "it does not end when told to");
    CHECK(WEXITSTATUS(status) == code, "it ends with %d, not %d",
          WEXITSTATUS(status), code);
    close(t->fd);
}

#define SIT_DOWN(...) sit_down((const char *const[]){__VA_ARGS__ NULL})

/* ---------------------------------------------------------------- stories */

static void a_session(void) {
    terminal t = SIT_DOWN();
    shows(&t, "/till> "); /* the namespace */
    type(&t, "ping\n");
    shows(&t, "pong");
    type(&t, "acq\ttyped --lease 7s\n");
    shows(&t, "acquired");
    type(&t, "acquire typed --wa\t50ms\n");
    shows(&t, "in_progress");
    type(&t, "frobnicate 'x\n");
    shows(&t, "quote");
    type(&t, "? acquire\n");
    shows(&t, "--on-orphan");
    type(&t, "complete typed --result 'all well'\n");
    shows(&t, "kept                yes");
    type(&t, "complete other\n");
    shows(&t, "has not acquired that key");
    type(&t, "acquire typed\n");
    shows(&t, "all well");
    leave(&t, "\004", 10);
    puts("  a session: completion, help, a token that is remembered");
}

static void not_only_ascii(void) {
    terminal t = SIT_DOWN("-n", "caf\303\251", );
    shows(&t, "/caf\303\251> ");
    type(&t, "acquire bestellung-\303\274 --lease 60s\n");
    shows(&t, "acquired");
    type(&t, "peek bestellung-\303\274\n");
    shows(&t, "in_progress");
    type(&t, "peek bestellung-\n");
    shows(&t, "absent");
    leave(&t, "quit\n", 0);
    ctl_says(0, "in_progress", "$CTL -n caf\303\251 peek bestellung-\303\274");
    puts("  characters beyond ASCII arrive as they are typed, in any locale");
}

static void ctrl_c_clears_the_line(void) {
    terminal t = SIT_DOWN();
    shows(&t, "/till> ");
    type(&t, "ping\n"); /* from here on the terminal is the editor's */
    shows(&t, "pong");
    type(&t, "acquire never\003pi\003ping\n");
    shows(&t, "pong");
    leave(&t, "quit\n", 0);
    ctl_says(15, "absent", "$CTL peek never");
    puts("  Ctrl-C clears the line, and nothing else");
}

/* Killed, not ended: what was typed is there all the same. */
static void history_is_written_line_by_line(void) {
    char line[256];
    int status;
    terminal t = SIT_DOWN();
    shows(&t, "/till> ");
    type(&t, "peek remembered\n");
    shows(&t, "absent");
    kill(t.pid, SIGKILL);
    waitpid(t.pid, &status, 0);
    close(t.fd);
    snprintf(line, sizeof line, "tail -n 1 %s; stat -c %%a %s", history,
             history);
    ctl_says(0, "peek remembered\n600", line);
    t = SIT_DOWN();
    shows(&t, "/till> ");
    type(&t, "\020\n"); /* ^P: the line before */
    shows(&t, "absent");
    leave(&t, "quit\n", 0);
    puts("  history survives a kill, and nobody else may read it");
}

/* What ps shows of the process. */
static void command_line(pid_t pid, char *text, size_t cap) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    FILE *from = fopen(path, "re");
    CHECK(from != NULL, "%s: can't be read", path);
    size_t len = fread(text, 1, cap - 1, from);
    fclose(from);
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\0')
            text[i] = ' ';
    text[len] = '\0';
}

static void a_secret_is_seen_nowhere(const daemon_t *daemon) {
    char words[512], uri[128];
    snprintf(uri, sizeof uri, "idem://:sesame@127.0.0.1:%u/till", daemon->port);
    terminal t = SIT_DOWN("-s", uri, );
    shows(&t, "/till> ");
    CHECK(strstr(ctl_output, "sesame") == NULL, "the prompt shows it: %s",
          ctl_output);
    command_line(t.pid, words, sizeof words);
    CHECK(strstr(words, "/till") != NULL && strstr(words, "sesame") == NULL,
          "the command line shows it: %s", words);
    type(&t, "ping\n");
    shows(&t, "pong");
    leave(&t, "exit\n", 0);
    puts("  a secret is in neither prompt nor process list");
}

/* The terminal tells the command itself: idemctl does not say it again, and
 * waits for its end. What is typed is for the command. */
static void ctrl_c_is_for_the_command(void) {
    terminal t = SIT_DOWN("run", "keys", "--", "sh", "-c",
                          "n=0; trap 'n=$((n + 1))' INT; echo 'begun> '; "
                          "until test $n -gt 0; do sleep 0.1; done; "
                          "read -r line; echo \"$n, $line> \"; exit 5", );
    shows(&t, "begun> ");
    type(&t, "\003");
    type(&t, "typed\n");
    shows(&t, "1, typed> ");
    leave(&t, "", 5);
    puts("  Ctrl-C is for the command that runs, once");
}

int main(int argc, char **argv) {
    daemon_t daemon;
    if (argc != 3) {
        fputs("usage: ctl_terminal IDEMSTORED IDEMCTL\n", stderr);
        return 64;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    program = argv[2];
    int fd = mkstemp(history);
    CHECK(fd >= 0, "no file for the history");
    close(fd);
    ctl_start(
        &daemon,
        &(daemon_spec){.program = argv[1], .flags = {"--threads", "2", NULL}},
        argv[2], "till");
    a_session();
    not_only_ascii();
    ctrl_c_clears_the_line();
    history_is_written_line_by_line();
    a_secret_is_seen_nowhere(&daemon);
    ctrl_c_is_for_the_command();
    daemon_stop(&daemon);
    unlink(history);
    return 0;
}
