/* SPDX-License-Identifier: Apache-2.0 */
/* addresses.c -- where the daemon listens, who may connect there, and that it
 * removes nothing that is another's by then.
 *
 *   addresses IDEMSTORED [MANY_ADDRESSES]
 *
 * MANY_ADDRESSES is a library that is preloaded: shop.test has several. */
#include "proto/commands.h"
#include "tests/e2e/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *program;
static char folder[64], sock[96], listen_at[112];

static void works(const char *path, const char *key) {
    wire w;
    wire_open_unix(&w, path);
    e2e_do_once(&w, key, "done");
    wire_close(&w);
}

static void start_on_unix(daemon_t *daemon, const char *prefix,
                          const char *mode) {
    daemon_start(
        daemon, &(daemon_spec){.program = program,
                               .prefix = prefix,
                               .own_listen = true,
                               .flags = {"--listen", listen_at,
                                         mode ? "--socket-mode" : NULL, mode}});
    CHECK(daemon_said(daemon, "listening on unix:"), "it does not listen");
}

/* Modes ---------------------------------------------------------------------
 */

static void has_mode(const char *prefix, const char *mode, mode_t wanted) {
    daemon_t daemon;
    struct stat about;
    start_on_unix(&daemon, prefix, mode);
    CHECK(stat(sock, &about) == 0, "no socket");
    CHECK((about.st_mode & 07777) == wanted, "%s --socket-mode %s: %04o",
          prefix, mode ? mode : "(none)", (unsigned)about.st_mode & 07777);
    works(sock, "by-mode");
    daemon_stop(&daemon);
}

static void a_socket_has_the_mode_asked_for(void) {
    daemon_t daemon;
    has_mode("umask 0000;", NULL, 0600);
    has_mode("umask 0077;", "0660", 0660);
    has_mode("umask 0022;", "666", 0666);
    static const char *const bad[] = {"rw", "888", "01777", "-1", ""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        daemon_start(&daemon,
                     &(daemon_spec){.program = program,
                                    .own_listen = true,
                                    .flags = {"--socket-mode", bad[i]}});
        CHECK(daemon_exit(&daemon, 30) == 64 &&
                  daemon_said(&daemon, "--socket-mode"),
              "--socket-mode \"%s\" is taken", bad[i]);
        unlink(daemon.child.log_path);
    }
    puts("  a unix socket's mode is the flag's, whatever the umask");
}

/* Successors ----------------------------------------------------------------
 */

static void a_successors_socket_stays(void) {
    daemon_t old, successor;
    start_on_unix(&old, NULL, NULL);
    CHECK(unlink(sock) == 0, "no socket");
    start_on_unix(&successor, NULL, NULL);
    kill(old.child.pid, SIGTERM);
    CHECK(daemon_exit(&old, 60) == 0, "it does not end well");
    CHECK(daemon_said(&old, "was replaced: it is left alone"), "nothing said");
    unlink(old.child.log_path);
    works(sock, "at-the-successor");
    daemon_stop(&successor);
    CHECK(access(sock, F_OK) != 0, "its own socket's file stays behind");
    puts("  a successor's socket stays when the old one ends");
}

