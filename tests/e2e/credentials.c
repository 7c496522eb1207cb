/* SPDX-License-Identifier: Apache-2.0 */
/* credentials.c -- a daemon with a file of credentials: made by idemctl, read
 * anew by a HUP, and what is said of secrets.
 *
 *   credentials IDEMSTORED IDEMCTL */
#include "tests/e2e/ctl_shell.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_S 60

static const char *program;
static char dir[] = "/tmp/idemstore-credentials-XXXXXX";
static char file[64], shop[80], shop_new[80], ops[80];
static daemon_t daemon_1;

/* Makes a secret; its line goes to the file's end. */
static void make(char secret[static 80], const char *name, const char *grants) {
    char line[256];
    snprintf(line, sizeof line,
             "$CTL credential new %s %s >$DIR/made && "
             "sed -n 's/^ *line *//p' $DIR/made >>$DIR/file && "
             "sed -n 's/^ *secret *//p' $DIR/made",
             name, grants);
    CHECK(ctl_shell(line) == 0, "%s: %s", line, ctl_output);
    snprintf(secret, 80, "%.*s", (int)strcspn(ctl_output, "\n"), ctl_output);
    CHECK(strlen(secret) == strlen("idm__") + strlen(name) + 43, "%s", secret);
}

static void as(const char *secret) {
    setenv("IDEMSTORE_SECRET", secret, 1);
}

static void reload(const char *said) {
    kill(daemon_1.child.pid, SIGHUP);
    CHECK(daemon_said(&daemon_1, said), "no \"%s\"", said);
}

static void each_does_what_its_line_says(void) {
    ctl_says(77, "", "$CTL ping");
    as(shop);
    ctl_says(0, "shop", "$CTL whoami");
    ctl_json_is(0, "user", "shop", "$CTL --json whoami");
    ctl_says(0, "acquired", "$CTL -n shop acquire k");
    ctl_says(0, "acquired", "$CTL -n shop-eu acquire k");
    ctl_says(77, "namespace shop2: \"shop\" may not claim",
             "$CTL -n shop2 acquire k");
    ctl_says(77, "namespace \"\": \"shop\" may not claim",
             "$CTL -s ${IDEMSTORE_URL%/*} acquire k");
    ctl_says(77, "stats: \"shop\" has no grant stats", "$CTL stats");
    ctl_says(77, "promote: \"shop\" has no grant admin", "$CTL promote");
    as(ops);
    ctl_says(0, "ops", "$CTL whoami");
    ctl_says(0, "in_progress", "$CTL -n shop peek k");
    ctl_says(77, "namespace shop: \"ops\" may not claim",
             "$CTL -n shop acquire k");
    ctl_says(0, "denied_no_grant_total", "$CTL stats");
    ctl_says(16, "--replication", "$CTL promote");
    puts("  each does what its line says, and hears why not");
}

/* Calls all the while; none may fail. */
static atomic_bool is_over;
static atomic_uint calls;

static void *work(void *arg) {
    wire w;
    idp_hello hello;
    (void)arg;
    CHECK(wire_open(&w, daemon_1.port), "not connected");
    CHECK(wire_hello(&w, -1, shop_new, &hello) == 0, "not admitted");
    while (!atomic_load(&is_over)) {
        char key[32];
        snprintf(key, sizeof key, "w%u", atomic_fetch_add(&calls, 1));
        idp_request acquire = ask_acquire(key, 10000, 60000);
        idp_answer answer;
        acquire.ns = text_slice("shop");
        int code = wire_call(&w, &acquire, &answer);
        CHECK(code == 0 && answer.outcome == IDP_OUTCOME_ACQUIRED, "%s: %d",
              key, code);
    }
    wire_close(&w);
    return NULL;
}

static void wait_for_calls(unsigned more) {
    unsigned at = atomic_load(&calls);
    while (atomic_load(&calls) < at + more)
        e2e_sleep_ms(2);
}

