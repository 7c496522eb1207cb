# SPDX-License-Identifier: Apache-2.0
"""What a store does when a server is late, gone, or says no. Each story is
told to the blocking store and to the asyncio one: one algorithm."""

import asyncio
import socket
import threading
import time
import traceback

import pytest

import idemstore
from idemstore import Acquired, IdemstoreError
from scripted import CLOSE, SILENT, TOKEN, Refused, Scripted, granted, hello


class Blocking:
    def __init__(self, uri, **options):
        self.store = idemstore.Store(uri, **options)

    def __getattr__(self, name):
        return getattr(self.store, name)


class Awaited:
    """The asyncio store, called from a thread that has no loop."""

    def __init__(self, uri, **options):
        self.store = idemstore.AsyncStore(uri, **options)
        self.loop = asyncio.new_event_loop()

    def __getattr__(self, name):
        told = getattr(self.store, name)
        if name == "status":
            return told

        def call(*args, **named):
            return self.loop.run_until_complete(told(*args, **named))
        return call

    def close(self):
        self.loop.run_until_complete(self.store.close())
        self.loop.close()


@pytest.fixture(params=[Blocking, Awaited], ids=["sync", "asyncio"])
def opened(request):
    """opened(uri): a store, closed behind the test."""
    made = []

    def make(uri, **options):
        made.append(request.param(uri, **options))
        return made[-1]
    yield make
    for one in made:
        one.close()


def code_of(call):
    with pytest.raises(IdemstoreError) as told:
        call()
    return told.value


def settled(call):
    """The error of a call whose last attempt was answered before its deadline
    came: that is chance, so it is called again."""
    for _ in range(5):
        why = code_of(call)
        if why.code != "TIMEOUT":
            break
    return why


def test_a_lost_reply_is_asked_again_with_the_same_nonce(opened):
    def handler(method, params, nth):
        if method == "acquire":
            return CLOSE if nth == 1 else granted(params)
    with Scripted(handler) as server:
        answer = opened(server.uri()).acquire("k")
        assert isinstance(answer, Acquired) and answer.token == TOKEN
        nonces = [p[3] for p in server.of("acquire")]
        assert len(nonces) == 2 and len(set(nonces)) == 1
        assert answer.nonce == nonces[0]


def test_each_call_has_a_nonce_of_its_own(opened):
    with Scripted(lambda m, p, n: granted(p) if m == "acquire" else None) \
            as server:
        store = opened(server.uri())
        for _ in range(20):
            store.acquire("k")
        assert len({p[3] for p in server.of("acquire")}) == 20


def test_a_repeated_acquire_asks_for_the_wait_that_is_left(opened):
    def handler(method, params, nth):
        if method == "acquire" and nth == 1:
            time.sleep(0.3)
            return CLOSE
        return granted(params) if method == "acquire" else None
    with Scripted(handler) as server:
        opened(server.uri()).acquire("k", wait_ms=5000)
        first, again = (p[6]["wait_ms"] for p in server.of("acquire"))
        assert 4000 < first <= 5000 and again <= first - 300


def test_complete_is_asked_again_with_its_token(opened):
    def handler(method, params, nth):
        if method == "complete":
            return CLOSE if nth < 3 else ["completed", True]
    with Scripted(handler) as server:
        assert opened(server.uri()).complete("k", TOKEN, b"x").kept
        assert server.of("complete") == [["t", "k", TOKEN, b"x"]] * 3


def test_no_answer_before_the_deadline_is_unknown(opened):
    def handler(method, params, nth):
        return SILENT if method == "acquire" else None
    with Scripted(handler) as server:
        began = time.monotonic()
        why = code_of(lambda: opened(server.uri()).acquire(
            "k", timeout_ms=2000))
        assert (why.code, why.assume) == ("TIMEOUT", "unknown")
        assert why.nonce == server.of("acquire")[0][3]
        assert 0.35 < time.monotonic() - began < 20


def test_nobody_listens(opened):
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    why = code_of(lambda: opened(
        "idem://127.0.0.1:%d" % port).acquire("k", timeout_ms=3000))
    assert (why.code, why.assume) == ("CONNECT", "unchanged")
    assert why.endpoint == "127.0.0.1:%d" % port


def test_attempts_to_connect_pause_in_between(opened):
    with Scripted(lambda m, p, n: CLOSE if m == "hello" else None) as server:
        code_of(lambda: opened(server.uri()).acquire("k", timeout_ms=1500))
        assert 3 <= server.connections < 60


def test_a_server_that_says_hello_and_closes_is_no_busy_loop(opened):
    with Scripted(lambda m, p, n: CLOSE if m == "acquire" else None) \
            as server:
        why = code_of(lambda: opened(server.uri()).acquire(
            "k", timeout_ms=1500))
        # The deadline finds it before an attempt's end, or after one.
        assert why.code in ("LOST", "TIMEOUT")
        assert why.assume == "unknown"
        assert 3 <= server.connections < 60


