/* SPDX-License-Identifier: Apache-2.0 */
// exception.cc -- an exception of C++ through idem_run_once: it arrives at its
// catch, the claim is left, and nobody renews it any more.
#include <idemclient.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/unit/client/ends.h"

static ends_server *server;
static std::atomic<bool> enough{false};

#define CHECK(what)                                                         \
    do {                                                                    \
        if (!(what)) {                                                      \
            std::fprintf(stderr, "line %d: not so: %s\n", __LINE__, #what); \
            std::exit(1);                                                   \
        }                                                                   \
    } while (0)

static idem_args args_of(const char *key) {
    idem_args args;
    idem_args_init(&args, sizeof args);
    args.key = key;
    args.key_len = 1;
    return args;
}

static int32_t go_on(idem_run *, void *) {
    while (!enough)
        std::this_thread::yield();
    return IDEM_RUN_DONE;
}

static int32_t raise(idem_run *run, void *) {
    std::string lives_on_this_stack(1000, 'x');
    CHECK(idem_run_set_result(run, "half", 4, IDEM_CLASS_SUCCESS) == 0);
    while (ends_renewals(server, 't') == 0)
        std::this_thread::yield();
    throw std::runtime_error("the card was declined");
}

int main() {
    idem_client *client = nullptr;
    server = ends_start();
    CHECK(idem_client_open(ends_uri(server), &client, nullptr) == 0);
    std::thread other([client] {
        idem_answer answer;
        idem_answer_init(&answer, sizeof answer);
        idem_args args = args_of("z");
        CHECK(idem_run_once(client, &args, go_on, nullptr, &answer, nullptr) ==
              0);
        idem_answer_fini(&answer);
    });
    idem_answer answer;
    idem_answer_init(&answer, sizeof answer);
    idem_args args = args_of("t");
    bool caught = false;
    try {
        idem_run_once(client, &args, raise, nullptr, &answer, nullptr);
    } catch (const std::runtime_error &error) {
        caught = std::string(error.what()) == "the card was declined";
    }
    CHECK(caught);
    CHECK(answer.outcome == IDEM_LEFT);
    CHECK(ends_settled(server, 't') == 0);
    ends_await_renewals(server, 'z', 2); // one may have been under way
    int renewals = ends_renewals(server, 't');
    ends_await_renewals(server, 'z', 5);
    CHECK(ends_renewals(server, 't') == renewals);
    enough = true;
    other.join();
    idem_client_close(client);
    ends_stop(server);
    std::printf("caught; renewed %d times before, never after\n", renewals);
    return 0;
}
