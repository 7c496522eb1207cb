# SPDX-License-Identifier: Apache-2.0
"""Idempotency-Key for WSGI: Flask, Django, and what else speaks it.

    app.wsgi_app = IdempotencyMiddleware(
        app.wsgi_app, store=Store(uri), principal=user_of_environ)

An answer is captured as it goes by, and stored before its last bytes are
sent. A client that leaves does not stop the handler."""

from __future__ import annotations

import functools
import inspect
import io
from http.client import responses
from typing import (Any, Callable, Dict, Iterable, Iterator, List, Optional,
                    Tuple)
from urllib.parse import quote

from . import _guard, _lease, http
from ._answers import Acquired, Completed, Replay
from ._api import StoreCalls
from ._errors import IdemstoreError, argument
from ._guard import Capture, Health, Options, Refusal, Request, log

Environ = Dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]


_django: List[bool] = []


def django_tells() -> None:
    """This process's Django has idemstore.django's middleware."""
    _django.append(True)


class IdempotencyMiddleware:
    """options: see idemstore._guard.Options."""

    def __init__(self, app: App, store: StoreCalls, **options: Any) -> None:
        if not isinstance(store, StoreCalls):
            raise argument("a WSGI application needs a Store")
        self.app = app
        self.store = store
        self.options = Options(**options)
        self.health = Health()
        self._flask = getattr(app, "__self__", None)
        self._is_django = type(app).__module__.startswith("django.")
        self._marked = False

    def __call__(self, environ: Environ,
                 start_response: StartResponse) -> Iterable[bytes]:
        header = environ.get("HTTP_IDEMPOTENCY_KEY")
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        if not self.options.covers(environ["REQUEST_METHOD"], path,
                                   header is not None):
            return self.app(environ, start_response)
        try:
            return self._covered(environ, start_response, header)
        except Refusal as refusal:
            return _say(refusal.answer, start_response)

    def _covered(self, environ: Environ, start_response: StartResponse,
                 header: Optional[str]) -> Iterable[bytes]:
        key = _guard.read_key([] if header is None else [header])
        kind = environ.get("CONTENT_TYPE") or None
        raw_kind = None if kind is None else kind.encode("latin-1")
        length = _length(environ)
        _guard.check_body(self.options, raw_kind, length)
        body = _read(environ, length, self.options.body_bytes_max)
        request = Request(environ["REQUEST_METHOD"], _target(environ),
                          raw_kind, key)
        name, mark = _guard.keys_of(self.options, request, environ, body)
        ask = self.options.ask(self.store._asks, name, mark)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        try:
            answer = self.store._acquire(ask)
        except IdemstoreError as why:
            if not _guard.may_pass(self.options, self.health, why):
                raise Refusal(http.from_error(why)) from None
            return self.app(environ, start_response)
        if isinstance(answer, Replay):
            raise Refusal(http.replayed(answer.result))
        if not isinstance(answer, Acquired):
            raise Refusal(http.from_answer(answer))
        # Nobody within may encode the answer for this client alone.
        environ.pop("HTTP_ACCEPT_ENCODING", None)
        claim = self.store.hold(name, answer, sent_s=ask.sent_s)
        self._mark_views()
        return _Handled(self, name, claim, start_response).run(environ)

    @property
    def tells_begin(self) -> bool:
        """Whether it is known when a handler begins."""
        return self._marked or (self._is_django and bool(_django))

    def _mark_views(self) -> None:
        """Flask: what stands in front of a view (before_request, a path that
        leads nowhere) answers before a handler has begun."""
        views = getattr(self._flask, "view_functions", None)
        if not isinstance(views, dict):
            return
        self._marked = True
        for name, view in list(views.items()):
            if not hasattr(view, "_idemstore_marks"):
                views[name] = _marking(view)


def _begin() -> None:
    claim = _lease.current_claim()
    if claim is not None:
        claim.began = True


