/* SPDX-License-Identifier: Apache-2.0 */
/* run_cases.c -- see run_cases.h.
 *
 * A case that crashes, hangs or leaves processes behind costs itself alone:
 * it is a process group, and its budget is the suite's to keep. */
#include "tests/conformance/run_cases.h"

#include <assert.h>
#include <errno.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { AT_ONCE_MAX = 64, WORD_MAX = 128 };

/* --- choosing ----------------------------------------------------------- */

/* An id, its group, or a pattern. */
static bool word_names(const char *word, const char *id) {
    size_t len = strlen(word);
    return fnmatch(word, id, 0) == 0 ||
           (strncmp(word, id, len) == 0 && id[len] == '/');
}

static bool list_has(const char *list, const char *id, bool exactly) {
    char word[WORD_MAX];
    while (*list) {
        size_t len = strcspn(list, ",");
        snprintf(word, sizeof word, "%.*s", (int)len, list);
        if (exactly ? strcmp(word, id) == 0 : word_names(word, id)) {
            return true;
        }
        list += len + (list[len] == ',');
    }
    return false;
}

static bool every_word_names_one(const char *list, const conf_cases *cases) {
    char word[WORD_MAX];
    while (*list) {
        size_t len = strcspn(list, ",");
        bool any = false;
        snprintf(word, sizeof word, "%.*s", (int)len, list);
        for (int i = 0; i < cases->count; i++) {
            any = any || word_names(word, cases->at[i].id);
        }
        if (!any) {
            fprintf(stderr,
                    "idemconform: no case is called %s; --list names "
                    "them\n",
                    word);
            return false;
        }
        list += len + (list[len] == ',');
    }
    return true;
}

static bool mark_expected(const conf_cases *cases, conf_result *results,
                          const char *id) {
    for (int i = 0; i < cases->count; i++) {
        if (strcmp(cases->at[i].id, id) == 0) {
            results[i].expected = true;
            return true;
        }
    }
    return false;
}

static bool read_expected(const char *path, const conf_cases *cases,
                          conf_result *results) {
    char line[256];
    FILE *file = fopen(path, "re");
    if (!file) {
        fprintf(stderr, "idemconform: %s: %s\n", path, strerror(errno));
        return false;
    }
    bool good = true;
    for (int number = 1; good && fgets(line, sizeof line, file); number++) {
        line[strcspn(line, "#\r\n")] = 0;
        char *id = line + strspn(line, " \t");
        id[strcspn(id, " \t")] = 0;
        good = *id == 0 || mark_expected(cases, results, id);
        if (!good) {
            fprintf(stderr, "%s:%d: no case is called %s\n", path, number, id);
        }
    }
    fclose(file);
    return good;
}

conf_result *conf_choose(const conf_options *o, const conf_cases *cases) {
    conf_result *results = calloc((size_t)cases->count + 1, sizeof *results);
    assert(results);
    if ((o->only && !every_word_names_one(o->only, cases)) ||
        (o->expected_failures &&
         !read_expected(o->expected_failures, cases, results))) {
        free(results);
        return NULL;
    }
    for (int i = 0; i < cases->count; i++) {
        const conf_case *one = &cases->at[i];
        bool chosen =
            (!o->only || list_has(o->only, one->id, false)) &&
            (!o->tiers || list_has(o->tiers, conf_tier_name(one->tier), true));
        results[i].verdict = chosen ? CONF_NOT_JUDGED : CONF_SKIPPED;
    }
    return results;
}

/* --- one case ----------------------------------------------------------- */

typedef struct child_case {
    int index; /* -1: free */
    pid_t pid;
    int fd; /* the verdict comes here */
    double began_s;
    double ends_s; /* its budget's end */
    size_t got;
    conf_result result;
} child_case;

typedef struct run {
    const conf_options *options;
    const conf_cases *cases;
    conf_result *results;
    child_case children[AT_ONCE_MAX];
    int running;
} run;

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static _Noreturn void judge_here(const conf_mode *mode, const conf_case *one,
                                 int fd, pid_t parent) {
    conf_result result = {.verdict = CONF_FAILED};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);
    }
    setpgid(0, 0);
    result.verdict = mode->judge(one, &result.say);
    const char *at = (const char *)&result;
    for (size_t left = sizeof result; left > 0;) {
        ssize_t sent = write(fd, at, left);
        if (sent <= 0) {
            _exit(1);
        }
        at += sent;
        left -= (size_t)sent;
    }
    _exit(0);
}

