# SPDX-License-Identifier: Apache-2.0
"""What `once` is made of, apart from waiting: what an answer to its acquire
means, and how what a function returns is stored."""

from __future__ import annotations

import json
from typing import Any, Callable, Optional, Tuple

from ._answers import (AcquireAnswer, Acquired, Completed, InProgress,
                       Mismatch, Orphaned, Replay)
from ._errors import (FailedBeforeError, IdemstoreError, InProgressError,
                      MismatchError, NotRunError, OrphanedError,
                      OutcomeUnknownError, argument, fail)

Encode = Callable[[Any], bytes]
Decode = Callable[[bytes], Any]

ON_ERROR = ("leave", "release", "complete")


def encode_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("utf-8")


def decode_json(stored: bytes) -> Any:
    return json.loads(stored)


def check_on_error(on_error: str) -> None:
    if on_error not in ON_ERROR:
        raise argument("on_error is one of %s" % ", ".join(ON_ERROR))


def replayed(answer: AcquireAnswer, decode: Decode) -> Tuple[bool, Any]:
    """(False, None): the claim is ours. (True, value): it was done before.
    Raises NotRunError."""
    if isinstance(answer, Acquired):
        return False, None
    if isinstance(answer, Replay):
        if answer.result_class == "error":
            raise FailedBeforeError(
                (answer.result or b"").decode("utf-8", "replace"))
        if answer.result is None:
            return True, None
        return True, decode(answer.result)
    raise not_run(answer)


def not_run(answer: AcquireAnswer) -> NotRunError:
    if isinstance(answer, InProgress):
        return InProgressError(answer.lease_left_ms, answer.attempt)
    if isinstance(answer, Mismatch):
        return MismatchError(answer.state)
    assert isinstance(answer, Orphaned)
    return OrphanedError(answer.age_ms, answer.attempt)


def describe(error: BaseException) -> bytes:
    """What is stored of a failure: its type and its text."""
    told = "%s: %s" % (type(error).__name__, error)
    return told[:4096].encode("utf-8", "replace")


class NotRecordedError(OutcomeUnknownError):
    """The function has run, and that is not surely recorded: after the lease
    another asker may be told to go ahead, with previous "orphaned".

    value  what the function returned"""

    def __init__(self, value: Any, text: str,
                 cause: Optional[IdemstoreError] = None) -> None:
        super().__init__("NOT_RECORDED", text)
        self.value = value
        self.cause = cause

    def __reduce__(self) -> Tuple[Any, ...]:
        return (NotRecordedError, (self.value, self.text, self.cause))


def recorded(answer: Any, value: Any) -> None:
    """Raises NotRecordedError where the complete was no complete."""
    if isinstance(answer, Completed):
        return
    raise NotRecordedError(
        value, "the function has run, and its claim was %s by then: another "
        "may have run it, too" % ("taken over or given up"
                                  if answer.outcome == "stale" else "gone"))


def unconfirmed(why: IdemstoreError, value: Any) -> NotRecordedError:
    return NotRecordedError(
        value, "the function has run, and its completion is not confirmed: "
        "%s" % why.text, why)


def in_child() -> IdemstoreError:
    return fail("CLOSED", "the function returned in a child of the process "
                "that holds the claim; the parent settles it")
