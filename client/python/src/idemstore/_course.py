# SPDX-License-Identifier: Apache-2.0
"""One call with all its attempts: what is done again, where, and until when.
Never sends twice what could count twice: a repeated acquire has its first
nonce, all else a token. No socket; time is an argument."""

from __future__ import annotations

import random
from typing import Any, Optional

from . import _answers, _errors
from ._calls import Ask
from ._errors import IdemstoreError, fail, said
from ._selector import PAUSE_S_FIRST, Backoff, EndpointSelector

# So often does one call go where NOT_PRIMARY sends it. Servers that still
# send it on then don't know: the other endpoints are asked.
HOPS_MAX = 8

CONFIRMING = frozenset(("acquired", "completed", "released", "renewed"))


class Lost(Exception):
    """An attempt that was not answered. sent: it may have taken effect."""

    def __init__(self, error: IdemstoreError, serial: int,
                 sent: bool) -> None:
        super().__init__(error.code)
        self.error = error
        self.serial = serial
        self.sent = sent


class Watch:
    """Whether changes are confirmed; counts for a store's status."""

    def __init__(self) -> None:
        self.changes_wait = False
        self.try_at_s = 0.0
        self.calls = 0
        self.repeats = 0
        self.connects = 0
        self.losses = 0
        self.timeouts = 0
        self.unreplicated = 0
        self.failed_fast = 0

    def may_try(self, now_s: float, every_s: float) -> bool:
        if now_s < self.try_at_s:
            return False
        self.try_at_s = now_s + every_s
        return True


