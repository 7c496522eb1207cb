/* SPDX-License-Identifier: Apache-2.0 */
/* bad_input.c -- what a client must not send, sent to a daemon that goes on.
 *
 *   bad_input IDEMSTORED
 *
 * After each attack: another client has been served all the while, and the
 * daemon's memory is where it was, give or take what it may buffer. */
#include "tests/e2e/harness.h"
#include "tests/lib/rng.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GROWTH_KB_MAX      (96u * 1024)
#define RANDOM_CONNECTIONS 400

typedef struct scene {
    daemon_t *daemon;
    bystander *by;
    size_t rss_kb;
    wire drip; /* a request that comes byte by byte, one after each attack */
    uint8_t drop[256];
    size_t drops;
    size_t dripped;
} scene;

static void drip_one(scene *s) {
    if (s->dripped < s->drops)
        CHECK(wire_send(&s->drip, &s->drop[s->dripped++], 1),
              "the slow one was closed after %zu bytes", s->dripped);
}

static void all_is_well(scene *s, const char *after) {
    bystander_is_well(s->by, after);
    size_t now = daemon_rss_kb(s->daemon);
    CHECK(e2e_sanitized() || now < s->rss_kb + GROWTH_KB_MAX,
          "%s: memory grew from %zu to %zu KiB", after, s->rss_kb, now);
    drip_one(s);
}

static wire connected(scene *s) {
    wire w;
    CHECK(wire_open(&w, s->daemon->port), "can't connect");
    return w;
}

/* Sends bytes; the daemon must close, saying at most some short text. */
static size_t sent_and_closed(scene *s, const void *bytes, size_t len,
                              char *said, size_t cap) {
    wire w = connected(s);
    wire_send(&w, bytes, len);
    size_t n = wire_text(&w, said, cap);
    char more;
    CHECK(recv(w.fd, &more, 1, 0) <= 0, "it goes on talking");
    CHECK(errno != EAGAIN, "not closed after %zu bad bytes", len);
    wire_close(&w);
    return n;
}

/* Nothing but text, which ends with a line's end. */
static void is_text(const char *said, size_t len) {
    CHECK(len > 10 && said[len - 1] == '\n', "no text: %s", said);
    for (size_t i = 0; i < len; i++)
        CHECK((said[i] >= ' ' && said[i] < 127) || strchr("\r\n", said[i]),
              "byte %d in the text", said[i]);
}

