# SPDX-License-Identifier: Apache-2.0
"""The asyncio store: the same calls, awaited. It belongs to the event loop of
its first call, and begins anew on another one's."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Dict, List, Optional, Set

from . import _answers, _uri
from ._aapi import AsyncStoreCalls
from ._alink import ALane, Reply
from ._calls import Ask
from ._dial import Dialer
from ._errand import Errand, Lost, Watch, closed
from ._errors import IdemstoreError
from ._lane import Plan
from ._target import Target
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
        self._lanes: Dict[int, ALane] = {}
        self._begin()
        at_fork(self)

    def _begin(self) -> None:
        aware = bool(self._uri.number("shard_aware"))
        self._target = Target(self._uri.endpoints, aware)
        self._watch = Watch()
        self._stop: List[bool] = []
        self._lanes = {}

    def _after_fork(self) -> None:
        old = list(self._lanes.values())
        self._generation += 1
        self._loop = None
        self._tasks = set()
        self._begin()
        self._asks.after_fork()
        for lane in old:
            if lane.link is not None:
                lane.link.forget()

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
        for lane in list(self._lanes.values()):
            lane.close()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=1)
        await asyncio.sleep(0)  # transports end in the loop's next turn

    def status(self) -> Status:
        up = sum(1 for lane in self._lanes.values()
                 if lane.link is not None and lane.link.broken is None)
        return status_of(self._target, self._watch, up)

    @property
    def result_bytes_max(self) -> int:
        return self._result_bytes_max

    # ---------------------------------------------------------------- asking

    def _lane(self, shard: int) -> ALane:
        lane = self._lanes.get(shard)
        if lane is None:
            assert self._loop is not None
            plan = Plan(self._dialer, self._target, shard)
            lane = ALane(plan, self._watch, self._loop, self._stop)
            self._lanes[shard] = lane
        return lane

    def _be_here(self) -> None:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            if self._loop is not None:
                for lane in self._lanes.values():
                    if lane.link is not None:
                        lane.link.forget()  # its loop is over
            self._loop = loop
            self._lanes = {}

    async def _attempt(self, errand: Errand) -> Any:
        ask = errand.ask
        shard = self._target.route(ask.ns, ask.key)
        while shard is None:
            await self._lane(0).up(errand.deadline_s)
            shard = self._target.route(ask.ns, ask.key)
        lane = self._lane(shard)
        link = await lane.up(errand.deadline_s)
        self._result_bytes_max = link.hello.result_bytes_max

        def abandon(future: "asyncio.Future[Reply]") -> None:
            if ask.method == "acquire":
                future.add_done_callback(
                    lambda reply: self._give_back(ask, reply))

        return await link.call(errand, abandon)

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
        errand = Errand(ask, self._target, self._watch, time.monotonic(),
                        self._timeout_ms, self._fast_ms)
        while True:
            if self._stop:
                raise errand.conclude(closed())
            if errand.fast_s:
                errand.may_go(time.monotonic())
            try:
                answer = await self._attempt(errand)
                ask.sent_s = errand.sent_s
                return answer
            except Lost as lost:
                pause_s = errand.failed(lost, time.monotonic())
            if pause_s > 0:
                await asyncio.sleep(pause_s)
