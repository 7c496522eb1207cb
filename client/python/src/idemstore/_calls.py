# SPDX-License-Identifier: Apache-2.0
"""What is asked: arguments checked and put in the wire's order. One place for
the blocking store, the asyncio store and the one in memory."""

from __future__ import annotations

import os
import threading
from typing import Any, Optional, Tuple, Union

from . import _wire
from ._errors import argument

Bytes = Union[str, bytes]

LEASE_MS_DEFAULT = 30_000
TTL_MS_DEFAULT = 86_400_000
LEASE_MS_MAX = 86_400_000
TTL_MS_MAX = 31_622_400_000
WAIT_MS_MAX = 60_000
KEY_BYTES_MAX = 512
FINGERPRINT_BYTES_MAX = 64
NONCE_BYTES_MAX = 32


class Ask:
    """One call as it was asked. wait_ms: of an acquire."""

    __slots__ = ("method", "params", "ns", "key", "wait_ms", "on_orphan",
                 "timeout_ms", "nonce", "result_bytes", "sent_s", "_tail")

    def __init__(self, method: str, params: Tuple[Any, ...], ns: bytes,
                 key: bytes, timeout_ms: Optional[int]) -> None:
        self.method = method
        self.params = params
        self.ns = ns
        self.key = key
        self.timeout_ms = timeout_ms
        self.wait_ms = 0
        self.on_orphan = "takeover"
        self.nonce: Optional[bytes] = None
        self.result_bytes = 0
        self.sent_s = 0.0  # when the attempt that was answered went out
        self._tail: Optional[bytes] = None

    @property
    def is_change(self) -> bool:
        return self.method in ("acquire", "complete", "release", "renew")

    def tail(self, wait_ms: int, result_bytes_max: int) -> bytes:
        """Its bytes, with the wait that is left, and without a result that
        the server would skip."""
        if wait_ms or self.on_orphan != "takeover":
            options: Any = {}
            if wait_ms:
                options["wait_ms"] = wait_ms
            if self.on_orphan != "takeover":
                options["on_orphan"] = self.on_orphan
            return _wire.request_tail(self.method, (*self.params, options))
        if self.result_bytes > result_bytes_max:
            params = (*self.params[:3], None, *self.params[4:])
            return _wire.request_tail(self.method, params)
        if self._tail is None:
            self._tail = _wire.request_tail(self.method, self.params)
        return self._tail


class Nonces:
    """Random, and no system call each: a base and a count."""

    def __init__(self) -> None:
        self._base = os.urandom(8)
        self._count = int.from_bytes(os.urandom(8), "big") >> 1
        self._lock = threading.Lock()

    def draw(self) -> bytes:
        with self._lock:
            self._count += 1
            return self._base + self._count.to_bytes(8, "big")


def text(value: Any, what: str, least: int, most: int) -> Tuple[Any, bytes]:
    """(what goes over the wire, its bytes)."""
    if isinstance(value, str):
        raw = value.encode("utf-8", "surrogateescape")
        sent: Any = value
        if not value.isascii():
            try:
                raw.decode("utf-8")
            except UnicodeDecodeError:
                sent = raw
    elif isinstance(value, (bytes, bytearray, memoryview)):
        sent = raw = bytes(value)
    else:
        raise argument("%s is a str or bytes, not a %s"
                       % (what, type(value).__name__))
    if not least <= len(raw) <= most:
        raise argument("%s has %d bytes; it has %d to %d"
                       % (what, len(raw), least, most))
    return sent, raw


def data(value: Any, what: str, least: int, most: int) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise argument("%s is bytes, not a %s" % (what, type(value).__name__))
    raw = bytes(value)
    if not least <= len(raw) <= most:
        raise argument("%s has %d bytes; it has %d to %d"
                       % (what, len(raw), least, most))
    return raw


