/* SPDX-License-Identifier: Apache-2.0 */
/* door_acts.c -- see door_acts.h. */
#include "tests/e2e/door_acts.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct crowd {
    uint32_t count;
    wire all[DOOR_PLACES];
} crowd;

static crowd *crowd_open(const daemon_t *daemon, uint32_t count) {
    crowd *c = calloc(1, sizeof *c);
    CHECK(c != NULL, "no memory");
    for (; c->count < count; c->count++)
        CHECK(wire_open(&c->all[c->count], daemon->port), "can't connect");
    return c;
}

/* Some go with a reset, in the middle of what they were told. */
static void crowd_close(crowd *c, idt_rng *random) {
    const struct linger none = {.l_onoff = 1};
    for (uint32_t i = 0; i < c->count; i++) {
        if (idt_rng_chance(random, 50))
            setsockopt(c->all[i].fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
        wire_close(&c->all[i]);
    }
    free(c);
}

static void stay(idt_rng *random) {
    e2e_sleep_ms(idt_rng_between(random, 10, 1500));
}

static void say_nothing(const daemon_t *daemon, idt_rng *random) {
    crowd *c = crowd_open(daemon, idt_rng_between(random, 1, DOOR_PLACES));
    stay(random);
    crowd_close(c, random);
}

static void say_half(const daemon_t *daemon, idt_rng *random) {
    static const char ping[] = "\x94\x00\x01\xa4ping\x90";
    static const char large[] = "\x94\x00\x01\xa8"
                                "complete\x95\xa1n\xa1k\xc4\x10"
                                "0123456789abcdef\xc6\x00\x01\x86\xa0";
    crowd *c = crowd_open(daemon, idt_rng_between(random, 1, DOOR_PLACES));
    for (uint32_t i = 0; i < c->count; i++) {
        bool is_large = idt_rng_chance(random, 50);
        const char *from = is_large ? large : ping;
        size_t len = is_large ? sizeof large - 1 : sizeof ping - 1;
        wire_send(&c->all[i], from, idt_rng_below(random, (uint32_t)len));
    }
    for (int dribbled = 0; dribbled < 5; dribbled++) {
        for (uint32_t i = 0; i < c->count; i++)
            wire_send(&c->all[i], "x", 1);
        e2e_sleep_ms(50);
    }
    crowd_close(c, random);
}

static void be_a_stranger(const daemon_t *daemon, idt_rng *random) {
    static const char *const says[] = {"GET / HTTP/1.1\r\n\r\n",
                                       "*1\r\n$4\r\n",
                                       "\x16\x03\x01\x02",
                                       "idempeer",
                                       "{\"a\"",
                                       "idempeer\x20\x01\x02\x03\x04\x05"};
    crowd *c = crowd_open(daemon, idt_rng_between(random, 1, DOOR_PLACES));
    for (uint32_t i = 0; i < c->count; i++) {
        uint8_t noise[512];
        uint32_t len = idt_rng_between(random, 1, sizeof noise);
        const char *text = says[idt_rng_below(random, 6)];
        for (uint32_t k = 0; k < len; k++)
            noise[k] = (uint8_t)idt_rng_next(random);
        if (idt_rng_chance(random, 50))
            noise[0] = 0x94;
        if (idt_rng_chance(random, 50))
            wire_send(&c->all[i], text, strlen(text));
        else
            wire_send(&c->all[i], noise, len);
    }
    stay(random);
    crowd_close(c, random);
}

static void command_snapshot(const daemon_t *daemon, idt_rng *random) {
    crowd *c = crowd_open(daemon, 4);
    uint32_t orders = idt_rng_between(random, 1, 1000);
    for (uint32_t i = 0; i < orders; i++) {
        idp_request order = {.method = IDP_SNAPSHOT};
        if (!wire_send_request(&c->all[i % c->count], &order))
            break;
    }
    stay(random);
    crowd_close(c, random);
}

/* Large replies, and nobody reads them. */
static void read_nothing(const daemon_t *daemon, idt_rng *random) {
    char key[32], *result = calloc(1, 200001);
    CHECK(result != NULL, "no memory");
    memset(result, 'x', 200000);
    snprintf(key, sizeof key, "unread-%016llx",
             (unsigned long long)idt_rng_next(random));
    crowd *c = crowd_open(daemon, idt_rng_between(random, 1, 8));
    e2e_do_once(&c->all[0], key, result);
    free(result);
    for (uint32_t i = 0; i < c->count * 20; i++) {
        idp_request again = ask_acquire(key, 1000, 1000);
        wire_send_request(&c->all[i % c->count], &again);
    }
    stay(random);
    crowd_close(c, random);
}

static void come_and_go(const daemon_t *daemon, idt_rng *random) {
    uint32_t times = idt_rng_between(random, 1, 2000);
    for (uint32_t i = 0; i < times; i++)
        crowd_close(crowd_open(daemon, 1), random);
}

static void send_signals(const daemon_t *daemon, idt_rng *random) {
    static const int numbers[] = {SIGUSR1, SIGUSR2, SIGHUP, SIGALRM, SIGPIPE};
    for (int i = 0; i < 200; i++)
        kill(daemon->child.pid, numbers[idt_rng_below(random, 5)]);
}

/* Fresh connections that move, and such as are none any more. */
static void move_about(const daemon_t *daemon, idt_rng *random) {
    crowd *c = crowd_open(daemon, idt_rng_between(random, 1, DOOR_PLACES));
    for (uint32_t i = 0; i < c->count * 3; i++) {
        idp_request hello = {.method = IDP_HELLO,
                             .has_shard = true,
                             .shard = idt_rng_below(random, 4)};
        wire_send_request(&c->all[i % c->count], &hello);
    }
    stay(random);
    crowd_close(c, random);
}

static void wait_and_leave(const daemon_t *daemon, idt_rng *random) {
    char key[32];
    idp_answer answer;
    snprintf(key, sizeof key, "left-%016llx",
             (unsigned long long)idt_rng_next(random));
    crowd *c = crowd_open(daemon, DOOR_PLACES);
    idp_request claim = ask_acquire(key, 2000, 4000);
    CHECK(wire_call(&c->all[0], &claim, &answer) == 0, "no claim");
    claim.wait_ms = 60000;
    for (uint32_t i = 1; i < c->count; i++)
        wire_send_request(&c->all[i], &claim);
    stay(random);
    crowd_close(c, random);
}

const door_act door_acts[] = {
    {"connections that say nothing", say_nothing},
    {"halves of requests", say_half},
    {"strangers, and noise", be_a_stranger},
    {"commands for a snapshot", command_snapshot},
    {"replies that nobody reads", read_nothing},
    {"connections that come and go", come_and_go},
    {"signals", send_signals},
    {"connections that move", move_about},
    {"waiters that leave", wait_and_leave},
};
const unsigned door_acts_count = sizeof door_acts / sizeof door_acts[0];
