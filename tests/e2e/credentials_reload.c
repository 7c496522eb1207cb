/* SPDX-License-Identifier: Apache-2.0 */
/* credentials_reload.c -- idemctl reload: what it says, what it refuses, whom
 * it closes and whom not; and many wrong secrets beside a right one.
 *
 *   credentials_reload IDEMSTORED IDEMCTL */
#include "tests/e2e/ctl_shell.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARKED 50

static char dir[] = "/tmp/idemstore-creload-XXXXXX";
static char old_secret[80], new_secret[80], ops[80];
static daemon_t store;

static void make(char secret[static 80], const char *name) {
    char line[256];
    snprintf(line, sizeof line,
             "$CTL credential new %s >$DIR/made && "
             "sed -n 's/^ *secret *//p' $DIR/made",
             name);
    CHECK(ctl_shell(line) == 0, "%s: %s", line, ctl_output);
    snprintf(secret, 80, "%.*s", (int)strcspn(ctl_output, "\n"), ctl_output);
}

/* A line: name, the hashes of these secrets (NULL: none), grants. */
static void put_line(const char *name, const char *one, const char *two,
                     const char *grants) {
    char line[512];
    snprintf(line, sizeof line,
             "hash() { printf %%s \"$1\" | sha256sum | cut -d' ' -f1; }; "
             "more=; test -z '%s' || more=,sha256:$(hash '%s'); "
             "echo \"%s sha256:$(hash '%s')$more %s\" >>$DIR/next",
             two ? two : "", two ? two : "", name, one, grants);
    ctl_says(0, "", line);
}

/* Which secrets of shop's are good. */
static void file_has(const char *one, const char *two) {
    ctl_says(0, "", "umask 077; : >$DIR/next");
    put_line("shop", one, two, "claim=shop read=shop");
    put_line("ops", ops, NULL, "claim=shop read=* admin stats");
    ctl_says(0, "", "mv $DIR/next $DIR/file");
}

static void as(const char *secret) {
    setenv("IDEMSTORE_SECRET", secret, 1);
}

static void come_in(wire *w, const char *secret) {
    idp_hello hello;
    CHECK(wire_open(w, store.port), "not connected");
    CHECK(wire_hello(w, -1, secret, &hello) == 0, "not admitted");
}

static bool is_alive(wire *w) {
    idp_request ping = {.method = IDP_PING};
    idp_reply reply;
    return wire_ask(w, &ping, &reply);
}

static idp_request acquire_of(const char *key, uint32_t wait_ms) {
    idp_request acquire = ask_acquire(key, 600000, 3600000);
    acquire.ns = text_slice("shop");
    acquire.wait_ms = wait_ms;
    return acquire;
}

static idp_token claim(wire *w, const char *key) {
    idp_request acquire = acquire_of(key, 0);
    idp_answer answer;
    int code = wire_call(w, &acquire, &answer);
    CHECK(code == 0 && answer.outcome == IDP_OUTCOME_ACQUIRED, "%s: %d %d", key,
          code, (int)answer.outcome);
    return answer.token;
}

static uint64_t stat_of(const char *name) {
    char line[128];
    snprintf(line, sizeof line, "$CTL --json stats | grep -o '\"%s\":[0-9]*'",
             name);
    as(ops);
    CHECK(ctl_shell(line) == 0, "%s: %s", line, ctl_output);
    return strtoull(strchr(ctl_output, ':') + 1, NULL, 10);
}

static void wait_for_waiters(uint64_t count) {
    while (stat_of("waiters") != count)
        e2e_sleep_ms(10);
}

/* Who has just left is not gone yet. */
static void comes_to_say(const char *text, const char *line) {
    while (ctl_shell(line) != 0 || strstr(ctl_output, text) == NULL)
        e2e_sleep_ms(20);
}

/* What it says ------------------------------------------------------------- */

static void who_may(void) {
    as(ops);
    ctl_says(0, "reloaded", "$CTL reload");
    ctl_json_is(0, "outcome", "reloaded", "$CTL --json reload");
    ctl_json_is(0, "outcome", "examined", "$CTL --json reload --dry-run");
    as(old_secret);
    ctl_says(77, "reload: \"shop\" has no grant admin", "$CTL reload");
    ctl_says(77, "no grant admin", "$CTL reload --dry-run");
    puts("  reload is for those who have the grant admin");
}

