# SPDX-License-Identifier: Apache-2.0
"""What the ASGI and the WSGI middleware have in common: which requests they
cover, under which key, what is said in a handler's place, and what becomes of
its claim. Nothing here waits."""

from __future__ import annotations

import logging
import re
import threading
import time
from typing import Any, Callable, Iterable, List, NamedTuple, Optional, Tuple
from typing import Union

from . import http
from ._calls import LEASE_MS_DEFAULT, Ask, Asks
from ._errors import MAY_PASS, IdemstoreError, argument, fail
from ._lease import Claim

log = logging.getLogger("idemstore")

BODY_BYTES_MAX = 10 << 20

Principal = Union[str, Callable[[Any], Optional[str]]]


class Options:
    """Of a middleware.

    principal         a function of the scope (ASGI) or environ (WSGI) that
                      returns who is authenticated, or the word "none": without
                      it one user's key could find another's answer
    methods           that are covered; GET and HEAD never change anything
    required          False: a request without the header is let through
    applies           a function of (method, path): whether it is covered
    on_error          what an answer of 5xx, and an exception, does to the
                      claim: "complete" (stored: its effect may have
                      happened), "leave", "release"
    on_unavailable    "closed": 503 while the store can't be asked; "open":
                      the handler runs without a claim, and nothing is promised
    keep              further headers to store, by name
    multipart         True: multipart bodies, too, whose boundary makes each
                      request another one unless the client repeats its bytes
    body_bytes_max    of a request: it is read whole before the handler runs
    """

    def __init__(self, *, principal: Principal,
                 methods: Iterable[str] = ("POST", "PATCH"),
                 required: bool = True,
                 applies: Optional[Callable[[str, str], bool]] = None,
                 on_error: str = "complete", on_unavailable: str = "closed",
                 lease_ms: int = LEASE_MS_DEFAULT,
                 ttl_ms: Optional[int] = None, wait_ms: int = 0,
                 on_orphan: str = "takeover", keep: Iterable[str] = (),
                 multipart: bool = False,
                 body_bytes_max: int = BODY_BYTES_MAX) -> None:
        if principal != "none" and not callable(principal):
            raise argument(
                "principal is a function that returns who is authenticated, "
                "or the word \"none\"; without it one user's key could find "
                "another's answer")
        if on_error not in ("complete", "leave", "release"):
            raise argument("on_error is complete, leave or release")
        if on_unavailable not in ("closed", "open"):
            raise argument("on_unavailable is closed or open")
        self.principal = principal
        self.methods = frozenset(one.upper() for one in methods)
        if self.methods & {"GET", "HEAD", "OPTIONS", "TRACE"}:
            raise argument("GET, HEAD, OPTIONS and TRACE change nothing, and "
                           "are not covered")
        self.required = required
        self.applies = applies
        self.on_error = "store" if on_error == "complete" else on_error
        self.is_open = on_unavailable == "open"
        self.keep = tuple(keep)
        self.multipart = multipart
        self.body_bytes_max = body_bytes_max
        self._asked = (lease_ms, ttl_ms, wait_ms, on_orphan)

    def ask(self, asks: Asks, key: str, fingerprint: bytes) -> Ask:
        lease_ms, ttl_ms, wait_ms, on_orphan = self._asked
        return asks.acquire(key, fingerprint, None, lease_ms, ttl_ms, wait_ms,
                            on_orphan, None, None)

    def covers(self, method: str, path: str, has_header: bool) -> bool:
        return method in self.methods and (has_header or self.required) \
            and (self.applies is None or self.applies(method, path))


class Request(NamedTuple):
    """What is compared: as it came over the wire."""
    method: str
    target: bytes
    content_type: Optional[bytes]
    key: str


