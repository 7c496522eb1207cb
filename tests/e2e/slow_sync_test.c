/* SPDX-License-Identifier: Apache-2.0 */
/* slow_sync_test.c -- what is acknowledged is written while a sync is under
 * way, however long that takes: a kill -9 then loses nothing of it.
 *
 *   slow_sync_test IDEMSTORED SLOW_SYNC
 *
 * SLOW_SYNC is a library that is preloaded and lets no sync come to its end
 * while a file is there. */
#include "proto/commands.h"
#include "tests/e2e/harness.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct stage {
    daemon_spec spec;
    daemon_t daemon;
    char folder[64], gate[80], busy[96], prefix[700];
} stage;

static void claim(wire *w, const char *key) {
    idp_request request = ask_acquire(key, 600000, 86400000);
    idp_answer answer;
    CHECK(wire_call(w, &request, &answer) == 0 &&
              answer.outcome == IDP_OUTCOME_ACQUIRED,
          "%s is not granted", key);
}

static bool has_bytes(const char *path, const char *text) {
    static char bytes[1u << 20];
    FILE *file = fopen(path, "r");
    size_t len = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file)
        fclose(file);
    return memmem(bytes, len, text, strlen(text)) != NULL;
}

/* Whether one of the logs has these bytes. */
static bool is_written(const stage *s, const char *text) {
    DIR *folder = opendir(s->folder);
    bool found = false;
    CHECK(folder != NULL, "no folder");
    for (const struct dirent *e; !found && (e = readdir(folder));) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", s->folder, e->d_name);
        found = strncmp(e->d_name, "log-", 4) == 0 && has_bytes(path, text);
    }
    closedir(folder);
    return found;
}

static void wait_for(const stage *s, const char *what, const char *key) {
    for (int i = 0; i < 30000; i++) {
        if (key ? is_written(s, key) : access(s->busy, F_OK) == 0)
            return;
        e2e_sleep_ms(1);
    }
    CHECK(false, "%s", what);
}

/* The daemon has begun: the segment after the first is there, too. */
static void wait_for_segments(const stage *s) {
    for (int i = 0; i < 30000; i++) {
        unsigned segments = 0;
        DIR *folder = opendir(s->folder);
        CHECK(folder != NULL, "no folder");
        for (const struct dirent *e; (e = readdir(folder));)
            segments += strncmp(e->d_name, "log-", 4) == 0;
        closedir(folder);
        if (segments >= 2)
            break;
        e2e_sleep_ms(1);
    }
    e2e_sleep_ms(500); /* it is synced, too */
}

/* The disk does nothing else for as long as the test likes. */
static void while_a_sync_is_under_way(stage *s, bool by_snapshot) {
    char key[32];
    wire w, other;
    int status;
    daemon_start(&s->daemon, &s->spec);
    CHECK(wire_open(&w, s->daemon.port), "it can't be reached");
    CHECK(wire_open(&other, s->daemon.port), "it can't be reached");
    wait_for_segments(s);
    fclose(fopen(s->gate, "w"));
    claim(&w, "before-the-sync");
    idp_request snapshot = {.method = IDP_SNAPSHOT};
    if (by_snapshot)
        CHECK(wire_send_request(&other, &snapshot), "can't ask");
    wait_for(s, "no sync begins", NULL);
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof key, "during-the-sync-%d.", i);
        claim(&w, key);
        wait_for(s, "what is acknowledged is not written", key);
    }
    kill(s->daemon.child.pid, SIGKILL);
    unlink(s->gate);
    unlink(s->busy);
    CHECK(child_wait(&s->daemon.child, &status, 30), "it does not die");
    unlink(s->daemon.child.log_path);
    wire_close(&w);
    wire_close(&other);
    daemon_start(&s->daemon, &s->spec);
    CHECK(wire_open(&w, s->daemon.port), "it can't be reached");
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof key, "during-the-sync-%d.", i);
        idp_request again = ask_acquire(key, 1000, 86400000);
        idp_answer answer;
        CHECK(wire_call(&w, &again, &answer) == 0 &&
                  answer.outcome == IDP_OUTCOME_IN_PROGRESS,
              "%s was acknowledged, written, and is gone", key);
    }
    wire_close(&w);
    daemon_stop(&s->daemon);
}

static void run(const char *program, const char *library, const char *fsync,
                bool by_snapshot) {
    stage s = {.folder = "/tmp/idem-slow-XXXXXX"};
    CHECK(mkdtemp(s.folder) != NULL, "no folder");
    snprintf(s.gate, sizeof s.gate, "%s.gate", s.folder);
    snprintf(s.busy, sizeof s.busy, "%s.busy", s.gate);
    snprintf(s.prefix, sizeof s.prefix,
             "export LD_PRELOAD='%s' SLOW_SYNC='%s';", library, s.gate);
    s.spec = (daemon_spec){
        .program = program,
        .prefix = s.prefix,
        .flags = {"--threads", "1", "--data-dir", s.folder, "--fsync", fsync}};
    while_a_sync_is_under_way(&s, by_snapshot);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s*", s.folder);
    CHECK(system(command) == 0, "can't clean up");
}

int main(int argc, char **argv) {
    CHECK(argc == 3, "usage: slow_sync_test IDEMSTORED SLOW_SYNC");
    run(argv[1], argv[2], "everysec", false);
    run(argv[1], argv[2], "no", true);
    puts("written while a sync is under way, and there after a kill");
    return 0;
}
