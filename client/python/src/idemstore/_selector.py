# SPDX-License-Identifier: Apache-2.0
"""Which server a store's connections lead to, and what it said of itself.
Shared by all connections of a store; it locks itself. No socket."""

from __future__ import annotations

import random
import threading
from collections import OrderedDict
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from . import _siphash, _uri
from ._errors import IdemstoreError, fail

# How long a primary of a lower epoch than another one had is not believed:
# longer than a failover takes, and not for ever, where an operator did go
# back to the older one.
DOUBT_S = 10.0
# Hashing costs 20 us, and most keys are asked for twice: acquire, complete.
OWNERS_MAX = 4096

PAUSE_S_FIRST = 0.020
PAUSE_S_MAX = 0.250


class Backoff:
    """A random pause below a bound that doubles ("full jitter")."""

    def __init__(self) -> None:
        self.attempts = 0

    def pause_s(self, free_attempts: int) -> float:
        """free_attempts: how many may follow each other at once."""
        if self.attempts < free_attempts:
            return 0.0
        doublings = min(self.attempts // free_attempts - 1, 4)
        bound = min(PAUSE_S_FIRST * (1 << doublings), PAUSE_S_MAX)
        return random.uniform(0.001, bound)


class Hello(NamedTuple):
    """What a server's hello says, checked."""
    role: str
    epoch: int
    shards: int
    hash_key: bytes
    result_bytes_max: int
    frame_bytes_max: int
    pending_max: int
    version: str

    @property
    def leads(self) -> bool:
        return self.role != "replica"


def _whole(value: Any, default: int, most: int = 1 << 53) -> int:
    ok = type(value) is int and 0 <= value <= most
    return value if ok else default


def read_hello(result: Any) -> Optional[Hello]:
    """None: these are words that this version does not know."""
    if type(result) is not dict:
        return None
    limits = result.get("limits")
    limits = limits if type(limits) is dict else {}
    shards = _whole(result.get("shards"), 0)
    hash_key = result.get("hash_key")
    if not 1 <= shards <= 1024:
        return None
    if type(hash_key) is not bytes or len(hash_key) != 16:
        if shards > 1:
            return None
        hash_key = bytes(16)
    return Hello(
        role=str(result.get("role", "primary")),
        epoch=_whole(result.get("epoch"), 0),
        shards=shards, hash_key=hash_key,
        result_bytes_max=_whole(limits.get("result_bytes_max"), 1 << 20,
                                1 << 30),
        frame_bytes_max=_whole(limits.get("frame_bytes_max"),
                               (1 << 20) + 65536, 1 << 30),
        pending_max=_whole(limits.get("pending_max"), 1024) or 1024,
        version=str(result.get("version", "")))


class EndpointSelector:
    def __init__(self, endpoints: List[_uri.Endpoint],
                 shard_aware: bool) -> None:
        self.endpoints = endpoints
        self.shard_aware = shard_aware
        # Grows whenever the server changes: a connection that was made under
        # another serial belongs to another server.
        self.serial = 1
        self.shards = 0  # 0: not known yet
        self.primary = ""
        self.epoch = 0
        self.follows = 0
        self._lock = threading.Lock()
        self._index = 0
        self._redirect: Optional[_uri.Endpoint] = None
        self._hash: Optional[_siphash.Hash] = None
        self._owners: "OrderedDict[bytes, int]" = OrderedDict()
        self._epoch_at: Optional[_uri.Endpoint] = None
        self._doubt_end_s: Optional[float] = None
        self.good: Dict[str, Any] = {}  # endpoint name: address that answered

    def after_fork(self) -> None:
        self._lock = threading.Lock()
        self.serial += 1

    def get(self) -> Tuple[_uri.Endpoint, int]:
        with self._lock:
            return (self._redirect or self.endpoints[self._index],
                    self.serial)

    def _moved(self) -> None:
        self.shards = 0
        self.serial += 1
        self._owners.clear()

    def _move_on(self) -> None:
        if len(self.endpoints) == 1 and self._redirect is None:
            return  # there is no other
        self._redirect = None
        self._index = (self._index + 1) % len(self.endpoints)
        self._moved()

    def failed(self, serial: int) -> None:
        """It can't be reached, or wants no more calls: the next one's turn.
        Nothing happens when another thread was first."""
        with self._lock:
            if self.serial == serial:
                self._move_on()

    def redirect(self, serial: int, primary: str) -> None:
        """It named the primary; what is no endpoint counts as failed."""
        try:
            named: Optional[_uri.Endpoint] = _uri.endpoint(primary)
        except ValueError:
            named = None
        with self._lock:
            if self.serial != serial:
                return
            if named is None:
                self._move_on()
                return
            self._redirect = None if named in self.endpoints else named
            if self._redirect is None:
                self._index = self.endpoints.index(named)
            self._moved()

    def unlearn(self, serial: int) -> None:
        """It no longer is what it told: each connection asks it anew."""
        with self._lock:
            if self.serial == serial:
                self._moved()

    def _believes(self, at: _uri.Endpoint, hello: Hello, now_s: float) -> bool:
        if not hello.leads:
            return True  # it names the primary, or none
        if hello.epoch < self.epoch and at != self._epoch_at:
            if self._doubt_end_s is None:
                self._doubt_end_s = now_s + DOUBT_S
            if now_s < self._doubt_end_s:
                return False
        self.epoch = hello.epoch
        self._epoch_at = at
        self._doubt_end_s = None
        if self.primary and self.primary != at.name:
            self.follows += 1
        self.primary = at.name
        return True

    def learn(self, at: _uri.Endpoint, serial: int, hello: Hello,
              now_s: float) -> Optional[IdemstoreError]:
        """What hello told. An error when it calls itself the primary in an
        epoch that is over: another is to be looked for first."""
        with self._lock:
            if not self._believes(at, hello, now_s):
                assert self._epoch_at is not None
                return fail(
                    "CONNECT",
                    "%s calls itself the primary of epoch %d, but %s was the "
                    "primary of epoch %d; if the older one is meant to go on, "
                    "it is believed after %d s"
                    % (at.name, hello.epoch, self._epoch_at.name, self.epoch,
                       DOUBT_S), endpoint=at.name)
            if self.serial == serial:
                spread = self.shard_aware and hello.leads
                if self.shards == 0:
                    self._owners.clear()
                self.shards = hello.shards if spread else 1
                self._hash = _siphash.Hash(hello.hash_key)
        return None

    def route(self, ns: bytes, key: bytes) -> Optional[int]:
        """The shard that owns the key; None while it is not known how many
        there are."""
        shards = self.shards
        if shards <= 1 or not key:
            return 0 if shards else None
        text = _siphash.owner_text(ns, key)
        with self._lock:
            shards, hashed = self.shards, self._hash
            if shards == 0 or hashed is None:
                return None
            owner = self._owners.pop(text, None)
            if owner is None:
                owner = hashed.of(text) % shards
                if len(self._owners) >= OWNERS_MAX:
                    self._owners.popitem(last=False)
                self._owners[text] = owner
            return owner
