# SPDX-License-Identifier: Apache-2.0
"""The blocking store: any number of threads share one. It connects at its
first call, keeps a connection per shard of the server, and follows the
primary."""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Any, Dict, List, NamedTuple, Optional

from . import _uri
from ._api import StoreCalls
from ._calls import Ask
from ._dial import Dialer
from ._course import Course, Lost, Watch, closed
from ._shared_connection import SharedConnection, Plan
from ._lease import Renewer
from ._selector import EndpointSelector
from ._version import VERSION


class Status(NamedTuple):
    """How a store stands. Counts are since it was made, or since the fork."""
    primary: str
    epoch: int
    connections: int
    changes_wait: bool
    calls: int
    repeats: int
    connects: int
    losses: int
    follows: int
    timeouts: int
    unreplicated: int
    failed_fast: int


def status_of(selector: EndpointSelector, watch: Watch,
              connections: int) -> Status:
    return Status(selector.primary, selector.epoch, connections,
                  watch.changes_wait, watch.calls, watch.repeats,
                  watch.connects, watch.losses, selector.follows,
                  watch.timeouts, watch.unreplicated, watch.failed_fast)


_stores: "weakref.WeakSet[Any]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for store in list(_stores):
        store._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def at_fork(store: Any) -> None:
    """store._after_fork() is called in each child of this process."""
    _stores.add(store)


class Store(StoreCalls):
    """uri: idem://[:SECRET@]HOST[:PORT][,HOST...][/NAMESPACE][?OPTIONS],
    idems:// for TLS, idem+unix:///PATH. secret: where the URI has none; left
    out, the option secret_file or IDEMSTORE_SECRET in the environment."""

    def __init__(self, uri: str, *, secret: Optional[str] = None) -> None:
        self._uri = _uri.parse(uri, secret)
        super().__init__(self._uri.ns)
        self._dialer = Dialer(self._uri, "python/" + VERSION)
        self._timeout_ms = self._uri.number("timeout_ms")
        self._fast_ms = self._uri.number("fail_fast_ms")
        self._stop: List[bool] = []
        self._begin()
        at_fork(self)

    def _begin(self) -> None:
        aware = bool(self._uri.number("shard_aware"))
        self._selector = EndpointSelector(self._uri.endpoints, aware)
        self._watch = Watch()
        self._connections: Dict[int, SharedConnection] = {}
        self._connections_lock = threading.Lock()
        self._result_bytes_max = 1 << 20

    def _after_fork(self) -> None:
        """A child begins anew, with connections and nonces of its own. The
        parent's are neither used nor ended."""
        old = list(self._connections.values())
        self._generation += 1
        self._begin()
        self._asks.after_fork()
        self._renewer = Renewer(self._renew_lease)
        for shared in old:
            if shared.link is not None:
                shared.link.forget()

    def __repr__(self) -> str:
        return "<idemstore.Store at %s>" % ",".join(
            one.name for one in self._uri.endpoints)

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *why: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends its connections. Calls of other threads end within 250 ms,
        with CLOSED (nothing was sent) or LOST."""
        self._stop.append(True)
        self._renewer.close()
        for shared in list(self._connections.values()):
            shared.close()

    def status(self) -> Status:
        up = sum(1 for shared in list(self._connections.values())
                 if shared.link is not None and shared.link.broken is None)
        return status_of(self._selector, self._watch, up)

    @property
    def result_bytes_max(self) -> int:
        return self._result_bytes_max

    # ---------------------------------------------------------------- asking

    def _connection(self, shard: int) -> SharedConnection:
        shared = self._connections.get(shard)
        if shared is not None:
            return shared
        with self._connections_lock:
            if shard not in self._connections:
                plan = Plan(self._dialer, self._selector, shard)
                self._connections[shard] = SharedConnection(
                    plan, self._watch, self._stop)
            return self._connections[shard]

    def _attempt(self, course: Course) -> Any:
        ask = course.ask
        shard = self._selector.route(ask.ns, ask.key)
        while shard is None:
            self._connection(0).up(course.deadline_s)
            shard = self._selector.route(ask.ns, ask.key)
        shared = self._connection(shard)
        link = shared.up(course.deadline_s)
        self._result_bytes_max = link.hello.result_bytes_max
        return link.call(course, self._stop)

    def _ask(self, ask: Ask) -> Any:
        course = Course(ask, self._selector, self._watch, time.monotonic(),
                        self._timeout_ms, self._fast_ms)
        while True:
            if self._stop:
                raise course.conclude(closed())
            if course.fast_s:
                course.may_go(time.monotonic())
            try:
                answer = self._attempt(course)
                ask.sent_s = course.sent_s
                return answer
            except Lost as lost:
                pause_s = course.failed(lost, time.monotonic())
            if pause_s > 0:
                time.sleep(pause_s)