def test_not_primary_is_followed_at_once(opened):
    with Scripted(lambda m, p, n: granted(p) if m == "acquire" else None) \
            as primary:
        def handler(method, params, nth):
            if method == "acquire":
                raise Refused("NOT_PRIMARY " + primary.address)
        with Scripted(handler, hello("replica")) as replica:
            store = opened(replica.uri())
            assert isinstance(store.acquire("k"), Acquired)
            store.acquire("l")
            assert len(replica.of("acquire")) == 1
            assert store.status().primary == primary.address


def test_servers_that_send_it_in_a_circle_are_not_asked_for_ever(opened):
    def sent_on(method, params, nth):
        if method == "acquire":
            raise Refused("NOT_PRIMARY " + (server.address))
    with Scripted(sent_on, hello("replica")) as server:
        store = opened(server.uri())
        asked = []

        def ask():
            asked.append(len(server.of("acquire")))
            return store.acquire("k", timeout_ms=1500)
        why = settled(ask)
        assert (why.code, why.assume) == ("NOT_PRIMARY", "refused")
        assert len(server.of("acquire")) - asked[-1] < 60


@pytest.mark.parametrize("named", ["itself", "", "h", "h:70000", "h:0"])
def test_a_primary_that_is_none_is_looked_for_at_the_next_host(opened, named):
    def sent_on(method, params, nth):
        if method == "acquire":
            raise Refused("NOT_PRIMARY " + (
                one.address if named == "itself" else named))
    with Scripted(sent_on, hello("replica")) as one, Scripted(
            lambda m, p, n: granted(p) if m == "acquire" else None) as two:
        assert isinstance(opened(one.uri(two)).acquire("k"), Acquired)
        assert len(one.of("acquire")) == 1


def test_unreplicated_is_asked_again_and_then_told_as_unknown(opened):
    def handler(method, params, nth):
        if method == "acquire":
            if nth < 3:
                raise Refused("UNREPLICATED the replica did not confirm")
            return granted(params)
        if method == "renew":
            raise Refused("UNREPLICATED the replica did not confirm")
    with Scripted(handler) as server:
        store = opened(server.uri())
        assert isinstance(store.acquire("k"), Acquired)
        assert len({p[3] for p in server.of("acquire")}) == 1
        why = settled(lambda: store.renew("k", TOKEN, timeout_ms=1500))
        assert (why.code, why.assume) == ("UNREPLICATED", "unknown")


def test_shutting_down_moves_on_to_the_next_host(opened):
    def handler(method, params, nth):
        if method == "acquire":
            raise Refused("SHUTTING_DOWN ask elsewhere")
    with Scripted(handler) as down, Scripted(
            lambda m, p, n: granted(p) if m == "acquire" else None) as up:
        assert isinstance(opened(down.uri(up)).acquire("k"), Acquired)


def test_shutting_down_everywhere_is_told_as_such(opened):
    def handler(method, params, nth):
        if method == "acquire":
            raise Refused("SHUTTING_DOWN")
    with Scripted(handler) as down:
        store = opened(down.uri())
        why = settled(lambda: store.acquire("k", timeout_ms=1500))
        assert (why.code, why.assume) == ("SHUTTING_DOWN", "refused")


def test_a_silent_server_is_left_for_the_other(opened):
    def mute(method, params, nth):
        return None if method == "hello" else SILENT
    with Scripted(mute) as silent, Scripted(
            lambda m, p, n: granted(p) if m == "acquire" else None) as up:
        store = opened(silent.uri(up, connect_timeout_ms=500))
        assert isinstance(store.acquire("k", timeout_ms=30000), Acquired)
        assert len({p[3] for s in (silent, up)
                    for p in s.of("acquire")}) == 1


def test_a_wait_is_no_silence(opened):
    def handler(method, params, nth):
        if method == "acquire":
            time.sleep(1.2)  # pings are answered by other threads' replies
            return granted(params)
    with Scripted(handler) as server:
        sock = opened(server.uri(connect_timeout_ms=2000))
        assert isinstance(sock.acquire("k", wait_ms=5000), Acquired)
        assert len(server.of("acquire")) == 1


def test_denied_at_one_host_the_next_is_tried_once(opened):
    def denied(method, params, nth):
        if method == "acquire":
            raise Refused("DENIED namespace t: \"shop\" may not claim")
    with Scripted(denied) as one, Scripted(
            lambda m, p, n: granted(p) if m == "acquire" else None) as two:
        assert isinstance(opened(one.uri(two)).acquire("k"), Acquired)
    with Scripted(denied) as one, Scripted(denied) as two:
        why = code_of(lambda: opened(one.uri(two)).acquire("k"))
        assert (why.code, why.assume) == ("DENIED", "refused")
        assert len(one.of("acquire")) == len(two.of("acquire")) == 1


def test_a_limit_with_a_time_is_asked_again_after_it(opened):
    def handler(method, params, nth):
        if method == "acquire":
            if nth == 1:
                raise Refused("LIMIT retry_ms=60 namespace t: rate")
            return granted(params)
        if method == "renew":
            raise Refused("LIMIT too many requests")
    with Scripted(handler) as server:
        store = opened(server.uri())
        began = time.monotonic()
        assert isinstance(store.acquire("k"), Acquired)
        assert time.monotonic() - began >= 0.05
        why = code_of(lambda: store.renew("k", TOKEN))
        assert (why.code, why.retry_ms) == ("LIMIT", None)


