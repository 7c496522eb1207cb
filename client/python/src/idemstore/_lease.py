# SPDX-License-Identifier: Apache-2.0
"""A claim that is held: its token, how long its lease still is, and what the
function under it may ask. Renewing is the stores' (by a thread, by timers)."""

from __future__ import annotations

import contextvars
import threading
import time
from typing import Any, Callable, Optional, Set, Union

from ._answers import Acquired, Renewed, RenewAnswer
from ._errors import IdemstoreError

Bytes = Union[str, bytes]

# A renewal that failed is tried again after so long at most.
AGAIN_S_MAX = 0.25
ASK_MS_MIN = 20


class Lease:
    """When a granted lease ends, as far as is known here."""

    def __init__(self, key: Bytes, ns: Optional[Bytes], acquired: Acquired,
                 sent_s: float) -> None:
        self.key = key
        self.ns = ns
        self.token = acquired.token
        self.lease_ms = acquired.lease_ms
        self.ended = False  # settled, or left
        self.taken = False  # another one has it, or the record is gone
        self.due_s = 0.0
        self.end_s = 0.0
        self.most_s = 0.0
        self.granted(sent_s, time.monotonic())

    def granted(self, sent_s: float, answered_s: float) -> None:
        """The server gave it after the send. Where the answer was long on its
        way, much of the lease may be left or nothing: that is asked at once,
        and until it is told the lease counts from the answer."""
        lease_s = self.lease_ms / 1000
        self.due_s = sent_s + lease_s / 3
        self.end_s = sent_s + lease_s
        self.most_s = answered_s + lease_s
        if answered_s >= self.due_s:
            self.due_s = answered_s
            self.end_s = self.most_s

    def told(self, answer: RenewAnswer, sent_s: float) -> None:
        if isinstance(answer, Renewed):
            self.lease_ms = answer.lease_ms
            self.granted(sent_s, time.monotonic())
        else:
            self.taken = True

    def not_told(self) -> None:
        self.due_s = time.monotonic() + min(
            self.lease_ms / 20000 + 0.001, AGAIN_S_MAX)

    @property
    def lost(self) -> bool:
        return self.taken or time.monotonic() >= self.end_s

    @property
    def left_ms(self) -> int:
        return max(int((self.most_s - time.monotonic()) * 1000), 0)

    def ask_ms(self, due: int) -> int:
        """How long one renewal may take, where so many are due."""
        return max(self.lease_ms // 3 // max(due, 1), ASK_MS_MIN)


class Claim:
    """What a function under `once` may know: idemstore.current_claim().

    token     16 bytes: write it beside your own row; a later holder's is
              greater
    attempt   1 for the first claim of the key
    previous  "none", "released", or "orphaned": then the one before may or
              may not have had its effect

    A handler behind a middleware may set nothing_done = True: it answers, and
    nothing has happened; its answer is not stored, a retry begins anew."""

    def __init__(self, acquired: Acquired, lease: Lease,
                 is_here: Callable[[], bool]) -> None:
        self.token = acquired.token
        self.attempt = acquired.attempt
        self.previous = acquired.previous
        self.lease = lease
        self.nothing_done = False
        self.began = False
        self._is_here = is_here

    @property
    def lost(self) -> bool:
        """The lease is over or taken, as far as is known: stop if you can."""
        return self.lease.lost or not self._is_here()

    @property
    def is_here(self) -> bool:
        """False in a child of the process that made the claim."""
        return self._is_here()


_current: "contextvars.ContextVar[Optional[Claim]]" = contextvars.ContextVar(
    "idemstore_claim", default=None)


def current_claim() -> Optional[Claim]:
    """The claim under which this code runs, or None."""
    return _current.get()


def enter(claim: Claim) -> "contextvars.Token[Optional[Claim]]":
    return _current.set(claim)


def leave(token: "contextvars.Token[Optional[Claim]]") -> None:
    try:
        _current.reset(token)
    except ValueError:
        pass  # entered in another context: a generator's, another task's


class Renewer:
    """One thread for all leases of a store, made for the first one."""

    def __init__(self, renew: Callable[[Lease, int], Any]) -> None:
        self._renew = renew
        self._leases: Set[Lease] = set()
        self._changed = threading.Condition(threading.Lock())
        self._thread: Optional[threading.Thread] = None
        self._wake_s = 0.0
        self._closing = False

    def keep(self, lease: Lease) -> None:
        with self._changed:
            self._leases.add(lease)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, daemon=True, name="idemstore-renew")
                self._thread.start()
            elif lease.due_s < self._wake_s:
                self._changed.notify()

    def end(self, lease: Lease) -> None:
        with self._changed:
            lease.ended = True
            self._leases.discard(lease)

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._leases.clear()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._closing:
                    return
                now_s = time.monotonic()
                held = [one for one in self._leases if not one.taken]
                due = [one for one in held if one.due_s <= now_s]
                if not due:
                    self._wake_s = min((one.due_s for one in held),
                                       default=now_s + 3600)
                    self._changed.wait(self._wake_s - now_s)
                    continue
                self._wake_s = 0.0
                first = min(due, key=lambda one: one.due_s)
            try:
                self._renew(first, first.ask_ms(len(due)))
            except IdemstoreError:
                first.not_told()
