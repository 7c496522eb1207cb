# SPDX-License-Identifier: Apache-2.0
"""The calls of a blocking store, over one method that asks. The store over
sockets and the one in memory are this."""

from __future__ import annotations

from typing import (Any, Callable, Dict, Iterable, List, NamedTuple, Optional,
                    TypeVar, Union, cast)

from . import _lease, _once, _otel
from ._answers import (AcquireAnswer, Acquired, CompleteAnswer, Record,
                       ReleaseAnswer, RenewAnswer)
from ._calls import LEASE_MS_DEFAULT, Ask, Asks, Bytes
from ._errors import IdemstoreError, NothingDone

T = TypeVar("T")


class NotAll(NamedTuple):
    """acquire_all: this key was not to be had; none is held."""
    key: Bytes
    answer: AcquireAnswer

    @property
    def outcome(self) -> str:
        return "not_all"


class All(NamedTuple):
    """acquire_all: each key with its claim."""
    claims: Dict[Bytes, Acquired]

    @property
    def outcome(self) -> str:
        return "acquired"


def in_order(keys: Iterable[Bytes]) -> List[Bytes]:
    """One order for everybody, so that no two wait for each other; each key
    once."""
    raw = {k.encode("utf-8", "surrogateescape") if isinstance(k, str) else k: k
           for k in keys}
    return [raw[one] for one in sorted(raw)]


