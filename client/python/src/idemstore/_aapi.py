# SPDX-License-Identifier: Apache-2.0
"""The calls of an asyncio store, over one method that asks: what _api.py is
for threads. The store over sockets and the one in memory are this."""

from __future__ import annotations

import asyncio
import time
from typing import (Any, Awaitable, Callable, Coroutine, Dict, Iterable,
                    Optional, Set, TypeVar, Union, cast)

from . import _lease, _once, _otel
from ._answers import (AcquireAnswer, Acquired, CompleteAnswer, Record,
                       ReleaseAnswer, RenewAnswer)
from ._api import All, NotAll, in_order
from ._calls import LEASE_MS_DEFAULT, Ask, Asks, Bytes
from ._errors import IdemstoreError, NothingDone

T = TypeVar("T")


class AsyncStoreCalls:
    """What an asyncio store is asked: see StoreCalls for each call."""

    def __init__(self, ns: Bytes) -> None:
        self._asks = Asks(ns)
        self._generation = 0
        self._timers: "Dict[_lease.Lease, asyncio.TimerHandle]" = {}
        self._tasks: "Set[asyncio.Task[Any]]" = set()

    async def _ask(self, ask: Ask) -> Any:
        raise NotImplementedError

    @property
    def result_bytes_max(self) -> int:
        return 1 << 20

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """A task that goes on when its caller is cancelled."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def acquire(self, key: Bytes, *,
                      fingerprint: Optional[bytes] = None,
                      nonce: Optional[bytes] = None,
                      lease_ms: int = LEASE_MS_DEFAULT,
                      ttl_ms: Optional[int] = None, wait_ms: int = 0,
                      on_orphan: str = "takeover",
                      ns: Optional[Bytes] = None,
                      timeout_ms: Optional[int] = None) -> AcquireAnswer:
        ask = self._asks.acquire(key, fingerprint, nonce, lease_ms, ttl_ms,
                                 wait_ms, on_orphan, ns, timeout_ms)
        return await self._acquire(ask)

    async def _acquire(self, ask: Ask) -> AcquireAnswer:
        try:
            answer = cast(AcquireAnswer, await self._ask(ask))
        except IdemstoreError as why:
            _otel.note_error(why.code)
            raise
        _otel.note(answer)
        return answer

    async def complete(self, key: Bytes, token: bytes,
                       result: Optional[bytes] = None, *,
                       result_class: str = "success",
                       ttl_ms: Optional[int] = None,
                       ns: Optional[Bytes] = None,
                       timeout_ms: Optional[int] = None) -> CompleteAnswer:
        return cast(CompleteAnswer, await self._ask(self._asks.complete(
            key, token, result, ttl_ms, result_class, ns, timeout_ms)))

    async def release(self, key: Bytes, token: bytes, *,
                      unbind: bool = False, ns: Optional[Bytes] = None,
                      timeout_ms: Optional[int] = None) -> ReleaseAnswer:
        return cast(ReleaseAnswer, await self._ask(self._asks.release(
            key, token, unbind, ns, timeout_ms)))

    async def renew(self, key: Bytes, token: bytes,
                    lease_ms: int = LEASE_MS_DEFAULT, *,
                    ns: Optional[Bytes] = None,
                    timeout_ms: Optional[int] = None) -> RenewAnswer:
        return cast(RenewAnswer, await self._ask(self._asks.renew(
            key, token, lease_ms, ns, timeout_ms)))

    async def peek(self, key: Bytes, *, ns: Optional[Bytes] = None,
                   timeout_ms: Optional[int] = None) -> Record:
        return cast(Record,
                    await self._ask(self._asks.peek(key, ns, timeout_ms)))

    async def ping(self, *, timeout_ms: Optional[int] = None) -> None:
        await self._ask(self._asks.bare("ping", timeout_ms))

    async def stats(self, *,
                    timeout_ms: Optional[int] = None) -> Dict[str, int]:
        return cast(Dict[str, int],
                    await self._ask(self._asks.bare("stats", timeout_ms)))

    # ------------------------------------------------------- all or none

    async def acquire_all(self, keys: Iterable[Bytes], *,
                          fingerprint: Optional[bytes] = None,
                          lease_ms: int = LEASE_MS_DEFAULT,
                          ttl_ms: Optional[int] = None, wait_ms: int = 0,
                          ns: Optional[Bytes] = None,
                          timeout_ms: Optional[int] = None
                          ) -> Union[All, NotAll]:
        claims: Dict[Bytes, Acquired] = {}
        try:
            for key in in_order(keys):
                answer = await self.acquire(
                    key, fingerprint=fingerprint, lease_ms=lease_ms,
                    ttl_ms=ttl_ms, wait_ms=wait_ms, ns=ns,
                    timeout_ms=timeout_ms)
                if not isinstance(answer, Acquired):
                    await self._settled(self._release_each(claims, ns))
                    return NotAll(key, answer)
                claims[key] = answer
        except BaseException:
            await self._settled(self._release_each(claims, ns))
            raise
        return All(claims)

    async def _release_each(self, claims: Dict[Bytes, Acquired],
                            ns: Optional[Bytes]) -> None:
        for key, claim in claims.items():
            try:
                await self.release(key, claim.token, ns=ns)
            except IdemstoreError:
                pass  # its lease frees it

    async def _settled(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Goes through, whoever is cancelled meanwhile."""
        return await asyncio.shield(self.spawn(work))

    # ------------------------------------------------------- under a claim

    def hold(self, key: Bytes, acquired: Acquired, *,
             ns: Optional[Bytes] = None, renew: bool = True,
             sent_s: Optional[float] = None) -> _lease.Claim:
        """Keeps a claim's lease renewed until let_go."""
        born = self._generation
        lease = _lease.Lease(key, ns, acquired,
                             time.monotonic() if sent_s is None else sent_s)
        if renew:
            self._renew_later(lease)
        return _lease.Claim(acquired, lease,
                            lambda: self._generation == born)

    def let_go(self, claim: _lease.Claim) -> None:
        claim.lease.ended = True
        timer = self._timers.pop(claim.lease, None)
        if timer is not None:
            timer.cancel()

    def _renew_later(self, lease: _lease.Lease) -> None:
        loop = asyncio.get_running_loop()
        self._timers[lease] = loop.call_later(
            max(lease.due_s - time.monotonic(), 0.0),
            lambda: self.spawn(self._renew_lease(lease)))

    async def _renew_lease(self, lease: _lease.Lease) -> None:
        ask = self._asks.renew(lease.key, lease.token, lease.lease_ms,
                               lease.ns, lease.ask_ms(1))
        try:
            answer = await self._ask(ask)
            lease.told(answer, ask.sent_s)
        except IdemstoreError:
            lease.not_told()
        if not lease.ended and not lease.taken:
            self._renew_later(lease)

    async def once(self, key: Bytes, fn: Callable[[], Awaitable[T]], *,
                   fingerprint: Optional[bytes] = None,
                   lease_ms: int = LEASE_MS_DEFAULT,
                   ttl_ms: Optional[int] = None, wait_ms: int = 0,
                   on_orphan: str = "takeover", on_error: str = "leave",
                   renew: bool = True,
                   encode: _once.Encode = _once.encode_json,
                   decode: _once.Decode = _once.decode_json,
                   ns: Optional[Bytes] = None) -> T:
        """Awaits fn() once per key: see StoreCalls.once. A cancelled fn
        leaves its claim, or with on_error "release" gives it back."""
        _once.check_on_error(on_error)
        ask = self._asks.acquire(key, fingerprint, None, lease_ms, ttl_ms,
                                 wait_ms, on_orphan, ns, None)
        answer = await self._acquire(ask)
        done, value = _once.replayed(answer, decode)
        if done:
            return cast(T, value)
        assert isinstance(answer, Acquired)
        claim = self.hold(key, answer, ns=ns, renew=renew, sent_s=ask.sent_s)
        return await self._run(key, fn, claim, on_error, encode, ns)

    async def _run(self, key: Bytes, fn: Callable[[], Awaitable[T]],
                   claim: _lease.Claim, on_error: str,
                   encode: _once.Encode, ns: Optional[Bytes]) -> T:
        entered = _lease.enter(claim)
        try:
            try:
                made = await fn()
            except BaseException as why:
                await self._failed(key, claim, why, on_error, ns)
                raise
            finally:
                _lease.leave(entered)
            if not claim.is_here:
                raise _once.in_child()
            await self._settled(self._record(key, claim, made, encode, ns))
            return made
        finally:
            self.let_go(claim)

    async def _record(self, key: Bytes, claim: _lease.Claim, made: Any,
                      encode: _once.Encode, ns: Optional[Bytes]) -> None:
        result, unstorable = None, None
        try:
            result = encode(made)
        except Exception as why:
            unstorable = why
        try:
            told = await self.complete(key, claim.token, result, ns=ns)
        except IdemstoreError as why:
            raise _once.unconfirmed(why, made) from why
        _once.recorded(told, made)
        if unstorable is not None:
            raise unstorable

    async def _failed(self, key: Bytes, claim: _lease.Claim,
                      why: BaseException, on_error: str,
                      ns: Optional[Bytes]) -> None:
        if not claim.is_here:
            return
        if isinstance(why, NothingDone):
            on_error = "release"
        elif not isinstance(why, (Exception, asyncio.CancelledError)):
            on_error = "leave"
        elif isinstance(why, asyncio.CancelledError) \
                and on_error == "complete":
            on_error = "leave"  # it was stopped on its way
        try:
            if on_error == "release":
                await self._settled(self.release(key, claim.token, ns=ns))
            elif on_error == "complete":
                await self._settled(self.complete(
                    key, claim.token, _once.describe(why),
                    result_class="error", ns=ns))
        except IdemstoreError:
            pass  # fn's own exception is what is told; the lease ends it
