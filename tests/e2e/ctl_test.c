/* ctl_test.c -- idemctl as a shell, a script and a person use it: exit codes,
 * JSON, lines from stdin, lines typed at a terminal.
 *
 *   ctl_test IDEMSTORED IDEMCTL POINTS_MINIMAL */
#include "tests/e2e/ctl_shell.h"
#include "tests/e2e/harness.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TERMINAL_SECONDS_MAX 20

/* Acquires and leaves the token in $TOKEN. */
static void take(const char *key) {
    char line[256];
    snprintf(line, sizeof line, "$CTL --json acquire %s --lease 60s", key);
    setenv("TOKEN", ctl_json(0, "token", line), 1);
}

/* ---------------------------------------------------------------- stories */

static void life_of_a_key(void) {
    ctl_says(0, "pong", "$CTL ping");
    ctl_says(15, "absent", "$CTL peek life");
    ctl_says(0, "acquired", "$CTL acquire life --fingerprint 01 --lease 7s");
    ctl_says(11, "in_progress", "$CTL acquire life --fingerprint 01");
    ctl_says(11, "in_progress", "$CTL acquire life --wait 50ms");
    ctl_says(12, "mismatch", "$CTL acquire life --fingerprint 02");
    ctl_says(0, "in_progress", "$CTL peek life");
    take("done");
    ctl_says(0, "1m", "$CTL renew done --token $TOKEN --lease 60s");
    ctl_says(0, "kept",
             "$CTL complete done --token $TOKEN --result 'all well'");
    ctl_says(10, "all well", "$CTL acquire done");
    ctl_says(14, "completed", "$CTL release done --token $TOKEN");
    ctl_says(15, "unknown", "$CTL complete never --token $TOKEN");
    take("back");
    ctl_says(0, "released", "$CTL release back --token $TOKEN");
    ctl_says(0, "previous            released", "$CTL acquire back");
    take("dropped");
    ctl_says(0, "released", "$CTL release dropped --token $TOKEN --unbind");
    ctl_says(15, "absent", "$CTL peek dropped");
    ctl_says(0, "acquired", "$CTL acquire brief --lease 1ms --ttl 1h");
    ctl_says(13, "orphaned",
             "sleep 0.1; $CTL acquire brief --on-orphan report");
    ctl_says(0, "orphaned", "$CTL acquire brief --lease 1s");
    ctl_says(15, "absent", "$CTL peek life --namespace elsewhere");
    ctl_says(0, "records", "$CTL stats");
    puts("  a key's life, with an exit code for each outcome");
}

static void nonce_and_body(void) {
    ctl_says(0, "acquired", "$CTL acquire again --nonce 0a0b --lease 60s");
    ctl_says(0, "acquired", "$CTL acquire again --nonce 0a0b --lease 60s");
    ctl_says(11, "in_progress", "$CTL acquire again --nonce 0a0c");
    ctl_says(0, "nonce               0a0b", "$CTL acquire again --nonce 0a0b");
    setenv("NONCE", ctl_json(0, "nonce", "$CTL --json acquire drawn"), 1);
    ctl_says(0, "acquired", "$CTL acquire drawn --nonce $NONCE");
    ctl_says(11, "in_progress", "$CTL acquire drawn");
    ctl_says(0, "acquired", "echo one | $CTL acquire body --body -");
    ctl_says(11, "in_progress", "echo one | $CTL acquire body --body -");
    ctl_says(12, "mismatch", "echo two | $CTL acquire body --body -");
    puts("  a nonce, also one that was drawn, finds its claim again; a body is "
         "a fingerprint");
}