static void other_protocols(scene *s) {
    static const char one_line[] = "idemstored speaks MessagePack-RPC";
    static const char http[] = "HTTP/1.1 400 Bad Request\r\n";
    static const char redis[] = "-ERR idemstored speaks MessagePack-RPC";
    static const char *const hellos[][2] = {
        {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", http},
        {"POST /acquire HTTP/1.1", http},
        {"OPTIONS * HTTP/1.1\r\n\r\n", http},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", http},
        {"GET http://h/ HTTP/1.0\r\n\r\n", http},
        {"*1\r\n$4\r\nPING\r\n", redis},
        {"PING\r\n", redis},
        {"get key\r\n", redis},
        {"GETAWAY\r\n", one_line},
        {"{\"method\":\"acquire\"}\n", one_line},
        {"\x16\x03\x01\x02", one_line},
        {"idempotent\n", one_line},
        {"SSH-2.0-OpenSSH_9.2\r\n", one_line}};
    for (size_t i = 0; i < sizeof hellos / sizeof *hellos; i++) {
        const char *hello = hellos[i][0], *answer = hellos[i][1];
        char said[512] = "";
        size_t n = sent_and_closed(s, hello, strlen(hello), said, sizeof said);
        is_text(said, n);
        CHECK(strncmp(said, answer, strlen(answer)) == 0, "\"%.4s\" is told %s",
              hello, said);
        CHECK(answer == http || strchr(said, '\n') == said + n - 1,
              "to \"%.4s\" one line, not: %s", hello, said);
    }
    all_is_well(s, "HTTP, Redis, JSON and SSH at the port");
}

/* A client may write as slowly as it likes; and one that goes on writing sees
 * the answer all the same, not a reset. */
static void other_protocols_in_pieces(scene *s) {
    static const char hello[] = "GET /x HTTP/1.1\r\n";
    static char body[256 * 1024];
    char said[512] = "";
    wire w = connected(s);
    for (size_t at = 0; at < 5; at++) {
        wire_send(&w, hello + at, 1);
        e2e_sleep_ms(20);
    }
    is_text(said, wire_text(&w, said, sizeof said));
    CHECK(strstr(said, "HTTP is not served here") != NULL, "told: %s", said);
    wire_close(&w);
    w = connected(s);
    wire_send(&w, "POST / HTTP/1.1\r\n", 17);
    wire_send(&w, body, sizeof body);
    wire_text(&w, said, sizeof said);
    CHECK(strstr(said, "HTTP is not served here") != NULL, "told: %s", said);
    wire_close(&w);
    all_is_well(s, "the same byte by byte, and with a body behind it");
}

static void random_bytes(scene *s) {
    idt_rng rng;
    idt_rng_seed(&rng, 1);
    for (int i = 0; i < RANDOM_CONNECTIONS; i++) {
        uint8_t bytes[2048];
        wire w = connected(s);
        size_t len = 1 + idt_rng_below(&rng, sizeof bytes);
        for (size_t at = 0; at < len; at++)
            bytes[at] = (uint8_t)idt_rng_next(&rng);
        if (i % 2 == 0)
            bytes[0] = 0x94; /* gets further in */
        wire_send(&w, bytes, len);
        wire_close(&w);
    }
    all_is_well(s, "random bytes");
}

/* One frame that may not be answered as if it were fine: an error reply, or a
 * close, within the time limit. Returns the error; WIRE_LOST for a close. */
static int refused(scene *s, const void *bytes, size_t len) {
    wire w = connected(s);
    idp_reply reply;
    int code = WIRE_LOST;
    uint8_t first = 0;
    wire_send(&w, bytes, len);
    ssize_t n = recv(w.fd, &first, 1, MSG_PEEK);
    if (n > 0 && first != 0x94) { /* a readable line, then */
        char line[512];
        wire_text(&w, line, sizeof line);
    } else if (n > 0 && wire_reply(&w, &reply)) {
        CHECK(reply.is_error, "%zu bad bytes were answered", len);
        code = reply.error;
    } else {
        CHECK(errno != EAGAIN, "%zu bad bytes: no answer and no close", len);
    }
    wire_close(&w);
    return code;
}

#define BYTES(...) ((const uint8_t[]){__VA_ARGS__})
#define REFUSED(s, ...) \
    refused(s, BYTES(__VA_ARGS__), sizeof BYTES(__VA_ARGS__))

static void announced_sizes(scene *s) {
    /* An array, a map, a str, a bin, an ext of 4 GiB, as the whole frame. */
    static const uint8_t heads[] = {0xdd, 0xdf, 0xdb, 0xc6, 0xc9};
    for (size_t i = 0; i < sizeof heads; i++)
        REFUSED(s, heads[i], 0xff, 0xff, 0xff, 0xff);
    /* The same inside a request: as params, as a key, as hello's map. */
    REFUSED(s, 0x94, 0, 1, 0xa4, 'p', 'e', 'e', 'k', 0xdd, 0xff, 0xff, 0xff,
            0xff);
    REFUSED(s, 0x94, 0, 1, 0xa4, 'p', 'e', 'e', 'k', 0x92, 0xa1, 'n', 0xdb,
            0xff, 0xff, 0xff, 0xff);
    REFUSED(s, 0x94, 0, 1, 0xa4, 'p', 'e', 'e', 'k', 0x92, 0xa1, 'n', 0xc6,
            0x7f, 0xff, 0xff, 0xff);
    REFUSED(s, 0x94, 0, 1, 0xa5, 'h', 'e', 'l', 'l', 'o', 0x91, 0xdf, 0xff,
            0xff, 0xff, 0xff);
    all_is_well(s, "announced sizes of 4 GiB");
}

static void depth_bombs(scene *s) {
    uint8_t bomb[60000] = {0x94, 0, 1, 0xa4, 'p', 'i', 'n', 'g'};
    memset(bomb + 8, 0x91, sizeof bomb - 8);
    refused(s, bomb, sizeof bomb);
    memset(bomb, 0x91, sizeof bomb);
    refused(s, bomb, sizeof bomb);
    memset(bomb, 0x81, sizeof bomb); /* maps as keys of maps */
    refused(s, bomb, sizeof bomb);
    all_is_well(s, "depth bombs");
}

/* A request of one method with these params, as whole MessagePack bytes. */
static int with_params(scene *s, const char *method, const void *params,
                       size_t len) {
    uint8_t frame[512] = {0x94, 0, 7};
    size_t at = 3;
    frame[at++] = (uint8_t)(0xa0 | strlen(method));
    memcpy(frame + at, method, strlen(method));
    at += strlen(method);
    memcpy(frame + at, params, len);
    return refused(s, frame, at + len);
}

#define GETS(code, s, method, ...)                        \
    CHECK(with_params(s, method, BYTES(__VA_ARGS__),      \
                      sizeof BYTES(__VA_ARGS__)) == code, \
          "%s: not the error of line %d", method, __LINE__)
#define BAD(s, method, ...) GETS(IDP_E_BAD_REQUEST, s, method, __VA_ARGS__)

static void wrong_params(scene *s) {
    BAD(s, "peek", 0x90);                             /* none */
    BAD(s, "peek", 0x91, 0xa1, 'n');                  /* too few */
    BAD(s, "peek", 0x93, 0xa1, 'n', 0xa1, 'k', 0xc0); /* too many */
    BAD(s, "peek", 0x92, 0xa1, 'n', 0xc0);            /* nil as a key */
    BAD(s, "peek", 0x92, 0xa1, 'n', 0xa0);            /* an empty key */
    BAD(s, "peek", 0x92, 0xa1, 'n', 0x07);            /* a number */
    BAD(s, "peek", 0x92, 0xa1, 'n', 0x91, 0xa1, 'k'); /* an array */
    GETS(IDP_E_PROTOCOL, s, "peek", 0x92, 0xa1, 'n', 0xd4, 0x01,
         0x00);                                 /* ext */
    GETS(IDP_E_PROTOCOL, s, "peek", 0x80);      /* map */
    GETS(IDP_E_PROTOCOL, s, "peek", 0xa1, 'k'); /* a text */
    /* lease: negative, zero, 2^64-1, a fraction, a text; ttl 2^53 */
    BAD(s, "acquire", 0x96, 0xa1, 'n', 0xa1, 'k', 0xc0, 0xc0, 0xff, 0x64);
    BAD(s, "acquire", 0x96, 0xa1, 'n', 0xa1, 'k', 0xc0, 0xc0, 0x00, 0x64);
    BAD(s, "acquire", 0x96, 0xa1, 'n', 0xa1, 'k', 0xc0, 0xc0, 0xcf, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x64);
    BAD(s, "acquire", 0x96, 0xa1, 'n', 0xa1, 'k', 0xc0, 0xc0, 0xd3, 0x80, 0, 0,
        0, 0, 0, 0, 0, 0x64);
    BAD(s, "acquire", 0x96, 0xa1, 'n', 0xa1, 'k', 0xc0, 0xc0, 0xcb, 0x3f, 0xf8,
        0, 0, 0, 0, 0, 0, 0x64);
    BAD(s, "acquire", 0x96, 0xa1, 'n', 0xa1, 'k', 0xc0, 0xc0, 0xa1, '9', 0x64);
    BAD(s, "acquire", 0x96, 0xa1, 'n', 0xa1, 'k', 0xc0, 0xc0, 0x01, 0xcf, 0,
        0x20, 0, 0, 0, 0, 0, 0);
    /* lease over ttl; a float that is not a number */
    BAD(s, "acquire", 0x96, 0xa1, 'n', 0xa1, 'k', 0xc0, 0xc0, 0x64, 0x63);
    BAD(s, "acquire", 0x96, 0xa1, 'n', 0xa1, 'k', 0xc0, 0xc0, 0xcb, 0x7f, 0xf8,
        0, 0, 0, 0, 0, 0, 0x64);
    /* an option that does not exist, and one of the wrong type */
    BAD(s, "acquire", 0x97, 0xa1, 'n', 0xa1, 'k', 0xc0, 0xc0, 0x64, 0x64, 0x81,
        0xa1, 'x', 0x01);
    BAD(s, "acquire", 0x97, 0xa1, 'n', 0xa1, 'k', 0xc0, 0xc0, 0x64, 0x64, 0x81,
        0xa9, 'o', 'n', '_', 'o', 'r', 'p', 'h', 'a', 'n', 0x01);
    /* a token of one byte */
    BAD(s, "complete", 0x95, 0xa1, 'n', 0xa1, 'k', 0xc4, 0x01, 0x00, 0xc0,
        0xc0);
    CHECK(with_params(s, "frobnicate", BYTES(0x90), 1) == IDP_E_UNKNOWN_METHOD,
          "an unknown method");
    all_is_well(s, "wrong, missing and surplus params");
}

static void wrong_envelopes(scene *s) {
    REFUSED(s, 0x93, 0, 1, 0xa4, 'p', 'i', 'n', 'g');          /* three */
    REFUSED(s, 0x94, 5, 1, 0xa4, 'p', 'i', 'n', 'g', 0x90);    /* type 5 */
    REFUSED(s, 0x94, 1, 1, 0xc0, 0xc0);                        /* a reply */
    REFUSED(s, 0x94, 0, 0xff, 0xa4, 'p', 'i', 'n', 'g', 0x90); /* msgid -1 */
    REFUSED(s, 0x94, 0, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0, 0xa4, 'p', 'i', 'n', 'g',
            0x90);                      /* msgid 2^32 */
    REFUSED(s, 0x94, 0, 1, 0xc0, 0x90); /* method nil */
    REFUSED(s, 0xc1);                   /* never used */
    all_is_well(s, "wrong envelopes");
}

/* Byte by byte it is still a request; the half of one holds nobody up. */
static void half_frames(scene *s) {
    wire half[64];
    uint8_t frame[256];
    idp_request ask = ask_acquire("dripped", 1000, 1000);
    size_t len = idp_request_write(frame, sizeof frame, &ask);
    for (size_t i = 0; i < 64; i++) {
        half[i] = connected(s);
        wire_send(&half[i], frame, 1 + i % (len - 1));
    }
    wire w = connected(s);
    for (size_t i = 0; i < len; i++) {
        CHECK(wire_send(&w, frame + i, 1), "closed after %zu bytes", i);
        e2e_sleep_ms(2);
    }
    idp_reply reply;
    CHECK(wire_reply(&w, &reply) && !reply.is_error, "no answer to the drip");
    wire_close(&w);
    all_is_well(s, "half frames, byte by byte");
    for (size_t i = 0; i < 64; i++)
        wire_close(&half[i]);
}

/* Asks for some GiB of replays and reads none of them. */
static void never_reads(scene *s) {
    size_t result_len = 500000;
    char *result = malloc(result_len + 1);
    CHECK(result != NULL, "no memory");
    memset(result, 'r', result_len);
    result[result_len] = 0;
    wire w = connected(s);
    e2e_do_once(&w, "large", result);
    free(result);
    uint8_t frame[256];
    idp_request ask = ask_acquire("large", 1000, 1000);
    size_t len = idp_request_write(frame, sizeof frame, &ask);
    size_t asked = 0;
    for (int idle = 0; idle < 100 && asked < 20000;) {
        ssize_t n = send(w.fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n == (ssize_t)len) {
            asked++;
            idle = 0;
        } else if (n >= 0 || errno != EAGAIN) {
            break; /* closed, or the buffer ends inside of a frame */
        } else {
            idle++;
            e2e_sleep_ms(5);
        }
    }
    printf("  (asked for %zu replays of 500,000 bytes)\n", asked);
    all_is_well(s, "a client that never reads");
    wire_close(&w);
}

/* Many parked waiters whose connections die: forgotten, and the key lives. */
static void dies_parked(scene *s) {
    idp_answer answer;
    wire holder = connected(s);
    idp_request claim = ask_acquire("parked", 60000, 60000);
    CHECK(wire_call(&holder, &claim, &answer) == 0, "no claim");
    idp_request wait = claim;
    wait.wait_ms = 60000;
    for (int i = 0; i < 100; i++) {
        wire w = connected(s);
        for (int j = 0; j < 5; j++)
            wire_send_request(&w, &wait);
        if (i % 2 == 0)
            e2e_sleep_ms(1);
        wire_close(&w);
    }
    for (int i = 0; daemon_stat(s->daemon, "waiters") != 0; i++) {
        CHECK(i < 1000, "waiters of dead connections stay");
        e2e_sleep_ms(10);
    }
    idp_request complete = ask_complete("parked", answer.token, "done");
    CHECK(wire_call(&holder, &complete, &answer) == 0 &&
              answer.outcome == IDP_OUTCOME_COMPLETED,
          "the claim was harmed");
    wire_close(&holder);
    all_is_well(s, "connections that die with waiters parked");
}

static void drip_begins(scene *s) {
    idp_request ask = ask_acquire("slow", 1000, 1000);
    s->drip = connected(s);
    s->drops = idp_request_write(s->drop, sizeof s->drop, &ask);
    CHECK(s->drops > 0, "no room for it");
}

static void drip_ends(scene *s) {
    idp_reply reply;
    while (s->dripped < s->drops)
        drip_one(s);
    CHECK(wire_reply(&s->drip, &reply), "the slow one was cut off");
    CHECK(!reply.is_error, "the slow one got %.*s", (int)reply.text.len,
          (const char *)reply.text.ptr);
    wire_close(&s->drip);
}

int main(int argc, char **argv) {
    CHECK(argc > 1, "usage: bad_input IDEMSTORED");
    daemon_t daemon;
    daemon_start(&daemon, &(daemon_spec){.program = argv[1],
                                         .flags = {"--threads", "2",
                                                   "--max-buffers", "32m"}});
    scene s = {.daemon = &daemon, .by = bystander_start(daemon.port)};
    bystander_is_well(s.by, "the start");
    s.rss_kb = daemon_rss_kb(&daemon);
    drip_begins(&s);
    other_protocols(&s);
    other_protocols_in_pieces(&s);
    random_bytes(&s);
    announced_sizes(&s);
    depth_bombs(&s);
    wrong_params(&s);
    wrong_envelopes(&s);
    half_frames(&s);
    never_reads(&s);
    dies_parked(&s);
    drip_ends(&s);
    bystander_stop(s.by);
    daemon_stop(&daemon);
    return 0;
}
