/* SPDX-License-Identifier: Apache-2.0 */
/* full_disk.c -- a real disk that is full to its last byte: a small file
 * system of this test's own. A start works there, or says what it needs,
 * leaves the folder as it was, and works with that; what can't be written
 * while the daemon runs is given up and tried again; nobody ends.
 *
 *   full_disk IDEMSTORED       77: no file system may be mounted here */
#include "tests/e2e/pair.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { SKIPPED = 77, PATIENCE_MS = 60000, FOLDER_BYTES_MAX = 4096 };

#define PLENTY (250u << 20)

static char filler[128];

/* --- the file system */

static bool write_line(const char *path, const char *line) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, line, strlen(line)) > 0;
    if (fd >= 0)
        close(fd);
    return good;
}

static bool may_mount(void) {
    char map[64];
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return false;
    snprintf(map, sizeof map, "%u %u 1", uid, uid);
    bool good = write_line("/proc/self/uid_map", map);
    write_line("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "%u %u 1", gid, gid);
    return good && write_line("/proc/self/gid_map", map) &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static uint64_t free_bytes(void) {
    struct statvfs about;
    CHECK(statvfs(filler, &about) == 0, "%s", strerror(errno));
    return (uint64_t)about.f_bavail * about.f_frsize;
}

/* Leaves so many bytes, or takes some back. */
static void leave_free(uint64_t bytes) {
    struct stat about;
    int fd = open(filler, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && fstat(fd, &about) == 0, "%s", strerror(errno));
    uint64_t room = free_bytes(), has = (uint64_t)about.st_size;
    uint64_t wanted = bytes > room ? bytes - room : 0;
    int error = 0;
    if (wanted > has)
        wanted = has; /* the rest is the daemons' */
    if (wanted > 0)
        CHECK(ftruncate(fd, (off_t)(has - wanted)) == 0, "%s", strerror(errno));
    else if (room > bytes) /* a daemon may be quicker: see fill */
        error = posix_fallocate(fd, (off_t)has, (off_t)(room - bytes));
    CHECK(error == 0 || error == ENOSPC, "%s", strerror(error));
    close(fd);
}

static void fill(void) {
    uint64_t until_ms = e2e_now_ms() + PATIENCE_MS;
    leave_free(0);
    while (free_bytes() > 0) {
        CHECK(e2e_now_ms() < until_ms, "%llu bytes are left",
              (unsigned long long)free_bytes());
        leave_free(0);
    }
}

/* The names of what is in the folder, one a line. */
static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void list(const char *folder, char text[FOLDER_BYTES_MAX]) {
    struct dirent **names;
    size_t len = 0;
    int count = scandir(folder, &names, NULL, by_name);
    CHECK(count >= 0, "%s: %s", folder, strerror(errno));
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] != '.' && len < FOLDER_BYTES_MAX - 300)
            len += (size_t)snprintf(text + len, FOLDER_BYTES_MAX - len, "%s\n",
                                    names[i]->d_name);
        free(names[i]);
    }
    free(names);
}

/* --- one node */

static void start(pair *p, const char *threads) {
    snprintf(p->a.threads, sizeof p->a.threads, "%s", threads);
    pair_start(p, &p->a, NULL);
}

static void done_is_there(const pair_node *node, const char *key) {
    wire w;
    CHECK(wire_open(&w, node->port), "no connection");
    e2e_is_replayed(&w, key);
    wire_close(&w);
}

static bool has(const pair_node *node, const char *name) {
    char path[400];
    snprintf(path, sizeof path, "%s/%s", node->data_dir, name);
    return access(path, F_OK) == 0;
}

static void is_killed_and_starts_full(pair *p) {
    start(p, "2");
    pair_do_once(&p->a, "before");
    pair_kill(&p->a);
    fill();
    start(p, "2");
    done_is_there(&p->a, "before");
    CHECK(pair_claim(&p->a, "new") == IDP_E_NO_MEMORY, "a claim is taken");
    CHECK(!has(&p->a, "MANIFEST.new"), "MANIFEST.new is left");
    pair_kill(&p->a);
    puts("  a killed one starts on a full disk: segments that were not used "
         "make room");
}

/* The number behind this word in its log. */
static uint64_t in_log(const daemon_t *daemon, const char *word) {
    char text[16384] = "";
    FILE *log = fopen(daemon->child.log_path, "re");
    CHECK(log != NULL, "no log");
    text[fread(text, 1, sizeof text - 1, log)] = '\0';
    fclose(log);
    const char *found = strstr(text, word);
    CHECK(found != NULL, "no %s in its log: %s", word, text);
    return strtoull(found + strlen(word), NULL, 10);
}

