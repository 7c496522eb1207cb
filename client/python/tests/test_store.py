# SPDX-License-Identifier: Apache-2.0
"""The blocking store against a real daemon."""

import pickle
import threading
import time

import pytest

import idemstore
from idemstore import (Acquired, Completed, IdemstoreError, InProgress,
                       Mismatch, NoRecord, Orphaned, Released, Renewed,
                       Replay, Stale)


def test_one_is_granted_and_the_others_hear_what_became_of_it(store):
    first = store.acquire("order-17", fingerprint=b"aa", lease_ms=20000)
    assert isinstance(first, Acquired)
    assert (first.attempt, first.previous) == (1, "none")
    assert len(first.token) == 16 and first.lease_ms == 20000
    other = store.acquire("order-17", fingerprint=b"aa")
    assert isinstance(other, InProgress)
    assert 0 < other.lease_left_ms <= 20000
    assert store.acquire("order-17", fingerprint=b"bb") == Mismatch(
        "in_progress")
    assert store.complete("order-17", first.token, b"paid").kept
    replay = store.acquire("order-17", fingerprint=b"aa")
    assert isinstance(replay, Replay)
    assert (replay.result, replay.result_class) == (b"paid", "success")


def test_a_claim_can_be_renewed_released_and_taken_over(store):
    first = store.acquire("k", lease_ms=60)
    assert store.renew("k", first.token, 50) == Renewed(50)
    time.sleep(0.1)
    seen = store.acquire("k", on_orphan="report")
    assert isinstance(seen, Orphaned) and seen.attempt == 1
    second = store.acquire("k")
    assert isinstance(second, Acquired)
    assert (second.attempt, second.previous) == (2, "orphaned")
    assert second.token > first.token
    assert store.complete("k", first.token) == Stale("in_progress")
    assert store.release("k", second.token) == Released()
    assert store.peek("k").state == "released"
    third = store.acquire("k")
    assert isinstance(third, Acquired) and third.previous == "released"
    assert store.release("k", third.token, unbind=True) == Released()
    assert store.peek("k").state == "absent"
    assert store.complete("k", third.token) == NoRecord()


def test_a_waiter_gets_the_answer_as_it_comes(store):
    first = store.acquire("k")
    got = []
    waiter = threading.Thread(
        target=lambda: got.append(store.acquire("k", wait_ms=20000)))
    waiter.start()
    while store.stats()["waiters"] == 0:
        time.sleep(0.01)
    store.complete("k", first.token, b"done")
    waiter.join(20)
    assert isinstance(got[0], Replay) and got[0].result == b"done"


def test_an_empty_result_is_a_result_and_none_is_none(store):
    for key, result in (("a", b""), ("b", None)):
        claim = store.acquire(key)
        store.complete(key, claim.token, result)
        assert store.acquire(key).result == result


def test_a_result_over_the_limit_completes_and_is_not_kept(store):
    claim = store.acquire("k")
    told = store.complete("k", claim.token, bytes((1 << 20) + 1))
    assert isinstance(told, Completed) and not told.kept
    assert store.acquire("k").result is None


def test_a_result_of_a_mebibyte_comes_back_whole(store):
    large = bytes(range(256)) * 4096
    claim = store.acquire("k")
    assert store.complete("k", claim.token, large).kept
    assert store.acquire("k").result == large


def test_the_same_bytes_as_text_and_as_bytes_are_one_key(store):
    store.acquire("schlüssel")
    assert isinstance(store.acquire("schlüssel".encode()), InProgress)
    assert isinstance(store.acquire(b"\xff\x00"), Acquired)


def test_the_nonce_of_an_unknown_outcome_finds_its_own_claim(store):
    first = store.acquire("k")
    again = store.acquire("k", nonce=first.nonce)
    assert isinstance(again, Acquired) and again.token == first.token


@pytest.mark.parametrize("call", [
    lambda s: s.acquire(""),
    lambda s: s.acquire("k" * 513),
    lambda s: s.acquire(7),
    lambda s: s.acquire("k", lease_ms=0),
    lambda s: s.acquire("k", lease_ms=2000, ttl_ms=1000),
    lambda s: s.acquire("k", wait_ms=60001),
    lambda s: s.acquire("k", on_orphan="maybe"),
    lambda s: s.acquire("k", fingerprint="text"),
    lambda s: s.acquire("k", ns="n" * 65),
    lambda s: s.complete("k", b"short"),
    lambda s: s.complete("k", bytes(16), "text"),
    lambda s: s.once("k", lambda: 1, on_error="retry"),
])
def test_what_is_not_legal_is_refused_before_anything_is_sent(store, call):
    with pytest.raises(IdemstoreError) as told:
        call(store)
    assert (told.value.code, told.value.assume) == ("ARGUMENT", "unchanged")


def test_threads_share_one_store_and_each_hears_its_own_answer(store):
    wrong = []

    def work(me):
        for i in range(100):
            key = "%d-%d" % (me, i)
            claim = store.acquire(key)
            store.complete(key, claim.token, key.encode())
            if store.acquire(key).result != key.encode():
                wrong.append(key)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert not wrong
    assert store.status().connections <= 2


def test_of_many_threads_one_is_granted(store):
    answers = []
    threads = [threading.Thread(
        target=lambda: answers.append(store.acquire("one")))
        for _ in range(16)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert len(answers) == 16
    assert sum(isinstance(a, Acquired) for a in answers) == 1


def test_all_keys_or_none(store):
    got = store.acquire_all(["b", "a", "a"])
    assert isinstance(got, idemstore.All)
    assert list(got.claims) == ["a", "b"]
    none = store.acquire_all(["0", "b", "z"])
    assert isinstance(none, idemstore.NotAll) and none.key == "b"
    assert store.peek("0").state == "released"
    assert store.peek("z").state == "absent"


def test_a_closed_store_says_so(daemon):
    one = idemstore.Store(daemon.uri("c"))
    one.ping()
    one.close()
    with pytest.raises(IdemstoreError) as told:
        one.ping()
    assert told.value.code == "CLOSED"


def test_close_ends_a_call_that_waits(daemon, ns):
    one = idemstore.Store(daemon.uri(ns))
    one.acquire("k")
    told = []

    def wait():
        try:
            one.acquire("k", wait_ms=60000)
        except IdemstoreError as why:
            told.append(why.code)
    waiter = threading.Thread(target=wait)
    waiter.start()
    while one.stats()["waiters"] == 0:
        time.sleep(0.01)
    one.close()
    waiter.join(20)
    assert told == ["LOST"]


def test_answers_and_errors_can_be_pickled():
    why = idemstore.UnchangedError("CONNECT", "no", endpoint="h:1")
    again = pickle.loads(pickle.dumps(why))
    assert (again.code, again.endpoint) == ("CONNECT", "h:1")
    told = pickle.loads(pickle.dumps(idemstore.InProgressError(5, 2)))
    assert told.lease_left_ms == 5
    answer = Replay(b"x", "success", 1, 2)
    assert pickle.loads(pickle.dumps(answer)) == answer