static void says_what_changes(void) {
    as(ops);
    ctl_says(0, "",
             "echo 'idle_timeout = 77' >>$DIR/conf; "
             "echo 'max_pending = 99' >>$DIR/conf");
    ctl_says(0, "idle_timeout = 77 (", "$CTL reload --dry-run");
    ctl_says(0, "max_pending = 99, waits for a restart (",
             "$CTL reload --dry-run");
    ctl_says(0, "idle_timeout = 77 (", "$CTL reload");
    ctl_says(0, "max_pending = 99, waits for a restart (",
             "$CTL reload | tee $DIR/said");
    ctl_says(1, "", "grep idle_timeout $DIR/said");
    puts("  it says what changes, and what waits for a restart");
}

/* Each of the files may be the bad one; the other one is good, and new. */
static void one_bad_file_keeps_all(void) {
    as(ops);
    ctl_says(0, "",
             "cp $DIR/file $DIR/good; echo 'x md5:00' >>$DIR/file; "
             "cp $DIR/conf $DIR/good_conf; "
             "echo 'max_connections = 999' >>$DIR/conf");
    ctl_says(16, "file:3: md5:00 is no verifier", "$CTL reload");
    ctl_says(16, "file:3: md5:00 is no verifier", "$CTL reload --dry-run");
    CHECK(stat_of("reload_failed") == 1, "it does not tell that it failed");
    ctl_says(0, "", "cp $DIR/good $DIR/file");
    ctl_says(0, "max_connections = 999 (", "$CTL reload --dry-run");
    file_has(new_secret, NULL);
    ctl_says(0, "", "cp $DIR/file $DIR/other; echo 'bad = 1' >>$DIR/conf");
    ctl_says(16, "conf:", "$CTL reload");
    as(old_secret);
    ctl_says(0, "shop", "$CTL whoami");
    as(ops);
    ctl_says(0, "", "cp $DIR/good $DIR/file; cp $DIR/good_conf $DIR/conf");
    ctl_says(0, "reloaded", "$CTL reload");
    CHECK(stat_of("reload_failed") == 0, "it is not good again");
    puts("  one bad file keeps all that was, and is named with its line");
}

static void most_are_closed_by_force_alone(void) {
    wire three[3];
    for (int i = 0; i < 3; i++)
        come_in(&three[i], old_secret);
    file_has(new_secret, NULL);
    as(ops);
    comes_to_say("shop: closes 3 of its 3 connections",
                 "$CTL reload --dry-run");
    ctl_says(0, "needs --force", "$CTL reload --dry-run");
    ctl_says(0, "\"closed\":3", "$CTL --json reload --dry-run");
    ctl_says(16, "it would close 3 of the ", "$CTL reload");
    for (int i = 0; i < 3; i++)
        CHECK(is_alive(&three[i]), "number %d was closed all the same", i);
    ctl_says(0, "shop: closes 3 of its 3 connections", "$CTL reload --force");
    for (int i = 0; i < 3; i++) {
        while (is_alive(&three[i]))
            e2e_sleep_ms(10);
        wire_close(&three[i]);
    }
    file_has(old_secret, new_secret);
    ctl_says(0, "reloaded", "$CTL reload");
    puts("  what closes most of those who are there needs --force");
}

/* Whom it closes ----------------------------------------------------------- */

static void park(wire *w, int at) {
    char key[16];
    snprintf(key, sizeof key, "park%d", at);
    idp_request acquire = acquire_of(key, 60000);
    CHECK(wire_send_request(w, &acquire), "not sent");
}

