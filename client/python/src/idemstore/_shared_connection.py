# SPDX-License-Identifier: Apache-2.0
"""A shared connection: the one to a shard, coming and going. When to dial, how
long, and what a failure means is the same for threads and for asyncio."""

from __future__ import annotations

import threading
import time
from typing import Any, Optional

from . import _course
from ._dial import Dialer, Dialed
from ._course import Lost
from ._errors import IdemstoreError
from ._link import LISTEN_S, Link, full
from ._selector import Backoff, EndpointSelector

# Where there is another server to try, the first attempts to connect get so
# much each, and twice as much in every further round.
DIAL_S_FIRST = 0.25
# What another attempt would not change.
FINAL = frozenset(("DENIED", "BAD_REQUEST", "UNKNOWN_METHOD", "TLS"))


class Plan:
    """When a shared connection dials, and what became of it."""

    def __init__(self, dialer: Dialer, selector: EndpointSelector,
                 shard: int) -> None:
        self.dialer = dialer
        self.selector = selector
        self.shard = shard
        self.backoff = Backoff()
        self.retry_at_s = 0.0
        self.why: Optional[IdemstoreError] = None
        self.dials = 0
        self.serial = 0
        self.endpoint_name = ""

    @property
    def asked_shard(self) -> Optional[int]:
        return self.shard if self.selector.shard_aware else None

    def dial_end_s(self, now_s: float, deadline_s: float) -> float:
        """A server that takes the connection and says nothing may not eat the
        whole deadline where there is another one."""
        left_s = max(deadline_s - now_s, 0.0)
        dial_s = self.dialer.uri.number("connect_timeout_ms") / 1000
        count = len(self.selector.endpoints)
        if count > 1:
            rounds, done = divmod(self.backoff.attempts - 1, count)
            dial_s = min(dial_s, DIAL_S_FIRST * (1 << min(rounds, 8)))
            left_s /= max(count - done, 2)
        return now_s + min(dial_s, left_s)

    def dial(self, deadline_s: float) -> Dialed:
        """Blocks. Raises IdemstoreError."""
        self.backoff.attempts += 1
        self.dials += 1
        endpoint, self.serial = self.selector.get()
        self.endpoint_name = endpoint.name
        until_s = self.dial_end_s(time.monotonic(), deadline_s)
        made = self.dialer.dial(endpoint, self.asked_shard, until_s,
                                self.selector.good)
        doubt = self.selector.learn(endpoint, self.serial, made.hello,
                                    time.monotonic())
        if doubt is not None:
            made.sock.close()
            raise doubt
        return made

    def succeeded(self) -> None:
        self.why = None

    def failed(self, why: IdemstoreError, now_s: float,
               deadline_s: float) -> None:
        """Raises Lost where another attempt would not change it. An attempt
        that the call's own end cut short says less than the one before."""
        if self.why is None or now_s < deadline_s:
            self.why = why
        self.pause(now_s)
        # A server with fewer threads than there were refuses the higher ones.
        if why.code == "BAD_REQUEST" and self.shard > 0:
            self.selector.unlearn(self.serial)
            raise Lost(_course.lost(self.endpoint_name, "it has fewer shards "
                                    "than it had"), self.serial, False)
        if why.code != "DENIED":
            self.selector.failed(self.serial)
        if why.code in FINAL:
            raise Lost(why, self.serial, False)

    def pause(self, now_s: float) -> None:
        free = len(self.selector.endpoints)
        self.retry_at_s = now_s + self.backoff.pause_s(free)

    def is_enough(self, dials_before: int) -> bool:
        rounds = self.dialer.uri.number("connect_rounds")
        enough = rounds * len(self.selector.endpoints)
        return 0 < enough <= self.dials - dials_before

    def give_up(self) -> Lost:
        return Lost(self.why or _course.unsent(
            self.endpoint_name or self.selector.get()[0].name),
            self.serial, False)


class SharedConnection:
    """For threads: one dials, the others wait for it."""

    def __init__(self, plan: Plan, watch: _course.Watch, stop: Any) -> None:
        self.plan = plan
        self.link: Optional[Link] = None
        self._watch = watch
        self._stop = stop
        self._changed = threading.Condition(threading.Lock())
        self._dialing = False

    def up(self, deadline_s: float) -> Link:
        """A connection to call on. Raises Lost."""
        link = self.link
        if link is not None and link.broken is None \
                and link.draining_s is None and not link.is_full() \
                and link.serial == self.plan.selector.serial:
            return link
        dials_before = self.plan.dials
        while True:
            with self._changed:
                link = (self._usable()
                        or self._dial_or_wait(deadline_s, dials_before))
            if link is None:
                continue
            if not link.is_full():
                return link
            self._wait_for_room(link, deadline_s)

    def _usable(self) -> Optional[Link]:
        link = self.link
        if link is None:
            return None
        if link.broken is None and link.serial != self.plan.selector.serial:
            link.break_off("the store has moved to another server")
        if link.broken is None and link.draining_s is not None:
            self._drained(link)
            return None
        if link.broken is not None:
            self.link = None
            self.plan.pause(time.monotonic())
            return None
        return link

    def _drained(self, link: Link) -> None:
        """A server that goes down takes no more, and answers what it has."""
        assert link.draining_s is not None
        if not link.pending or time.monotonic() >= link.draining_s:
            link.break_off("it is shutting down")
            self.link = None
            self.plan.pause(time.monotonic())

    def _dial_or_wait(self, deadline_s: float,
                      dials_before: int) -> Optional[Link]:
        """The lock is held. None: look again."""
        now_s = time.monotonic()
        if self._stop:
            raise Lost(_course.closed(), 0, False)
        if now_s >= deadline_s or self.plan.is_enough(dials_before):
            raise self.plan.give_up()
        until_s = min(deadline_s, now_s + LISTEN_S)
        if not self._dialing and self.link is None:
            if now_s >= self.plan.retry_at_s:
                return self._dial(deadline_s)
            until_s = min(until_s, self.plan.retry_at_s)
        self._changed.wait(max(until_s - now_s, 0.001))
        return None

    def _dial(self, deadline_s: float) -> Optional[Link]:
        self._dialing = True
        self._changed.release()
        try:
            made = self.plan.dial(deadline_s)
        except IdemstoreError as why:
            self._changed.acquire()
            self.plan.failed(why, time.monotonic(), deadline_s)
            return None
        except BaseException:
            self._changed.acquire()
            raise
        else:
            self._changed.acquire()
            connect_s = self.plan.dialer.uri.number("connect_timeout_ms")
            self.link = Link(made, self.plan.serial, self.plan.selector,
                             self.plan.backoff, self._watch,
                             connect_s / 1000)
            self.plan.succeeded()
            self._watch.connects += 1
            return self.link
        finally:
            self._dialing = False
            self._changed.notify_all()

    def _wait_for_room(self, link: Link, deadline_s: float) -> None:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise Lost(full(link), link.serial, False)
        if self._stop:
            raise Lost(_course.closed(), 0, False)
        with link.room:
            link.waiting += 1
            if link.is_full() and link.broken is None:
                link.room.wait(min(left_s, LISTEN_S))
            link.waiting -= 1

    def close(self) -> None:
        link = self.link
        if link is not None:
            link.break_off("the store was closed")
