/* SPDX-License-Identifier: Apache-2.0 */
/* mistakes.c -- what people mistype, misplace and misconfigure, as a table: for
 * each it is said what is wrong and what to do, it ends with its exit code, and
 * it ends by itself: every deadline here is ten minutes away.
 *
 *   mistakes IDEMSTORED IDEMCTL IDEMBENCH */
#include "tests/e2e/mistakes.h"
#include "tests/e2e/ctl_shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The shell that runs a line is ended after so long; nothing here waits for
 * more than a machine that is busy. */
#define SECONDS_MAX "120"

static unsigned failed;

/* Names of fields, numbers of milliseconds and the like are not for people. */
static bool is_in_their_words(const char *said) {
    static const char *const ours[] = {"key_len",  "ns_len",  "ttl_ms is",
                                       "lease_ms", "wait_ms", "errno"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strstr(said, ours[i]) != NULL)
            return false;
    return true;
}

static void try(const mistake *m) {
    char line[4096];
    snprintf(line, sizeof line,
             "timeout " SECONDS_MAX " sh -c '%s' 2>&1 </dev/null", m->line);
    int code = ctl_shell(line);
    bool good = code == m->code && is_in_their_words(ctl_output) &&
                strstr(ctl_output, m->fault) != NULL &&
                (m->cure == NULL || strstr(ctl_output, m->cure) != NULL);
    if (good)
        return;
    failed++;
    printf("%s\n  ends with %d and says: %s\n  wanted: %d, \"%s\", \"%s\"\n",
           m->line, code, ctl_output, m->code, m->fault,
           m->cure ? m->cure : "");
}

static void try_all(const char *title, const mistake *rows, size_t count) {
    for (size_t i = 0; i < count; i++)
        try(&rows[i]);
    printf("  %s: %zu mistakes\n", title, count);
}

/* ------------------------------------------------------------ what there is */

static char folder[] = "/tmp/idemstore-mistakes-XXXXXX";

static void say_port(const char *name, uint16_t port) {
    char text[16];
    snprintf(text, sizeof text, "%u", port);
    setenv(name, text, 1);
}

static void put(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *to = fopen(path, "we");
    CHECK(to != NULL, "no %s", path);
    fputs(text, to);
    fclose(to);
    chmod(path, 0600);
}

/* A folder with some claims in it, and copies of it with a fault each. */
static void make_folders(const char *program) {
    daemon_t daemon;
    char path[128], uri[64];
    snprintf(path, sizeof path, "%s/kept", folder);
    daemon_start(&daemon, &(daemon_spec){.program = program,
                                         .flags = {"--data-dir", path, NULL}});
    snprintf(uri, sizeof uri, "127.0.0.1:%u", daemon.port);
    setenv("KEPT", uri, 1);
    ctl_says(0, "acquired",
             "for i in $(seq 20); do echo acquire k$i; done | $CTL -s $KEPT");
    daemon_stop(&daemon);
    ctl_says(0, "",
             "cd $DIR && cp -r kept flipped && cp -r kept cut && "
             "cp -r kept headless && rm headless/MANIFEST && "
             "truncate -s 100 cut/snap-* && f=$(ls -S flipped/snap-* | head -n"
             " 1) && printf '\\377' | dd of=$f bs=1 seek=60 conv=notrunc "
             "2>/dev/null && mkdir foreign empty closed && "
             "touch foreign/thesis.tex && chmod 0 closed");
}

static void set_the_scene(char **argv) {
    char user[64] = "";
    setenv("D", argv[1], 1);
    setenv("CTL", argv[2], 1);
    setenv("B", argv[3], 1);
    setenv("DIR", folder, 1);
    if (getuid() == 0)
        snprintf(user, sizeof user,
                 "setpriv --reuid=65534 --regid=65534 --clear-groups");
    setenv("AS_NOBODY", user, 1);
    put("secret", "open sesame\n");
    put("none", "");
    put("large", "");
    put("open", "open sesame\n");
    ctl_says(0, "",
             "chmod 755 $DIR; chmod 644 $DIR/open; cp $D $DIR/idemstored; "
             "truncate -s 65M $DIR/large");
    make_folders(argv[1]);
}

int main(int argc, char **argv) {
    daemon_t plain, secret, small;
    char path[128];
    if (argc != 4) {
        fputs("usage: mistakes IDEMSTORED IDEMCTL IDEMBENCH\n", stderr);
        return 64;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    CHECK(mkdtemp(folder) != NULL, "no folder");
    set_the_scene(argv);
    snprintf(path, sizeof path, "%s/secret", folder);
    daemon_start(&plain, &(daemon_spec){.program = argv[1], .flags = {NULL}});
    daemon_start(&secret,
                 &(daemon_spec){.program = argv[1],
                                .flags = {"--secret-file", path, NULL}});
    daemon_start(&small,
                 &(daemon_spec){.program = argv[1],
                                .flags = {"--max-memory", "1m", "--threads",
                                          "1", "--max-result", "4k", NULL}});
    say_port("PLAIN", plain.port);
    say_port("SECRET", secret.port);
    say_port("SMALL", small.port);
    mistakes_strangers_start();
    snprintf(path, sizeof path,
             "127.0.0.1:%u/shop?timeout_ms=600000&connect_timeout_ms=60000",
             plain.port);
    setenv("IDEMSTORE_URL", path, 1);
    try_all("idemctl", mistakes_ctl, mistakes_ctl_count);
    try_all("idemstored", mistakes_daemon, mistakes_daemon_count);
    try_all("idembench", mistakes_bench, mistakes_bench_count);
    printf("  %zu in all\n",
           mistakes_ctl_count + mistakes_daemon_count + mistakes_bench_count);
    daemon_stop(&plain);
    daemon_stop(&secret);
    daemon_stop(&small);
    ctl_shell("chmod 700 $DIR/closed; rm -r $DIR");
    CHECK(failed == 0, "%u mistakes are told badly", failed);
    return 0;
}