def number(value: Any, what: str, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise argument("%s is an int from %d to %d" % (what, least, most))
    return int(value)


def one_of(value: Any, what: str, words: Tuple[str, ...]) -> str:
    if value not in words:
        raise argument("%s is one of %s" % (what, ", ".join(words)))
    return str(value)


class Asks:
    """Makes them, with a store's namespace and nonces."""

    def __init__(self, ns: Bytes) -> None:
        self._ns = text(ns, "ns", 0, 64)
        self._nonces = Nonces()

    def after_fork(self) -> None:
        self._nonces = Nonces()

    def _ns_of(self, ns: Optional[Bytes]) -> Tuple[Any, bytes]:
        return self._ns if ns is None else text(ns, "ns", 0, 64)

    def _ask(self, method: str, key: Bytes, rest: Tuple[Any, ...],
             ns: Optional[Bytes], timeout_ms: Optional[int]) -> Ask:
        sent_ns, raw_ns = self._ns_of(ns)
        sent_key, raw_key = text(key, "key", 1, KEY_BYTES_MAX)
        if timeout_ms is not None:
            number(timeout_ms, "timeout_ms", 1, LEASE_MS_MAX)
        return Ask(method, (sent_ns, sent_key, *rest), raw_ns, raw_key,
                   timeout_ms)

    def acquire(self, key: Bytes, fingerprint: Optional[bytes],
                nonce: Optional[bytes], lease_ms: int,
                ttl_ms: Optional[int], wait_ms: int, on_orphan: str,
                ns: Optional[Bytes], timeout_ms: Optional[int]) -> Ask:
        if nonce is None:
            nonce = self._nonces.draw()
        else:
            nonce = data(nonce, "nonce", 1, NONCE_BYTES_MAX)
        if fingerprint is not None:
            fingerprint = data(fingerprint, "fingerprint", 0,
                               FINGERPRINT_BYTES_MAX)
        number(lease_ms, "lease_ms", 1, LEASE_MS_MAX)
        if ttl_ms is None:
            ttl_ms = max(TTL_MS_DEFAULT, lease_ms)
        number(ttl_ms, "ttl_ms", 1, TTL_MS_MAX)
        if lease_ms > ttl_ms:
            raise argument("lease_ms is over ttl_ms")
        made = self._ask("acquire", key,
                         (fingerprint, nonce, lease_ms, ttl_ms), ns,
                         timeout_ms)
        made.nonce = nonce
        made.wait_ms = number(wait_ms, "wait_ms", 0, WAIT_MS_MAX)
        made.on_orphan = one_of(on_orphan, "on_orphan",
                                ("takeover", "report"))
        return made

    def complete(self, key: Bytes, token: bytes, result: Optional[bytes],
                 ttl_ms: Optional[int], result_class: str,
                 ns: Optional[Bytes], timeout_ms: Optional[int]) -> Ask:
        data(token, "token", 16, 16)
        if ttl_ms is not None:
            number(ttl_ms, "ttl_ms", 1, TTL_MS_MAX)
        one_of(result_class, "result_class", ("success", "error"))
        rest: Tuple[Any, ...] = (token,)
        if result is not None:
            result = data(result, "result", 0, 1 << 30)
            rest += (result,)
        if ttl_ms is not None or result_class != "success":
            rest = (token, result, ttl_ms)
        if result_class != "success":
            rest += ({"class": result_class},)
        made = self._ask("complete", key, rest, ns, timeout_ms)
        made.result_bytes = 0 if result is None else len(result)
        return made

    def release(self, key: Bytes, token: bytes, unbind: bool,
                ns: Optional[Bytes], timeout_ms: Optional[int]) -> Ask:
        data(token, "token", 16, 16)
        rest: Tuple[Any, ...] = (token,)
        if unbind:
            rest += ({"unbind": True},)
        return self._ask("release", key, rest, ns, timeout_ms)

    def renew(self, key: Bytes, token: bytes, lease_ms: int,
              ns: Optional[Bytes], timeout_ms: Optional[int]) -> Ask:
        data(token, "token", 16, 16)
        number(lease_ms, "lease_ms", 1, LEASE_MS_MAX)
        return self._ask("renew", key, (token, lease_ms), ns, timeout_ms)

    def peek(self, key: Bytes, ns: Optional[Bytes],
             timeout_ms: Optional[int]) -> Ask:
        return self._ask("peek", key, (), ns, timeout_ms)

    @staticmethod
    def bare(method: str, timeout_ms: Optional[int]) -> Ask:
        return Ask(method, (), b"", b"", timeout_ms)
