/* ctl_test.c -- idemctl as a shell, a script and a person use it: exit codes,
 * JSON, lines from stdin, lines typed at a terminal.
 *
 *   ctl_test IDEMSTORED IDEMCTL POINTS_MINIMAL */
#include "tests/e2e/harness.h"

#include <cjson/cJSON.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_BYTES_MAX     (256 * 1024)
#define TERMINAL_SECONDS_MAX 20

static char output[OUTPUT_BYTES_MAX];

/* Runs a shell line ($CTL is idemctl); what it wrote is in output. */
static int shell(const char *line) {
    fflush(NULL);
    /* What a shell makes of it is what is tested. NOLINTNEXTLINE */
    FILE *from = popen(line, "r");
    CHECK(from != NULL, "%s: no shell", line);
    size_t len = fread(output, 1, sizeof output - 1, from);
    output[len] = '\0';
    int status = pclose(from);
    CHECK(WIFEXITED(status), "%s: ended by signal %d", line, WTERMSIG(status));
    return WEXITSTATUS(status);
}

/* The line ends with this code, and says this on stdout or stderr. */
static void says(int code, const char *text, const char *line) {
    char whole[2048];
    snprintf(whole, sizeof whole, "{ %s\n} 2>&1", line);
    int got = shell(whole);
    CHECK(got == code, "%s: exits %d, not %d: %s", line, got, code, output);
    CHECK(strstr(output, text) != NULL, "%s: says no \"%s\": %s", line, text,
          output);
}

/* The line's stdout is one object; a field of it, as text. */
static const char *json(int code, const char *field, const char *line) {
    static char value[1024];
    int got = shell(line);
    CHECK(got == code, "%s: exits %d, not %d", line, got, code);
    size_t len = strlen(output);
    CHECK(len > 0 && strchr(output, '\n') == output + len - 1,
          "%s: not one line: %s", line, output);
    cJSON *object = cJSON_Parse(output);
    CHECK(cJSON_IsObject(object), "%s: no object: %s", line, output);
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, field);
    CHECK(item != NULL, "%s: has no %s: %s", line, field, output);
    if (cJSON_IsString(item))
        snprintf(value, sizeof value, "%s", item->valuestring);
    else
        snprintf(value, sizeof value, "%s",
                 cJSON_IsNull(item)     ? "null"
                 : cJSON_IsTrue(item)   ? "true"
                 : cJSON_IsFalse(item)  ? "false"
                 : cJSON_IsNumber(item) ? "number"
                                        : "?");
    cJSON_Delete(object);
    return value;
}

static void json_is(int code, const char *field, const char *value,
                    const char *line) {
    const char *got = json(code, field, line);
    CHECK(strcmp(got, value) == 0, "%s: %s is %s, not %s", line, field, got,
          value);
}

/* Acquires and leaves the token in $TOKEN. */
static void take(const char *key) {
    char line[256];
    snprintf(line, sizeof line, "$CTL --json acquire %s --lease 60s", key);
    setenv("TOKEN", json(0, "token", line), 1);
}

/* ---------------------------------------------------------------- stories */

static void life_of_a_key(void) {
    says(0, "pong", "$CTL ping");
    says(15, "absent", "$CTL peek life");
    says(0, "acquired", "$CTL acquire life --fingerprint 01 --lease 7s");
    says(11, "in_progress", "$CTL acquire life --fingerprint 01");
    says(11, "in_progress", "$CTL acquire life --wait 50ms");
    says(12, "mismatch", "$CTL acquire life --fingerprint 02");
    says(0, "in_progress", "$CTL peek life");
    take("done");
    says(0, "1m", "$CTL renew done --token $TOKEN --lease 60s");
    says(0, "kept", "$CTL complete done --token $TOKEN --result 'all well'");
    says(10, "all well", "$CTL acquire done");
    says(14, "completed", "$CTL release done --token $TOKEN");
    says(15, "unknown", "$CTL complete never --token $TOKEN");
    take("back");
    says(0, "released", "$CTL release back --token $TOKEN");
    says(0, "previous            released", "$CTL acquire back");
    take("dropped");
    says(0, "released", "$CTL release dropped --token $TOKEN --unbind");
    says(15, "absent", "$CTL peek dropped");
    says(0, "acquired", "$CTL acquire brief --lease 1ms --ttl 1h");
    says(13, "orphaned", "sleep 0.1; $CTL acquire brief --on-orphan report");
    says(0, "orphaned", "$CTL acquire brief --lease 1s");
    says(15, "absent", "$CTL peek life --namespace elsewhere");
    says(0, "records", "$CTL stats");
    puts("  a key's life, with an exit code for each outcome");
}