static void rotation(void) {
    pthread_t thread;
    wire old;
    idp_hello hello;
    idp_request ping = {.method = IDP_PING};
    idp_reply reply;
    CHECK(wire_open(&old, daemon_1.port), "not connected");
    CHECK(wire_hello(&old, -1, shop, &hello) == 0, "not admitted");
    CHECK(strcmp(hello.user, "shop") == 0, "%s", hello.user);
    /* The new verifier beside the old one, in the same line. */
    ctl_says(0, "", "cp $DIR/file $DIR/before");
    make(shop_new, "shop", "--claim shop");
    ctl_says(0, "",
             "new=$(sed -n '$s/.*\\(sha256:[0-9a-f]*\\).*/\\1/p' $DIR/file) "
             "&& sed -i '$d' $DIR/file && echo 'third cert:CN:t' >>$DIR/file "
             "&& sed -i \"s/^shop [^ ]*/&,$new/\" $DIR/file");
    reload("credentials taken\" users=3");
    CHECK(pthread_create(&thread, NULL, work, NULL) == 0, "no thread");
    wait_for_calls(10);
    CHECK(wire_ask(&old, &ping, &reply), "the old one is gone already");
    /* The old one goes. */
    ctl_says(0, "", "sed -i '/^third/d; s/^shop [^ ]*,/shop /' $DIR/file");
    reload("credentials taken\" users=2");
    while (wire_ask(&old, &ping, &reply))
        e2e_sleep_ms(10); /* until it is closed */
    wire_close(&old);
    wait_for_calls(10);
    atomic_store(&is_over, true);
    pthread_join(thread, NULL);
    as(shop);
    ctl_says(77, "the secret is wrong", "$CTL ping");
    as(shop_new);
    ctl_says(0, "pong", "$CTL ping");
    /* What the old one claimed is held as before. */
    ctl_says(0, "in_progress", "$CTL -n shop peek k");
    puts("  a secret is rotated, and not one call fails");
}

static void what_is_refused_leaves_what_was(void) {
    ctl_says(0, "", "cp $DIR/file $DIR/good; echo 'x md5:00' >>$DIR/file");
    reload("file:3: md5:00 is no verifier");
    as(shop_new);
    ctl_says(0, "shop", "$CTL whoami");
    ctl_says(0, "", "cp $DIR/good $DIR/file; chmod 644 $DIR/file");
    reload("it may be read by others");
    ctl_says(0, "", "chmod 600 $DIR/file");
    /* The only one that is admitted would be closed. */
    wire one;
    idp_hello hello;
    idp_request ping = {.method = IDP_PING};
    idp_reply reply;
    CHECK(wire_open(&one, daemon_1.port), "not connected");
    CHECK(wire_hello(&one, -1, shop_new, &hello) == 0, "not admitted");
    ctl_says(0, "", "sed -i '/^shop/d' $DIR/file");
    reload("it would close 1 of the ");
    CHECK(wire_ask(&one, &ping, &reply), "it was closed all the same");
    wire_close(&one);
    ctl_says(0, "", "cp $DIR/good $DIR/file");
    puts("  a file that is refused leaves what was");
}

static void wrong_ones_beside_a_right_one(void) {
    char wrong[80];
    snprintf(wrong, sizeof wrong, "%s", shop_new);
    wrong[strlen(wrong) - 1] = wrong[strlen(wrong) - 1] == 'A' ? 'B' : 'A';
    for (int i = 0; i < 40; i++) {
        wire w;
        idp_request hello = {.method = IDP_HELLO, .secret = text_slice(wrong)};
        CHECK(wire_open(&w, daemon_1.port), "not connected");
        CHECK(wire_send_request(&w, &hello), "not sent");
        wire_close(&w);
    }
    as(shop_new);
    ctl_says(0, "pong", "$CTL ping");
    as(wrong);
    ctl_says(77, "the secret is wrong", "$CTL --timeout 60s ping");
    as(shop_new);
    ctl_says(0, "pong", "$CTL ping");
    CHECK(daemon_said(&daemon_1, "the secret is wrong, name=shop"),
          "no line about it");
    puts("  a right secret is taken beside many wrong ones");
}

