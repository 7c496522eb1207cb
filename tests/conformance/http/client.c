/* SPDX-License-Identifier: Apache-2.0 */
/* client.c -- one request and its answer, by the program curl: any host, any
 * version of HTTP, TLS, proxies. Linking its library would need thirty others,
 * and this program runs where nothing is installed.
 *
 * Nothing is followed, and nothing is kept between two requests, so that each
 * is one of its own to a balancer. What is asked goes through a pipe: a secret
 * does not stand in the list of processes. */
#include "tests/conformance/http/http.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ASK_BYTES_MAX   32768 /* a pipe takes so much at once */
#define REPLY_BYTES_MAX (HTTP_HEAD_BYTES_MAX + HTTP_BODY_BYTES_MAX)

extern char **environ;

uint64_t http_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void http_sleep_ms(uint64_t ms) {
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0)
        continue;
}

void http_uuid(char to[static HTTP_UUID_CHARS]) {
    uint8_t r[16];
    if (getrandom(r, sizeof r, 0) != (ssize_t)sizeof r) {
        perror("getrandom");
        abort();
    }
    r[6] = (uint8_t)((r[6] & 0x0f) | 0x40);
    r[8] = (uint8_t)((r[8] & 0x3f) | 0x80);
    snprintf(to, HTTP_UUID_CHARS,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
             "%02x%02x%02x%02x%02x%02x",
             r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10],
             r[11], r[12], r[13], r[14], r[15]);
}

/* --------------------------------------------------------------- the answer */

/* Head and body of the last answer in the bytes; what came before it is a 100
 * (Continue) or the like. */
static bool split(http_reply *reply, const char *bytes, size_t len) {
    const char *end = bytes + len;
    for (const char *head = bytes;;) {
        const char *blank = memmem(head, (size_t)(end - head), "\r\n\r\n", 4);
        const char *space =
            blank != NULL ? memchr(head, ' ', (size_t)(blank - head)) : NULL;
        if (space == NULL || strncmp(head, "HTTP/", 5) != 0)
            return false;
        long status = strtol(space, NULL, 10);
        if (status < 100 || status > 999)
            return false;
        if (status >= 200) {
            reply->status = status;
            reply->head = strndup(head, (size_t)(blank + 2 - head));
            reply->body_bytes = (size_t)(end - (blank + 4));
            reply->body = calloc(1, reply->body_bytes + 1);
            if (reply->body != NULL)
                memcpy(reply->body, blank + 4, reply->body_bytes);
            return reply->head != NULL && reply->body != NULL;
        }
        head = blank + 4;
    }
}

bool http_reply_header(const http_reply *reply, const char *name, char *to,
                       size_t cap) {
    size_t name_len = strlen(name);
    to[0] = '\0';
    for (const char *line = reply->head; line != NULL && *line != '\0';) {
        const char *end = line + strcspn(line, "\r\n");
        if ((size_t)(end - line) > name_len && line[name_len] == ':' &&
            strncasecmp(line, name, name_len) == 0) {
            const char *value = line + name_len + 1;
            value += strspn(value, " \t");
            snprintf(to, cap, "%.*s", (int)(end - value), value);
            return true;
        }
        line = end + strspn(end, "\r\n");
    }
    return false;
}

bool http_reply_same(const http_reply *one, const http_reply *other) {
    return one->status == other->status &&
           one->body_bytes == other->body_bytes &&
           (one->body_bytes == 0 ||
            memcmp(one->body, other->body, one->body_bytes) == 0);
}

void http_reply_fini(http_reply *reply) {
    free(reply->head);
    free(reply->body);
    *reply = (http_reply){.status = 0};
}

/* -------------------------------------------------------------- the request */

/* What curl is told, line by line; see curl(1), -K. */
typedef struct words {
    size_t len;
    bool is_full;
    char text[ASK_BYTES_MAX];
} words;

static void put(words *w, const char *text, size_t len) {
    if (len >= sizeof w->text - w->len) {
        w->is_full = true;
        return;
    }
    memcpy(w->text + w->len, text, len);
    w->len += len;
}

/* name = "value", with what would end it escaped. */
static void tell(words *w, const char *name, const char *value) {
    put(w, name, strlen(name));
    put(w, " = \"", 4);
    for (; *value != '\0'; value++) {
        const char *escaped = *value == '"'    ? "\\\""
                              : *value == '\\' ? "\\\\"
                              : *value == '\n' ? "\\n"
                              : *value == '\r' ? "\\r"
                                               : NULL;
        put(w, escaped != NULL ? escaped : value, escaped != NULL ? 2 : 1);
    }
    put(w, "\"\n", 2);
}

