# SPDX-License-Identifier: Apache-2.0
"""One connection of the asyncio store, and what brings it up. All of
it on one event loop, save for dialling, which blocks and has a thread."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from typing import Any, Callable, Dict, Optional, Set, Tuple, cast

from . import _course, _wire
from ._dial import Dialed
from ._course import Lost
from ._errors import IdemstoreError
from ._shared_connection import Plan
from ._link import DRAIN_S, LISTEN_S
from ._selector import read_hello

Reply = Tuple[Optional[str], Any]


class LinkLost(Exception):
    """The connection ended under a call. args[0]: why."""


class ALink(asyncio.Protocol):
    def __init__(self, dialed: Dialed, plan: Plan, watch: _course.Watch,
                 loop: asyncio.AbstractEventLoop) -> None:
        self.hello = dialed.hello
        self.endpoint = dialed.endpoint
        self.serial = plan.serial
        self.broken: Optional[str] = None
        self.draining_s: Optional[float] = None
        self.pending: "Dict[int, asyncio.Future[Reply]]" = {}
        self.changes: Dict[int, float] = {}
        self.sock = dialed.sock
        self._sealer = dialed.sealer
        self._plan = plan
        self._watch = watch
        self._loop = loop
        self._msgid = 0
        self._transport: Optional[asyncio.Transport] = None
        self._heard_s = time.monotonic()
        self._probed_s: Optional[float] = None
        self._looker: Optional[asyncio.TimerHandle] = None
        self._until_s = 0.0  # the latest deadline of what is under way
        self._room: "Set[asyncio.Future[None]]" = set()
        self._hello_pending: "Optional[asyncio.Future[Reply]]" = None
        self._responses = _wire.Responses(
            self.hello.frame_bytes_max + _wire.FRAME_BYTES_MORE)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is of no class of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, why: Optional[Exception]) -> None:
        self.break_off(str(why) if why else "it closed the connection")

    def is_full(self) -> bool:
        return len(self.pending) >= self.hello.pending_max

    # ----------------------------------------------------------------- calls

    def _put(self, tail: bytes) -> "Tuple[int, asyncio.Future[Reply]]":
        assert self._transport is not None
        self._msgid = msgid = self._msgid % 0xFFFFFFFF + 1
        answer: "asyncio.Future[Reply]" = self._loop.create_future()
        self.pending[msgid] = answer
        data = _wire.request(msgid, tail)
        if self._sealer is not None:
            data = self._sealer.seal(data)
        self._transport.write(data)
        return msgid, answer

    async def call(self, course: _course.Course,
                   abandon: Callable[["asyncio.Future[Reply]"], None]) -> Any:
        """The answer. Raises Lost. abandon: gets the future of a call whose
        task was cancelled; it is still answered."""
        now_s = time.monotonic()
        name = self.endpoint.name
        if self.broken is not None:
            raise Lost(_course.lost(name, self.broken), self.serial, False)
        msgid, future = self._put(
            course.tail(now_s, self.hello.result_bytes_max))
        end_s = course.attempt_end_s()
        if course.ask.is_change and not course.ask.wait_ms:
            self.changes[msgid] = now_s
        self._until_s = max(self._until_s, end_s)
        if self._looker is None:
            self._heard_s = now_s
            self._looker = self._loop.call_later(LISTEN_S, self._look)
        timer = self._loop.call_later(end_s - now_s, self._too_late, future)
        try:
            error, result = await future
        except LinkLost as why:
            raise Lost(_course.lost(name, str(why)), self.serial, True) \
                from None
        except asyncio.TimeoutError:
            self._forget(msgid)
            raise Lost(_course.timed_out(name), self.serial, True) from None
        except asyncio.CancelledError:
            if future.cancelled():
                again = self._loop.create_future()
                if msgid in self.pending:
                    self.pending[msgid] = again
                    abandon(again)
            raise
        finally:
            timer.cancel()
            self.changes.pop(msgid, None)
        answer = course.answered(name, self.serial, error, result)
        if not self.hello.leads and course.ask.is_change:
            self._hello_again()
        return answer

    @staticmethod
    def _too_late(future: "asyncio.Future[Reply]") -> None:
        if not future.done():
            future.set_exception(asyncio.TimeoutError())

    def _forget(self, msgid: int) -> None:
        self.pending.pop(msgid, None)
        self._make_room()

    def _make_room(self) -> None:
        while self._room:
            waiter = self._room.pop()
            if not waiter.done():
                waiter.set_result(None)

    async def wait_for_room(self, deadline_s: float) -> bool:
        """False: the deadline came first."""
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            return False
        waiter: "asyncio.Future[None]" = self._loop.create_future()
        self._room.add(waiter)
        timer = self._loop.call_later(min(left_s, LISTEN_S), self._make_room)
        try:
            await waiter
        finally:
            timer.cancel()
            self._room.discard(waiter)
        return True

    # --------------------------------------------------------------- answers

    def data_received(self, data: bytes) -> None:
        self._heard_s = time.monotonic()
        self._probed_s = None
        try:
            if self._sealer is not None:
                data = self._sealer.open(data)
            self._responses.feed(data)
            for msgid, error, result in self._responses:
                future = self.pending.pop(msgid, None)
                if future is not None and not future.done():
                    future.set_result((error, result))
                self._plan.backoff.attempts = 0
                if error is not None and self.draining_s is None \
                        and error.startswith("SHUTTING_DOWN"):
                    self.draining_s = time.monotonic() + DRAIN_S
        except (_wire.Broken, ssl.SSLError) as why:
            self.break_off("it sent " + str(why))
        except EOFError:
            self.break_off("it closed the connection")
        if self._room:
            self._make_room()

    # ------------------------------------------------------------- promotion

    def _hello_again(self) -> None:
        """It was a replica when it said hello, and takes changes: it was
        promoted. How many shards it has now, and its epoch, is told by another
        hello."""
        if self._hello_pending is None and self.broken is None:
            _, self._hello_pending = self._put(_wire.request_tail("hello", ()))
            self._hello_pending.add_done_callback(self._hello_came_again)

    def _hello_came_again(self, answer: "asyncio.Future[Reply]") -> None:
        self._hello_pending = None
        if answer.cancelled() or answer.exception() is not None:
            return
        error, result = answer.result()
        hello = None if error is not None else read_hello(result)
        if hello is not None:
            self.hello = hello
            self._plan.selector.learn(self.endpoint, self.serial, hello,
                                      time.monotonic())

    # --------------------------------------------------------------- silence

    def _look(self) -> None:
        """Each LISTEN_S while something is under way."""
        self._looker = None
        if self.broken is not None or not self.pending:
            return
        now_s = time.monotonic()
        if self._plan.selector.serial != self.serial:
            self.break_off("the store has moved to another server")
            return
        quiet_s = now_s - self._heard_s
        if self._probed_s is not None:
            connect_ms = self._plan.dialer.uri.number("connect_timeout_ms")
            patience_s = max(LISTEN_S, min((self._until_s - now_s) / 3,
                                           connect_ms / 1000))
            if now_s - self._probed_s >= patience_s:
                self._plan.selector.failed(self.serial)
                self.break_off("it has gone silent")
                return
        elif quiet_s >= LISTEN_S:
            self._probed_s = now_s
            _, pong = self._put(_wire.request_tail("ping", ()))
            pong.add_done_callback(self._ponged)
        self._looker = self._loop.call_later(LISTEN_S, self._look)

    def _ponged(self, pong: "asyncio.Future[Reply]") -> None:
        """It is alive; does it confirm changes?"""
        if pong.cancelled() or pong.exception() is not None:
            return
        late_s = time.monotonic() - LISTEN_S
        if any(sent_s < late_s for sent_s in self.changes.values()):
            self._watch.changes_wait = True

    # ---------------------------------------------------------------- its end

    def break_off(self, why: str) -> None:
        if self.broken is not None:
            return
        self.broken = why
        self._watch.losses += 1
        if self._looker is not None:
            self._looker.cancel()
        for future in self.pending.values():
            if not future.done():
                future.set_exception(LinkLost(why))
                future.exception()  # nobody may be waiting for it
        self.pending.clear()
        self._make_room()
        if self._transport is not None:
            self._transport.abort()

    def forget(self) -> None:
        """In a child of a fork. The descriptor goes without a word to the
        event loop, whose epoll is still the parent's, too."""
        self.broken = "the process has forked"
        try:
            import os
            os.close(self.sock.detach())
        except OSError:
            pass


