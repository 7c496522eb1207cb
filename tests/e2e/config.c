/* SPDX-License-Identifier: Apache-2.0 */
/* config.c -- settings from a file, the environment and flags, as a user meets
 * them: which of them wins, what -t says, and which files are refused.
 *
 *   config IDEMSTORED */
#include "tests/e2e/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *program;
static char folder[] = "/tmp/idemstore-config-XXXXXX";
static char path[64];

static void write_file(const char *text, size_t len) {
    unlink(path);
    FILE *to = fopen(path, "we");
    CHECK(to != NULL && fwrite(text, 1, len, to) == len, "can't write");
    CHECK(fclose(to) == 0 && chmod(path, 0640) == 0, "can't write");
}

/* Runs the daemon with these words of shell before and behind it; returns its
 * exit code, and what it said in both of its streams. */
static int run(const char *before, const char *flags, char *said, size_t cap) {
    char command[1024];
    snprintf(command, sizeof command, "cd %s; %s %s %s 2>&1 </dev/null", folder,
             before, program, flags);
    FILE *from = popen(command, "re"); /* NOLINT: our own words */
    CHECK(from != NULL, "no shell");
    size_t len = fread(said, 1, cap - 1, from);
    said[len] = '\0';
    int status = pclose(from);
    CHECK(WIFEXITED(status), "%s: it fell", command);
    return WEXITSTATUS(status);
}

static void says(const char *before, const char *flags, int code,
                 const char *what) {
    char said[16384];
    int got = run(before, flags, said, sizeof said);
    CHECK(got == code && strstr(said, what) != NULL,
          "%s idemstored %s: ended with %d, not %d, or does not say \"%s\": %s",
          before, flags, got, code, what, said);
}

static void which_of_them_wins(void) {
    static const char text[] = "max_waiters = 11\nmax_pending = 12\n"
                               "fsync = everysec\nlisten = 127.0.0.1:0\n";
    const char *const names =
        "IDEMSTORED_MAX_WAITERS=21 "
        "IDEMSTORED_MAX_PENDING=22 IDEMSTORED_IDLE_TIMEOUT=23";
    write_file(text, sizeof text - 1);
    says(names, "-c f --max-waiters 31 --print-config", 0,
         "max_waiters = \"31\"  # flag: --max-waiters\n");
    says(names, "-c f --print-config", 0,
         "max_waiters = \"21\"  # environment: IDEMSTORED_MAX_WAITERS\n");
    says("", "-c f --print-config", 0, "max_waiters = \"11\"  # f:1\n");
    says("", "--print-config", 0, "max_waiters = \"65536\"  # default\n");
    says("IDEMSTORED_CONFIG=f", "--print-config", 0, "# f:1\n");
    says(names, "--config=f --print-config", 0,
         "fsync = \"everysec\"  # f:3\n");
    puts("  a flag, then the environment, then the file, then the default");
}

static void what_is_good(void) {
    static const char text[] =
        "# ours\nmax_memory = 64m\n"
        "listen = {\"127.0.0.1:0\", # all\n  \"unix:/nowhere/s\"}\n";
    write_file(text, sizeof text - 1);
    says("", "-c f -t", 0, "f: good\n");
    says("", "-t", 0, "settings: good\n");
    says("IDEMSTORED_THREADS=0", "-t", 78,
         "IDEMSTORED_THREADS 0: must be 1 to 1024\n");
    says("", "-t --threads 0", 78, "--threads 0: must be 1 to 1024\n");
    says("", "--threads 0", 64, "idemstored: --threads 0: must be");
    says("IDEMSTORED_MAX_MEMROY=1g", "-t", 0,
         "IDEMSTORED_MAX_MEMROY: no such variable, it sets nothing; did you "
         "mean IDEMSTORED_MAX_MEMORY?\n");
    puts("  -t: good, or 78 and where");
}

/* One that is refused by -t, and by a start with the same sentence. */
static void refused(const char *text, size_t len, const char *what) {
    char sentence[300];
    write_file(text, len);
    snprintf(sentence, sizeof sentence, "f%s", what);
    says("", "-c f -t", 78, sentence);
    snprintf(sentence, sizeof sentence, "idemstored: f%s", what);
    says("", "-c f", 78, sentence);
}