def test_a_lower_epoch_is_not_believed(opened):
    def serve(method, params, nth):
        return granted(params) if method == "acquire" else None

    def gone(method, params, nth):
        return CLOSE if nth > 1 else serve(method, params, nth)
    with Scripted(serve, hello(epoch=3)) as old, \
            Scripted(gone, hello(epoch=7)) as new:
        store = opened(new.uri(old))
        store.acquire("k")
        why = code_of(lambda: store.acquire("l", timeout_ms=600))
        assert why.assume in ("unchanged", "unknown")
        assert not old.of("acquire")


def test_an_error_of_a_newer_version_is_unknown(opened):
    def handler(method, params, nth):
        if method == "acquire":
            raise Refused("TOO_EARLY of version 9")
    with Scripted(handler) as server:
        why = code_of(lambda: opened(server.uri()).acquire("k"))
        assert (why.code, why.assume) == ("SERVER", "unknown")


def test_appended_fields_are_skipped(opened):
    def handler(method, params, nth):
        if method == "hello":
            return {**hello(), "user": "shop", "motto": ["new"]}
        if method == "acquire":
            return [*granted(params), "more", {"a": 1}]
    with Scripted(handler) as server:
        assert isinstance(opened(server.uri()).acquire("k"), Acquired)


def test_an_answer_that_is_none_is_unknown(opened):
    for told in ([], ["granted"], ["acquired", b"short", 1, "none", 1], 7,
                 ["acquired", TOKEN, "1", "none", 1], ["acquired"],
                 ["mismatch", "revoked"]):
        def handler(method, params, nth):
            return told if method == "acquire" else None
        with Scripted(handler) as server:
            why = code_of(lambda: opened(server.uri()).acquire("k"))
            assert (why.code, why.assume) == ("GARBLED", "unknown")


def test_fail_fast_while_changes_wait(opened):
    def handler(method, params, nth):
        if method == "acquire":
            raise Refused("UNREPLICATED the replica did not confirm")
    with Scripted(handler) as server:
        store = opened(server.uri(fail_fast_ms=60000))
        assert code_of(lambda: store.acquire("k")).code == "UNREPLICATED"
        assert code_of(lambda: store.acquire("k")).code == "CHANGES_WAIT"
        assert len(server.of("acquire")) == 1


@pytest.mark.parametrize("answer,words", [
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP"),
    (b"-ERR unknown command\r\n", "Redis"),
    (b"\x15\x03\x01\x00\x02\x02\x46", "idems://"),
])
def test_another_program_is_named(opened, answer, words):
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.recv(100)
            sock.sendall(answer)
            sock.close()
    threading.Thread(target=serve, daemon=True).start()
    why = code_of(lambda: opened("idem://127.0.0.1:%d?connect_rounds=1" % (
        listener.getsockname()[1])).acquire("k", timeout_ms=20000))
    assert why.code == "CONNECT" and words in why.text
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


SECRET = "idm_shop_c2VjcmV0LXRoYXQtbm9ib2R5LW1heS1zZWUtZXZlcjE"


def test_no_error_shows_the_secret(opened, tmp_path, monkeypatch):
    def denied(method, params, nth):
        if method == "hello":
            raise Refused("DENIED the secret is wrong")
    shown = []

    def note(call):
        try:
            call()
        except IdemstoreError:
            shown.append(traceback.format_exc())
    with Scripted(denied) as server:
        uri = "idem://:%s@%s/t" % (SECRET, server.address)
        store = opened(uri)
        note(lambda: store.acquire("k"))
        shown += [repr(store.store), repr(store.store._uri),
                  repr(store.status())]
        assert server.of("hello")[0][0]["secret"] == SECRET
        monkeypatch.setenv("IDEMSTORE_SECRET", SECRET)
        note(lambda: opened("idem://%s" % server.address).acquire("k"))
        assert server.of("hello")[-1][0]["secret"] == SECRET
        monkeypatch.delenv("IDEMSTORE_SECRET")
        (tmp_path / "secret").write_text(SECRET + "\n")
        note(lambda: opened("idem://%s?secret_file=%s/secret" % (
            server.address, tmp_path)).acquire("k"))
        assert server.of("hello")[-1][0]["secret"] == SECRET
    for bad in ("idem://:%s@h:0", "idem://:%s@h?x=1", "idem://:%s/x@h",
                "idem://me:%s@h", "idem://:%s@", "http://:%s@h",
                "idem://:%s%%zz@h", "idem://:%s\n@h",
                "idem://:%s@127.0.0.1:1/t?timeout_ms=50"):
        note(lambda: opened(bad % SECRET).acquire("k"))
    assert len(shown) == 3 + 3 + 9
    for text in shown:
        assert SECRET not in text.replace("\n", "")
        assert "c2VjcmV0" not in text