class ASharedConnection:
    """The connection to one shard, for the tasks of one event loop."""

    def __init__(self, plan: Plan, watch: _course.Watch,
                 loop: asyncio.AbstractEventLoop, stop: Any) -> None:
        self.plan = plan
        self.link: Optional[ALink] = None
        self._watch = watch
        self._loop = loop
        self._stop = stop
        self._dialing: "Optional[asyncio.Task[None]]" = None

    async def up(self, deadline_s: float) -> ALink:
        dials_before = self.plan.dials
        while True:
            link = self._usable()
            if link is None:
                await self._dial_or_wait(deadline_s, dials_before)
            elif not link.is_full():
                return link
            elif not await link.wait_for_room(deadline_s):
                raise Lost(_course.unsent(link.endpoint.name), link.serial,
                           False)

    def _usable(self) -> Optional[ALink]:
        link = self.link
        if link is None:
            return None
        if link.broken is None and link.serial != self.plan.selector.serial:
            link.break_off("the store has moved to another server")
        if link.broken is None and link.draining_s is not None:
            if link.pending and time.monotonic() < link.draining_s:
                return None
            link.break_off("it is shutting down")
        if link.broken is not None:
            self.link = None
            self.plan.pause(time.monotonic())
            return None
        return link

    async def _dial_or_wait(self, deadline_s: float,
                            dials_before: int) -> None:
        now_s = time.monotonic()
        if self._stop:
            raise Lost(_course.closed(), 0, False)
        if now_s >= deadline_s or self.plan.is_enough(dials_before):
            raise self.plan.give_up()
        until_s = min(deadline_s, now_s + LISTEN_S)
        if self._dialing is None and self.link is None \
                and now_s >= self.plan.retry_at_s:
            self._dialing = self._loop.create_task(self._dial(deadline_s))
        if self._dialing is None:
            if self.link is None:
                until_s = min(until_s, self.plan.retry_at_s)
            await asyncio.sleep(max(until_s - now_s, 0.001))
            return
        # One dials for all, and goes on when the one who began is cancelled.
        dialing = self._dialing
        await asyncio.wait((dialing,), timeout=max(deadline_s - now_s, 0.001))
        if dialing.done():
            dialing.result()

    async def _dial(self, deadline_s: float) -> None:
        try:
            made = await self._on_a_thread(deadline_s)
            link = ALink(made, self.plan, self._watch, self._loop)
            await self._loop.create_connection(lambda: link, sock=made.sock)
            self.link = link
            self.plan.succeeded()
            self._watch.connects += 1
        except IdemstoreError as why:
            self.plan.failed(why, time.monotonic(), deadline_s)
        finally:
            self._dialing = None

    async def _on_a_thread(self, deadline_s: float) -> Dialed:
        future: "asyncio.Future[Dialed]" = self._loop.create_future()

        def tell(made: Optional[Dialed],
                 why: Optional[BaseException]) -> None:
            if future.done():
                if made is not None:
                    made.sock.close()
            elif made is not None:
                future.set_result(made)
            elif why is not None:
                future.set_exception(why)

        def run() -> None:
            made, why = None, None
            try:
                made = self.plan.dial(deadline_s)
                made.sock.setblocking(False)
            except BaseException as error:
                why = error
            try:
                self._loop.call_soon_threadsafe(tell, made, why)
            except RuntimeError:  # the loop is closed
                if made is not None:
                    made.sock.close()

        threading.Thread(target=run, daemon=True,
                         name="idemstore-dial").start()
        return await future

    def close(self) -> None:
        if self._dialing is not None:
            self._dialing.cancel()
        if self.link is not None:
            self.link.break_off("the store was closed")