/* Lines that are said about a secret, and never the secret. */
static void nobody_says_a_secret(void) {
    char line[1024];
    static const char *const forms[] = {
        "$CTL -s idem://:%s@127.0.0.1:1/ ping",
        "$CTL -s idem://:%s@nowhere.invalid:1/ ping",
        "$CTL -s idem://:%s@127.0.0.1:99999/ ping",
        "$CTL -s idem://:%s/@127.0.0.1/ ping",
        "$CTL -s idem://%s@127.0.0.1/ ping",
        "$CTL -s idem://:%s@127.0.0.1:1/?bad=1 ping",
        "$CTL -s idemx://:%s@127.0.0.1:1/ ping",
        "IDEMSTORE_SECRET=%s $CTL -v --json ping",
        "IDEMSTORE_SECRET=%s $CTL -s idem://127.0.0.1:1/ whoami",
        "IDEMSTORE_SECRET=%s%%0A $CTL -v ping",
        "printf 'ping\\nwhoami\\n' | $CTL -v -s idem://:%s@127.0.0.1:1/"};
    const char *random = ops + strlen(ops) - 43;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char command[512];
        snprintf(command, sizeof command, forms[i], ops);
        snprintf(line, sizeof line, "{ %s\n} 2>&1", command);
        ctl_shell(line);
        CHECK(strstr(ctl_output, random) == NULL, "%s: says it: %s", forms[i],
              ctl_output);
        CHECK(strlen(ctl_output) > 0, "%s: says nothing", forms[i]);
    }
    const char *secrets[] = {shop, shop_new, ops};
    for (size_t i = 0; i < 3; i++)
        CHECK(!daemon_has_said(&daemon_1, secrets[i] + strlen(secrets[i]) - 43),
              "the daemon's log says a secret");
    puts("  no error and no log line says a secret");
}

/* Starts ------------------------------------------------------------------ */

static void does_not_start(const char *flag, const char *value,
                           const char *said) {
    daemon_t one;
    const daemon_spec spec = {.program = program,
                              .flags = {"--listen", "127.0.0.1:0",
                                        "--credentials", file, flag, value,
                                        NULL},
                              .own_listen = true};
    daemon_start(&one, &spec);
    int code = daemon_exit(&one, PATIENCE_S);
    CHECK(code == 64, "exits %d", code);
    CHECK(daemon_has_said(&one, said), "says no \"%s\"", said);
    unlink(one.child.log_path);
}

static void starts_that_are_refused(void) {
    char secret[96];
    does_not_start("--listen", "0.0.0.0:0",
                   "beyond loopback --credentials need TLS");
    snprintf(secret, sizeof secret, "%s/secret", dir);
    ctl_says(0, "", "echo sesame >$DIR/secret; chmod 600 $DIR/secret");
    does_not_start("--secret-file", secret,
                   "must stand there, in a line that begins with default");
    ctl_says(0, "", "chmod 640 $DIR/file; chmod o+r $DIR/file");
    does_not_start("--log-level", "info", "chmod 600 or 640");
    ctl_says(0, "", "chmod 600 $DIR/file; printf x >>$DIR/file");
    does_not_start("--log-level", "info",
                   "the last line ends without a newline");
    ctl_says(64, "the last line ends without a newline",
             "$CTL credential check $DIR/file");
    ctl_says(0, "", "cp $DIR/good $DIR/file");
    puts("  a start that is refused says which file and line");
}

