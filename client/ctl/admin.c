/* SPDX-License-Identifier: Apache-2.0 */
/* admin.c -- commands for whoever runs the servers: how replication stands,
 * commands, and looking into a data folder.
 *
 * A command goes to the one server that --server names, and to no other. */
#include "client/ctl/ctl.h"
#include "client/ctl/rates.h"
#include "client/ctl/report.h"
#include "client/ctl/series.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ------------------------------------------------------------- replication */

static void say_lag(report *r, const idem_lag *lag) {
    report_number(r, "lag_ops", lag->ops);
    report_number(r, "lag_bytes", lag->bytes);
    report_ms(r, "lag_ms", lag->ms);
}

static void say_in_sync(report *r, const idem_replication *at) {
    report_list(r, "in_sync");
    for (uint32_t i = 0; i < at->in_sync_count; i++)
        report_item(r, i, at->in_sync[i]);
    report_list_end(r, at->in_sync_count);
}

static void say_streams(report *r, const idem_replication *at) {
    report_list(r, "streams");
    for (uint32_t i = 0; i < at->streams_count; i++)
        report_lag_item(r, i,
                        (const uint64_t[]){at->streams[i].ops,
                                           at->streams[i].bytes,
                                           at->streams[i].ms});
    report_list_end(r, at->streams_count);
}

/* What it brought back, while it neither leads nor follows. */
static void say_contents(report *r, const idem_replication *at) {
    if (at->contents[0] == '\0')
        return;
    report_number(r, "records", at->records);
    report_number(r, "completed", at->completed);
    report_number(r, "token_epoch", at->token_epoch);
    report_list(r, "tokens");
    for (uint32_t i = 0; i < at->tokens_count; i++) {
        char text[24];
        snprintf(text, sizeof text, "%llu", (unsigned long long)at->tokens[i]);
        report_item(r, i, text);
    }
    report_list_end(r, at->tokens_count);
}

static void say_known(report *r, const char *name, const char *text) {
    report_bytes(r, name, text[0] != '\0' ? (const uint8_t *)text : NULL,
                 strlen(text));
}

static void say_replica_as_json(report *r, uint32_t at,
                                const idem_replica *one) {
    fprintf(r->to, "%s{\"member\":%s", at > 0 ? "," : "",
            one->member ? "true" : "false");
    say_known(r, "node", one->node);
    say_known(r, "at", one->at);
    report_flag(r, "in_sync", one->in_sync);
    report_flag(r, "connected", one->connected);
    report_flag(r, "syncing", one->syncing);
    report_number(r, "copy_records", one->copy_records);
    report_number(r, "copy_total", one->copy_total);
    say_lag(r, &one->lag);
    fputc('}', r->to);
}

static const char *standing_of(const idem_replica *one) {
    if (one->member && !one->in_sync)
        return "came back without its memory";
    if (one->syncing)
        return one->member ? "loads a copy, changes wait" : "loads a copy";
    if (one->member)
        return one->connected ? "in sync" : "in sync, not connected";
    return one->connected ? "catching up" : "gone";
}

static void say_replicas(report *r, const idem_replication *at) {
    if (r->json)
        report_list(r, "replicas");
    for (uint32_t i = 0; i < at->replicas_count; i++) {
        const idem_replica *one = &at->replicas[i];
        char line[512];
        snprintf(line, sizeof line, "%s at %s: %s, %llu changes behind",
                 one->node[0] ? one->node : "one without a name",
                 one->at[0] ? one->at : "an unknown address", standing_of(one),
                 (unsigned long long)one->lag.ops);
        if (r->json)
            say_replica_as_json(r, i, one);
        else
            report_text(r, "replica", line);
    }
    if (r->json)
        report_list_end(r, (uint32_t)at->replicas_count);
}

ctl_exit ctl_run_replication(ctl_session *session, ctl_ask *ask) {
    idem_replication at = {.size = sizeof at};
    idem_error err = {.size = sizeof err};
    if (ask->operand_count > 0)
        return ctl_run_compare(session, ask);
    if (idem_replication_get(session->uri_at_once, ask->args.timeout_ms, &at,
                             &err) != IDEM_OK)
        return ctl_say_error(ask, &err);
    report r = report_begin(stdout, ask->json, "role", at.role);
    report_text(&r, "mode", at.mode);
    report_number(&r, "epoch", at.epoch);
    say_in_sync(&r, &at);
    report_flag(&r, "connected", at.connected);
    report_flag(&r, "syncing", at.syncing);
    report_flag(&r, "safe_to_stop", at.safe_to_stop);
    report_number(&r, "copy_records", at.copy_records);
    report_number(&r, "copy_total", at.copy_total);
    if (!ask->json && strcmp(at.role, "primary") == 0)
        report_text(&r, "primary", "this server");
    else
        say_known(&r, "primary", at.primary);
    say_known(&r, "peer", at.peer);
    report_text(&r, "node", at.node);
    say_lag(&r, &at.lag);
    say_streams(&r, &at);
    say_replicas(&r, &at);
    say_contents(&r, &at);
    report_text(&r, "state", at.state);
    report_end(&r);
    return CTL_EXIT_DONE;
}