def _marking(view: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(view):
        @functools.wraps(view)
        async def marked_async(*args: Any, **named: Any) -> Any:
            _begin()
            return await view(*args, **named)
        made: Any = marked_async
    else:
        @functools.wraps(view)
        def marked(*args: Any, **named: Any) -> Any:
            _begin()
            return view(*args, **named)
        made = marked
    made._idemstore_marks = True
    return made  # type: ignore[no-any-return]


class _Handled:
    """One run of an application under its claim. What it answers is handed on
    one part late, so that the last one leaves after the answer is stored."""

    def __init__(self, middleware: IdempotencyMiddleware, key: str,
                 claim: _lease.Claim, start_response: StartResponse) -> None:
        self._middleware = middleware
        self._store = middleware.store
        self._key = key
        self._claim = claim
        self._start_response = start_response
        self._capture = Capture(middleware.options,
                                middleware.store.result_bytes_max)
        self._start: Optional[Tuple[str, List[Tuple[str, str]]]] = None
        self._started = False
        self._settled = False
        self._written: List[bytes] = []

    def run(self, environ: Environ) -> Iterable[bytes]:
        try:
            made = self._entered(lambda: self._middleware.app(
                environ, self._start_inner))
        except Exception:
            self._raised()
            raise
        except BaseException:
            self._store.let_go(self._claim)
            raise
        return _Body(self, made)

    def _entered(self, work: Callable[[], Any]) -> Any:
        entered = _lease.enter(self._claim)
        try:
            return work()
        finally:
            _lease.leave(entered)

    # ------------------------------------------- what the application does

    def _start_inner(self, status: str, headers: List[Tuple[str, str]],
                     exc_info: Any = None) -> Callable[[bytes], None]:
        if exc_info and self._started:
            try:
                raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        self._start = (status, headers)
        self._capture.start(int(status.split(" ", 1)[0]), [
            (n.encode("latin-1"), v.encode("latin-1")) for n, v in headers])
        return self._written.append

    def parts(self, made: Iterable[bytes]) -> Iterator[bytes]:
        """All but empty ones, each captured."""
        it = iter(made)
        while True:
            try:
                part = self._entered(lambda: next(it))
            except StopIteration:
                part = None
            while self._written:
                written = self._written.pop(0)
                self._capture.add(written)
                yield written
            if part is None:
                return
            if part:
                self._capture.add(part)
                yield part

    # ------------------------------------------------------------- its answer

    def start(self) -> None:
        if not self._started and self._start is not None:
            self._started = True
            self._start_response(*self._start)

    def _routed(self) -> bool:
        return self._claim.began or not self._middleware.tells_begin

    def raised(self) -> None:
        self._raised()

    def _raised(self) -> None:
        """The 500 that its server makes of an exception."""
        status, headers, body = _guard.failed_answer()
        self._capture = Capture(self._middleware.options,
                                self._store.result_bytes_max)
        self._capture.start(status, headers)
        self._capture.add(body)
        self.settle()

    def settle(self) -> Optional[http.Answer]:
        """What is to be said in the answer's place, or None. Once."""
        if self._settled:
            return None
        self._settled = True
        try:
            return self._settle()
        finally:
            self._store.let_go(self._claim)

    def _settle(self) -> Optional[http.Answer]:
        fate = self._capture.fate(self._claim, self._routed())
        try:
            if fate == "release":
                self._store.release(self._key, self._claim.token, unbind=True)
            elif fate == "store":
                told = self._store.complete(
                    self._key, self._claim.token, self._capture.packed())
                if not isinstance(told, Completed):
                    log.error("an answer came after its claim was lost: %s",
                              told.outcome)
                    return http.problem("stale")
        except IdemstoreError as why:
            log.error("an answer is not surely recorded: %s", why)
            if fate == "store":
                return http.problem("not_recorded")
        return None

    def in_its_place(self, trouble: http.Answer) -> List[bytes]:
        return list(_say(trouble, self._start_response))

    @property
    def started(self) -> bool:
        return self._started


class _Body:
    """What the server iterates, and closes, perhaps before its end."""

    def __init__(self, handled: _Handled, made: Iterable[bytes]) -> None:
        self._handled = handled
        self._made = made
        self._parts = handled.parts(made)
        self._iterator = self._run()

    def __iter__(self) -> Iterator[bytes]:
        return self._iterator

    def _run(self) -> Iterator[bytes]:
        last: Optional[bytes] = None
        try:
            for part in self._parts:
                if last is not None:
                    self._handled.start()
                    yield last
                last = part
        except Exception:
            self._handled.raised()
            raise
        trouble = self._handled.settle()
        if trouble is not None and not self._handled.started:
            yield from self._handled.in_its_place(trouble)
            return
        self._handled.start()
        yield last or b""

    def close(self) -> None:
        """The client may have left: the handler goes on to its end."""
        try:
            self._iterator.close()  # type: ignore[attr-defined]
            for _ in self._parts:
                pass
            self._handled.settle()
        except Exception:
            self._handled.raised()
            raise
        finally:
            close = getattr(self._made, "close", None)
            if close is not None:
                close()


# ------------------------------------------------------------------ requests


def _length(environ: Environ) -> Optional[int]:
    text = environ.get("CONTENT_LENGTH") or ""
    return int(text) if text.isdigit() else None


def _read(environ: Environ, length: Optional[int], most: int) -> bytes:
    """The whole body, after transfer coding. Raises Refusal."""
    source = environ["wsgi.input"]
    if length is None:
        chunked = environ.get("HTTP_TRANSFER_ENCODING", "").lower()
        if not environ.get("wsgi.input_terminated") and "chunked" not in \
                chunked:
            return b""
        body = source.read(most + 1)
    else:
        body = source.read(length)
        if len(body) < length:
            log.error("a request's body was read before idemstore's "
                      "middleware saw it: it must stand in front")
            raise Refusal(http.problem("unreadable"))
    if len(body) > most:
        raise Refusal(http.problem("too_large"))
    return bytes(body)


def _target(environ: Environ) -> bytes:
    """As it came, where the server tells (gunicorn, uWSGI, werkzeug)."""
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if raw:
        return _guard.origin_form(raw.encode("latin-1"))
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    made = quote(path.encode("latin-1"), safe="/!$&'()*+,;=:@~-._")
    query = environ.get("QUERY_STRING", "")
    return _guard.origin_form(
        (made + ("?" + query if query else "")).encode("latin-1"))


def _say(answer: http.Answer,
         start_response: StartResponse) -> Iterable[bytes]:
    status, headers, body = http.sized(answer)
    phrase = responses.get(status, "Answered Before")
    start_response("%d %s" % (status, phrase), [
        (n.decode("latin-1"), v.decode("latin-1")) for n, v in headers])
    return [body or b""]