static void nonce_and_body(void) {
    says(0, "acquired", "$CTL acquire again --nonce 0a0b --lease 60s");
    says(0, "acquired", "$CTL acquire again --nonce 0a0b --lease 60s");
    says(11, "in_progress", "$CTL acquire again --nonce 0a0c");
    says(0, "acquired", "echo one | $CTL acquire body --body -");
    says(11, "in_progress", "echo one | $CTL acquire body --body -");
    says(12, "mismatch", "echo two | $CTL acquire body --body -");
    puts("  a nonce finds its claim again; a body is a fingerprint");
}

static void as_json(void) {
    json_is(0, "outcome", "pong", "$CTL --json ping");
    json_is(15, "state", "absent", "$CTL peek j --json");
    take("j");
    json_is(11, "outcome", "in_progress", "$CTL --json acquire j");
    json_is(0, "kept", "true",
            "printf 'a\"\\\\\\n\\t\\303\\244\\001' |"
            "$CTL --json complete j --token $TOKEN --result-file -");
    json_is(10, "result", "a\"\\\n\t\303\244\001", "$CTL --json acquire j");
    take("bytes");
    shell("printf '\\377\\0x' | $CTL complete bytes --token $TOKEN"
          " --class error --result-file -");
    json_is(10, "result", "/wB4", "$CTL --json acquire bytes");
    json_is(10, "result_encoding", "base64", "$CTL --json acquire bytes");
    json_is(10, "class", "error", "$CTL --json acquire bytes");
    says(10, "\\xff\\x00x", "$CTL acquire bytes");
    take("nil");
    says(0, "completed", "$CTL complete nil --token $TOKEN");
    json_is(10, "result", "null", "$CTL --json acquire nil");
    take("empty");
    says(0, "completed", "$CTL complete empty --token $TOKEN --result ''");
    json_is(10, "result", "", "$CTL --json acquire empty");
    json_is(0, "records", "number", "$CTL --json stats");
    json_is(69, "error", "CONNECT",
            "$CTL --json --server idem://127.0.0.1:1/?timeout_ms=300 ping");
    json_is(64, "error", "USAGE", "$CTL --json ping twice");
    puts("  JSON: one object a line, whatever the bytes are");
}

static void bad_words(void) {
    says(64, "--frobnicate", "$CTL --frobnicate ping");
    says(64, "frobnicate", "$CTL frobnicate");
    says(64, "acquire needs KEY", "$CTL acquire");
    says(64, "complete needs --token", "$CTL complete k");
    says(64, "--token", "$CTL complete k --token 00");
    says(64, "--token", "$CTL complete k --token");
    says(64, "--lease", "$CTL acquire k --lease 7");
    says(64, "--lease", "$CTL acquire k --lease 0s");
    says(64, "--lease", "$CTL acquire k --lease -1s");
    says(64, "--lease", "$CTL acquire k --lease 99999999999999999999s");
    says(64, "--lease", "$CTL acquire k --lease 1s --lease 1s");
    says(64, "lease", "$CTL acquire k --lease 25h");
    says(64, "--fingerprint", "$CTL acquire k --fingerprint 0g");
    says(64, "--fingerprint",
         "$CTL acquire k --body /dev/null --fingerprint 0");
    says(64, "--body", "$CTL acquire k --body /nonexistent");
    says(64, "--body", "$CTL acquire k --body /");
    says(64, "--on-orphan", "$CTL acquire k --on-orphan maybe");
    says(64, "does not take --unbind", "$CTL acquire k --unbind");
    says(64, "takes no value", "$CTL --json=1 ping");
    says(64, "k may follow",
         "$CTL ping k 2>&1 | sed 's/nothing/k/';"
         "exit 64");
    says(64, "key", "$CTL acquire ''");
    says(64, "URI", "$CTL --server nonsense ping");
    says(69, "CONNECT",
         "$CTL --server idem://127.0.0.1:1/ --timeout 300ms "
         "ping");
    says(0, "exit codes", "$CTL --help");
    says(0, "--on-orphan", "$CTL help acquire");
    says(0, "--unbind", "$CTL release --help");
    says(0, "idemctl", "$CTL --version");
    says(0, "acquired", "$CTL acquire -- --a-key-with-dashes");
    puts("  bad words are named, with 64");
}