static void bad_words(void) {
    static const char *const cases[][2] = {
        {"threads = 1\nmax_memroy = 1g\n",
         ":2: max_memroy: no such key; did you mean max_memory?"},
        {"threads = 1\n\nthreads = 2\n",
         ":3: threads: a second time; the first"},
        {"threads = 1\nmax_mem",
         ":2: the file ends in the middle of this line"},
        {"threads = 0\n", ":1: threads 0: must be 1 to 1024"},
        {"max_memory = lots\n", ":1: max_memory lots: not a number of bytes"},
        {"fsync = often\n", ":1: fsync often: must be always, everysec or no"},
        {"threads 1\n", ":1: "},
        {"listen = nowhere\n", ":1: listen nowhere: not HOST:PORT"},
        {"\nlisten = {\"127.0.0.1:0\", \"no.such.driver.invalid:1\"}\n",
         ":2: listen no.such.driver.invalid:1: "},
        {"listen = \"0.0.0.0:7117\"\n", ":1: listen 0.0.0.0:7117: beyond"},
        {"secret_file = nowhere\n", ":1: secret_file nowhere: No such file"},
        {"replication = sync\n", ":1: replication: another node needs"},
        {"insecure = yes\nreplicate_from = x\npeer_insecure = on\n",
         ":2: replicate_from x: it is not HOST:PORT"},
        {"data_dir = f\n", ":1: data_dir f: Not a directory"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(cases[i][0], strlen(cases[i][0]), cases[i][1]);
    refused("a\0b = 1\n", 8, ":1: a byte 0x00: is it a text file?");
    puts("  what is wrong in a file: which line, and what may stand there");
}

/* The file as such, whatever stands in it. */
static void bad_files(void) {
    static char large[70000];
    memset(large, '\n', sizeof large);
    refused(large, sizeof large, ": longer than 64 KiB");
    memset(large, '#', sizeof large);
    large[9999] = '\n';
    refused(large, 10000, ":1: a line of more than 4096 bytes");
    write_file("threads = 1\n", 12);
    CHECK(chmod(path, 0666) == 0, "chmod");
    says("", "-c f -t", 78, "f: everybody may write it (mode 0666): chmod o-w");
    CHECK(chmod(path, 0) == 0, "chmod");
    if (geteuid() != 0) /* who may read everything can't try it */
        says("", "-c f -t", 78, "f: Permission denied");
    says("", "-c g -t", 78, "g: No such file or directory");
    says("", "-c . -t", 78, ".: is a folder");
    says("mkfifo p;", "-c p -t", 78, "p: is not a plain file");
    says("", "-c /dev/zero -t", 78, "/dev/zero: is not a plain file");
    says("", "-c", 64, "--config: FILE is missing");
    puts("  no file, a folder, a pipe, too long, anybody's");
}

static void serves_as_the_file_says(void) {
    static const char text[] = "max_memory = 64m\nthreads = 1\n";
    daemon_t daemon;
    write_file(text, sizeof text - 1);
    daemon_start(&daemon, &(daemon_spec){.program = program,
                                         .prefix = "IDEMSTORED_THREADS=2",
                                         .flags = {"-c", path}});
    CHECK(daemon_stat(&daemon, "memory_bytes_max") == 64u << 20,
          "the file's max_memory does not hold");
    CHECK(daemon_stat(&daemon, "loops") == 2, "the environment does not win");
    daemon_stop(&daemon);
    puts("  it serves as they say");
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: config IDEMSTORED");
    setvbuf(stdout, NULL, _IOLBF, 0);
    program = argv[1];
    CHECK(mkdtemp(folder) != NULL, "no folder");
    snprintf(path, sizeof path, "%s/f", folder);
    which_of_them_wins();
    what_is_good();
    bad_words();
    bad_files();
    serves_as_the_file_says();
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0, "%s", command); /* NOLINT: its own folder */
    return 0;
}