static void as_json(void) {
    ctl_json_is(0, "outcome", "pong", "$CTL --json ping");
    ctl_json_is(15, "state", "absent", "$CTL peek j --json");
    take("j");
    ctl_json_is(11, "outcome", "in_progress", "$CTL --json acquire j");
    ctl_json_is(0, "kept", "true",
                "printf 'a\"\\\\\\n\\t\\303\\244\\001' |"
                "$CTL --json complete j --token $TOKEN --result-file -");
    ctl_json_is(10, "result", "a\"\\\n\t\303\244\001", "$CTL --json acquire j");
    take("bytes");
    ctl_shell("printf '\\377\\0x' | $CTL complete bytes --token $TOKEN"
              " --class error --result-file -");
    ctl_json_is(10, "result", "/wB4", "$CTL --json acquire bytes");
    ctl_json_is(10, "result_encoding", "base64", "$CTL --json acquire bytes");
    ctl_json_is(10, "class", "error", "$CTL --json acquire bytes");
    ctl_says(10, "\\xff\\x00x", "$CTL acquire bytes");
    take("nil");
    ctl_says(0, "completed", "$CTL complete nil --token $TOKEN");
    ctl_json_is(10, "result", "null", "$CTL --json acquire nil");
    take("empty");
    ctl_says(0, "completed", "$CTL complete empty --token $TOKEN --result ''");
    ctl_json_is(10, "result", "", "$CTL --json acquire empty");
    ctl_json_is(0, "records", "number", "$CTL --json stats");
    ctl_json_is(69, "error", "CONNECT",
                "$CTL --json --server idem://127.0.0.1:1/?timeout_ms=300 ping");
    ctl_json_is(64, "error", "USAGE", "$CTL --json ping twice");
    puts("  JSON: one object a line, whatever the bytes are");
}

static void bad_words(void) {
    ctl_says(64, "--frobnicate", "$CTL --frobnicate ping");
    ctl_says(64, "frobnicate", "$CTL frobnicate");
    ctl_says(64, "acquire needs KEY", "$CTL acquire");
    ctl_says(64, "complete needs --token", "$CTL complete k");
    ctl_says(64, "--token", "$CTL complete k --token 00");
    ctl_says(64, "--token", "$CTL complete k --token");
    ctl_says(64, "--lease", "$CTL acquire k --lease 7");
    ctl_says(64, "--lease", "$CTL acquire k --lease 0s");
    ctl_says(64, "--lease", "$CTL acquire k --lease -1s");
    ctl_says(64, "--lease", "$CTL acquire k --lease 99999999999999999999s");
    ctl_says(64, "--lease", "$CTL acquire k --lease 1s --lease 1s");
    ctl_says(64, "lease", "$CTL acquire k --lease 25h");
    ctl_says(64, "--fingerprint", "$CTL acquire k --fingerprint 0g");
    ctl_says(64, "--fingerprint",
             "$CTL acquire k --body /dev/null --fingerprint 0");
    ctl_says(64, "--body", "$CTL acquire k --body /nonexistent");
    ctl_says(64, "--body", "$CTL acquire k --body /");
    ctl_says(64, "--on-orphan", "$CTL acquire k --on-orphan maybe");
    ctl_says(64, "does not take --unbind", "$CTL acquire k --unbind");
    ctl_says(64, "takes no value", "$CTL --json=1 ping");
    ctl_says(64, "k may follow",
             "$CTL ping k 2>&1 | sed 's/nothing/k/';"
             "exit 64");
    ctl_says(64, "key", "$CTL acquire ''");
    ctl_says(64, "URI", "$CTL --server nonsense:// ping");
    ctl_says(69, "CONNECT",
             "$CTL --server idem://127.0.0.1:1/ --timeout 300ms "
             "ping");
    ctl_says(0, "exit codes", "$CTL --help");
    ctl_says(0, "--on-orphan", "$CTL help acquire");
    ctl_says(0, "--unbind", "$CTL release --help");
    ctl_says(0, "idemctl", "$CTL --version");
    ctl_says(0, "acquired", "$CTL acquire -- --a-key-with-dashes");
    puts("  bad words are named, with 64");
}