static void secrets(void) {
    says(69, "127.0.0.1:1",
         "$CTL --server idem://:sesame@127.0.0.1:1/?timeout_ms=300 ping");
    CHECK(strstr(output, "sesame") == NULL, "the secret is shown: %s", output);
    says(64, "", "$CTL --server idem://:sesame@127.0.0.1:x/ ping");
    CHECK(strstr(output, "sesame") == NULL, "the secret is shown: %s", output);
    puts("  a secret is not echoed");
}

static void as_script(void) {
    says(11, "in_progress",
         "printf '# one key\\n\\nacquire \"a key\"\\nacquire a\\\\ key\\n' |"
         "$CTL");
    says(0, "pong", "printf 'ping\\nexit\\nfrobnicate\\n' | $CTL");
    says(64, "line 2", "printf 'ping\\nfrobnicate\\nping\\n' | $CTL");
    says(64, "quote", "echo \"acquire 'open\" | $CTL");
    says(64, "too long", "head -c 100000 /dev/zero | tr '\\0' x | $CTL");
    says(64, "not text", "printf 'pi\\0ng\\n' | $CTL");
    says(64, "stdin", "echo 'acquire k --body -' | $CTL");
    says(64, "--server", "echo 'ping --server idem://x/' | $CTL");
    says(0, "", "printf '' | $CTL");
    json_is(0, "outcome", "pong", "echo ping | $CTL --json");
    shell("head -c 20000 /dev/urandom | tr '\\0' x | $CTL 2>&1");
    puts("  lines from stdin; the first error stops them");
}

/* -------------------------------------------------------------- a terminal */

#define PROMPT "idem 127.0.0.1:"

/* The text, and behind it a prompt: what is typed now is typed into a line. */
static bool has_answered(const char *text) {
    const char *at = strstr(output, text);
    return at != NULL && strstr(at, PROMPT) != NULL;
}

/* Reads until it has answered so; what came is in output. */
static void terminal_shows(int fd, const char *text) {
    size_t len = 0;
    output[0] = '\0';
    for (int i = 0; i < TERMINAL_SECONDS_MAX * 10; i++) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (has_answered(text))
            return;
        if (poll(&ready, 1, 100) <= 0)
            continue;
        ssize_t got = read(fd, output + len, sizeof output - 1 - len);
        if (got <= 0)
            break;
        len += (size_t)got;
        output[len] = '\0';
    }
    CHECK(has_answered(text), "the terminal shows no \"%s\": %s", text, output);
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
        if (poll(&ready, 1, 10) > 0 && read(fd, output, sizeof output) <= 0)
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
    CHECK(strstr(output, "sesame") == NULL, "the prompt shows it: %s", output);
    command_line(pid, words, sizeof words);
    CHECK(strstr(words, "--server") != NULL && strstr(words, "sesame") == NULL,
          "the command line shows it: %s", words);
    type(fd, "ping\n");
    terminal_shows(fd, "pong");
    leave(fd, pid, "exit\n", 0);
}