/* ----------------------------------------------------------------- metrics */

/* Watched: what has changed since the last look, without the buckets. */
static void say_changed(const char *text) {
    series one;
    while (series_next(&text, &one)) {
        double per_s = 0;
        size_t len = one.name_len < 200 ? one.name_len : 200;
        bool is_bucket = one.labels != NULL && one.labels_len > 3 &&
                         memmem(one.labels, one.labels_len, "le=", 3) != NULL;
        /* In millionths: what is told in seconds has six places. */
        if (is_bucket || one.value < 0 || one.value > 9e12 ||
            !rates_of(one.name, len, (uint64_t)(one.value * 1e6), &per_s))
            continue;
        report_escape(stdout, (const uint8_t *)one.name, one.name_len);
        printf(" %.15g  (%+.6g/s)\n", one.value, per_s / 1e6);
    }
}

ctl_exit ctl_run_metrics(ctl_session *session, ctl_ask *ask) {
    static char text[IDEM_METRICS_BYTES_MAX];
    idem_error err = {.size = sizeof err};
    size_t len = 0;
    int32_t format =
        ask->open_metrics ? IDEM_METRICS_OPEN : IDEM_METRICS_PROMETHEUS;
    if (idem_metrics_get(session->uri_at_once, ask->args.timeout_ms, format,
                         text, sizeof text, &len, &err) != IDEM_OK)
        return ctl_say_error(ask, &err);
    if (ask->watch_ms > 0)
        say_changed(text);
    else
        fwrite(text, 1, len, stdout);
    fflush(stdout);
    return CTL_EXIT_DONE;
}

/* ------------------------------------------------------------------ commands
 */

static const char *done_word(const ctl_ask *ask) {
    switch (ask->command->method) {
    case IDEM_COMMAND_RELOAD:
        return ask->dry_run ? "examined" : "reloaded";
    case IDEM_COMMAND_PROMOTE:
        return "promoted";
    case IDEM_COMMAND_DETACH:
        return "detached";
    case IDEM_COMMAND_SWITCHOVER:
        return "switched";
    case IDEM_COMMAND_BACKUP:
        return "backup";
    default:
        return "snapshot";
    }
}

/* Its lines, as a list, or one below the other. */
static void say_changes(report *r, char *lines) {
    uint32_t count = 0;
    if (r->json)
        report_list(r, "changes");
    for (char *at = lines; at != NULL && *at != '\0';) {
        char *line = at;
        at = strchr(at, '\n');
        if (at != NULL)
            *at++ = '\0';
        if (r->json)
            report_item(r, count++, line);
        else
            report_text(r, "change", line);
    }
    if (r->json)
        report_list_end(r, count);
}

static void say_ordered(report *r, int32_t command, idem_command_answer *to) {
    if (to->outcome == IDEM_COMMAND_REFUSED) {
        report_text(r, "text", to->text);
        return;
    }
    if (command == IDEM_COMMAND_RELOAD) {
        report_number(r, "admitted", to->admitted);
        report_number(r, "closed", to->closed);
        say_changes(r, to->changes);
        return;
    }
    if (command == IDEM_COMMAND_BACKUP)
        report_text(r, "path", to->changes);
    if (command == IDEM_COMMAND_SNAPSHOT || command == IDEM_COMMAND_BACKUP) {
        report_number(r, "records", to->records);
        report_number(r, "bytes", to->bytes);
        report_ms(r, "took_ms", to->ms);
        return;
    }
    report_number(r, "epoch", to->epoch);
    if (command == IDEM_COMMAND_SWITCHOVER)
        report_text(r, "primary", to->primary);
}

ctl_exit ctl_run_admin(ctl_session *session, ctl_ask *ask) {
    int32_t command = ask->command->method;
    idem_command_args args = IDEM_COMMAND_ARGS_INIT;
    idem_command_answer to = IDEM_COMMAND_ANSWER_INIT;
    idem_error err = IDEM_ERROR_INIT;
    args.command = command;
    args.accept_loss = ask->accept_loss;
    args.dry_run = ask->dry_run;
    args.force = ask->force;
    args.node = command == IDEM_COMMAND_BACKUP ? ask->operands[0] : ask->node;
    args.timeout_ms = ask->args.timeout_ms;
    if (idem_command(session->uri_at_once, &args, &to, &err) != IDEM_OK)
        return ctl_say_error(ask, &err);
    bool refused = to.outcome == IDEM_COMMAND_REFUSED;
    report r = report_begin(stdout, ask->json, "outcome",
                            refused ? "refused" : done_word(ask));
    say_ordered(&r, command, &to);
    report_end(&r);
    return refused ? CTL_EXIT_REFUSED : CTL_EXIT_DONE;
}

/* ------------------------------------------------------------------- check */

#define DAEMON "idemstored"

/* The daemon that lies where idemctl does; an older or a newer one may be on
 * the PATH. */
static void find_beside(char *path, size_t cap) {
    ssize_t len = readlink("/proc/self/exe", path, cap - sizeof DAEMON);
    if (len < 0)
        len = 0;
    while (len > 0 && path[len - 1] != '/')
        len--;
    memcpy(path + len, DAEMON, sizeof DAEMON);
    if (len == 0)
        path[0] = '\0';
}

