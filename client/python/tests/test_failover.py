# SPDX-License-Identifier: Apache-2.0
"""The primary of a pair is killed under load, and its replica promoted: what
was to happen once has happened once."""

import asyncio
import socket
import threading
import time

import pytest

import idemstore
from idemstore import _wire
from idemstore._msgpack import packb
from idemstore.testing import Daemon


def ask(port, method, *params):
    """One call of an operator's."""
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        sock.settimeout(30)
        sock.sendall(packb([0, 1, method, list(params)]))
        responses = _wire.Responses()
        while True:
            responses.feed(sock.recv(65536))
            for _, error, result in responses:
                if error is not None:
                    raise AssertionError(error)
                return result


def until(told, within_s=60):
    end_s = time.monotonic() + within_s
    while not told():
        assert time.monotonic() < end_s
        time.sleep(0.02)


@pytest.fixture
def pair(tmp_path):
    with Daemon("--threads", "2", "--replication", "sync", "--peer-insecure",
                "--peer-state", str(tmp_path / "a.peer")) as a, \
        Daemon("--threads", "2", "--replicate-from", a.address,
               "--peer-insecure", "--peer-state",
               str(tmp_path / "b.peer")) as b:
        until(lambda: len(ask(a.port, "replication")["in_sync"]) == 2)
        yield a, b


def fail_over(a, b):
    a.kill()
    until(lambda: ask(b.port, "promote")[0] == "promoted")


class Effects:
    """What was executed, by key; with the greatest token that was seen, as a
    service keeps it beside its own row."""

    def __init__(self):
        self.runs = {}
        self.trouble = []
        self.lock = threading.Lock()

    def take(self, key):
        claim = idemstore.current_claim()
        with self.lock:
            self.runs.setdefault(key, []).append(
                (claim.token, claim.previous))


def judge(effects, asked):
    doubles = {k: r for k, r in effects.runs.items() if len(r) > 1}
    assert not doubles
    assert len(effects.runs) == asked
    assert not effects.trouble


def test_threads_under_a_failover(pair, ns):
    a, b = pair
    effects, stop, counts = Effects(), threading.Event(), [0] * 8
    uri = "idem://%s,%s/%s?timeout_ms=20000" % (a.address, b.address, ns)
    with idemstore.Store(uri) as store:
        def work(me):
            while not stop.is_set():
                key = "t%d-%d" % (me, counts[me])
                try:
                    for _ in range(2):  # each click is a double one
                        store.once(key, lambda: effects.take(key),
                                   wait_ms=10000)
                except Exception as why:
                    effects.trouble.append(repr(why))
                counts[me] += 1
        threads = [threading.Thread(target=work, args=(n,))
                   for n in range(8)]
        for one in threads:
            one.start()
        until(lambda: sum(counts) > 1500)
        fail_over(a, b)
        at = sum(counts)
        until(lambda: sum(counts) > at + 1500)
        stop.set()
        for one in threads:
            one.join(60)
    judge(effects, sum(counts))


def test_tasks_under_a_failover(pair, ns):
    a, b = pair
    effects = Effects()
    uri = "idem://%s,%s/%s?timeout_ms=20000" % (a.address, b.address, ns)

    async def story():
        counts = [0] * 16
        stop = []
        async with idemstore.AsyncStore(uri) as store:
            async def work(me):
                while not stop:
                    key = "a%d-%d" % (me, counts[me])

                    async def once():
                        effects.take(key)
                    try:
                        await asyncio.gather(*(store.once(
                            key, once, wait_ms=10000) for _ in range(2)))
                    except Exception as why:
                        effects.trouble.append(repr(why))
                    counts[me] += 1
            tasks = [asyncio.ensure_future(work(n)) for n in range(16)]
            while sum(counts) < 1500:
                await asyncio.sleep(0.02)
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, fail_over, a, b)
            at = sum(counts)
            while sum(counts) < at + 1500:
                await asyncio.sleep(0.02)
            stop.append(True)
            await asyncio.wait(tasks, timeout=60)
        return sum(counts)
    judge(effects, asyncio.run(story()))


def test_a_claim_that_is_held_over_a_failover_is_completed(pair, ns):
    a, b = pair
    uri = "idem://%s,%s/%s?timeout_ms=20000" % (a.address, b.address, ns)
    with idemstore.Store(uri) as store:
        def work():
            fail_over(a, b)
            return "done"
        assert store.once("k", work, lease_ms=3000) == "done"
        assert store.once("k", work) == "done"
        assert store.peek("k").attempt == 1


def test_a_stopped_primary_is_left_for_the_promoted_one(pair, ns):
    import signal
    a, b = pair
    uri = "idem://%s,%s/%s?timeout_ms=20000&connect_timeout_ms=500" % (
        a.address, b.address, ns)
    with idemstore.Store(uri) as store:
        store.once("before", lambda: 1)
        a.signal(signal.SIGSTOP)
        until(lambda: ask(b.port, "promote")[0] == "promoted")
        assert store.once("k", lambda: 2) == 2
        assert store.once("before", lambda: 3) == 1
        assert store.status().primary == b.address