class Course:
    def __init__(self, ask: Ask, selector: EndpointSelector, watch: Watch,
                 now_s: float, timeout_ms: int, fail_fast_ms: int) -> None:
        self.ask = ask
        self.selector = selector
        self.watch = watch
        self.start_s = now_s
        self.sent_s = now_s
        timeout_ms = ask.timeout_ms or timeout_ms
        self.deadline_s = now_s + (timeout_ms + ask.wait_ms) / 1000
        self.fast_s = fail_fast_ms / 1000 if ask.is_change else 0.0
        self.trimmed = False
        self._unsure: Optional[str] = None
        self._hops = 0
        self._unreplicated = 0
        self._denied = False
        self._down: Optional[IdemstoreError] = None
        self._backoff: Optional[Backoff] = None
        watch.calls += 1

    # ------------------------------------------------------ before an attempt

    def may_go(self, now_s: float) -> None:
        """Raises CHANGES_WAIT where a call is not to be tried."""
        if self.fast_s and self.watch.changes_wait \
                and not self.watch.may_try(now_s, self.fast_s):
            self.watch.failed_fast += 1
            raise self._conclude(fail(
                "CHANGES_WAIT", "changes wait for the replica; nothing was "
                "sent. Ask again later, or see idemctl replication"))

    def tail(self, now_s: float, result_bytes_max: int) -> bytes:
        self.sent_s = now_s
        ask = self.ask
        self.trimmed = ask.result_bytes > result_bytes_max
        wait_ms = ask.wait_ms
        if wait_ms:
            gone_ms = int((now_s - self.start_s) * 1000)
            wait_ms = max(wait_ms - gone_ms, 0)
        return ask.tail(wait_ms, result_bytes_max)

    def attempt_end_s(self) -> float:
        """Until when an attempt that was sent now may take."""
        if self.fast_s and not self.ask.wait_ms:
            return min(self.deadline_s, self.sent_s + self.fast_s)
        return self.deadline_s

    # ------------------------------------------------------- after an attempt

    def answered(self, endpoint: str, serial: int, error: Optional[str],
                 result: Any) -> Any:
        """The answer. Raises Lost for an error."""
        if error is not None:
            raise Lost(said(endpoint, error), serial, True)
        try:
            answer = _answers.read(self.ask.method, result)
        except _answers.Garbled:
            raise Lost(fail("GARBLED", "the reply of %s is not an answer to "
                            "the call" % endpoint, endpoint=endpoint),
                       serial, True) from None
        if self.watch.changes_wait and self.ask.is_change \
                and answer.outcome in CONFIRMING:
            self.watch.changes_wait = False
        if type(answer) is _answers.Acquired:
            return answer._replace(nonce=self.ask.nonce or b"")
        if self.trimmed and type(answer) is _answers.Completed:
            return answer._replace(kept=False)
        return answer

    def failed(self, lost: Lost, now_s: float) -> float:
        """How long to pause before the next attempt. Raises what is told."""
        error = lost.error
        again = self._worth_another(lost)
        pause_s = self._pause_s(error, now_s) if again else None
        if pause_s is None:
            raise self._conclude(error)
        self.watch.repeats += 1
        return pause_s

    def _worth_another(self, lost: Lost) -> bool:
        code = lost.error.code
        if code == "LOST":
            if lost.sent and self._unsure is None:
                self._unsure = "LOST"
            return True
        if code == "NOT_PRIMARY":
            self._hops += 1
            named = lost.error.primary
            if self._hops <= HOPS_MAX and named != lost.error.endpoint:
                self.selector.redirect(lost.serial, named)
            else:
                self.selector.failed(lost.serial)
            return True
        if code == "SHUTTING_DOWN":
            self._down = lost.error
            self.selector.failed(lost.serial)
            return True
        if code == "UNREPLICATED":
            return self._not_confirmed(lost)
        if code == "DENIED":
            # The nodes may not have the same credentials yet.
            again = not self._denied and len(self.selector.endpoints) > 1
            self._denied = True
            self.selector.failed(lost.serial)
            return again
        return code == "LIMIT" and lost.error.retry_ms is not None

    def _not_confirmed(self, lost: Lost) -> bool:
        """The primary may be about to confirm, or be cut off and replaced by
        now: it and the others are asked in turns."""
        self._unsure = "UNREPLICATED"
        self.watch.unreplicated += 1
        self.watch.changes_wait = True
        self._unreplicated += 1
        if self._unreplicated % 2 == 0:
            self.selector.failed(lost.serial)
        return not self.fast_s

    def _pause_s(self, error: IdemstoreError,
                 now_s: float) -> Optional[float]:
        """None: the deadline is too near for another attempt."""
        if error.code == "LOST":
            return 0.0  # the connection pauses before the next dial again
        left_s = self.deadline_s - now_s
        if left_s <= 0:
            return None
        if error.retry_ms is not None:
            # Full jitter above what the server asks for.
            pause_s = error.retry_ms / 1000 * (1 + random.random())
            return pause_s if pause_s < left_s else None
        if self._backoff is None:
            self._backoff = Backoff()
        pause_s = self._backoff.pause_s(1)
        self._backoff.attempts += 1
        # An attempt that has no time would only tell that time was over.
        return None if left_s < PAUSE_S_FIRST else min(pause_s, left_s / 2)

    def _conclude(self, error: IdemstoreError) -> IdemstoreError:
        """An attempt that may have taken effect outweighs what a later one
        says."""
        told = error
        if error.code in ("TIMEOUT", "UNREPLICATED") and self.fast_s:
            self.watch.try_at_s = self.sent_s + self.fast_s
        if error.code == "TIMEOUT":
            self.watch.timeouts += 1
        if self._unsure is not None and error.assume != _errors.UNKNOWN:
            told = fail(
                self._unsure, "an attempt of this call may have taken effect "
                "(%s); ask again with the same nonce or token; the last "
                "attempt: %s" % (_errors.CODES[self._unsure][1], error.text),
                endpoint=error.endpoint)
        elif self._down is not None and error.assume == _errors.UNCHANGED:
            told = self._down
        elif error.code == "NOT_PRIMARY":
            told = fail(
                "NOT_PRIMARY", "no server was the primary before the "
                "deadline, and the last one that was asked, %s, names %s; "
                "see idemctl replication"
                % (error.endpoint, error.primary or "none"),
                endpoint=error.endpoint, primary=error.primary)
        told.nonce = self.ask.nonce
        return told

    def conclude(self, error: IdemstoreError) -> IdemstoreError:
        return self._conclude(error)


def timed_out(endpoint: str) -> IdemstoreError:
    return fail("TIMEOUT", "no answer of %s came before the deadline; the "
                "call may have taken effect, ask again with the same nonce "
                "or token" % endpoint, endpoint=endpoint)


def lost(endpoint: str, why: str) -> IdemstoreError:
    return fail("LOST", "the connection to %s was lost before the answer: %s"
                % (endpoint, why), endpoint=endpoint)


def unsent(endpoint: str) -> IdemstoreError:
    return fail("TIMEOUT_UNSENT", "the deadline passed before a connection "
                "to %s was there; nothing was sent" % endpoint,
                endpoint=endpoint)


def closed() -> IdemstoreError:
    return fail("CLOSED", "the store was closed; nothing was sent")
