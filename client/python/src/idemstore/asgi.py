# SPDX-License-Identifier: Apache-2.0
"""Idempotency-Key for ASGI: Starlette, FastAPI, and what else speaks it.

    app.add_middleware(IdempotencyMiddleware, store=AsyncStore(uri),
                       principal=lambda scope: scope["user"].id)

An answer is captured as it goes by, and stored before its last bytes are
sent: whoever has the answer, finds it replayed. Background tasks run after
that."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import Any, Awaitable, Callable, Dict, List, MutableMapping
from typing import Optional
from urllib.parse import quote

from . import _guard, _lease, http
from ._aapi import AsyncStoreCalls
from ._answers import Acquired, Completed, Replay
from ._errors import IdemstoreError, argument
from ._guard import Capture, Health, Options, Refusal, Request, log

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class IdempotencyMiddleware:
    """options: see idemstore._guard.Options. detached: a client that leaves
    does not stop the handler; its answer is for the retry."""

    def __init__(self, app: App, store: AsyncStoreCalls, *,
                 detached: bool = True, **options: Any) -> None:
        if not isinstance(store, AsyncStoreCalls):
            raise argument("an ASGI application needs an AsyncStore")
        self.app = app
        self.store = store
        self.options = Options(**options)
        self.detached = detached
        self.health = Health()
        self._marked: Any = None

    async def __call__(self, scope: Scope, receive: Receive,
                       send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = [value.decode("latin-1") for name, value in scope["headers"]
                 if name == b"idempotency-key"]
        if not self.options.covers(scope["method"], scope["path"],
                                   bool(given)):
            await self.app(scope, receive, send)
            return
        try:
            await self._covered(scope, receive, send, given)
        except Refusal as refusal:
            await _say(refusal.answer, send)

    async def _covered(self, scope: Scope, receive: Receive, send: Send,
                       given: List[str]) -> None:
        key = _guard.read_key(given)
        headers = {name: value for name, value in scope["headers"]}
        kind = headers.get(b"content-type")
        length = headers.get(b"content-length", b"")
        _guard.check_body(self.options, kind,
                          int(length) if length.isdigit() else None)
        body = await _read(receive, self.options.body_bytes_max)
        if body is None:
            return  # the client is gone, and nothing has begun
        request = Request(scope["method"], _target(scope), kind, key)
        name, mark = _guard.keys_of(self.options, request, scope, body)
        ask = self.options.ask(self.store._asks, name, mark)
        receive = _again(body, receive, self.detached)
        try:
            answer = await self.store._acquire(ask)
        except IdemstoreError as why:
            if not _guard.may_pass(self.options, self.health, why):
                raise Refusal(http.from_error(why)) from None
            await self.app(scope, receive, send)
            return
        if isinstance(answer, Replay):
            raise Refusal(http.replayed(answer.result))
        if not isinstance(answer, Acquired):
            raise Refusal(http.from_answer(answer))
        claim = self.store.hold(name, answer, sent_s=ask.sent_s)
        handled = _Handled(self, name, claim, send)
        self._mark_handlers(scope)
        work = handled.run(_plain(scope), receive)
        if self.detached:
            await asyncio.shield(self.store.spawn(work))
        else:
            await work

    # ------------------------------------------- whether a handler has begun

    def _mark_handlers(self, scope: Scope) -> None:
        """FastAPI calls a handler only once its arguments are bound and
        valid: its routes' functions tell when they begin."""
        app = scope.get("app")
        if app is None or app is self._marked:
            return
        self._marked = app
        _mark_routes(getattr(app, "routes", ()))


def _mark_routes(routes: Any) -> None:
    for route in routes:
        _mark_routes(getattr(route, "routes", None) or ())
        dependant: Any = getattr(route, "dependant", None)
        call = getattr(dependant, "call", None)
        if call is None or hasattr(call, "_idemstore_marks"):
            continue
        try:
            dependant.call = _marking(call)
            route._idemstore_marks = True
        except AttributeError:
            pass  # it can't be told there: whatever is routed has begun


def _marking(call: Callable[..., Any]) -> Callable[..., Any]:
    def begin() -> None:
        claim = _lease.current_claim()
        if claim is not None:
            claim.began = True

    if inspect.iscoroutinefunction(call):
        @functools.wraps(call)
        async def marked_async(*args: Any, **named: Any) -> Any:
            begin()
            return await call(*args, **named)
        made: Any = marked_async
    else:
        @functools.wraps(call)
        def marked(*args: Any, **named: Any) -> Any:
            begin()
            return call(*args, **named)
        made = marked
    made._idemstore_marks = True
    return made  # type: ignore[no-any-return]