/* It must not start: returns how many bytes it says that it needs. */
static uint64_t is_refused(pair *p, const char *threads) {
    daemon_t daemon;
    daemon_spec spec = {.program = p->program,
                        .flags = {"--threads", threads, "--data-dir",
                                  p->a.data_dir, "--peer-state", p->a.state,
                                  "--replication", "sync", "--peer-insecure",
                                  "--listen", "127.0.0.1:0"},
                        .own_listen = true};
    daemon_start(&daemon, &spec);
    CHECK(daemon_said(&daemon, "needed_bytes="), "it does not say it");
    CHECK(daemon_said(&daemon, p->a.data_dir) &&
              daemon_said(&daemon, "Make room and start again") &&
              daemon_said(&daemon, "free_bytes="),
          "it does not say where, and what to do");
    uint64_t needed = in_log(&daemon, "needed_bytes=");
    CHECK(daemon_exit(&daemon, 60) == 1, "it does not end with 1");
    return needed;
}

/* More loops need more segments than can be freed. */
static void is_refused_and_starts_with_room(pair *p) {
    char before[FOLDER_BYTES_MAX], after[FOLDER_BYTES_MAX];
    fill();
    is_refused(p, "8"); /* what nothing names is gone by now */
    fill();
    list(p->a.data_dir, before);
    uint64_t needed = is_refused(p, "8");
    list(p->a.data_dir, after);
    CHECK(strcmp(before, after) == 0, "there was\n%sand there is\n%s", before,
          after);
    leave_free(needed);
    start(p, "8");
    done_is_there(&p->a, "before");
    pair_kill(&p->a);
    leave_free(PLENTY);
    puts("  a start that is refused says how many bytes it needs, and starts "
         "with them");
}

/* --- snapshots */

static void await_stat(const pair_node *node, const char *name,
                       uint64_t value) {
    uint64_t until_ms = e2e_now_ms() + PATIENCE_MS;
    while (daemon_stat(&node->daemon, name) != value) {
        if (e2e_now_ms() >= until_ms)
            child_print_log(&node->daemon.child);
        CHECK(e2e_now_ms() < until_ms, "%s never is %llu", name,
              (unsigned long long)value);
        e2e_sleep_ms(50);
    }
}

static void a_snapshot_is_given_up(pair *p) {
    char path[400], text[IDP_COMMAND_TEXT_BYTES_MAX + 1] = "";
    snprintf(path, sizeof path, "%s/MANIFEST.new", p->a.data_dir);
    start(p, "2");
    CHECK(mkdir(path, 0700) == 0, "%s", strerror(errno));
    CHECK(pair_command(&p->a, IDP_SNAPSHOT, false, text, sizeof text) ==
                  IDP_COMMAND_REFUSED &&
              strstr(text, "manifest") && strstr(text, "nothing is lost"),
          "it says: %s", text);
    await_stat(&p->a, "snapshot_waits", 1);
    CHECK(daemon_stat(&p->a.daemon, "snapshots_given_up_total") > 0,
          "none is counted");
    pair_do_once(&p->a, "meanwhile");
    CHECK(rmdir(path) == 0, "%s", strerror(errno));
    await_stat(&p->a, "snapshot_waits", 0);
    CHECK(daemon_said(&p->a.daemon, "snapshot taken"), "none is taken");
    puts("  a snapshot whose manifest can't be written is given up, and tried "
         "again by itself");
}

/* --- a pair */

static void a_copy_waits(pair *p) {
    pair_start(p, &p->b, &p->a);
    pair_await_in_sync(&p->a);
    pair_do_once(&p->a, "for the copy");
    pair_kill(&p->b);
    pair_kill(&p->a);
    leave_free(PLENTY);
    pair_start(p, &p->a, NULL); /* it does not lead by itself */
    pair_start(p, &p->b, &p->a);
    fill();
    pair_carry_out(&p->a, IDP_PROMOTE, true);
    pair_await_log(&p->b, "a full copy waits for the disk");
    pair_await_role(&p->b, "replica");
    leave_free(PLENTY);
    pair_await_in_sync(&p->a);
    puts("  a full copy waits until there is room for it to be kept");
}

/* On disks that are full to the last byte decisions are recorded all the
 * same: each has its room kept. */
static void a_switchover(pair *p) {
    fill();
    pair_carry_out(&p->a, IDP_SWITCHOVER, false);
    pair_await_role(&p->b, "primary");
    pair_await_role(&p->a, "replica");
    leave_free(PLENTY);
    pair_await_in_sync(&p->b);
    done_is_there(&p->b, "for the copy");
    puts("  a switchover is recorded on a full disk");
}

int main(int argc, char **argv) {
    pair p;
    CHECK(argc == 2, "usage: full_disk IDEMSTORED");
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!may_mount()) {
        printf("skipped: no file system may be mounted here: %s\n",
               strerror(errno));
        return SKIPPED;
    }
    pair_init(&p, argv[1], 2, 2);
    CHECK(mount("none", p.folder, "tmpfs", 0, "size=280m,mode=0700") == 0, "%s",
          strerror(errno));
    snprintf(filler, sizeof filler, "%s/filler", p.folder);
    leave_free(PLENTY);
    pair_keep(&p);
    is_killed_and_starts_full(&p);
    is_refused_and_starts_with_room(&p);
    a_snapshot_is_given_up(&p);
    a_copy_waits(&p);
    a_switchover(&p);
    pair_kill(&p.a);
    pair_kill(&p.b);
    umount(p.folder);
    rmdir(p.folder);
    return 0;
}