static void tell_header(words *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void tell_header(words *w, const char *format, ...) {
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    tell(w, "header", line);
}

static bool is_same_name(const char *header, const char *other) {
    size_t len = strcspn(other, ":");
    return strncasecmp(header, other, len) == 0 && header[len] == ':';
}

/* curl leaves a header without a value out, unless so written. */
static void tell_key(words *w, const http_options *o, const char *value) {
    if (value != NULL && *value == '\0')
        tell_header(w, "%s;", o->key_header);
    else if (value != NULL)
        tell_header(w, "%s: %s", o->key_header, value);
}

static void tell_headers(words *w, const http_options *o, const http_ask *ask) {
    bool has_type = false;
    for (size_t i = 0; i < o->headers_count; i++) {
        if (ask->is_other_user && is_same_name(o->headers[i], o->other_user))
            continue;
        has_type |= is_same_name(o->headers[i], "Content-Type:");
        tell(w, "header", o->headers[i]);
    }
    if (!has_type)
        tell(w, "header", "Content-Type: application/json");
    if (ask->is_other_user)
        tell(w, "header", o->other_user);
    if (ask->header != NULL)
        tell(w, "header", ask->header);
    tell_key(w, o, ask->no_key ? NULL : ask->key);
    tell_key(w, o, ask->key_again);
}

static void tell_common(words *w, const http_options *o, const char *url,
                        uint32_t timeout_ms) {
    char seconds[32];
    static const char flags[] = "silent\nshow-error\ninclude\ngloboff\n"
                                "suppress-connect-headers\n";
    put(w, flags, sizeof flags - 1);
    snprintf(seconds, sizeof seconds, "%u.%03u", timeout_ms / 1000,
             timeout_ms % 1000);
    tell(w, "url", url);
    tell(w, "proto", "=http,https");
    tell(w, "user-agent", "idemconform");
    tell(w, "max-time", seconds);
    if (o->ca != NULL)
        tell(w, "cacert", o->ca);
}

/* ---------------------------------------------------------------- the program
 */

/* Standard input, output and error of a curl, as our ends of pipes. */
typedef struct program {
    pid_t pid;
    int ends[3];
} program;

static bool open_pipes(int pipes[3][2]) {
    for (int i = 0; i < 3; i++)
        if (pipe2(pipes[i], O_CLOEXEC) != 0)
            return false;
    return true;
}

/* Of each pipe the end that the program has: 0 of the first, 1 of the others.
 */
static bool spawn(program *p, char *const argv[], int pipes[3][2]) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (int i = 0; i < 3; i++)
        posix_spawn_file_actions_adddup2(&actions, pipes[i][i > 0], i);
    int code = posix_spawnp(&p->pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    for (int i = 0; i < 3; i++) {
        close(pipes[i][i > 0]);
        p->ends[i] = pipes[i][i == 0];
    }
    return code == 0;
}

/* Everything until its end, of which the first cap bytes are kept. */
static size_t read_all(int fd, char *to, size_t cap) {
    char spare[4096];
    size_t len = 0;
    for (;;) {
        size_t room = cap - len;
        ssize_t got =
            room > 0 ? read(fd, to + len, room) : read(fd, spare, sizeof spare);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return len;
        len += room > 0 ? (size_t)got : 0;
    }
}

/* What it answered in bytes, what it complained of in error. */
static bool run(char *const argv[], const words *w, char *bytes, size_t cap,
                size_t *len, char *error, size_t error_cap) {
    int pipes[3][2], status = 0;
    program p;
    if (!open_pipes(pipes) || !spawn(&p, argv, pipes)) {
        snprintf(error, error_cap, "the program %s does not start", argv[0]);
        return false;
    }
    bool told = write(p.ends[0], w->text, w->len) == (ssize_t)w->len;
    close(p.ends[0]);
    *len = read_all(p.ends[1], bytes, cap);
    error[read_all(p.ends[2], error, error_cap - 1)] = '\0';
    close(p.ends[1]);
    close(p.ends[2]);
    while (waitpid(p.pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return told && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool http_begin(void) {
    char *argv[] = {"curl", "--version", NULL};
    char version[256], error[256];
    static const words none;
    size_t len;
    return run(argv, &none, version, sizeof version, &len, error, sizeof error);
}

static void perform(const words *w, http_reply *reply) {
    char *argv[] = {"curl", "-q", "-K", "-", NULL};
    uint64_t begin_ms = http_now_ms();
    size_t len = 0;
    char *bytes = malloc(REPLY_BYTES_MAX);
    if (bytes == NULL || w->is_full) {
        snprintf(reply->error, sizeof reply->error, "the request is too long");
    } else if (run(argv, w, bytes, REPLY_BYTES_MAX, &len, reply->error,
                   sizeof reply->error) &&
               !split(reply, bytes, len)) {
        reply->status = 0;
        snprintf(reply->error, sizeof reply->error, "it is no HTTP answer");
    }
    reply->error[strcspn(reply->error, "\n")] = '\0';
    reply->took_ms = (uint32_t)(http_now_ms() - begin_ms);
    free(bytes);
}

void http_send(const http_options *o, const http_ask *ask, http_reply *reply) {
    words w = {.len = 0};
    *reply = (http_reply){.status = 0};
    tell_common(&w, o, o->url,
                ask->timeout_ms > 0 ? ask->timeout_ms : o->timeout_ms);
    tell(&w, "request", o->method);
    tell(&w, "data-raw", ask->body);
    tell_headers(&w, o, ask);
    perform(&w, reply);
}

void http_get(const http_options *o, const char *url, http_reply *reply) {
    words w = {.len = 0};
    *reply = (http_reply){.status = 0};
    tell_common(&w, o, url, o->timeout_ms);
    for (size_t i = 0; i < o->headers_count; i++)
        tell(&w, "header", o->headers[i]);
    perform(&w, reply);
}
