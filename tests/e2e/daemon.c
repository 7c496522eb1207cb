/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.c -- the daemon's side of harness.h. */
#include "tests/e2e/harness.h"

#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SAID_MS = 60000, PATIENCE_S = 120 };

_Noreturn void e2e_fail(const char *file, int line, const char *what,
                        const char *format, ...) {
    va_list args;
    va_start(args, format);
    fflush(stdout);
    fprintf(stderr, "%s:%d: not so: %s\n    ", file, line, what);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    _exit(1);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED /* clang's way of saying it */
#endif
#endif

bool e2e_sanitized(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    defined(SANITIZED)
    return true;
#else
    return false;
#endif
}

uint64_t e2e_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void e2e_sleep_ms(unsigned ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000,
                                 .tv_nsec = (long)(ms % 1000) * 1000000},
              NULL);
}

static char log_folder[] = "/tmp/idemstore-e2e-XXXXXX";

/* Goes when all went well; a failed test leaves its logs there. */
static void remove_log_folder(void) {
    rmdir(log_folder);
}

static const char *log_dir(void) {
    static bool made;
    if (!made) {
        CHECK(mkdtemp(log_folder) != NULL, "no temporary folder");
        atexit(remove_log_folder);
    }
    made = true;
    return log_folder;
}

void daemon_start(daemon_t *one, const daemon_spec *spec) {
    static unsigned count;
    char script[512];
    char name[32];
    char *argv[DAEMON_FLAGS_MAX + 8];
    size_t n = 0;
    snprintf(script, sizeof script, "%s exec \"$@\"",
             spec->prefix != NULL ? spec->prefix : "");
    argv[n++] = "sh";
    argv[n++] = "-c";
    argv[n++] = script;
    argv[n++] = "sh";
    argv[n++] = (char *)spec->program;
    if (!spec->own_listen) {
        argv[n++] = "--listen";
        argv[n++] = "127.0.0.1:0";
    }
    for (size_t i = 0; spec->flags[i] != NULL; i++)
        argv[n++] = (char *)spec->flags[i];
    argv[n] = NULL;
    snprintf(name, sizeof name, "idemstored-%u", count++);
    *one = (daemon_t){0};
    CHECK(child_start(&one->child, name, log_dir(), argv), "no fork");
    if (spec->own_listen)
        return;
    one->port = child_port(&one->child);
    if (one->port == 0)
        child_print_log(&one->child);
    CHECK(one->port != 0, "the daemon says no port");
}

int daemon_exit(daemon_t *one, unsigned seconds_max) {
    int status = 0;
    if (seconds_max < PATIENCE_S)
        seconds_max = PATIENCE_S;
    bool ended = child_wait(&one->child, &status, seconds_max);
    if (!ended)
        child_print_log(&one->child);
    CHECK(ended, "the daemon did not end within %u s", seconds_max);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void daemon_stop(daemon_t *one) {
    kill(one->child.pid, SIGTERM);
    int code = daemon_exit(one, 30);
    if (code != 0 || daemon_has_said(one, "Sanitizer") ||
        daemon_has_said(one, "runtime error")) {
        child_print_log(&one->child);
        CHECK(false, "the daemon ended with %d", code);
    }
    unlink(one->child.log_path);
}

bool daemon_has_said(const daemon_t *one, const char *text) {
    char line[2048];
    bool found = false;
    FILE *log = fopen(one->child.log_path, "re");
    while (log != NULL && !found && fgets(line, sizeof line, log))
        found = strstr(line, text) != NULL;
    if (log != NULL)
        fclose(log);
    return found;
}

bool daemon_said(const daemon_t *one, const char *text) {
    uint64_t until = e2e_now_ms() + SAID_MS;
    while (!daemon_has_said(one, text)) {
        if (e2e_now_ms() >= until)
            return false;
        e2e_sleep_ms(10);
    }
    return true;
}

void daemon_ends(int code, const char *saying, daemon_spec spec) {
    daemon_t daemon;
    spec.own_listen = true;
    daemon_start(&daemon, &spec);
    int got = daemon_exit(&daemon, PATIENCE_S);
    if (got != code || !daemon_said(&daemon, saying))
        child_print_log(&daemon.child);
    CHECK(got == code, "%s: ends with %d, not %d", spec.flags[0], got, code);
    CHECK(daemon_said(&daemon, saying), "it does not say \"%s\"", saying);
    unlink(daemon.child.log_path);
}

/* The number behind name in a /proc file of "name number" lines. */
static size_t proc_number(pid_t pid, const char *file, const char *name) {
    char path[64];
    char line[256];
    size_t value = 0;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    FILE *in = fopen(path, "re");
    CHECK(in != NULL, "%s: the daemon is gone", path);
    while (fgets(line, sizeof line, in))
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtoul(line + strlen(name), NULL, 10);
    fclose(in);
    return value;
}

size_t daemon_rss_kb(const daemon_t *one) {
    return proc_number(one->child.pid, "status", "VmRSS:");
}

size_t daemon_descriptors(const daemon_t *one) {
    char path[64];
    size_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)one->child.pid);
    DIR *dir = opendir(path);
    CHECK(dir != NULL, "%s: the daemon is gone", path);
    for (struct dirent *at; (at = readdir(dir)) != NULL;)
        count += at->d_name[0] != '.';
    closedir(dir);
    return count;
}