/* Nothing says no but the secret. */
static void orders_denied(const char *uri, uint16_t port) {
    char line[256];
    snprintf(line, sizeof line, "$CTL --server %s promote", uri);
    says(16, "--replicate-from", line);
    snprintf(line, sizeof line, "$CTL --server idem://127.0.0.1:%u/ promote",
             port);
    says(70, "DENIED", line);
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
    says(70, "DENIED", line);
    snprintf(uri, sizeof uri, "idem://:sesame@127.0.0.1:%u/", daemon.port);
    snprintf(line, sizeof line, "$CTL --server %s ping", uri);
    says(0, "pong", line);
    secret_at_terminal(program, uri);
    orders_denied(uri, daemon.port);
    daemon_stop(&daemon);
    unlink(path);
    puts("  a secret opens the door, and is seen nowhere");
}

/* --------------------------------------------------------------- operators */

static void alone(void) {
    says(0, "mode                none", "$CTL replication");
    json_is(0, "role", "primary", "$CTL --json replication");
    json_is(0, "lag_ops", "number", "$CTL --json replication");
    json_is(0, "lag_bytes", "number", "$CTL --json replication");
    json_is(0, "lag_ms", "number", "$CTL --json replication");
    json_is(0, "epoch", "number", "$CTL --json replication");
    json_is(0, "in_sync", "?", "$CTL --json replication");
    json_is(0, "streams", "?", "$CTL --json replication");
    json_is(0, "peer", "null", "$CTL --json replication");
    puts("  a server without a peer says that it is alone");
}

static void orders_refused(void) {
    says(16, "--replicate-from", "$CTL promote");
    says(16, "--replicate-from", "$CTL promote --accept-loss");
    says(16, "--replication", "$CTL detach");
    says(16, "--replication", "$CTL switchover");
    says(16, "--data-dir", "$CTL snapshot");
    json_is(16, "outcome", "refused", "$CTL --json snapshot");
    says(64, "does not take --accept-loss", "$CTL switchover --accept-loss");
    says(64, "the URI names 2",
         "$CTL --server idem://127.0.0.1:1,127.0.0.1:2/ promote");
    json_is(69, "error", "CONNECT",
            "$CTL --json --server idem://127.0.0.1:1/ promote");
    says(0, "orders_refused_total 6", "$CTL stats");
    puts("  an order that nobody can carry out is refused by its flag");
}

/* A folder that a daemon has left. */
static void folder_checked(const char *daemon_program) {
    char folder[] = "/tmp/idemstore-ctl-XXXXXX";
    char path[4096];
    daemon_t daemon;
    const char *slash = strrchr(daemon_program, '/');
    CHECK(mkdtemp(folder) != NULL, "no folder");
    CHECK(slash != NULL, "%s: not a path", daemon_program);
    snprintf(path, sizeof path, "%.*s:%s", (int)(slash - daemon_program),
             daemon_program, getenv("PATH"));
    setenv("PATH", path, 1);
    setenv("FOLDER", folder, 1);
    daemon_start(&daemon,
                 &(daemon_spec){.program = daemon_program,
                                .flags = {"--data-dir", folder, NULL}});
    daemon_stop(&daemon);
    says(0, ": good", "$CTL check $FOLDER");
    json_is(0, "outcome", "good", "$CTL --json check $FOLDER");
    says(1, "No such file", "$CTL check $FOLDER/none");
    json_is(1, "outcome", "bad", "$CTL --json check $FOLDER/none");
    says(64, "check needs DIR", "$CTL check");
    says(69, "neither beside idemctl nor on the PATH",
         "cp $CTL $FOLDER/idemctl; PATH=/nowhere $FOLDER/idemctl check /tmp");
    shell("rm -r $FOLDER");
    puts("  a folder is looked into as idemstored --check does");
}

static void least_program(void) {
    says(0, "completed: 10 points taken", "$MINIMAL least");
    says(0, "replay: 10 points taken", "$MINIMAL least");
    says(10, "10 points taken", "$CTL acquire least");
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
    alone();
    orders_refused();
    folder_checked(argv[1]);
    secret_demanded(argv[1], argv[2]);
    least_program();
    daemon_stop(&daemon);
    return 0;
}
