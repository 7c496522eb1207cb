/* SPDX-License-Identifier: Apache-2.0 */
/* async_client.c -- what idem_async costs, beside what is bare: the CPU of a
 * call at pipeline 16 beside idem_session's, and the latency at pipeline 1
 * beside a libuv client's that writes bytes and counts what comes back. Rounds
 * of the two take turns, so that whatever else the machine does hits both.
 *
 *   idembench-async IDEM_PORT ECHO_PORT [ROUNDS] [CALLS] [LIMITS]
 *
 * bench/async starts the two servers. LIMITS 1: exit 1 where a ratio is over
 * its target. */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/clock.h"
#include "client/include/idemclient_async_poll.h"
#include "client/include/idemclient_async_uv.h"

#define PIPELINE   16u
#define ROUNDS_MAX 200u
#define CPU_MOST   1.15
#define ECHO_MOST  1.10

static uint16_t idem_port, echo_port;
static uint64_t keys; /* drawn: each acquire claims one of its own */

static int connect_async(uint16_t port) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof at) != 0) {
        perror("idembench-async: connect");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void must(int32_t code) {
    if (code == IDEM_OK)
        return;
    fprintf(stderr, "idembench-async: %s\n", idem_error_text(code));
    exit(1);
}

static idem_args next_args(void) {
    static uint8_t nonce[16];
    static uint64_t key;
    key = keys++;
    memcpy(nonce, &key, sizeof key);
    return (idem_args){.size = sizeof(idem_args),
                       .ns = "bench",
                       .ns_len = 5,
                       .key = &key,
                       .key_len = sizeof key,
                       .nonce = nonce,
                       .nonce_len = sizeof nonce,
                       .lease_ms = 1000,
                       .ttl_ms = 2000,
                       .timeout_ms = 60000};
}

static void count_answer(const idem_answer *answer, const idem_error *err) {
    if (answer != NULL && answer->outcome == IDEM_ACQUIRED)
        return;
    fprintf(stderr, "idembench-async: %s\n", err != NULL ? err->text : "?");
    exit(1);
}

/* ------------------------------------------------------ CPU, pipeline of 16 */

typedef struct load {
    idem_session *session;
    idem_async *async;
    uint64_t left;    /* to be asked */
    uint64_t pending; /* asked and not answered */
} load;

static void hear_load(void *ctx, const idem_answer *answer,
                      const idem_error *err);

static void ask_load(load *l) {
    idem_args args = next_args();
    int32_t code = l->session != NULL
                       ? idem_session_call(l->session, IDEM_ACQUIRE, &args,
                                           idem_now_ms(), hear_load, l)
                       : idem_async_call(l->async, IDEM_ACQUIRE, &args,
                                         idem_now_ms(), hear_load, l, NULL);
    assert(code == 0);
    l->left--;
    l->pending++;
}

static void hear_load(void *ctx, const idem_answer *answer,
                      const idem_error *err) {
    load *l = ctx;
    count_answer(answer, err);
    l->pending--;
    if (l->left > 0)
        ask_load(l);
}

static void session_turn(idem_session *session, int fd) {
    static uint8_t bytes[65536];
    const uint8_t *out;
    size_t len = 0;
    while ((out = idem_session_output(session, &len)) != NULL) {
        ssize_t sent = send(fd, out, len, MSG_NOSIGNAL);
        assert(sent > 0);
        idem_session_sent(session, (size_t)sent);
    }
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    uint64_t now_ms = idem_now_ms();
    uint64_t next_ms = idem_session_next_ms(session);
    (void)poll(&ready, 1, next_ms > now_ms ? (int)(next_ms - now_ms) : 0);
    ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    assert(got > 0);
    must(idem_session_input(session, bytes, (size_t)got));
    idem_session_tick(session, idem_now_ms());
}

/* Nanoseconds of this thread's CPU per call. */
static double spend_calls(load *l, int fd, uint64_t calls) {
    l->left = calls;
    uint64_t before_ns = idb_clock_ns_of(CLOCK_THREAD_CPUTIME_ID);
    for (uint32_t i = 0; i < PIPELINE; i++)
        ask_load(l);
    while (l->pending > 0) {
        if (l->session != NULL)
            session_turn(l->session, fd);
        else
            idem_async_poll_turn(l->async, -1);
    }
    uint64_t after_ns = idb_clock_ns_of(CLOCK_THREAD_CPUTIME_ID);
    return (double)(after_ns - before_ns) / (double)calls;
}

/* ---------------------------------------------------- latency, one at a time
 */

typedef struct walk {
    uv_loop_t *loop;
    idem_async_uv *store; /* NULL: bytes and nothing else */
    uv_tcp_t stream;
    const uint8_t *bytes; /* what is written */
    size_t bytes_count;
    size_t answer_bytes; /* what comes back */
    size_t got;
    uint64_t left;
    uint64_t since_ns;
    uint64_t *took_ns;
    uint64_t took_count;
} walk;

static void note_walked(walk *w) {
    w->took_ns[w->took_count++] = idb_now_ns() - w->since_ns;
}

static void hear_walk(void *ctx, const idem_answer *answer,
                      const idem_error *err);

static void step_store(walk *w) {
    idem_args args = {.size = sizeof args,
                      .ns = "bench",
                      .ns_len = 5,
                      .key = "nobody's",
                      .key_len = 8,
                      .timeout_ms = 60000};
    w->left--;
    w->since_ns = idb_now_ns();
    int32_t code =
        idem_async_uv_call(w->store, IDEM_PEEK, &args, hear_walk, w, NULL);
    assert(code == 0);
}

static void hear_walk(void *ctx, const idem_answer *answer,
                      const idem_error *err) {
    walk *w = ctx;
    if (answer == NULL)
        count_answer(answer, err);
    note_walked(w);
    if (w->left > 0)
        step_store(w);
    else
        uv_stop(w->loop);
}

static void step_bytes(walk *w) {
    uv_buf_t out =
        uv_buf_init((char *)(uintptr_t)w->bytes, (unsigned)w->bytes_count);
    w->left--;
    w->got = 0;
    w->since_ns = idb_now_ns();
    int wrote = uv_try_write((uv_stream_t *)&w->stream, &out, 1);
    assert(wrote == (int)w->bytes_count);
}

static void lend_read_room(uv_handle_t *handle, size_t suggested,
                           uv_buf_t *buffer) {
    static char bytes[65536];
    (void)handle, (void)suggested;
    *buffer = uv_buf_init(bytes, sizeof bytes);
}

static void read_bytes(uv_stream_t *stream, ssize_t got,
                       const uv_buf_t *buffer) {
    walk *w = stream->data;
    (void)buffer;
    assert(got >= 0);
    w->got += (size_t)got;
    if (w->got < w->answer_bytes)
        return;
    note_walked(w);
    if (w->left > 0)
        step_bytes(w);
    else
        uv_stop(w->loop);
}

static int compare_ns(const void *a, const void *b) {
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
    return one < other ? -1 : one > other;
}

/* The median of so many round trips, in nanoseconds. */
static double walk_along(walk *w, uint64_t calls) {
    w->left = calls;
    w->took_count = 0;
    w->took_ns = calloc(calls, sizeof *w->took_ns);
    if (w->store != NULL)
        step_store(w);
    else
        step_bytes(w);
    uv_run(w->loop, UV_RUN_DEFAULT);
    assert(w->took_count == calls);
    qsort(w->took_ns, calls, sizeof *w->took_ns, compare_ns);
    uint64_t middle = calls / 2;
    double median = (double)w->took_ns[middle];
    free(w->took_ns);
    return median;
}

static void open_bytes(walk *w, uv_loop_t *loop, uint16_t port) {
    *w = (walk){.loop = loop};
    uv_tcp_init(loop, &w->stream);
    uv_tcp_open(&w->stream, connect_async(port));
    w->stream.data = w;
    uv_read_start((uv_stream_t *)&w->stream, lend_read_room, read_bytes);
}

/* A peek of that key, and how many bytes its answer has: [0, 1, "peek",
 * ["bench", "nobody's"]], [1, 1, nil, ["absent"]]. */
static const uint8_t peek_bytes[] = "\x94\x00\x01\xa4peek\x92\xa5"
                                    "bench\xa8nobody's";
#define PEEK_BYTES   (sizeof peek_bytes - 1)
#define ABSENT_BYTES 12u

/* ------------------------------------------------------------------- report */

typedef struct series {
    const char *name;
    double figures[ROUNDS_MAX];
    uint32_t count;
} series;

static int compare_figures(const void *a, const void *b) {
    double one = *(const double *)a, other = *(const double *)b;
    return one < other ? -1 : one > other;
}

static double median_of(const series *s) {
    double sorted[ROUNDS_MAX];
    memcpy(sorted, s->figures, s->count * sizeof *sorted);
    qsort(sorted, s->count, sizeof *sorted, compare_figures);
    return sorted[s->count / 2];
}

/* The median of the rounds' own ratios: neighbours had the same weather. */
static double ratio_of(const series *one, const series *other) {
    series ratios = {.count = one->count};
    for (uint32_t i = 0; i < one->count; i++)
        ratios.figures[i] = one->figures[i] / other->figures[i];
    return median_of(&ratios);
}

static int report_ratio(const char *what, const series *one,
                        const series *other, double most) {
    double ratio = ratio_of(one, other);
    printf("%-22s %9.0f ns  %-22s %9.0f ns  ratio %.3f", one->name,
           median_of(one), other->name, median_of(other), ratio);
    if (most > 0)
        printf("  at most %.2f: %s", most, ratio <= most ? "met" : "missed");
    printf("  (%s)\n", what);
    return most > 0 && ratio > most;
}

static int measure_cpu(uint32_t rounds, uint64_t calls) {
    char uri[96];
    int fd = connect_async(idem_port);
    load bare = {0}, whole = {0};
    series bare_ns = {.name = "idem_session"};
    series whole_ns = {.name = "idem_async (poll)"};
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u/?shard_aware=0", idem_port);
    must(idem_session_new(&bare.session));
    must(idem_async_open(uri, &whole.async, NULL));
    spend_calls(&bare, fd, calls / 4 + PIPELINE);
    spend_calls(&whole, -1, calls / 4 + PIPELINE);
    for (uint32_t i = 0; i < rounds; i++) {
        bare_ns.figures[bare_ns.count++] = spend_calls(&bare, fd, calls);
        whole_ns.figures[whole_ns.count++] = spend_calls(&whole, -1, calls);
    }
    idem_session_free(bare.session);
    idem_async_close(whole.async);
    close(fd);
    return report_ratio("CPU per acquire, pipeline 16", &whole_ns, &bare_ns,
                        CPU_MOST);
}

static int measure_latency(uint32_t rounds, uint64_t calls) {
    char uri[96];
    uv_loop_t loop;
    walk store = {.loop = &loop}, echo, same;
    series store_ns = {.name = "idem_async (libuv)"};
    series echo_ns = {.name = "bare libuv, echo"};
    series same_ns = {.name = "bare libuv, idemstored"};
    uv_loop_init(&loop);
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u/?shard_aware=0", idem_port);
    must(idem_async_uv_open(&loop, uri, &store.store, NULL));
    open_bytes(&echo, &loop, echo_port);
    echo.bytes = peek_bytes;
    echo.bytes_count = PEEK_BYTES;
    echo.answer_bytes = PEEK_BYTES;
    open_bytes(&same, &loop, idem_port);
    same.bytes = peek_bytes;
    same.bytes_count = PEEK_BYTES;
    same.answer_bytes = ABSENT_BYTES;
    walk_along(&store, calls / 4 + 1);
    for (uint32_t i = 0; i < rounds; i++) {
        echo_ns.figures[echo_ns.count++] = walk_along(&echo, calls);
        store_ns.figures[store_ns.count++] = walk_along(&store, calls);
        same_ns.figures[same_ns.count++] = walk_along(&same, calls);
    }
    idem_async_uv_close(store.store, NULL, NULL);
    uv_close((uv_handle_t *)&echo.stream, NULL);
    uv_close((uv_handle_t *)&same.stream, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    int over =
        report_ratio("latency, pipeline 1", &store_ns, &echo_ns, ECHO_MOST);
    report_ratio("the same server for both", &store_ns, &same_ns, 0);
    return over;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "idembench-async: IDEM_PORT ECHO_PORT [ROUNDS] "
                        "[CALLS] [LIMITS]; bench/async starts both servers\n");
        return 64;
    }
    idem_port = (uint16_t)atoi(argv[1]);
    echo_port = (uint16_t)atoi(argv[2]);
    uint32_t rounds = argc > 3 ? (uint32_t)atoi(argv[3]) : 21;
    uint64_t calls = argc > 4 ? (uint64_t)atoll(argv[4]) : 20000;
    if (rounds < 1 || rounds > ROUNDS_MAX || calls < PIPELINE) {
        fprintf(stderr, "idembench-async: 1 to %u rounds of %u calls or more\n",
                ROUNDS_MAX, PIPELINE);
        return 64;
    }
    int over = measure_cpu(rounds, calls);
    over += measure_latency(rounds, calls / 4 + 1);
    return argc > 5 && atoi(argv[5]) != 0 && over > 0;
}
