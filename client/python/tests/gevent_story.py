# SPDX-License-Identifier: Apache-2.0
"""What test_gevent runs in a process of its own: gevent replaces sockets,
threads and locks for the whole of one."""

from gevent import monkey
monkey.patch_all()

import signal  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402

import idemstore  # noqa: E402
from idemstore.testing import Daemon  # noqa: E402


def job(store, n):
    key = "k%d" % n
    claim = store.acquire(key)
    store.complete(key, claim.token, key.encode())
    return store.acquire(key).result == key.encode()


def stands_still(pid):
    with open("/proc/%d/stat" % pid) as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "T"


def main():
    with Daemon("--threads", "2") as daemon:
        store = idemstore.Store(daemon.uri("g"))
        jobs = [gevent.spawn(job, store, n) for n in range(300)]
        gevent.joinall(jobs, timeout=60)
        assert all(one.value for one in jobs)
        # Others run while one waits.
        claim = store.acquire("w")
        waiter = gevent.spawn(lambda: store.acquire("w", wait_ms=30000))
        gevent.sleep(0.2)
        store.complete("w", claim.token, b"done")
        waiter.join(30)
        assert waiter.value.result == b"done"
        # A lease is renewed while its function sleeps.
        assert store.once("r", lambda: time.sleep(4) or 1, lease_ms=3000) == 1
        # A server that stands still holds no call beyond its deadline.
        daemon.signal(signal.SIGSTOP)
        while not stands_still(daemon.pid):
            time.sleep(0.01)
        began = time.monotonic()
        try:
            store.acquire("s", timeout_ms=1000)
            raise AssertionError
        except idemstore.IdemstoreError as why:
            assert why.assume == "unknown"
        assert time.monotonic() - began < 20
        daemon.signal(signal.SIGCONT)
        store.close()


if __name__ == "__main__":
    main()
    print("all told")