static void check_warns(void) {
    ctl_says(0, "names               2", "$CTL credential check $DIR/good");
    ctl_says(0, "claim=shop* matches shop2 as well",
             "echo 'a cert:CN:a claim=shop*' >$DIR/wide; "
             "chmod 600 $DIR/wide; $CTL credential check $DIR/wide");
    ctl_says(0, "names               1",
             "echo 'a cert:CN:a claim=shop-*,*' >$DIR/wide; "
             "out=$($CTL credential check $DIR/wide 2>&1); echo \"$out\"; "
             "! echo \"$out\" | grep -q warning");
    ctl_says(64, "name", "$CTL credential new Shop");
    ctl_says(64, "a namespace is missing",
             "$CTL credential new shop --claim shop,");
    ctl_says(64, "credential new NAME", "$CTL credential make x");
    puts("  credential check reads as the daemon does, and warns");
}

/* The old secret is the user default, and nothing else has changed. */
static void beside_the_old_secret(void) {
    daemon_t one;
    char secret[96], uri[64];
    snprintf(secret, sizeof secret, "%s/secret", dir);
    ctl_says(0, "",
             "hash=$(printf %s sesame | sha256sum | cut -d' ' -f1); "
             "echo \"default sha256:$hash claim=* stats\" >>$DIR/file");
    const daemon_spec spec = {.program = program,
                              .flags = {"--credentials", file, "--secret-file",
                                        secret, "--max-memory", "64m",
                                        "--threads", "1", NULL}};
    daemon_start(&one, &spec);
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u/x", one.port);
    setenv("IDEMSTORE_URL", uri, 1);
    as("sesame");
    ctl_says(0, "default", "$CTL whoami");
    ctl_says(0, "acquired", "$CTL acquire k");
    ctl_says(77, "promote: \"default\" has no grant admin", "$CTL promote");
    daemon_stop(&one);
    const daemon_spec alone = {.program = program,
                               .flags = {"--secret-file", secret,
                                         "--max-memory", "64m", "--threads",
                                         "1", NULL}};
    daemon_start(&one, &alone);
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u/x", one.port);
    setenv("IDEMSTORE_URL", uri, 1);
    ctl_says(0, "default", "$CTL whoami");
    ctl_says(16, "--replication", "$CTL promote");
    daemon_stop(&one);
    puts("  --secret-file is the user default, alone and beside credentials");
}

/* Pages that no core dump has. */
static void secrets_are_not_dumped(void) {
    char line[128];
    if (e2e_sanitized())
        return;
    snprintf(line, sizeof line,
             "grep -c '^VmFlags:.* dd' /proc/%d/smaps && echo some",
             (int)daemon_1.child.pid);
    ctl_says(0, "some", line);
    puts("  the secrets' pages are left out of core dumps");
}

int main(int argc, char *argv[]) {
    char secret[96];
    CHECK(argc == 3, "usage: credentials IDEMSTORED IDEMCTL");
    program = argv[1];
    CHECK(mkdtemp(dir) != NULL, "no folder");
    setenv("DIR", dir, 1);
    setenv("CTL", argv[2], 1);
    unsetenv("IDEMSTORE_SECRET");
    snprintf(file, sizeof file, "%s/file", dir);
    snprintf(secret, sizeof secret, "%s/peer", dir);
    ctl_says(0, "", "umask 077; : >$DIR/file; echo peer >$DIR/peer");
    make(shop, "shop", "--claim 'shop,shop-*' --read shop");
    make(ops, "ops", "--read '*' --admin --stats");
    const daemon_spec spec = {
        .program = program,
        .flags = {"--credentials", file, "--peer-secret-file", secret,
                  "--max-memory", "128m", "--threads", "2", NULL}};
    ctl_start(&daemon_1, &spec, argv[2], "shop");
    each_does_what_its_line_says();
    secrets_are_not_dumped();
    rotation();
    what_is_refused_leaves_what_was();
    wrong_ones_beside_a_right_one();
    nobody_says_a_secret();
    check_warns();
    daemon_stop(&daemon_1);
    starts_that_are_refused();
    beside_the_old_secret();
    ctl_says(0, "", "rm -r $DIR");
    return 0;
}