uint64_t daemon_cpu_ms(const daemon_t *one) {
    char path[64];
    char line[1024] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)one->child.pid);
    FILE *in = fopen(path, "re");
    CHECK(in != NULL && fgets(line, sizeof line, in) != NULL,
          "%s: the daemon is gone", path);
    fclose(in);
    /* Fields 14 and 15; the second one, the name, is in parentheses. */
    char *at = strrchr(line, ')');
    for (unsigned field = 2; at != NULL && field < 14; field++)
        at = strchr(at + 1, ' ');
    CHECK(at != NULL, "%s has another form", path);
    uint64_t user = strtoull(at, &at, 10);
    uint64_t kernel = strtoull(at, NULL, 10);
    return (user + kernel) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

uint64_t daemon_stat(const daemon_t *one, const char *name) {
    wire w;
    idp_request ask = {.method = IDP_STATS};
    idp_reply reply;
    CHECK(wire_open(&w, one->port) && wire_ask(&w, &ask, &reply) &&
              !reply.is_error,
          "stats is not answered");
    uint64_t found = UINT64_MAX;
    uint64_t value;
    idp_slice at_name;
    for (size_t at = 0; idp_stats_next(reply.result, &at, &at_name, &value);)
        if (at_name.len == strlen(name) &&
            memcmp(at_name.ptr, name, at_name.len) == 0)
            found = value;
    wire_close(&w);
    CHECK(found != UINT64_MAX, "stats has no %s", name);
    return found;
}

/* Of one page; names before it are asked for by the last one's. */
static bool find_row(const idp_ns_page *page, const char *ns, idp_ns_row *row) {
    for (uint32_t i = 0; i < page->row_count; i++) {
        idp_slice name = page->rows[i].ns;
        bool same = ns ? name.ptr && name.len == strlen(ns) &&
                             memcmp(name.ptr, ns, name.len) == 0
                       : !name.ptr;
        if (same)
            *row = page->rows[i];
        if (same)
            return true;
    }
    return false;
}

idp_ns_row daemon_namespace(const daemon_t *one, const char *ns) {
    idp_request ask = {.method = IDP_NAMESPACES};
    idp_ns_row row = {0};
    idp_ns_page page;
    idp_reply reply;
    wire w;
    CHECK(wire_open(&w, one->port), "no connection");
    do {
        uint8_t after[IDP_NS_BYTES_MAX];
        CHECK(wire_ask(&w, &ask, &reply) && !reply.is_error &&
                  idp_ns_page_read(reply.result, &page) && page.counts,
              "namespaces is not answered");
        if (!page.is_behind && find_row(&page, ns, &row))
            break;
        CHECK(page.is_behind || page.has_more, "no namespace %s", ns);
        ask.ns = (idp_slice){0};
        if (!page.is_behind) {
            ask.ns = page.rows[page.row_count - 1].ns;
            memcpy(after, ask.ns.ptr, ask.ns.len);
            ask.ns.ptr = after;
        }
    } while (true);
    wire_close(&w);
    row.ns = (idp_slice){0};
    return row;
}