static void secrets(void) {
    ctl_says(69, "127.0.0.1:1",
             "$CTL --server idem://:sesame@127.0.0.1:1/?timeout_ms=300 ping");
    CHECK(strstr(ctl_output, "sesame") == NULL, "the secret is shown: %s",
          ctl_output);
    ctl_says(64, "", "$CTL --server idem://:sesame@127.0.0.1:x/ ping");
    CHECK(strstr(ctl_output, "sesame") == NULL, "the secret is shown: %s",
          ctl_output);
    puts("  a secret is not echoed");
}

static void as_script(void) {
    ctl_says(
        11, "in_progress",
        "printf '# one key\\n\\nacquire \"a key\"\\nacquire a\\\\ key\\n' |"
        "$CTL");
    ctl_says(0, "pong", "printf 'ping\\nexit\\nfrobnicate\\n' | $CTL");
    ctl_says(64, "line 2", "printf 'ping\\nfrobnicate\\nping\\n' | $CTL");
    ctl_says(64, "quote", "echo \"acquire 'open\" | $CTL");
    ctl_says(64, "too long", "head -c 100000 /dev/zero | tr '\\0' x | $CTL");
    ctl_says(64, "not text", "printf 'pi\\0ng\\n' | $CTL");
    ctl_says(64, "stdin", "echo 'acquire k --body -' | $CTL");
    ctl_says(64, "--server", "echo 'ping --server idem://x/' | $CTL");
    ctl_says(0, "", "printf '' | $CTL");
    ctl_json_is(0, "outcome", "pong", "echo ping | $CTL --json");
    ctl_shell("head -c 20000 /dev/urandom | tr '\\0' x | $CTL 2>&1");
    puts("  lines from stdin; the first error stops them");
}

/* -------------------------------------------------------------- a terminal */

#define PROMPT "idem 127.0.0.1:"

/* The text, and behind it a prompt: what is typed now is typed into a line. */
static bool has_answered(const char *text) {
    const char *at = strstr(ctl_output, text);
    return at != NULL && strstr(at, PROMPT) != NULL;
}

/* Reads until it has answered so; what came is in output. */
static void terminal_shows(int fd, const char *text) {
    size_t len = 0;
    ctl_output[0] = '\0';
    for (int i = 0; i < TERMINAL_SECONDS_MAX * 10; i++) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (has_answered(text))
            return;
        if (poll(&ready, 1, 100) <= 0)
            continue;
        ssize_t got = read(fd, ctl_output + len, sizeof ctl_output - 1 - len);
        if (got <= 0)
            break;
        len += (size_t)got;
        ctl_output[len] = '\0';
    }
    CHECK(has_answered(text), "the terminal shows no \"%s\": %s", text,
          ctl_output);
}

static void type(int fd, const char *text) {
    ssize_t len = (ssize_t)strlen(text);
    CHECK(write(fd, text, (size_t)len) == len, "can't type");
}

/* Types the last words; it has to end with this code. They are typed again
 * after a second, on a cleared line: the line editor shows its prompt just
 * before it makes the terminal raw, and a ^D that comes between the two turns
 * into a character. */
static void leave(int fd, pid_t pid, const char *words, int code) {
    int status = 0;
    pid_t ended = 0;
    for (int i = 0; i < TERMINAL_SECONDS_MAX * 100 && ended == 0; i++) {
        if (i % 100 == 0 && ((i > 0 && write(fd, "\025", 1) < 0) ||
                             write(fd, words, strlen(words)) < 0))
            e2e_sleep_ms(10); /* it has closed its end: it is ending */
        /* It may wait for its last words to be read. */
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, 10) > 0 &&
            read(fd, ctl_output, sizeof ctl_output) <= 0)
            e2e_sleep_ms(10);
        ended = waitpid(pid, &status, WNOHANG);
    }
    CHECK(ended == pid && WIFEXITED(status), "it does not end when told to");
    CHECK(WEXITSTATUS(status) == code, "it ends with %d, not %d",
          WEXITSTATUS(status), code);
    close(fd);
}

