/* SPDX-License-Identifier: Apache-2.0 */
/* silence.c -- connections that say nothing, or stop in the middle of it:
 * their places are given to others, at each stage.
 *
 *   silence IDEMSTORED */
#include "idemclient.h"
#include "tests/e2e/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACES      50u
/* Far above every deadline: only that it ends is looked at. */
#define PATIENCE_MS 180000u

static const char *program;

/* Reads what comes and says whether the connection has ended. */
static bool has_ended(wire *w) {
    char bytes[4096];
    ssize_t got;
    while ((got = recv(w->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        ;
    return got == 0 || (errno != EAGAIN && errno != EINTR);
}

static void waits_for_end(wire *w, const char *what) {
    uint64_t until = e2e_now_ms() + PATIENCE_MS;
    while (!has_ended(w)) {
        CHECK(e2e_now_ms() < until, "it is never closed: %s", what);
        e2e_sleep_ms(20);
    }
    wire_close(w);
}

static void open_one(wire *w, const daemon_t *daemon, const char *bytes,
                     size_t len) {
    CHECK(wire_open(w, daemon->port) && wire_send(w, bytes, len),
          "can't connect");
}

/* The head of a ping, of another server's magic, of a whole hello. */
#define HALF_PING  "\x94\x00\x01\xa4pi"
#define HALF_MAGIC "idemp"
#define WHOLE_PING "\x94\x00\x01\xa4ping\x90"

static bool gets_in(const daemon_t *daemon, const char *secret) {
    wire w;
    idp_hello hello;
    idp_answer answer;
    idp_request claim = ask_acquire("after-the-crowd", 1000, 1000);
    bool in = wire_open(&w, daemon->port) &&
              wire_hello(&w, -1, secret, &hello) == 0 &&
              wire_call(&w, &claim, &answer) == 0;
    wire_close(&w);
    return in;
}

/* All places are taken by such as never say hello. */
static void a_crowd_without_the_secret(void) {
    char path[64];
    daemon_t daemon;
    wire crowd[PLACES];
    snprintf(path, sizeof path, "/tmp/idemstore-silence-%d", (int)getpid());
    FILE *out = fopen(path, "we");
    CHECK(out && fputs("open sesame\n", out) >= 0 && fclose(out) == 0,
          "can't write %s", path);
    chmod(path, 0600);
    daemon_start(&daemon, &(daemon_spec){.program = program,
                                         .flags = {"--max-connections", "50",
                                                   "--secret-file", path}});
    static const struct {
        const char *bytes;
        size_t len;
    } says[] = {{"", 0},
                {HALF_PING, sizeof HALF_PING - 1},
                {HALF_MAGIC, sizeof HALF_MAGIC - 1},
                {WHOLE_PING, sizeof WHOLE_PING - 1}};
    for (unsigned i = 0; i < PLACES; i++)
        open_one(&crowd[i], &daemon, says[i % 4].bytes, says[i % 4].len);
    CHECK(!gets_in(&daemon, "open sesame"),
          "there was room: nothing is tested");
    uint64_t until = e2e_now_ms() + PATIENCE_MS;
    while (!gets_in(&daemon, "open sesame")) {
        CHECK(e2e_now_ms() < until, "nobody gets in any more");
        e2e_sleep_ms(100);
    }
    for (unsigned i = 0; i < PLACES; i++)
        waits_for_end(&crowd[i], "no hello");
    CHECK(daemon_said(&daemon, "no hello with the secret"),
          "nothing in the log");
    daemon_stop(&daemon);
    unlink(path);
    puts("  no hello in time: the place is another's");
}

/* A byte a second is no progress. */
static void dribble_until_closed(wire *w) {
    uint64_t until = e2e_now_ms() + PATIENCE_MS;
    for (unsigned i = 0; !has_ended(w); i++) {
        CHECK(e2e_now_ms() < until, "bytes by the second keep it open");
        if (i % 20 == 0)
            send(w->fd, "x", 1, MSG_NOSIGNAL);
        e2e_sleep_ms(50);
    }
    wire_close(w);
}

/* [0, 1, "complete", [ns, key, token, bin of 100000 bytes ... */
static size_t head_of_complete(char *to) {
    static const char head[] = "\x94\x00\x01\xa8"
                               "complete\x94\xa1n\xa1k\xc4\x10"
                               "0123456789abcdef\xc6\x00\x01\x86\xa0";
    memcpy(to, head, sizeof head - 1);
    return sizeof head - 1;
}

/* Asks for 40 MB of replies and reads a few bytes of them a second. */
static void ask_for_much(wire *w, const daemon_t *daemon) {
    char *result = malloc(1000001);
    CHECK(result && wire_open(w, daemon->port), "can't connect");
    memset(result, 'x', 1000000);
    result[1000000] = 0;
    e2e_do_once(w, "unread", result);
    free(result);
    idp_request again = ask_acquire("unread", 1000, 1000);
    for (int i = 0; i < 40; i++)
        CHECK(wire_send_request(w, &again), "it is gone");
}

static void sip_until_closed(wire *w, const daemon_t *daemon) {
    char bytes[64];
    uint64_t until = e2e_now_ms() + PATIENCE_MS;
    while (daemon_stat(daemon, "connections") > 1) {
        CHECK(e2e_now_ms() < until, "sips by the second keep it open");
        ssize_t got = recv(w->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        (void)got;
        e2e_sleep_ms(1000);
    }
    wire_close(w);
}

static void in_the_middle(void) {
    daemon_t daemon;
    char complete[128], state[64];
    wire silent, half, later, magic, peer, dribbles, sips;
    snprintf(state, sizeof state, "/tmp/idemstore-silence-%d-state",
             (int)getpid());
    daemon_start(
        &daemon,
        &(daemon_spec){.program = program,
                       .flags = {"--replication", "async", "--peer-insecure",
                                 "--peer-state", state, "--threads", "2"}});
    open_one(&silent, &daemon, "", 0);
    open_one(&half, &daemon, HALF_PING, sizeof HALF_PING - 1);
    open_one(&later, &daemon, WHOLE_PING HALF_PING,
             sizeof WHOLE_PING HALF_PING - 1);
    open_one(&magic, &daemon, HALF_MAGIC, sizeof HALF_MAGIC - 1);
    open_one(&peer, &daemon, "idempeer\x20\x00\x00\x00\x01", 13);
    open_one(&dribbles, &daemon, complete, head_of_complete(complete));
    ask_for_much(&sips, &daemon);
    bystander *by = bystander_start(daemon.port);
    waits_for_end(&peer, "half a handshake of another server");
    dribble_until_closed(&dribbles);
    waits_for_end(&half, "half a request");
    waits_for_end(&later, "half a request behind a whole one");
    waits_for_end(&magic, "half of another server's magic");
    puts("  half a request, half a handshake: closed");
    waits_for_end(&silent, "not a word");
    bystander_is_well(by, "all of those");
    bystander_stop(by);
    sip_until_closed(&sips, &daemon);
    puts("  not a word, or replies sipped: closed");
    daemon_stop(&daemon);
    snprintf(complete, sizeof complete, "%s.lock", state);
    unlink(complete);
    unlink(state);
}

/* --idle-timeout is for who waits for nothing. */
static void between_requests(void) {
    daemon_t daemon;
    wire idle, holder, waiter;
    idp_answer answer;
    daemon_start(&daemon, &(daemon_spec){.program = program,
                                         .flags = {"--idle-timeout", "1"}});
    CHECK(wire_open(&idle, daemon.port) && wire_open(&holder, daemon.port) &&
              wire_open(&waiter, daemon.port),
          "can't connect");
    e2e_do_once(&idle, "asked", "done");
    idp_request claim = ask_acquire("waited-for", 60000, 60000);
    CHECK(wire_call(&holder, &claim, &answer) == 0, "no claim");
    claim.wait_ms = 4000;
    int code = wire_call(&waiter, &claim, &answer);
    CHECK(code == 0 && answer.outcome == IDP_OUTCOME_IN_PROGRESS,
          "who waits was closed, or heard %d", code);
    waits_for_end(&idle, "nothing asked for a second");
    waits_for_end(&holder, "nothing asked for a second");
    wire_close(&waiter);
    daemon_stop(&daemon);
    puts("  --idle-timeout closes who asks nothing, not who waits");
}

static void a_client_that_idled(void) {
    idem_error err = {.size = sizeof err};
    idem_answer answer = {.size = sizeof answer};
    idem_client *client;
    daemon_t daemon;
    char uri[64];
    daemon_start(&daemon, &(daemon_spec){.program = program,
                                         .flags = {"--idle-timeout", "1"}});
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u", daemon.port);
    CHECK(idem_client_open(uri, &client, &err) == 0, "%s", err.text);
    for (unsigned i = 1; i <= 2; i++) {
        CHECK(idem_ping(client, NULL, &answer, &err) == 0, "round %u: %s", i,
              err.text);
        for (int n = 0;
             daemon_stat(&daemon, "connections_closed_by_time_total") < i;
             n++) {
            CHECK(n < 3000, "it is not closed");
            e2e_sleep_ms(50);
        }
    }
    CHECK(idem_ping(client, NULL, &answer, &err) == 0, "%s", err.text);
    idem_answer_fini(&answer);
    idem_client_close(client);
    daemon_stop(&daemon);
    puts("  a client of ours that idled connects again, and nobody notices");
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: silence IDEMSTORED");
    program = argv[1];
    a_crowd_without_the_secret();
    between_requests();
    a_client_that_idled();
    in_the_middle();
    return 0;
}