#define EXIT_NO_DAEMON 127

/* other NULL: one folder. */
static _Noreturn void become_daemon(char *folder, char *other, int out) {
    char path[4096];
    char *const words[] = {
        DAEMON, "--check", "--data-dir", folder, other ? "--compare" : NULL,
        other,  NULL};
    signal(SIGPIPE, SIG_DFL);
    if (out >= 0)
        dup2(out, STDOUT_FILENO);
    find_beside(path, sizeof path);
    if (path[0] != '\0')
        execv(path, words);
    execvp(DAEMON, words);
    _exit(EXIT_NO_DAEMON);
}

/* A line that is indented: a name, and what is so called. The first of several
 * begins an object. */
static void say_fact(report *facts, char *line, bool begins, bool is_first) {
    char *name = line + strspn(line, " ");
    size_t name_len = strcspn(name, " ");
    char *value = name + name_len + strspn(name + name_len, " ");
    name[name_len] = '\0';
    if (begins && !is_first)
        fputs("},", facts->to);
    if (begins)
        *facts = report_begin(facts->to, true, "of",
                              strcmp(name, "folder") == 0 ? name : "both");
    size_t digits = strspn(value, "0123456789");
    if (digits > 0 && digits < 20 && value[digits] == '\0' &&
        strcmp(name, "folder") != 0 && strcmp(name, "node") != 0)
        report_number(facts, name, strtoull(value, NULL, 10));
    else
        report_text(facts, name, value);
}

/* What the daemon prints, as two lists: its lines, and what is indented below
 * some of them. */
static void say_lines(report *r, report *facts, FILE *from) {
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    uint32_t count = 0;
    bool was_line = true, has_facts = false;
    report_list(r, "lines");
    while ((len = getline(&line, &cap, from)) >= 0) {
        if (len > 0 && line[len - 1] == '\n')
            line[len - 1] = '\0';
        bool is_fact = strncmp(line, "  ", 2) == 0;
        if (is_fact)
            say_fact(facts, line, was_line, !has_facts);
        else
            report_item(r, count++, line);
        was_line = !is_fact;
        has_facts = has_facts || is_fact;
    }
    report_list_end(r, count);
    fputs(has_facts ? "}" : "", facts->to);
    free(line);
}

/* Its exit code, or -1. */
static int wait_for(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static ctl_exit exit_of_check(ctl_ask *ask, int code) {
    if (code >= 0 && code != EXIT_NO_DAEMON)
        return (ctl_exit)code;
    ctl_why(ask, code < 0 ? "check: " DAEMON " did not end by itself"
                          : "check needs " DAEMON ", which is neither beside "
                            "idemctl nor on the PATH; install it");
    ctl_usage_error(ask);
    return code < 0 ? CTL_EXIT_ERROR : CTL_EXIT_UNAVAILABLE;
}

/* The lines are kept until it is known how it ended. */
static ctl_exit check_as_json(ctl_ask *ask, pid_t pid, int from_fd) {
    char *text = NULL, *found = NULL;
    size_t text_len = 0, found_len = 0;
    FILE *from = fdopen(from_fd, "r");
    FILE *held = open_memstream(&text, &text_len);
    FILE *held_facts = open_memstream(&found, &found_len);
    report lines = {.to = held, .json = true};
    report facts = {.to = held_facts, .json = true};
    if (from != NULL && held != NULL && held_facts != NULL)
        say_lines(&lines, &facts, from);
    if (held != NULL)
        fclose(held);
    if (held_facts != NULL)
        fclose(held_facts);
    if (from != NULL)
        fclose(from);
    int code = wait_for(pid);
    ctl_exit end = exit_of_check(ask, code);
    if (text != NULL && found != NULL && (int)end == code) {
        report r =
            report_begin(stdout, true, "outcome", code == 0 ? "good" : "bad");
        fwrite(text, 1, text_len, stdout);
        report_list(&r, "facts");
        fwrite(found, 1, found_len, stdout);
        report_list_end(&r, 1);
        report_end(&r);
    }
    free(text);
    free(found);
    return end;
}

ctl_exit ctl_run_check(ctl_session *session, ctl_ask *ask) {
    int ends[2] = {-1, -1};
    (void)session;
    fflush(NULL);
    bool started = !ask->json || pipe(ends) == 0;
    pid_t pid = started ? fork() : -1;
    if (pid == 0)
        become_daemon(ask->operands[0],
                      ask->operand_count > 1 ? ask->operands[1] : NULL,
                      ends[1]);
    if (ends[1] >= 0)
        close(ends[1]);
    if (pid > 0)
        return ask->json ? check_as_json(ask, pid, ends[0])
                         : exit_of_check(ask, wait_for(pid));
    ctl_why(ask, "check: no process for " DAEMON ": %s", strerror(errno));
    ctl_usage_error(ask);
    if (ends[0] >= 0)
        close(ends[0]);
    return CTL_EXIT_ERROR;
}