class Health:
    """What an open middleware has let through. For a service's own health
    page: middleware.health.passed, .last_error."""

    def __init__(self) -> None:
        self.passed = 0
        self.last_error = ""
        self._lock = threading.Lock()
        self._said_s = 0.0
        self._unsaid = 0

    def note_passed(self, code: str) -> None:
        with self._lock:
            self.passed += 1
            self.last_error = code
            self._unsaid += 1
            now_s = time.monotonic()
            if now_s - self._said_s < 1.0:
                return
            count, self._unsaid, self._said_s = self._unsaid, 0, now_s
        log.warning("idemstore can't be asked (%s): %d requests were let "
                    "through without a claim", code, count)


class Refusal(Exception):
    """The handler does not run: this is said in its place."""

    def __init__(self, answer: http.Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def read_key(values: List[str]) -> str:
    """Raises Refusal."""
    try:
        if len(values) > 1:
            raise fail("KEY_MALFORMED")
        return http.key_of(values[0] if values else None)
    except IdemstoreError as why:
        raise Refusal(http.from_error(why)) from None


def check_body(options: Options, content_type: Optional[bytes],
               length: Optional[int]) -> None:
    """Before it is read. Raises Refusal."""
    if length is not None and length > options.body_bytes_max:
        raise Refusal(http.problem("too_large"))
    kind = (content_type or b"").strip(b" \t").lower()
    if kind.startswith(b"multipart/") and not options.multipart:
        raise Refusal(http.problem("multipart"))


def keys_of(options: Options, request: Request, who: Any,
            body: bytes) -> Tuple[str, bytes]:
    """(the key in the store, the fingerprint). who: the scope or environ."""
    principal: Optional[str] = None
    if callable(options.principal):
        principal = options.principal(who)
        if not isinstance(principal, str) or not principal:
            # Nobody is authenticated: the handler will say so, or it serves
            # strangers, who then share nothing with each other.
            raise Refusal(http.problem("no_principal"))
    return (http.store_key(request.key, request.method, request.target,
                           principal),
            http.fingerprint(request.method, request.target,
                             request.content_type, body))


def may_pass(options: Options, health: Health, why: IdemstoreError) -> bool:
    if not options.is_open or why.code not in MAY_PASS:
        return False
    health.note_passed(why.code)
    return True


class Capture:
    """A handler's answer as it goes by."""

    def __init__(self, options: Options, result_bytes_max: int) -> None:
        self.status = 0
        self.headers: http.Headers = []
        self._options = options
        self._most = result_bytes_max
        self._parts: Optional[List[bytes]] = []
        self._size = 0

    def start(self, status: int, headers: http.Headers) -> None:
        self.status = status
        self.headers = headers
        for name, value in headers:
            if name.lower() == b"content-type" \
                    and value.lower().startswith(b"text/event-stream"):
                self._parts = None  # it has no end to wait for

    def add(self, part: bytes) -> None:
        if self._parts is None or not part:
            return
        self._size += len(part)
        if self._size > self._most:
            self._parts = None
        else:
            self._parts.append(part)

    def packed(self) -> bytes:
        body = None if self._parts is None else b"".join(self._parts)
        return http.pack(self.status, self.headers, body,
                         self._options.keep, self._most)

    def fate(self, claim: Claim, routed: bool) -> str:
        """routed: some handler was there to begin."""
        origin = "handler"
        if claim.nothing_done:
            origin = "retryable"
        elif not routed:
            origin = "before"
        return http.fate(self.status, origin, self._options.on_error)


def failed_answer() -> Tuple[int, http.Headers, bytes]:
    """What is stored of an exception: the 500 that a server makes of it."""
    return (500, [(b"content-type", b"text/plain; charset=utf-8")],
            b"Internal Server Error")


_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")


def origin_form(target: bytes) -> bytes:
    """"http://host/pay?x" is /pay?x; what is "" is /."""
    target = target.split(b"#", 1)[0]
    found = _ABSOLUTE.match(target)
    if found:
        target = target[found.end():]
    if not target.startswith(b"/"):
        target = b"/" + target
    return target