class _Handled:
    """One run of a handler under its claim."""

    def __init__(self, middleware: IdempotencyMiddleware, key: str,
                 claim: _lease.Claim, send: Send) -> None:
        self.app = middleware.app
        self.store = middleware.store
        self.key = key
        self.claim = claim
        self.capture = Capture(middleware.options,
                               middleware.store.result_bytes_max)
        self.scope: Scope = {}
        self._send = send
        self._start: Optional[Message] = None
        self._started = False
        self._ended = False
        self._gone = False
        self._left: Optional[int] = None  # of the length that was promised
        self._held: List[Message] = []

    async def run(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        entered = _lease.enter(self.claim)
        try:
            await self.app(scope, receive, self.send)
            if not self._ended:
                raise RuntimeError("the application sent no whole answer")
        except asyncio.CancelledError:
            raise  # it was stopped on its way: the claim is left
        except Exception:
            await self._raised()
            raise
        finally:
            _lease.leave(entered)
            self.store.let_go(self.claim)

    def _routed(self) -> bool:
        """Whether a handler has begun, as far as the framework tells."""
        if self.claim.began:
            return True
        if "app" not in self.scope:
            return True  # no framework that we know
        if "endpoint" not in self.scope:
            return False
        route = self.scope.get("route")
        return not getattr(route, "_idemstore_marks", False)

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self.capture.start(message["status"], [
                (bytes(n), bytes(v)) for n, v in message.get("headers", ())])
            self._start = message
            self._left = _promised(message)
            return
        if kind != "http.response.body" or self._ended:
            await self._pass_on(message)
            return
        self.capture.add(message.get("body", b""))
        if message.get("more_body", False):
            await self._part(message)
            return
        self._ended = True
        trouble = await self.store._settled(self._settle())
        if trouble is not None and not self._started:
            await _say(trouble, self._pass_on)
            return
        await self._begin()
        for part in self._held:
            await self._pass_on(part)
        await self._pass_on(message)

    async def _part(self, message: Message) -> None:
        """A part of which more is to come. Where it makes the promised length
        whole its receiver would not wait for the end: it is kept back."""
        if self._left is not None:
            self._left -= len(message.get("body", b""))
        if self._left is not None and self._left <= 0:
            self._held.append(message)
            return
        await self._begin()
        await self._pass_on(message)

    async def _begin(self) -> None:
        if not self._started and self._start is not None:
            self._started = True
            await self._pass_on(self._start)

    async def _pass_on(self, message: Message) -> None:
        """A client that leaves takes nothing from the handler."""
        if self._gone:
            return
        try:
            await self._send(message)
        except OSError:
            self._gone = True

    async def _raised(self) -> None:
        if self._ended:
            return  # a background task: the answer is stored
        status, headers, body = _guard.failed_answer()
        self.capture = Capture(self.capture._options, self.capture._most)
        self.capture.start(status, headers)
        self.capture.add(body)
        self._ended = True
        await self.store._settled(self._settle())

    async def _settle(self) -> Optional[http.Answer]:
        """What is to be said in the answer's place, or None."""
        fate = self.capture.fate(self.claim, self._routed())
        try:
            if fate == "release":
                await self.store.release(self.key, self.claim.token,
                                         unbind=True)
            elif fate == "store":
                told = await self.store.complete(
                    self.key, self.claim.token, self.capture.packed())
                if not isinstance(told, Completed):
                    log.error("an answer came after its claim was lost: %s",
                              told.outcome)
                    return http.problem("stale")
        except IdemstoreError as why:
            log.error("an answer is not surely recorded: %s", why)
            if fate == "store":
                return http.problem("not_recorded")
        return None


# ------------------------------------------------------------------ messages


def _plain(scope: Scope) -> Scope:
    """Nobody within may encode the answer for this client alone: others get
    it, too. Who compresses answers stands outside."""
    headers = [one for one in scope["headers"]
               if one[0] != b"accept-encoding"]
    scope["headers"] = headers
    return scope


def _promised(start: Message) -> Optional[int]:
    for name, value in start.get("headers", ()):
        if bytes(name).lower() == b"content-length" and value.isdigit():
            return int(value)
    return None


def _target(scope: Scope) -> bytes:
    raw = scope.get("raw_path")
    path = bytes(raw) if raw else quote(
        scope.get("root_path", "") + scope["path"]).encode("ascii")
    path = path.split(b"?", 1)[0]
    query = scope.get("query_string", b"")
    return _guard.origin_form(path + (b"?" + query if query else b""))


async def _read(receive: Receive, most: int) -> Optional[bytes]:
    """The whole body. None: the client left. Raises Refusal."""
    parts: List[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise Refusal(http.problem("too_large"))
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive, detached: bool) -> Receive:
    """What the handler receives: the body, and, unless it is detached, that
    its client leaves."""
    told: List[Dict[str, Any]] = [
        {"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        if told:
            return told.pop()
        if detached:
            await asyncio.Event().wait()
        return await receive()
    return again


async def _say(answer: http.Answer, send: Send) -> None:
    status, headers, body = http.sized(answer)
    await send({"type": "http.response.start", "status": status,
                "headers": headers})
    await send({"type": "http.response.body", "body": body})
