/* SPDX-License-Identifier: Apache-2.0 */
/* main.c -- tells the stories of Markdown files to a backend.
 *
 *   conformance core|model FILE...
 *   conformance tcp=PATH-OF-IDEMSTORED FILE...
 *
 * Over TCP several stories run side by side, each with a daemon of its own,
 * and one that failed while this machine was late is told again, slower.
 * Exit 0: every story holds. */
#include "tests/conformance/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIDE_BY_SIDE = 8, SAY_MAX = 3000 };

static const uint32_t stretches[] = {1, 4, 12};

static backend *open_backend(const story *s, const char *kind) {
    if (strncmp(kind, "tcp=", 4) == 0) {
        return backend_tcp(s, kind + 4);
    }
    return backend_virtual(s, kind);
}

/* Tells it once. */
static run_verdict tell(const story *s, const char *kind, uint32_t stretch,
                        char *say) {
    backend *b = open_backend(s, kind);
    if (!b) {
        snprintf(say, SAY_MAX, "%s:%d: the daemon does not start\n", s->file,
                 s->line);
        return RUN_FAILED;
    }
    run_verdict verdict = story_run(s, b, stretch, say, SAY_MAX);
    if (!b->close(b) && verdict == RUN_PASSED) {
        snprintf(say, SAY_MAX, "%s:%d: (%s) it ended badly\n", s->file, s->line,
                 s->title);
        verdict = RUN_FAILED;
    }
    return verdict;
}

static bool holds(const story *s, const char *kind) {
    char say[SAY_MAX] = "";
    run_verdict verdict = RUN_LATE;
    for (size_t i = 0; verdict == RUN_LATE && i < 3; i++) {
        verdict = tell(s, kind, stretches[i], say);
    }
    if (verdict != RUN_PASSED) {
        fputs(say, stdout);
        if (verdict == RUN_LATE) {
            printf("  (this machine was late, even at the slowest)\n");
        }
        fflush(stdout);
    }
    return verdict == RUN_PASSED;
}

typedef struct count {
    int told;
    int failed;
    int running; /* children */
} count;

static void await_one(count *c) {
    int status = 0;
    if (c->running > 0 && wait(&status) > 0) {
        c->running--;
        c->failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
}

/* In a process of its own, so that several can wait at the same time. */
static void tell_aside(const story *s, const char *kind, count *c) {
    if (c->running == SIDE_BY_SIDE) {
        await_one(c);
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(holds(s, kind) ? 0 : 1);
    }
    c->running += pid > 0;
    c->failed += pid < 0;
}

static void tell_all(const stories *all, const char *kind, count *c) {
    bool tcp = strncmp(kind, "tcp=", 4) == 0;
    for (int i = 0; i < all->count; i++) {
        const story *s = &all->at[i];
        if (tcp ? s->core_only : s->tcp_only) {
            continue;
        }
        c->told++;
        if (tcp) {
            tell_aside(s, kind, c);
        } else {
            c->failed += !holds(s, kind);
        }
    }
    while (c->running > 0) {
        await_one(c);
    }
}

int main(int argc, char **argv) {
    count c = {0};
    if (argc < 3) {
        fprintf(stderr, "conformance core|model|tcp=IDEMSTORED FILE...\n");
        return 64;
    }
    for (int i = 2; i < argc; i++) {
        stories all;
        if (!stories_read(&all, argv[i])) {
            stories_free(&all);
            return 1;
        }
        tell_all(&all, argv[1], &c);
        stories_free(&all);
    }
    printf("%d stories, %d failed\n", c.told, c.failed);
    return c.failed == 0 && c.told > 0 ? 0 : 1;
}
