# SPDX-License-Identifier: Apache-2.0
"""The asyncio store: the same calls, awaited. It belongs to the event loop of
its first call, and begins anew on another one's."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Dict, List, Optional, Set

from . import _answers, _uri
from ._aapi import AsyncStoreCalls
from ._alink import ASharedConnection, Reply
from ._calls import Ask
from ._dial import Dialer
from ._course import Course, Lost, Watch, closed
from ._errors import IdemstoreError
from ._shared_connection import Plan
from ._selector import EndpointSelector
from ._version import VERSION
from .store import Status, at_fork, status_of


class AsyncStore(AsyncStoreCalls):
    """uri, secret: as for Store. Call it from one event loop at a time.

    A task that is cancelled while its acquire is under way gives back what it
    may be granted; under `once`, a function that is cancelled leaves its
    claim (or releases it, with on_error "release"), and one that has returned
    is recorded."""

    def __init__(self, uri: str, *, secret: Optional[str] = None) -> None:
        self._uri = _uri.parse(uri, secret)
        super().__init__(self._uri.ns)
        self._dialer = Dialer(self._uri, "python/" + VERSION)
        self._timeout_ms = self._uri.number("timeout_ms")
        self._fast_ms = self._uri.number("fail_fast_ms")
        self._tasks: "Set[asyncio.Task[Any]]" = set()
        self._result_bytes_max = 1 << 20
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._connections: Dict[int, ASharedConnection] = {}
        self._begin()
        at_fork(self)

    def _begin(self) -> None:
        aware = bool(self._uri.number("shard_aware"))
        self._selector = EndpointSelector(self._uri.endpoints, aware)
        self._watch = Watch()
        self._stop: List[bool] = []
        self._connections = {}

    def _after_fork(self) -> None:
        old = list(self._connections.values())
        self._generation += 1
        self._loop = None
        self._tasks = set()
        self._begin()
        self._asks.after_fork()
        for shared in old:
            if shared.link is not None:
                shared.link.forget()

    def __repr__(self) -> str:
        return "<idemstore.AsyncStore at %s>" % ",".join(
            one.name for one in self._uri.endpoints)

    async def __aenter__(self) -> "AsyncStore":
        return self

    async def __aexit__(self, *why: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends its connections; calls under way end with CLOSED or LOST."""
        self._stop.append(True)
        for shared in list(self._connections.values()):
            shared.close()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=1)
        await asyncio.sleep(0)  # transports end in the loop's next turn

    def status(self) -> Status:
        up = sum(1 for shared in self._connections.values()
                 if shared.link is not None and shared.link.broken is None)
        return status_of(self._selector, self._watch, up)

    @property
    def result_bytes_max(self) -> int:
        return self._result_bytes_max

    # ---------------------------------------------------------------- asking

    def _connection(self, shard: int) -> ASharedConnection:
        shared = self._connections.get(shard)
        if shared is None:
            assert self._loop is not None
            plan = Plan(self._dialer, self._selector, shard)
            shared = ASharedConnection(plan, self._watch, self._loop,
                                       self._stop)
            self._connections[shard] = shared
        return shared

    def _be_here(self) -> None:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            if self._loop is not None:
                for shared in self._connections.values():
                    if shared.link is not None:
                        shared.link.forget()  # its loop is over
            self._loop = loop
            self._connections = {}

    async def _attempt(self, course: Course) -> Any:
        ask = course.ask
        shard = self._selector.route(ask.ns, ask.key)
        while shard is None:
            await self._connection(0).up(course.deadline_s)
            shard = self._selector.route(ask.ns, ask.key)
        shared = self._connection(shard)
        link = await shared.up(course.deadline_s)
        self._result_bytes_max = link.hello.result_bytes_max

        def abandon(future: "asyncio.Future[Reply]") -> None:
            if ask.method == "acquire":
                future.add_done_callback(
                    lambda reply: self._give_back(ask, reply))

        return await link.call(course, abandon)

    def _give_back(self, ask: Ask, reply: "asyncio.Future[Reply]") -> None:
        """An acquire whose task was cancelled was answered."""
        if reply.cancelled() or reply.exception() is not None:
            return
        error, result = reply.result()
        if error is not None:
            return
        try:
            answer = _answers.read("acquire", result)
        except _answers.Garbled:
            return
        if isinstance(answer, _answers.Acquired):
            self.spawn(self._release_quietly(ask, answer.token))

    async def _release_quietly(self, ask: Ask, token: bytes) -> None:
        try:
            await self.release(ask.key, token, ns=ask.ns)
        except IdemstoreError:
            pass  # its lease frees it

    async def _ask(self, ask: Ask) -> Any:
        self._be_here()
        course = Course(ask, self._selector, self._watch, time.monotonic(),
                        self._timeout_ms, self._fast_ms)
        while True:
            if self._stop:
                raise course.conclude(closed())
            if course.fast_s:
                course.may_go(time.monotonic())
            try:
                answer = await self._attempt(course)
                ask.sent_s = course.sent_s
                return answer
            except Lost as lost:
                pause_s = course.failed(lost, time.monotonic())
            if pause_s > 0:
                await asyncio.sleep(pause_s)
