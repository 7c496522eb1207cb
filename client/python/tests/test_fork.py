# SPDX-License-Identifier: Apache-2.0
"""A store that was opened before a fork, used by the parent and by many
children: one grant per key, and nobody ends another's connection."""

import os
import threading
import time

import idemstore
from idemstore import Acquired


def in_children(count, work):
    """What each child's work(n) wrote."""
    pipes = []
    for n in range(count):
        reader, writer = os.pipe()
        if os.fork() == 0:
            code = 1
            try:
                os.write(writer, work(n).encode())
                code = 0
            finally:
                os._exit(code)
        os.close(writer)
        pipes.append(reader)
    told = [os.read(reader, 65536).decode() for reader in pipes]
    for reader in pipes:
        os.close(reader)
    for _ in range(count):
        assert os.wait()[1] == 0
    return told


def test_children_of_one_store_get_one_grant_per_key(store):
    store.ping()

    def work(n):
        time.sleep(0.05)
        got = [k for k in range(200)
               if isinstance(store.acquire("k%d" % k), Acquired)]
        return ",".join(map(str, got))
    told = in_children(4, work)
    granted = [k for one in told for k in one.split(",") if k]
    assert sorted(map(int, granted)) == list(range(200))


def test_children_draw_nonces_of_their_own(store):
    told = in_children(4, lambda n: ",".join(
        store.acquire("%d-%d" % (n, i)).nonce.hex() for i in range(50)))
    nonces = ",".join(told).split(",")
    assert len(set(nonces)) == 200


def test_the_parents_connections_outlive_its_children(store):
    claim = store.acquire("k")
    before = store.status().connects
    in_children(4, lambda n: store.peek("k").state)
    in_children(1, lambda n: str(store.close()))
    assert store.complete("k", claim.token).kept is False
    assert store.status().connects == before
    assert store.status().losses == 0


def test_a_fork_while_other_threads_are_in_calls(store):
    stop = threading.Event()
    wrong = []

    def ask(n):
        i = 0
        while not stop.is_set():
            i += 1
            if not isinstance(store.acquire("t%d-%d" % (n, i)), Acquired):
                wrong.append(n)
    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for one in threads:
        one.start()
    try:
        for _ in range(10):
            told = in_children(2, lambda n: store.peek("nothing").state)
            assert told == ["absent"] * 2
    finally:
        stop.set()
        for one in threads:
            one.join(30)
    assert not wrong


def test_a_child_does_not_renew_its_parents_lease(daemon, ns):
    """The parent dies within its function; a child of it lives on."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        store = idemstore.Store(daemon.uri(ns))

        def dies():
            if os.fork() == 0:
                os.write(writer, b"x")
                time.sleep(1.5)  # lives on, three leases long
            os._exit(0)
        store.once("k", dies, lease_ms=400)
        os._exit(1)
    os.waitpid(pid, 0)
    os.read(reader, 1)
    with idemstore.Store(daemon.uri(ns)) as store:
        time.sleep(1.0)
        assert store.peek("k").state == "orphaned"
    os.close(reader)
    os.close(writer)