/* The connection has claims, and 50 acquires that wait. */
static void parked_ones_are_forgotten(void) {
    wire holder, gone, lives;
    idp_token held[PARKED];
    char key[16];
    come_in(&holder, ops);
    come_in(&gone, old_secret);
    come_in(&lives, new_secret);
    for (int i = 0; i < PARKED; i++) {
        snprintf(key, sizeof key, "park%d", i);
        held[i] = claim(&holder, key);
    }
    idp_token own = claim(&gone, "own");
    for (int i = 0; i < PARKED; i++)
        park(&gone, i);
    park(&lives, 0);
    wait_for_waiters(PARKED + 1);
    file_has(new_secret, NULL);
    as(ops);
    comes_to_say("shop: closes 1 of its 2 connections",
                 "$CTL reload --dry-run");
    ctl_says(0, "shop: closes 1 of its 2 connections", "$CTL reload");
    idp_reply reply;
    CHECK(!wire_reply(&gone, &reply), "it was answered, not closed");
    wait_for_waiters(1);
    /* Its claim is as it was. */
    idp_request complete = {.method = IDP_COMPLETE,
                            .ns = text_slice("shop"),
                            .key = text_slice("own"),
                            .token = own,
                            .result = text_slice("done")};
    idp_answer answer;
    CHECK(wire_call(&holder, &complete, &answer) == 0 &&
              answer.outcome == IDP_OUTCOME_COMPLETED,
          "its claim is gone");
    /* Nobody is granted what those who are gone have waited for. */
    for (int i = 0; i < PARKED; i++) {
        snprintf(key, sizeof key, "park%d", i);
        idp_request release = {.method = IDP_RELEASE,
                               .ns = text_slice("shop"),
                               .key = text_slice(key),
                               .token = held[i]};
        CHECK(wire_call(&holder, &release, &answer) == 0, "not released");
        if (i > 0)
            claim(&holder, key);
    }
    CHECK(wire_reply(&lives, &reply) && !reply.is_error &&
              idp_answer_read(IDP_ACQUIRE, reply.result, &answer) &&
              answer.outcome == IDP_OUTCOME_ACQUIRED,
          "the one whose secret is good waits on");
    CHECK(is_alive(&lives) && is_alive(&holder), "others were closed");
    wire_close(&gone);
    wire_close(&lives);
    wire_close(&holder);
    file_has(old_secret, new_secret);
    ctl_says(0, "reloaded", "$CTL reload");
    puts("  who is closed leaves its claims, and none of its 50 waiters");
}

/* Abuse -------------------------------------------------------------------- */

static atomic_bool is_over;
static atomic_uint wrong_ones;

static void *guess(void *arg) {
    (void)arg;
    while (!atomic_load(&is_over)) {
        wire w;
        idp_request hello = {
            .method = IDP_HELLO,
            .secret = text_slice(
                "idm_shop_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")};
        if (!wire_open(&w, store.port))
            continue;
        if (wire_send_request(&w, &hello))
            atomic_fetch_add(&wrong_ones, 1);
        wire_close(&w);
    }
    return NULL;
}

/* From the same address; as many a second as the machine has time for. */
static void a_right_one_beside_a_thousand_wrong_ones(void) {
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, guess, NULL) == 0, "no thread");
    for (int i = 0; i < 100 || atomic_load(&wrong_ones) < 1000; i++) {
        char key[32];
        wire w;
        come_in(&w, new_secret);
        snprintf(key, sizeof key, "beside%d", i);
        claim(&w, key);
        wire_close(&w);
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    while (stat_of("denied_wrong_secret_total") < 900)
        e2e_sleep_ms(10); /* those whose sender left are not all read */
    printf("  a right secret is taken beside %u wrong ones\n",
           atomic_load(&wrong_ones));
}

int main(int argc, char *argv[]) {
    char conf[64];
    CHECK(argc == 3, "usage: credentials_reload IDEMSTORED IDEMCTL");
    CHECK(mkdtemp(dir) != NULL, "no folder");
    setenv("DIR", dir, 1);
    setenv("CTL", argv[2], 1);
    unsetenv("IDEMSTORE_SECRET");
    make(old_secret, "shop");
    make(new_secret, "shop");
    make(ops, "ops");
    file_has(old_secret, new_secret);
    ctl_says(0, "", "umask 027; echo \"credentials = $DIR/file\" >$DIR/conf");
    snprintf(conf, sizeof conf, "%s/conf", dir);
    const daemon_spec spec = {
        .program = argv[1],
        .flags = {"-c", conf, "--max-memory", "128m", "--threads", "2", NULL}};
    ctl_start(&store, &spec, argv[2], "shop");
    who_may();
    says_what_changes();
    one_bad_file_keeps_all();
    most_are_closed_by_force_alone();
    parked_ones_are_forgotten();
    a_right_one_beside_a_thousand_wrong_ones();
    daemon_stop(&store);
    ctl_says(0, "", "rm -r $DIR");
    return 0;
}
