# SPDX-License-Identifier: Apache-2.0
"""What is answered: a type per outcome, and how each is read from the wire.

Later versions of the server only append fields: what follows those that are
known is skipped. All times are milliseconds."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Union


class Acquired(NamedTuple):
    """Yours: go on, then complete or release.

    token     16 bytes; tokens of one key only grow and compare as bytes: store
              it beside your own row
    attempt   1 for the first claim of this key
    previous  how the claim before it ended: "none", "orphaned", "released" """
    token: bytes
    attempt: int
    previous: str
    lease_ms: int
    nonce: bytes = b""

    @property
    def outcome(self) -> str:
        return "acquired"


class Replay(NamedTuple):
    """It was done before. result None: none was kept."""
    result: Optional[bytes]
    result_class: str
    age_ms: int
    ttl_left_ms: int

    @property
    def outcome(self) -> str:
        return "replay"


class InProgress(NamedTuple):
    """Someone else holds it."""
    lease_left_ms: int
    attempt: int
    age_ms: int

    @property
    def outcome(self) -> str:
        return "in_progress"


class Mismatch(NamedTuple):
    """The same key, another fingerprint."""
    state: str

    @property
    def outcome(self) -> str:
        return "mismatch"


class Orphaned(NamedTuple):
    """With on_orphan "report": the holder's lease is over, its end unknown."""
    age_ms: int
    attempt: int

    @property
    def outcome(self) -> str:
        return "orphaned"


class Completed(NamedTuple):
    """kept: whether the result is stored. ttl_ms: which retention holds, 0
    where the server does not say."""
    kept: bool
    ttl_ms: int = 0

    @property
    def outcome(self) -> str:
        return "completed"


class Released(NamedTuple):

    @property
    def outcome(self) -> str:
        return "released"


class Renewed(NamedTuple):
    lease_ms: int

    @property
    def outcome(self) -> str:
        return "renewed"


class Stale(NamedTuple):
    """Another token holds it, or none: nothing changed."""
    state: str

    @property
    def outcome(self) -> str:
        return "stale"


class NoRecord(NamedTuple):
    """There is no such record (any more): nothing changed."""

    @property
    def outcome(self) -> str:
        return "unknown"


class Record(NamedTuple):
    """What peek shows. state: "absent", "in_progress", "orphaned",
    "completed" or "released"; what a state has not is None."""
    state: str
    age_ms: Optional[int] = None
    attempt: Optional[int] = None
    lease_left_ms: Optional[int] = None
    ttl_left_ms: Optional[int] = None
    result_bytes: Optional[int] = None
    result_class: Optional[str] = None

    @property
    def outcome(self) -> str:
        return "record"


AcquireAnswer = Union[Acquired, Replay, InProgress, Mismatch, Orphaned]
CompleteAnswer = Union[Completed, Stale, NoRecord]
ReleaseAnswer = Union[Released, Stale, NoRecord]
RenewAnswer = Union[Renewed, Stale, NoRecord]


class Garbled(Exception):
    """A reply that is no answer to its call."""


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise Garbled
    return value


def _bytes(value: Any) -> bytes:
    if type(value) is bytes:
        return value
    if type(value) is str:
        return value.encode("utf-8", "surrogateescape")
    raise Garbled


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    if type(value) is bytes:
        return value.decode("ascii", "replace")
    raise Garbled


def _token(value: Any) -> bytes:
    token = _bytes(value)
    if len(token) != 16:
        raise Garbled
    return token


_STATES = frozenset(("in_progress", "orphaned", "completed", "released"))


def _state(value: Any) -> str:
    state = _text(value)
    if state not in _STATES:
        raise Garbled  # a newer version's: nobody here knows what it means
    return state


def _acquired(f: List[Any]) -> Acquired:
    return Acquired(_token(f[1]), _number(f[2]), _text(f[3]), _number(f[4]))


def _replay(f: List[Any]) -> Replay:
    result = None if f[1] is None else _bytes(f[1])
    return Replay(result, _text(f[2]), _number(f[3]), _number(f[4]))


def _completed(f: List[Any]) -> Completed:
    if type(f[1]) is not bool:
        raise Garbled
    ttl_ms = _number(f[2]) if len(f) > 2 and f[2] is not None else 0
    return Completed(f[1], ttl_ms)


def _stale(f: List[Any]) -> Stale:
    return Stale(_state(f[1]))


def _no_record(f: List[Any]) -> NoRecord:
    return NoRecord()


_READERS: Dict[str, Dict[str, Callable[[List[Any]], Any]]] = {
    "acquire": {
        "acquired": _acquired,
        "replay": _replay,
        "in_progress": lambda f: InProgress(
            _number(f[1]), _number(f[2]), _number(f[3])),
        "mismatch": lambda f: Mismatch(_state(f[1])),
        "orphaned": lambda f: Orphaned(_number(f[1]), _number(f[2])),
    },
    "complete": {"completed": _completed, "stale": _stale,
                 "unknown": _no_record},
    "release": {"released": lambda f: Released(), "stale": _stale,
                "unknown": _no_record},
    "renew": {"renewed": lambda f: Renewed(_number(f[1])), "stale": _stale,
              "unknown": _no_record},
}


def _read_peek(result: Any) -> Record:
    if _text(result[0]) == "absent":
        return Record("absent")
    state = _state(result[0])
    told = result[1] if len(result) > 1 else None
    if type(told) is not dict:
        raise Garbled
    named = told.get("class")
    return Record(state, told.get("age_ms"), told.get("attempt"),
                  told.get("lease_left_ms"), told.get("ttl_left_ms"),
                  told.get("result_bytes"),
                  None if named is None else _text(named))


def _read_stats(result: Any) -> Dict[str, int]:
    if type(result) is not dict:
        raise Garbled
    made: Dict[str, int] = {}
    for name, value in result.items():
        if type(value) is dict:  # what one map has no room for
            made.update(_read_stats(value))
        else:
            made[_text(name)] = _number(value)
    return made


def read(method: str, result: Any) -> Any:
    """The answer to that method. Raises Garbled."""
    if method == "ping":
        if result not in ("pong", b"pong"):
            raise Garbled
        return "pong"
    if method == "stats":
        return _read_stats(result)
    if type(result) is not list or not result:
        raise Garbled
    if method == "peek":
        return _read_peek(result)
    reader = _READERS[method].get(_text(result[0]))
    if reader is None:
        raise Garbled
    try:
        return reader(result)
    except IndexError:
        raise Garbled from None
