# SPDX-License-Identifier: Apache-2.0
"""The asyncio store: the same answers, and what a cancelled task leaves."""

import asyncio
import os
import time

import pytest

import idemstore
from idemstore import Acquired, IdemstoreError, InProgress, Replay


async def until(told, what=bool, within_s=30):
    end = time.monotonic() + within_s
    while True:
        last = await told()
        if what(last):
            return last
        assert time.monotonic() < end, last
        await asyncio.sleep(0.02)


def test_the_same_calls_awaited(run):
    async def story(store):
        first = await store.acquire("k", fingerprint=b"a")
        assert isinstance(first, Acquired)
        assert isinstance(await store.acquire("k"), InProgress)
        assert (await store.renew("k", first.token, 9000)).lease_ms == 9000
        assert (await store.complete("k", first.token, b"x")).kept
        replay = await store.acquire("k")
        assert isinstance(replay, Replay) and replay.result == b"x"
        assert (await store.peek("k")).state == "completed"
        await store.ping()
        assert (await store.stats())["records"] >= 1
    run(story)


def test_of_many_tasks_one_runs(run):
    async def story(store):
        runs = []

        async def charge():
            runs.append(1)
            await asyncio.sleep(0.05)
            return "paid"
        got = await asyncio.gather(*(
            store.once("k", charge, wait_ms=20000) for _ in range(50)))
        assert got == ["paid"] * 50 and len(runs) == 1
    run(story)


def test_a_cancelled_function_leaves_its_claim_to_be_orphaned(run):
    async def story(store):
        task = asyncio.ensure_future(
            store.once("k", lambda: asyncio.sleep(60), lease_ms=300))
        await until(lambda: store.peek("k"),
                    lambda seen: seen.state == "in_progress")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: store.peek("k"),
                    lambda seen: seen.state == "orphaned")
    run(story)


def test_a_cancelled_function_may_release(run):
    async def story(store):
        task = asyncio.ensure_future(store.once(
            "k", lambda: asyncio.sleep(60), on_error="release"))
        await until(lambda: store.peek("k"),
                    lambda seen: seen.state == "in_progress")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await store.peek("k")).state == "released"
    run(story)


def test_a_cancelled_waiter_gives_back_what_it_is_granted(run):
    async def story(store):
        holder = await store.acquire("k")
        waiter = asyncio.ensure_future(store.acquire("k", wait_ms=30000))

        async def waiting():
            return (await store.stats())["waiters"]
        await until(waiting)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        await store.release("k", holder.token)
        seen = await until(lambda: store.peek("k"),
                           lambda seen: seen.attempt == 2
                           and seen.state == "released")
        assert seen.attempt == 2
    run(story)


def test_a_function_that_has_returned_is_recorded_though_cancelled(run):
    async def story(store):
        done = asyncio.Event()

        async def work():
            done.set()
            return 1
        task = asyncio.ensure_future(store.once("k", work))
        await done.wait()
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        await until(lambda: store.peek("k"),
                    lambda seen: seen.state == "completed")
    run(story)


def test_a_timeout_around_it_is_a_cancellation(run):
    async def story(store):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(
                store.once("k", lambda: asyncio.sleep(60),
                           on_error="release"), 0.3)
        assert (await store.peek("k")).state == "released"
    run(story)


def test_the_lease_is_renewed_while_it_runs(run):
    async def story(store):
        async def long():
            await asyncio.sleep(4)
            return idemstore.current_claim().lost
        assert await store.once("k", long, lease_ms=3000) is False
        assert (await store.peek("k")).attempt == 1
    run(story)


def test_exceptions_as_on_error_says(run):
    async def story(store):
        async def failing():
            raise ValueError("no")
        for on_error, state in (("release", "released"),
                                ("complete", "completed"),
                                ("leave", "in_progress")):
            with pytest.raises(ValueError):
                await store.once(on_error, failing, on_error=on_error)
            assert (await store.peek(on_error)).state == state
    run(story)


def test_a_decorated_coroutine_function(run):
    async def story(store):
        runs = []

        @idemstore.once(store, key=lambda n: "k%d" % n)
        async def double(n):
            runs.append(n)
            return 2 * n
        assert [await double(2), await double(2)] == [4, 4]
        assert runs == [2]
    run(story)


def test_all_or_none(run):
    async def story(store):
        got = await store.acquire_all(["b", "a"])
        assert list(got.claims) == ["a", "b"]
        none = await store.acquire_all(["0", "b"])
        assert none.key == "b"
        assert (await store.peek("0")).state == "released"
    run(story)


def test_a_store_begins_anew_on_another_loop(daemon, ns):
    store = idemstore.AsyncStore(daemon.uri(ns))
    first = asyncio.run(store.acquire("k"))
    again = asyncio.run(store.acquire("k", nonce=first.nonce))
    assert again.token == first.token

    async def end():
        await store.ping()
        await store.close()
    asyncio.run(end())


def test_a_closed_store_says_so(run):
    async def story(store):
        await store.close()
        with pytest.raises(IdemstoreError) as told:
            await store.ping()
        assert told.value.code == "CLOSED"
    run(story)


def test_a_child_of_a_fork_has_its_own_connections(daemon, ns):
    """The parent's event loop, and its epoll, are none of the child's."""
    store = idemstore.AsyncStore(daemon.uri(ns))
    reader, writer = os.pipe()

    async def parent():
        first = await store.acquire("k")
        await store.ping()
        before = store.status().connects
        pid = os.fork()
        if pid == 0:
            os._exit(child(writer))
        os.waitpid(pid, 0)
        again = await store.acquire("k", nonce=first.nonce)
        assert again.token == first.token
        await store.ping()
        assert (store.status().connects, store.status().losses) == (before, 0)
        await store.close()
        return first

    def child(to):
        # A forked child leaves its parent's loop and runs one of its own.
        asyncio.events._set_running_loop(None)
        answer = asyncio.run(store.acquire("k"))
        os.write(to, answer.outcome.encode())
        return 0
    asyncio.run(parent())
    assert os.read(reader, 100) == b"in_progress"
    os.close(reader)
    os.close(writer)
