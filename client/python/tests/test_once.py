# SPDX-License-Identifier: Apache-2.0
"""once, and what becomes of a claim in each way that a function may end."""

import os
import threading
import time

import pytest

import idemstore


def test_a_function_runs_once_and_everyone_gets_what_it_returned(store):
    runs = []

    def charge():
        runs.append(1)
        return {"paid": 10}
    assert store.once("k", charge) == {"paid": 10}
    assert store.once("k", charge) == {"paid": 10}
    assert len(runs) == 1


def test_while_it_runs_others_hear_so_or_wait(store):
    inside, go = threading.Event(), threading.Event()

    def slow():
        inside.set()
        go.wait(20)
        return 7
    first = threading.Thread(target=lambda: store.once("k", slow))
    first.start()
    inside.wait(20)
    with pytest.raises(idemstore.InProgressError) as told:
        store.once("k", slow)
    assert told.value.lease_left_ms > 0
    threading.Timer(0.1, go.set).start()
    assert store.once("k", slow, wait_ms=20000) == 7
    first.join()


def test_another_fingerprint_is_told(store):
    store.once("k", lambda: 1, fingerprint=idemstore.fingerprint("a", "b"))
    with pytest.raises(idemstore.MismatchError):
        store.once("k", lambda: 1, fingerprint=idemstore.fingerprint("ab"))


def failing():
    raise ValueError("no such account")


def test_an_exception_leaves_the_claim_by_default(store):
    with pytest.raises(ValueError):
        store.once("k", failing, lease_ms=60)
    time.sleep(0.1)
    assert store.peek("k").state == "orphaned"
    seen = []
    store.once("k", lambda: seen.append(idemstore.current_claim().previous))
    assert seen == ["orphaned"]


def test_an_exception_may_release(store):
    with pytest.raises(ValueError):
        store.once("k", failing, on_error="release")
    assert store.once("k", lambda: 2) == 2


def test_an_exception_may_be_the_result(store):
    with pytest.raises(ValueError):
        store.once("k", failing, on_error="complete")
    with pytest.raises(idemstore.FailedBeforeError) as told:
        store.once("k", lambda: 2)
    assert told.value.stored == "ValueError: no such account"


def test_nothing_done_always_releases(store):
    def refuse():
        raise idemstore.NothingDone("the bank is closed")
    with pytest.raises(idemstore.NothingDone):
        store.once("k", refuse, on_error="complete")
    assert store.peek("k").state == "released"


def test_an_interrupt_leaves_the_claim_whatever_is_asked(store):
    def interrupted():
        raise KeyboardInterrupt
    for on_error in ("release", "complete"):
        with pytest.raises(KeyboardInterrupt):
            store.once("k" + on_error, interrupted, on_error=on_error)
        assert store.peek("k" + on_error).state == "in_progress"


def test_what_can_not_be_stored_completes_all_the_same(store):
    with pytest.raises(TypeError):
        store.once("k", lambda: object())
    assert store.peek("k").state == "completed"
    assert store.once("k", failing) is None


def test_the_lease_is_renewed_while_it_runs(store):
    def long():
        time.sleep(4)
        return idemstore.current_claim().lost
    assert store.once("k", long, lease_ms=3000) is False
    assert store.peek("k").attempt == 1


def test_without_renewal_another_may_take_over_and_it_is_told(store):
    def overtaken():
        time.sleep(0.15)
        assert isinstance(store.acquire("k"), idemstore.Acquired)
        assert idemstore.current_claim().lost
        return 5
    with pytest.raises(idemstore.NotRecordedError) as told:
        store.once("k", overtaken, lease_ms=100, renew=False)
    assert (told.value.value, told.value.assume) == (5, "unknown")


def test_the_claim_is_to_be_had_inside_and_nowhere_else(store):
    seen = []
    store.once("k", lambda: seen.append(idemstore.current_claim().token))
    assert len(seen[0]) == 16
    assert idemstore.current_claim() is None


def test_a_decorated_function_runs_once_per_key(store):
    runs = []

    @idemstore.once(store, key=lambda order, amount: "o-%d" % order,
                    fingerprint=lambda order, amount:
                    idemstore.fingerprint(str(amount)))
    def charge(order, amount):
        runs.append(order)
        return amount
    assert [charge(1, 5), charge(1, 5), charge(2, amount=6)] == [5, 5, 6]
    assert runs == [1, 2]
    with pytest.raises(idemstore.MismatchError):
        charge(1, 7)
    assert charge.__name__ == "charge"


def test_a_decorator_that_fits_not_is_refused_at_once(store):
    with pytest.raises(idemstore.IdemstoreError):
        idemstore.once(store, key="constant")
    with pytest.raises(idemstore.IdemstoreError):
        @idemstore.once(store, key=str)
        async def wrong(x):
            return x


def test_a_child_of_a_fork_does_not_settle_its_parents_claim(store):
    def forks():
        if os.fork() == 0:
            os._exit(0 if idemstore.current_claim().lost else 1)
        return os.wait()[1]
    assert store.once("k", forks) == 0
    assert store.peek("k").state == "completed"


def test_a_function_that_returns_in_a_child_ends_closed(store):
    reader, writer = os.pipe()
    parent = os.getpid()

    def forks():
        os.fork()
        return os.getpid()
    try:
        store.once("k", forks)
        told = b"recorded"
    except idemstore.IdemstoreError as why:
        told = why.code.encode()
    if os.getpid() != parent:
        os.write(writer, told)
        os._exit(0)
    os.wait()
    assert os.read(reader, 100) == b"CLOSED"
    assert told == b"recorded"
    os.close(reader)
    os.close(writer)
