# SPDX-License-Identifier: Apache-2.0
"""compare.py [ROUNDS] -- this client beside redis-py, from one run, in turns.

The job is the same for both: acquire and complete (36-byte key, 32-byte
fingerprint, 200-byte result); SET NX PX, then SET XX PX. One idemstored with one
thread, one redis-server. Calls a second and microseconds of this process's own
CPU a call; a machine with other work on it leaves the second one intact. Then
what the middleware adds to a request.

IDEMSTORED and redis-server (on the PATH) are started and ended here."""

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid

import redis
import redis.asyncio

import idemstore
from idemstore.asgi import IdempotencyMiddleware
from idemstore.testing import Daemon

RESULT = b"x" * 200
PRINT = b"f" * 32
JOBS = 2000
LEASE_MS = 30000
TTL_MS = 86400000


def key():
    return str(uuid.uuid4())


def idem_job(store):
    name = key()
    claim = store.acquire(name, fingerprint=PRINT, lease_ms=LEASE_MS,
                          ttl_ms=TTL_MS)
    store.complete(name, claim.token, RESULT)


def redis_job(client):
    name = key()
    assert client.set(name, PRINT, nx=True, px=LEASE_MS)
    client.set(name, RESULT, xx=True, px=TTL_MS)


async def idem_job_async(store):
    name = key()
    claim = await store.acquire(name, fingerprint=PRINT, lease_ms=LEASE_MS,
                                ttl_ms=TTL_MS)
    await store.complete(name, claim.token, RESULT)


async def redis_job_async(client):
    name = key()
    assert await client.set(name, PRINT, nx=True, px=LEASE_MS)
    await client.set(name, RESULT, xx=True, px=TTL_MS)


class Figures:
    """Of one way to call: calls a second, us of CPU a call, p50 of a call."""

    def __init__(self):
        self.rates, self.costs, self.halves = [], [], []

    def add(self, jobs, wall_s, cpu_s, took):
        self.rates.append(2 * jobs / wall_s)
        self.costs.append(cpu_s / jobs / 2 * 1e6)
        self.halves.append(statistics.median(took) / 2 * 1e6)

    def medians(self):
        return [statistics.median(one) for one in (
            self.rates, self.costs, self.halves)]


def measure(figures, run):
    took = []
    wall, cpu = time.perf_counter(), time.process_time()
    jobs = run(took)
    figures.add(jobs, time.perf_counter() - wall,
                time.process_time() - cpu, took)


def timed(took, job, *args):
    start = time.perf_counter()
    job(*args)
    took.append(time.perf_counter() - start)


def with_threads(count, job, client):
    def run(took):
        def work():
            for _ in range(JOBS // count):
                timed(took, job, client)
        threads = [threading.Thread(target=work) for _ in range(count)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        return JOBS // count * count
    return run


def with_tasks(count, job, opened):
    def run(took):
        async def work(client):
            for _ in range(JOBS // count):
                start = time.perf_counter()
                await job(client)
                took.append(time.perf_counter() - start)

        async def whole():
            client, close = opened()
            await asyncio.gather(*(work(client) for _ in range(count)))
            await close()
        asyncio.run(whole())
        return JOBS // count * count
    return run


def redis_server(folder):
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    process = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1",
         "--save", "", "--appendonly", "no", "--dir", folder],
        stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port)
    while True:
        try:
            client.ping()
            return process, port, client
        except redis.ConnectionError:
            time.sleep(0.05)


def ways(daemon, port, store, client):
    def idem_opened():
        one = idemstore.AsyncStore(daemon.uri("b"))
        return one, one.close

    def redis_opened():
        one = redis.asyncio.Redis(port=port)
        return one, one.aclose
    return {
        "1 thread": (with_threads(1, idem_job, store),
                     with_threads(1, redis_job, client)),
        "8 threads": (with_threads(8, idem_job, store),
                      with_threads(8, redis_job, client)),
        "1 task": (with_tasks(1, idem_job_async, idem_opened),
                   with_tasks(1, redis_job_async, redis_opened)),
        "16 tasks": (with_tasks(16, idem_job_async, idem_opened),
                     with_tasks(16, redis_job_async, redis_opened)),
    }


async def application(scope, receive, send):
    await receive()
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": RESULT})


def added_ms(daemon):
    """p50 of a request with the middleware, less without."""
    async def request(app):
        scope = {"type": "http", "method": "POST", "path": "/x",
                 "raw_path": b"/x", "query_string": b"",
                 "headers": [(b"idempotency-key", key().encode())]}

        async def receive():
            return {"type": "http.request", "body": b"{}"}

        async def send(message):
            pass
        start = time.perf_counter()
        await app(scope, receive, send)
        return time.perf_counter() - start

    async def whole():
        async with idemstore.AsyncStore(daemon.uri("m")) as store:
            covered = IdempotencyMiddleware(application, store,
                                            principal="none")
            took = {}
            for app in (application, covered):
                took[app] = statistics.median(
                    [await request(app) for _ in range(2000)])
            return (took[covered] - took[application]) * 1e3
    return asyncio.run(whole())


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder, \
            Daemon("--threads", "1") as daemon:
        process, port, client = redis_server(folder)
        store = idemstore.Store(daemon.uri("b"))
        try:
            told = ways(daemon, port, store, client)
            figures = {name: (Figures(), Figures()) for name in told}
            for _ in range(rounds):
                for name, pair in told.items():
                    for mine, run in zip(figures[name], pair):
                        measure(mine, run)
            added = added_ms(daemon)
        finally:
            process.terminate()
            process.wait()
            store.close()
    print("%-10s %29s   %29s   %s" % (
        "", "idemstore", "redis-py " + redis.__version__, "ratio"))
    print("%-10s %9s %9s %9s   %9s %9s %9s   %6s %6s" % (
        ("",) + ("calls/s", "us CPU", "p50 us") * 2 + ("calls", "CPU")))
    for name, (ours, theirs) in figures.items():
        a, b = ours.medians(), theirs.medians()
        print("%-10s %9.0f %9.1f %9.0f   %9.0f %9.1f %9.0f   %6.2f %6.2f"
              % (name, *a, *b, a[0] / b[0], a[1] / b[1]))
    print("a request with the middleware: p50 + %.3f ms" % added)
    print("%d rounds of %d jobs, medians; hiredis %s, msgpack %s" % (
        rounds, JOBS, "yes" if _has("hiredis") else "no",
        "yes" if _has("msgpack") else "no"))


def _has(module):
    import importlib.util
    return importlib.util.find_spec(module) is not None


if __name__ == "__main__":
    os.environ.setdefault("IDEMSTORED", "idemstored")
    main()