class StoreCalls:
    """What a blocking store is asked. All times are milliseconds.

    Raises IdemstoreError for what prevents an answer; its `assume` says
    whether the claim may have changed."""

    def __init__(self, ns: Bytes) -> None:
        self._asks = Asks(ns)
        self._renewer = _lease.Renewer(self._renew_lease)
        self._generation = 0

    def _ask(self, ask: Ask) -> Any:
        raise NotImplementedError

    @property
    def result_bytes_max(self) -> int:
        """What the server keeps of a result, as far as is known."""
        return 1 << 20

    def acquire(self, key: Bytes, *, fingerprint: Optional[bytes] = None,
                nonce: Optional[bytes] = None,
                lease_ms: int = LEASE_MS_DEFAULT,
                ttl_ms: Optional[int] = None, wait_ms: int = 0,
                on_orphan: str = "takeover", ns: Optional[Bytes] = None,
                timeout_ms: Optional[int] = None) -> AcquireAnswer:
        """May I? key: 1 to 512 bytes. fingerprint: what it stands for, at
        most 64 bytes (idemstore.fingerprint makes one). nonce: only to ask
        again what an OutcomeUnknownError left open. lease_ms: for how long
        you may work; ttl_ms: for how long the record is kept (24 h)."""
        ask = self._asks.acquire(key, fingerprint, nonce, lease_ms, ttl_ms,
                                 wait_ms, on_orphan, ns, timeout_ms)
        return self._acquire(ask)

    def _acquire(self, ask: Ask) -> AcquireAnswer:
        try:
            answer = cast(AcquireAnswer, self._ask(ask))
        except IdemstoreError as why:
            _otel.note_error(why.code)
            raise
        _otel.note(answer)
        return answer

    def complete(self, key: Bytes, token: bytes,
                 result: Optional[bytes] = None, *,
                 result_class: str = "success", ttl_ms: Optional[int] = None,
                 ns: Optional[Bytes] = None,
                 timeout_ms: Optional[int] = None) -> CompleteAnswer:
        """It has happened. result: what duplicates get; b"" is a result,
        None is none. One over the server's limit completes, and kept is
        False."""
        return cast(CompleteAnswer, self._ask(self._asks.complete(
            key, token, result, ttl_ms, result_class, ns, timeout_ms)))

    def release(self, key: Bytes, token: bytes, *, unbind: bool = False,
                ns: Optional[Bytes] = None,
                timeout_ms: Optional[int] = None) -> ReleaseAnswer:
        """It failed cleanly, and may be claimed again. unbind: the record and
        its fingerprint are dropped."""
        return cast(ReleaseAnswer, self._ask(self._asks.release(
            key, token, unbind, ns, timeout_ms)))

    def renew(self, key: Bytes, token: bytes,
              lease_ms: int = LEASE_MS_DEFAULT, *,
              ns: Optional[Bytes] = None,
              timeout_ms: Optional[int] = None) -> RenewAnswer:
        return cast(RenewAnswer, self._ask(self._asks.renew(
            key, token, lease_ms, ns, timeout_ms)))

    def peek(self, key: Bytes, *, ns: Optional[Bytes] = None,
             timeout_ms: Optional[int] = None) -> Record:
        return cast(Record, self._ask(self._asks.peek(key, ns, timeout_ms)))

    def ping(self, *, timeout_ms: Optional[int] = None) -> None:
        self._ask(self._asks.bare("ping", timeout_ms))

    def stats(self, *, timeout_ms: Optional[int] = None) -> Dict[str, int]:
        return cast(Dict[str, int],
                    self._ask(self._asks.bare("stats", timeout_ms)))

    # ------------------------------------------------------- all or none

    def acquire_all(self, keys: Iterable[Bytes], *,
                    fingerprint: Optional[bytes] = None,
                    lease_ms: int = LEASE_MS_DEFAULT,
                    ttl_ms: Optional[int] = None, wait_ms: int = 0,
                    ns: Optional[Bytes] = None,
                    timeout_ms: Optional[int] = None) -> Union[All, NotAll]:
        """Each key, in one order, or none: what was claimed before one that
        is not to be had is released."""
        claims: Dict[Bytes, Acquired] = {}
        try:
            for key in in_order(keys):
                answer = self.acquire(
                    key, fingerprint=fingerprint, lease_ms=lease_ms,
                    ttl_ms=ttl_ms, wait_ms=wait_ms, ns=ns,
                    timeout_ms=timeout_ms)
                if not isinstance(answer, Acquired):
                    self._release_each(claims, ns)
                    return NotAll(key, answer)
                claims[key] = answer
        except BaseException:
            self._release_each(claims, ns)
            raise
        return All(claims)

    def _release_each(self, claims: Dict[Bytes, Acquired],
                      ns: Optional[Bytes]) -> None:
        for key, claim in claims.items():
            try:
                self.release(key, claim.token, ns=ns)
            except IdemstoreError:
                pass  # its lease frees it

    # ------------------------------------------------------- under a claim

    def _renew_lease(self, lease: _lease.Lease, within_ms: int) -> None:
        ask = self._asks.renew(lease.key, lease.token, lease.lease_ms,
                               lease.ns, within_ms)
        lease.told(self._ask(ask), ask.sent_s)

    def hold(self, key: Bytes, acquired: Acquired, *,
             ns: Optional[Bytes] = None, renew: bool = True,
             sent_s: Optional[float] = None) -> _lease.Claim:
        """Keeps a claim's lease renewed until let_go. For whoever builds an
        adapter; `once` does it by itself."""
        import time
        born = self._generation
        lease = _lease.Lease(key, ns, acquired,
                             time.monotonic() if sent_s is None else sent_s)
        if renew:
            self._renewer.keep(lease)
        return _lease.Claim(acquired, lease,
                            lambda: self._generation == born)

    def let_go(self, claim: _lease.Claim) -> None:
        """Renews it no more."""
        if claim.is_here:
            self._renewer.end(claim.lease)

    def once(self, key: Bytes, fn: Callable[[], T], *,
             fingerprint: Optional[bytes] = None,
             lease_ms: int = LEASE_MS_DEFAULT, ttl_ms: Optional[int] = None,
             wait_ms: int = 0, on_orphan: str = "takeover",
             on_error: str = "leave", renew: bool = True,
             encode: _once.Encode = _once.encode_json,
             decode: _once.Decode = _once.decode_json,
             ns: Optional[Bytes] = None) -> T:
        """Runs fn() once per key and returns what it returned, then and
        later. What it returns is stored as JSON, unless encode and decode say
        otherwise.

        Where fn raises, the exception goes on, and the claim is, by on_error:
        "leave": left, since what happened is not known: after its lease the
        next one is told previous "orphaned"; "release": given back, it may be
        tried again; "complete": stored, others hear FailedBeforeError. An
        exception NothingDone always releases.

        Raises InProgressError, MismatchError, OrphanedError (on_orphan
        "report"): it was not run. NotRecordedError: it has run, and that is
        not surely recorded; IdemstoreError: it was not run."""
        _once.check_on_error(on_error)
        ask = self._asks.acquire(key, fingerprint, None, lease_ms, ttl_ms,
                                 wait_ms, on_orphan, ns, None)
        answer = self._acquire(ask)
        done, value = _once.replayed(answer, decode)
        if done:
            return cast(T, value)
        assert isinstance(answer, Acquired)
        claim = self.hold(key, answer, ns=ns, renew=renew, sent_s=ask.sent_s)
        return self._run(key, fn, claim, on_error, encode, ns)

    def _run(self, key: Bytes, fn: Callable[[], T], claim: _lease.Claim,
             on_error: str, encode: _once.Encode,
             ns: Optional[Bytes]) -> T:
        entered = _lease.enter(claim)
        try:
            try:
                made = fn()
            except BaseException as why:
                self._failed(key, claim, why, on_error, ns)
                raise
            finally:
                _lease.leave(entered)
            if not claim.is_here:
                raise _once.in_child()
            self._record(key, claim, made, encode, ns)
            return made
        finally:
            self.let_go(claim)

    def _record(self, key: Bytes, claim: _lease.Claim, made: Any,
                encode: _once.Encode, ns: Optional[Bytes]) -> None:
        """What can't be stored completes all the same: it has happened."""
        result, unstorable = None, None
        try:
            result = encode(made)
        except Exception as why:
            unstorable = why
        try:
            told = self.complete(key, claim.token, result, ns=ns)
        except IdemstoreError as why:
            raise _once.unconfirmed(why, made) from why
        _once.recorded(told, made)
        if unstorable is not None:
            raise unstorable

    def _failed(self, key: Bytes, claim: _lease.Claim, why: BaseException,
                on_error: str, ns: Optional[Bytes]) -> None:
        if not claim.is_here:
            return
        if isinstance(why, NothingDone):
            on_error = "release"
        elif not isinstance(why, Exception):
            on_error = "leave"  # it was stopped on its way
        try:
            if on_error == "release":
                self.release(key, claim.token, ns=ns)
            elif on_error == "complete":
                self.complete(key, claim.token, _once.describe(why),
                              result_class="error", ns=ns)
        except IdemstoreError:
            pass  # fn's own exception is what is told; the lease ends it
