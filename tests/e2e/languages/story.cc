/* SPDX-License-Identifier: Apache-2.0 */
// story.cc PORT -- what every language's program tries, with idemclient.hpp:
// acquire, wait, complete, replay, and functions of run_once that end in each
// way, an exception among them.
#include <idemclient.hpp>
#include <iostream>
#include <thread>

static int faults;

static void expect(bool so, const char *what) {
    if (!so) {
        std::cerr << "not so: " << what << "\n";
        faults++;
    }
}

static void one_holder_and_one_that_waits(idem::client &store) {
    idem::args mine("cc-wait");
    mine.set_fingerprint(idem::fingerprint("POST", "/pay", "{}"));
    idem::answer held = store.acquire(mine);
    expect(held.is(IDEM_ACQUIRED) && held->attempt == 1, "the first holds it");
    expect(held.nonce().size() == 16, "a nonce was drawn and told");
    std::string heard;
    std::thread waiter([&] {
        idem::args too(mine);
        too.wait_ms = 30000;
        heard = store.acquire(too).result();
    });
    expect(store.acquire(mine).is(IDEM_IN_PROGRESS), "others hear that");
    mine.set_token(held->token).set_result("paid");
    expect(store.complete(mine).is(IDEM_COMPLETED), "it is completed");
    waiter.join();
    expect(heard == "paid", "who waited hears the result");
    expect(store.acquire(mine).result() == "paid", "so does who comes later");
    mine.set_fingerprint("another");
    expect(store.acquire(mine).is(IDEM_MISMATCH), "another body is told so");
}

static void functions_end_in_each_way(idem::client &store) {
    int runs = 0;
    auto pay = [&](idem::run &run) {
        runs++;
        expect(run.attempt() == 1, "its first attempt");
        return std::string("paid");
    };
    expect(store.run_once("cc-run", pay).is(IDEM_COMPLETED), "it ran");
    idem::answer again = store.run_once("cc-run", pay);
    expect(again.is(IDEM_REPLAY) && again.result() == "paid", "a replay");
    expect(runs == 1, "it ran once");
    idem::answer left = store.run_once(
        "cc-left", [](idem::run &) { return idem::ended::unsure; });
    expect(left.is(IDEM_LEFT), "a claim can be left");
    idem::answer released = store.run_once(
        "cc-free", [](idem::run &) { return idem::ended::failed; });
    expect(released.is(IDEM_RELEASED), "and released");
}

static void an_exception_leaves_the_claim(idem::client &store) {
    std::string caught;
    try {
        store.run_once("cc-throw", [](idem::run &) -> std::string {
            throw std::runtime_error("no card");
        });
    } catch (const std::runtime_error &e) {
        caught = e.what();
    }
    expect(caught == "no card", "the exception comes out");
    idem::answer next = store.acquire("cc-throw");
    expect(next.is(IDEM_IN_PROGRESS), "its claim is left, and not completed");
}

static void errors_are_thrown() {
    try {
        idem::client nowhere("idem://127.0.0.1:1/?timeout_ms=100");
        nowhere.acquire("k");
        expect(false, "there is no server");
    } catch (const idem::error &e) {
        expect(e.code() == IDEM_E_CONNECT, e.what());
        expect(e.assume() == IDEM_ASSUME_UNCHANGED, "unchanged");
    }
    try {
        idem::client none("http://no");
        expect(false, "that is no URI");
    } catch (const idem::error &e) {
        expect(e.code() == IDEM_E_URI, e.what());
    }
}

int main(int, char **argv) {
    idem::client store(std::string("idem://127.0.0.1:") + argv[1] + "/t");
    store.ping();
    expect(store.info().protocol >= 1, "the server tells its protocol");
    one_holder_and_one_that_waits(store);
    functions_end_in_each_way(store);
    an_exception_leaves_the_claim(store);
    errors_are_thrown();
    if (faults == 0)
        std::cout << "c++: acquire, wait, complete, replay, run once\n";
    return faults != 0;
}