static void start_case(run *r, int index) {
    child_case *c = r->children;
    while (c->index >= 0) {
        c++;
    }
    int ends[2];
    pid_t parent = getpid();
    *c = (child_case){.index = index, .began_s = now_s()};
    c->ends_s = c->began_s + r->options->mode->budget_s;
    fflush(NULL);
    if (pipe(ends) != 0 || (c->pid = fork()) < 0) {
        perror("idemconform");
        exit(1);
    }
    if (c->pid == 0) {
        close(ends[0]);
        judge_here(r->options->mode, &r->cases->at[index], ends[1], parent);
    }
    close(ends[1]);
    setpgid(c->pid, c->pid);
    c->fd = ends[0];
    r->running++;
}

static void end_case(run *r, child_case *c, bool whole) {
    int status = 0;
    kill(-c->pid, SIGKILL);
    waitpid(c->pid, &status, 0);
    close(c->fd);
    conf_result *result = &r->results[c->index];
    result->seconds = now_s() - c->began_s;
    result->verdict = whole ? c->result.verdict : CONF_FAILED;
    result->say = c->result.say;
    if (!whole) {
        result->say.text[0] = 0;
        conf_say_to(&result->say, "the case did not end within %u s\n",
                    r->options->mode->budget_s);
        if (now_s() < c->ends_s) {
            result->say.text[0] = 0;
            conf_say_to(&result->say, "the case itself fell over\n");
        }
    }
    c->index = -1;
    r->running--;
}

/* Takes what it has to say; ends it with the verdict, or without. */
static void hear_case(run *r, child_case *c, bool readable) {
    char *to = (char *)&c->result;
    if (readable) {
        ssize_t got = read(c->fd, to + c->got, sizeof c->result - c->got);
        if (got <= 0) {
            end_case(r, c, false);
            return;
        }
        c->got += (size_t)got;
    }
    if (c->got == sizeof c->result) {
        end_case(r, c, true);
    } else if (now_s() >= c->ends_s) {
        end_case(r, c, false);
    }
}

static void hear_all(run *r) {
    struct pollfd ready[AT_ONCE_MAX];
    for (int i = 0; i < AT_ONCE_MAX; i++) {
        child_case *c = &r->children[i];
        ready[i] = (struct pollfd){c->index < 0 ? -1 : c->fd, POLLIN, 0};
    }
    poll(ready, AT_ONCE_MAX, 250);
    for (int i = 0; i < AT_ONCE_MAX; i++) {
        if (r->children[i].index >= 0) {
            hear_case(r, &r->children[i], ready[i].revents != 0);
        }
    }
}

void conf_run(const conf_options *options, const conf_cases *cases,
              conf_result *results) {
    run *r = calloc(1, sizeof *r);
    assert(r);
    r->options = options;
    r->cases = cases;
    r->results = results;
    for (int i = 0; i < AT_ONCE_MAX; i++) {
        r->children[i].index = -1;
    }
    for (int next = 0; next < cases->count || r->running > 0;) {
        bool chosen =
            next < cases->count && results[next].verdict == CONF_NOT_JUDGED;
        if (next < cases->count && !chosen) {
            next++;
        } else if (chosen && r->running < options->jobs) {
            start_case(r, next++);
        } else {
            hear_all(r);
        }
    }
    free(r);
}

bool conf_is_bad(const conf_options *options, const conf_case *one,
                 const conf_result *result) {
    switch (result->verdict) {
    case CONF_PASSED:
        return result->expected;
    case CONF_FAILED:
        return !result->expected &&
               (one->level == CONF_MUST ||
                (one->level == CONF_SHOULD && options->strict));
    case CONF_NOT_JUDGED:
        return options->strict;
    default:
        /* What was not asked for says nothing. */
        return options->strict && result->say.text[0] != 0;
    }
}