static void replace_lock(const char *data) {
    char lock[160], aside[160];
    snprintf(lock, sizeof lock, "%s/LOCK", data);
    snprintf(aside, sizeof aside, "%s/LOCK.old", data);
    CHECK(rename(lock, aside) == 0, "no lock");
    int fd = open(lock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CHECK(fd >= 0, "can't make a lock");
    close(fd);
}

static ino_t manifest_of(const char *data) {
    char path[160];
    struct stat about;
    snprintf(path, sizeof path, "%s/MANIFEST", data);
    CHECK(stat(path, &about) == 0, "no manifest");
    return about.st_ino;
}

/* Somebody has moved its lock away: what a successor does is not undone. */
static void a_successors_folder_is_left_alone(void) {
    char data[96], command[128];
    daemon_t old, successor;
    wire w;
    snprintf(data, sizeof data, "%s/data", folder);
    const daemon_spec spec = {.program = program,
                              .flags = {"--data-dir", data, "--threads", "1"}};
    daemon_start(&old, &spec);
    CHECK(wire_open(&w, old.port), "can't connect");
    e2e_do_once(&w, "kept", "done");
    replace_lock(data);
    daemon_start(&successor, &spec);
    ino_t manifest = manifest_of(data);
    idp_request order = {.method = IDP_SNAPSHOT};
    wire_send_request(&w, &order);
    CHECK(daemon_exit(&old, 60) == 1, "it does not stop");
    CHECK(daemon_said(&old, "its lock was removed or replaced"),
          "it does not say why");
    CHECK(manifest_of(data) == manifest, "it has replaced the manifest");
    wire_close(&w);
    unlink(old.child.log_path);
    daemon_stop(&successor);
    daemon_start(&successor, &spec);
    CHECK(wire_open(&w, successor.port), "can't connect");
    e2e_is_replayed(&w, "kept");
    wire_close(&w);
    daemon_stop(&successor);
    snprintf(command, sizeof command, "rm -r %s", data);
    CHECK(system(command) == 0, "%s stays behind", data);
    puts("  a successor's folder is left alone");
}

/* Names ---------------------------------------------------------------------
 */

static unsigned count_said(const daemon_t *daemon, const char *what) {
    char line[1024];
    unsigned count = 0;
    FILE *log = fopen(daemon->child.log_path, "re");
    CHECK(log != NULL, "no log");
    while (fgets(line, sizeof line, log))
        count += strncmp(line, what, strlen(what)) == 0;
    fclose(log);
    return count;
}

static void all_addresses_of_a_name(const char *library) {
    char prefix[600], one[64];
    daemon_t daemon;
    snprintf(prefix, sizeof prefix, "export LD_PRELOAD='%s';", library);
    daemon_start(&daemon, &(daemon_spec){.program = program,
                                         .prefix = prefix,
                                         .own_listen = true,
                                         .flags = {"--insecure", "--listen",
                                                   "shop.test:0"}});
    daemon.port = child_port(&daemon.child);
    CHECK(daemon.port != 0, "not on 127.0.0.1");
    snprintf(one, sizeof one, "listening on 127.0.0.2:%u", daemon.port);
    CHECK(daemon_said(&daemon, one), "not on 127.0.0.2, or another port");
    CHECK(count_said(&daemon, one) == 1, "twice on the same address");
    CHECK(daemon_said(&daemon, "192.0.2.77") ||
              daemon_said(&daemon, "is not this machine's"),
          "nothing is said of the one that it can't have");
    CHECK(daemon_said(&daemon, "listening on [::1]:") ||
              access("/proc/net/if_inet6", F_OK) != 0,
          "not on ::1");
    daemon_stop(&daemon);
    /* Each of them is looked at: 192.0.2.77 is not loopback. */
    daemon_start(&daemon, &(daemon_spec){.program = program,
                                         .prefix = prefix,
                                         .own_listen = true,
                                         .flags = {"--listen", "shop.test:0"}});
    CHECK(daemon_exit(&daemon, 30) == 64 && daemon_said(&daemon, "secret"),
          "one address beyond loopback needs no secret");
    unlink(daemon.child.log_path);
    puts("  a name's addresses: all, each once, each judged");
}

static void the_same_twice_is_one(void) {
    daemon_t daemon;
    char at[64];
    daemon_start(&daemon, &(daemon_spec){.program = program});
    snprintf(at, sizeof at, "127.0.0.1:%u", daemon.port);
    daemon_stop(&daemon);
    daemon_start(&daemon,
                 &(daemon_spec){.program = program,
                                .own_listen = true,
                                .flags = {"--listen", at, "--listen", at}});
    CHECK(daemon_said(&daemon, "listening on"), "it does not start");
    CHECK(count_said(&daemon, "listening on") == 1, "it listens twice");
    daemon_stop(&daemon);
    puts("  the same address twice is one socket");
}

int main(int argc, char **argv) {
    CHECK(argc >= 2, "usage: addresses IDEMSTORED [MANY_ADDRESSES]");
    program = argv[1];
    snprintf(folder, sizeof folder, "/tmp/idemstore-addresses-XXXXXX");
    CHECK(mkdtemp(folder) != NULL, "no folder");
    snprintf(sock, sizeof sock, "%s/sock", folder);
    snprintf(listen_at, sizeof listen_at, "unix:%s", sock);
    a_socket_has_the_mode_asked_for();
    a_successors_socket_stays();
    a_successors_folder_is_left_alone();
    the_same_twice_is_one();
    if (argc > 2)
        all_addresses_of_a_name(argv[2]);
    rmdir(folder);
    return 0;
}
