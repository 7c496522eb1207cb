# SPDX-License-Identifier: Apache-2.0
"""The Idempotency-Key header, and an HTTP answer that every language can
replay: the same rules, and the same bytes, as in each other package. Held to
proto/vectors."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any, Iterable, List, NamedTuple, Optional, Tuple

from . import _msgpack
from ._answers import (AcquireAnswer, InProgress, Mismatch, Orphaned)
from ._errors import IdemstoreError, argument, fail

KEY_BYTES_MAX = 255
HEADERS_MAX = 64
RESULT_BYTES_MAX = 1 << 20

KEPT = frozenset((b"content-type", b"content-language", b"content-encoding",
                  b"location", b"etag", b"retry-after"))
NEVER_STORED = frozenset((401, 407, 408, 413, 415, 421, 425, 429, 431))

Headers = List[Tuple[bytes, bytes]]

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]{0,8192}")
_QUOTED = re.compile(r'"((?:[!#-\[\]-~]|\\["\\])*)"')
_BARE = re.compile(r"[!#-~]+")


def key_of(value: Optional[str]) -> str:
    """The key in an Idempotency-Key header: a string of RFC 8941 or bare
    characters, 1 to 255. None: the request has none. Raises KEY_MISSING,
    KEY_MALFORMED."""
    if value is None:
        raise fail("KEY_MISSING")
    value = value.strip(" \t")
    quoted = _QUOTED.fullmatch(value)
    if quoted:
        key = re.sub(r"\\(.)", r"\1", quoted.group(1))
    else:
        key = value if _BARE.fullmatch(value) else ""
    if not 1 <= len(key) <= KEY_BYTES_MAX:
        raise fail("KEY_MALFORMED")
    return key


def _digest(*parts: bytes) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


def store_key(key: str, method: str, target: bytes,
              principal: Optional[str]) -> str:
    """The key in the store. target: as it came over the wire; its query does
    not count. principal: who is authenticated; None: the word "none"."""
    if not method or not target:
        raise argument("a request has a method and a target")
    if principal == "":
        raise argument("a principal is not empty; None is for anyone")
    if not _BARE.fullmatch(key.replace('"', "x")) \
            or len(key) > KEY_BYTES_MAX:
        raise argument("the header's key has 1 to 255 visible characters")
    path = target.split(b"?", 1)[0]
    scope = _digest(method.encode("ascii"), path,
                    (principal or "").encode("utf-8"))
    return key + "@" + base64.urlsafe_b64encode(scope)[:22].decode("ascii")


def fingerprint(method: str, target: bytes, content_type: Optional[bytes],
                body: bytes) -> bytes:
    """What the request asks for. body: after transfer coding, before content
    coding."""
    if not method or not target:
        raise argument("a request has a method and a target")
    kind = (content_type or b"").split(b";", 1)[0].strip(b" \t")
    return _digest(method.encode("ascii"), target, _lower(kind), body)


def _lower(text: bytes) -> bytes:
    return text.lower()  # of bytes: ASCII alone


class Answer(NamedTuple):
    """body None: it was not kept."""
    status: int
    headers: Headers
    body: Optional[bytes]


def pack(status: int, headers: Iterable[Tuple[bytes, bytes]],
         body: Optional[bytes], keep: Iterable[str] = (),
         result_bytes_max: int = RESULT_BYTES_MAX) -> bytes:
    """The result to complete with. keep: further names of headers to store.
    Where the whole is longer than result_bytes_max, the body is left out;
    where that does not suffice, the headers too."""
    if not 200 <= status <= 599:
        raise argument("an answer's status is 200 to 599")
    names = KEPT.union(one.lower().encode("ascii") for one in keep)
    kept: List[List[Any]] = []
    for name, value in headers:
        name, value = _lower(name), value.strip(b" \t")
        if name in names and len(kept) < HEADERS_MAX \
                and _TOKEN.fullmatch(name) and _VALUE.fullmatch(value):
            kept.append([name.decode("ascii"), _str_if_ascii(value)])
    for form in ([1, status, kept, body], [1, status, kept, None],
                 [1, status, [], None]):
        packed = _msgpack.packb(form)
        if len(packed) <= result_bytes_max:
            break
    return packed


def _str_if_ascii(value: bytes) -> Any:
    return value.decode("ascii") if value.isascii() else value


def _bytes_of(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return value
    raise ValueError


def _header_of(pair: Any) -> Tuple[bytes, bytes]:
    if not isinstance(pair, list) or len(pair) != 2:
        raise ValueError
    name, value = _bytes_of(pair[0]), _bytes_of(pair[1])
    if not _TOKEN.fullmatch(name) or name != name.lower() \
            or not _VALUE.fullmatch(value):
        raise ValueError
    return name, value


def unpack(result: Optional[bytes]) -> Answer:
    """Reads a result. Raises NOT_HTTP; None is no answer either."""
    try:
        if result is None:
            raise ValueError
        value, end = _msgpack.unpack_front(result, 0, len(result))
        if end != len(result) or not isinstance(value, list) \
                or len(value) != 4 or type(value[0]) is not int \
                or value[0] != 1 or type(value[1]) is not int \
                or not 200 <= value[1] <= 599 \
                or not isinstance(value[2], list) \
                or len(value[2]) > HEADERS_MAX:
            raise ValueError
        headers = [_header_of(one) for one in value[2]]
        body = None if value[3] is None else _bytes_of(value[3])
        return Answer(value[1], headers, body)
    except (ValueError, _msgpack.More):
        raise fail("NOT_HTTP") from None


def fate(status: int, origin: str = "handler",
         on_error: str = "store") -> str:
    """What becomes of the claim: "store", "release" (with unbind) or "leave".
    origin: "handler", "before" (it never began), "retryable" (it says so
    itself), "unsent" or "lost" (a gateway's backend)."""
    if origin not in ("handler", "before", "retryable", "unsent", "lost"):
        raise argument("origin is handler, before, retryable, unsent or lost")
    if origin == "lost":
        return "leave"
    if origin != "handler" or status in NEVER_STORED:
        return "release"
    if 500 <= status <= 599:
        return on_error
    return "store" if 200 <= status <= 499 else "leave"


# ----------------------------------------------------- what the others hear


_TITLES = {400: "Bad Request", 401: "Unauthorized", 409: "Conflict",
           413: "Content Too Large", 415: "Unsupported Media Type",
           422: "Unprocessable Content", 500: "Internal Server Error",
           503: "Service Unavailable"}
_DETAILS = {
    "in_progress": (409, "A request with this Idempotency-Key is being "
                         "processed."),
    "orphaned": (409, "An earlier request with this Idempotency-Key ended in "
                      "an unknown state."),
    "mismatch": (422, "This Idempotency-Key was used with a different "
                      "request."),
    "stale": (500, "Another request took this Idempotency-Key over."),
    "key_missing": (400, "This operation needs an Idempotency-Key header."),
    "key_malformed": (400, "The Idempotency-Key must be a string of 1 to 255 "
                           "visible ASCII characters."),
    "not_recorded": (500, "The request was carried out, but its answer could "
                          "not be stored."),
    "no_principal": (401, "An Idempotency-Key belongs to who is "
                          "authenticated, and nobody is."),
    "too_large": (413, "The request is too large to be compared with a later "
                       "one."),
    "multipart": (415, "A multipart body is another one each time it is sent; "
                       "this service takes none with an Idempotency-Key."),
    "unreadable": (500, "The request's body was read before it could be "
                        "compared; the middleware that reads it must go "
                        "behind idemstore's."),
    "not_http": (500, "The request was carried out, but what was stored is "
                      "no HTTP answer."),
    "unavailable": (503, "Whether this request was seen before can't be told "
                         "now; send it again with the same Idempotency-Key."),
    "error": (500, "The request could not be checked against its "
                   "Idempotency-Key."),
}
_UNAVAILABLE = frozenset((
    "LIMIT", "NO_MEMORY", "NOT_PRIMARY", "UNREPLICATED", "CHANGES_WAIT",
    "SHUTTING_DOWN", "CONNECT", "TIMEOUT_UNSENT", "CLOSED", "TIMEOUT",
    "LOST"))


def problem(what: str, retry_after_s: int = 0) -> Answer:
    """A problem document (RFC 9457)."""
    status, detail = _DETAILS[what]
    body = {"type": "about:blank", "title": _TITLES[status],
            "status": status, "detail": detail, "outcome": what}
    headers = [(b"content-type", b"application/problem+json")]
    if retry_after_s:
        headers.append((b"retry-after", b"%d" % retry_after_s))
    return Answer(status, headers,
                  json.dumps(body, separators=(",", ":")).encode("ascii"))


def _seconds(ms: int) -> int:
    return max(-(-ms // 1000), 1)


def from_answer(answer: AcquireAnswer) -> Answer:
    """What somebody hears who does not get the claim, and no replay."""
    if isinstance(answer, InProgress):
        return problem("in_progress", _seconds(answer.lease_left_ms))
    if isinstance(answer, Mismatch):
        return problem("mismatch")
    assert isinstance(answer, Orphaned)
    return problem("orphaned")


def from_error(error: IdemstoreError) -> Answer:
    if error.code in ("KEY_MISSING", "KEY_MALFORMED", "NOT_RECORDED",
                      "NOT_HTTP"):
        return problem(error.code.lower())
    if error.code in _UNAVAILABLE:
        return problem("unavailable", 1)
    return problem("error")


def replayed(result: Optional[bytes]) -> Answer:
    """A stored answer as it is sent again."""
    try:
        stored = unpack(result)
    except IdemstoreError as why:
        return from_error(why)
    mark = b"true" if stored.body is not None else b"true; body=dropped"
    headers = [*stored.headers, (b"idempotency-replayed", mark)]
    return Answer(stored.status, headers, stored.body or b"")


def sized(answer: Answer) -> Answer:
    """With its Content-Length, where it may have one."""
    if answer.status in (204, 304):
        return Answer(answer.status, answer.headers, b"")
    body = answer.body or b""
    length = (b"content-length", b"%d" % len(body))
    return Answer(answer.status, [*answer.headers, length], body)


