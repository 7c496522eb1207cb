/* SPDX-License-Identifier: Apache-2.0 */
/* under_test.c -- see under_test.h. */
#include "tests/conformance/under_test.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 1 << 20 };

static _Noreturn void become(char *const argv[], int in, int out,
                             pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(127);
    }
    signal(SIGPIPE, SIG_DFL);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    execvp(argv[0], argv);
    perror(argv[0]);
    _exit(127);
}

under_test *under_test_start(char *const argv[]) {
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0) {
        return NULL;
    }
    if (pipe2(out, O_CLOEXEC) != 0) {
        close(in[0]);
        close(in[1]);
        return NULL;
    }
    under_test *one = calloc(1, sizeof *one);
    assert(one);
    pid_t parent = getpid();
    fflush(NULL);
    one->pid = fork();
    if (one->pid == 0) {
        become(argv, in[0], out[1], parent);
    }
    close(in[0]);
    close(out[1]);
    one->to = in[1];
    one->from = out[0];
    one->ended = one->pid < 0;
    return one;
}

void under_test_end(under_test *one) {
    close(one->to);
    close(one->from);
    if (one->pid > 0) {
        kill(one->pid, SIGKILL);
        waitpid(one->pid, NULL, 0);
    }
    for (int i = 0; i < one->answer_count; i++) {
        json_decref(one->answers[i]);
    }
    free(one->in);
    free(one);
}

void under_test_send(under_test *one, json_t *line) {
    char *text = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    assert(text);
    size_t len = strlen(text);
    text[len++] = '\n';
    for (size_t at = 0; at < len;) {
        ssize_t sent = write(one->to, text + at, len - at);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            one->ended = true;
            break;
        }
        at += (size_t)sent;
    }
    free(text);
}

static void take_line(under_test *one, const char *line, size_t len) {
    json_error_t error;
    json_t *object = json_loadb(line, len, 0, &error);
    if (!json_is_object(object) ||
        !json_is_integer(json_object_get(object, "id"))) {
        snprintf(one->wrong, sizeof one->wrong,
                 "a line that is no JSON object with an id: %.*s", (int)len,
                 line);
        json_decref(object);
        return;
    }
    if (one->answer_count == UNDER_TEST_ANSWERS_MAX) {
        snprintf(one->wrong, sizeof one->wrong,
                 "answers that nobody asked for");
        json_decref(object);
        return;
    }
    one->answers[one->answer_count++] = object;
}

void under_test_read(under_test *one) {
    char bytes[65536];
    struct pollfd ready = {one->from, POLLIN, 0};
    while (!one->ended && poll(&ready, 1, 0) > 0) {
        ssize_t got = read(one->from, bytes, sizeof bytes);
        if (got <= 0 || one->in_len > LINE_BYTES_MAX) {
            one->ended = true;
            return;
        }
        one->in = realloc(one->in, one->in_len + (size_t)got);
        assert(one->in);
        memcpy(one->in + one->in_len, bytes, (size_t)got);
        one->in_len += (size_t)got;
        for (char *end; (end = memchr(one->in, '\n', one->in_len)) != NULL;) {
            size_t len = (size_t)(end - one->in);
            take_line(one, one->in, len);
            one->in_len -= len + 1;
            memmove(one->in, end + 1, one->in_len);
        }
    }
}

json_t *under_test_take(under_test *one, json_int_t id) {
    for (int i = 0; i < one->answer_count; i++) {
        json_t *answer = one->answers[i];
        if (json_integer_value(json_object_get(answer, "id")) == id) {
            one->answers[i] = one->answers[--one->answer_count];
            return answer;
        }
    }
    return NULL;
}

uint64_t under_test_peak_kib(const under_test *one) {
    char path[64], line[256];
    unsigned long long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)one->pid);
    FILE *status = fopen(path, "re");
    while (status && fgets(line, sizeof line, status)) {
        if (strncmp(line, "VmPeak:", 7) == 0) {
            kib = strtoull(line + 7, NULL, 10);
        }
    }
    if (status) {
        fclose(status);
    }
    return kib;
}