/* uri NULL: the environment's. */
static int terminal_open(const char *program, const char *uri, pid_t *pid) {
    int fd;
    fflush(NULL);
    *pid = forkpty(&fd, NULL, NULL, NULL);
    CHECK(*pid >= 0, "no terminal");
    if (*pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setenv("TERM", "dumb", 1);
        setenv("IDEMCTL_HISTORY", "", 1);
        execl(program, program, uri ? "--server" : (char *)NULL, uri,
              (char *)NULL);
        _exit(127);
    }
    return fd;
}

static void as_person(const char *program) {
    pid_t pid;
    int fd = terminal_open(program, NULL, &pid);
    terminal_shows(fd, "");
    type(fd, "ping\n");
    terminal_shows(fd, "pong");
    type(fd, "acq\ttyped --lease 7s\n");
    terminal_shows(fd, "acquired");
    type(fd, "acquire typed\n");
    terminal_shows(fd, "in_progress");
    type(fd, "frobnicate 'x\n");
    terminal_shows(fd, "quote");
    type(fd, "acquire typed\n");
    terminal_shows(fd, "lease_left");
    leave(fd, pid, "\004", 11);
    puts("  typed at a terminal, with completion");
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

static void secret_at_terminal(const char *program, const char *uri) {
    char words[512];
    pid_t pid;
    int fd = terminal_open(program, uri, &pid);
    terminal_shows(fd, "");
    CHECK(strstr(ctl_output, "sesame") == NULL, "the prompt shows it: %s",
          ctl_output);
    command_line(pid, words, sizeof words);
    CHECK(strstr(words, "--server") != NULL && strstr(words, "sesame") == NULL,
          "the command line shows it: %s", words);
    type(fd, "ping\n");
    terminal_shows(fd, "pong");
    leave(fd, pid, "exit\n", 0);
}

/* A daemon that demands one. */
static void secret_demanded(const char *daemon_program, const char *program) {
    char path[] = "/tmp/idemstore-secret-XXXXXX";
    char line[256];
    char uri[128];
    daemon_t daemon;
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, "sesame\n", 7) == 7, "no secret file");
    close(fd);
    daemon_start(&daemon,
                 &(daemon_spec){.program = daemon_program,
                                .flags = {"--secret-file", path, NULL}});
    snprintf(line, sizeof line, "$CTL --server idem://127.0.0.1:%u/ ping",
             daemon.port);
    ctl_says(70, "DENIED", line);
    snprintf(uri, sizeof uri, "idem://:sesame@127.0.0.1:%u/", daemon.port);
    snprintf(line, sizeof line, "$CTL --server %s ping", uri);
    ctl_says(0, "pong", line);
    snprintf(line, sizeof line, "$CTL --server :sesame@127.0.0.1:%u ping",
             daemon.port);
    ctl_says(0, "pong", line);
    secret_at_terminal(program, uri);
    daemon_stop(&daemon);
    unlink(path);
    puts("  a secret opens the door, and is seen nowhere");
}

static void least_program(void) {
    ctl_says(0, "completed: 10 points taken", "$MINIMAL least");
    ctl_says(0, "replay: 10 points taken", "$MINIMAL least");
    ctl_says(10, "10 points taken", "$CTL acquire least");
    puts("  the least program that links the library");
}

int main(int argc, char **argv) {
    daemon_t daemon;
    char uri[64];
    if (argc != 4) {
        fputs("usage: ctl_test IDEMSTORED IDEMCTL POINTS_MINIMAL\n", stderr);
        return 64;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    daemon_start(&daemon, &(daemon_spec){.program = argv[1],
                                         .flags = {"--threads", "2", NULL}});
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u/ctl", daemon.port);
    setenv("IDEMSTORE_URL", uri, 1);
    setenv("CTL", argv[2], 1);
    setenv("MINIMAL", argv[3], 1);
    life_of_a_key();
    nonce_and_body();
    as_json();
    bad_words();
    secrets();
    as_script();
    as_person(argv[2]);
    secret_demanded(argv[1], argv[2]);
    least_program();
    daemon_stop(&daemon);
    return 0;
}
