# SPDX-License-Identifier: Apache-2.0
"""What keeps a call from being answered, and what that lets a caller assume.

An outcome is no error: "someone else holds it" is an answer. No error holds a
key, a result or a secret."""

from __future__ import annotations

from typing import Dict, Optional, Tuple, Type

REFUSED = "refused"
UNCHANGED = "unchanged"
UNKNOWN = "unknown"

# code: (what may be assumed, text)
CODES: Dict[str, Tuple[str, str]] = {
    "PROTOCOL": (REFUSED, "the server did not understand the bytes"),
    "UNKNOWN_METHOD": (REFUSED, "the server does not know the method"),
    "BAD_REQUEST": (REFUSED, "the server refused the parameters"),
    "TOO_LARGE": (REFUSED, "a field is over the server's limit"),
    "LIMIT": (REFUSED, "too many waiters, connections or requests"),
    "NO_MEMORY": (REFUSED, "the server's memory limit is reached"),
    "DENIED": (REFUSED, "a secret is needed, or it is wrong"),
    "NOT_PRIMARY": (REFUSED, "the server is not the primary"),
    "UNREPLICATED": (UNKNOWN, "the replica has not confirmed the change"),
    "SHUTTING_DOWN": (REFUSED, "the server is going down"),
    "SERVER": (UNKNOWN, "the server sent an error of a newer version"),
    "ARGUMENT": (UNCHANGED, "an argument is not legal"),
    "URI": (UNCHANGED, "the URI is not legal"),
    "CONNECT": (UNCHANGED, "no endpoint could be reached"),
    "TLS": (UNCHANGED, "no TLS connection could be made"),
    "TIMEOUT_UNSENT": (UNCHANGED, "the deadline passed before sending"),
    "CLOSED": (UNCHANGED, "the store was closed before sending"),
    "CHANGES_WAIT": (UNCHANGED, "changes wait for the replica"),
    "KEY_MISSING": (UNCHANGED, "there is no Idempotency-Key"),
    "KEY_MALFORMED": (UNCHANGED, "the Idempotency-Key is malformed"),
    "NOT_HTTP": (UNCHANGED, "the stored result is no HTTP answer"),
    "TIMEOUT": (UNKNOWN, "no answer came before the deadline"),
    "LOST": (UNKNOWN, "the connection was lost before the answer"),
    "GARBLED": (UNKNOWN, "the reply is not an answer to the call"),
    "NOT_RECORDED": (UNKNOWN, "it was done, but not surely recorded"),
}

WIRE_CODES = frozenset((
    "PROTOCOL", "UNKNOWN_METHOD", "BAD_REQUEST", "TOO_LARGE", "LIMIT",
    "NO_MEMORY", "DENIED", "NOT_PRIMARY", "UNREPLICATED", "SHUTTING_DOWN"))

# A store that can't be reached or does not answer: "on_unavailable = open"
# may let a request through after these, and after no other.
MAY_PASS = frozenset((
    "CONNECT", "TIMEOUT_UNSENT", "CLOSED", "CHANGES_WAIT", "TIMEOUT", "LOST"))


class IdemstoreError(Exception):
    """A call that was not answered.

    code      "TIMEOUT", "DENIED", ...: a key of CODES
    assume    "unchanged": nothing was sent, the claim is as it was;
              "refused": the server said no and changed nothing;
              "unknown": it may have changed; ask again with the same nonce
              (acquire) or token, it takes effect at most once
    endpoint  "127.0.0.1:7117", or "" when none was involved
    primary   NOT_PRIMARY: where the server says that the primary is, or ""
    retry_ms  LIMIT: after how long to ask again, where the server said so
    nonce     acquire: what it was asked with, or None"""

    def __init__(self, code: str, text: str = "", *, endpoint: str = "",
                 primary: str = "", retry_ms: Optional[int] = None) -> None:
        super().__init__(text or CODES[code][1])
        self.code = code
        self.assume = CODES[code][0]
        self.endpoint = endpoint
        self.primary = primary
        self.retry_ms = retry_ms
        self.nonce: Optional[bytes] = None

    @property
    def text(self) -> str:
        return str(self.args[0])

    def __str__(self) -> str:
        return "%s: %s" % (self.code, self.args[0])

    def __reduce__(self) -> Tuple[object, ...]:
        return (_remake, (self.code, self.args[0], self.endpoint,
                          self.primary, self.retry_ms, self.nonce))


class UnchangedError(IdemstoreError):
    """Nothing was sent: the claim is as it was."""


class RefusedError(IdemstoreError):
    """The server refused it and changed nothing."""


class OutcomeUnknownError(IdemstoreError):
    """It may or may not have taken effect."""


_CLASSES: Dict[str, Type[IdemstoreError]] = {
    REFUSED: RefusedError,
    UNCHANGED: UnchangedError,
    UNKNOWN: OutcomeUnknownError,
}


def fail(code: str, text: str = "", *, endpoint: str = "", primary: str = "",
         retry_ms: Optional[int] = None) -> IdemstoreError:
    """The error of that code, of its class."""
    return _CLASSES[CODES[code][0]](code, text, endpoint=endpoint,
                                    primary=primary, retry_ms=retry_ms)


def _remake(code: str, text: str, endpoint: str, primary: str,
            retry_ms: Optional[int],
            nonce: Optional[bytes]) -> IdemstoreError:
    made = fail(code, text, endpoint=endpoint, primary=primary,
                retry_ms=retry_ms)
    made.nonce = nonce
    return made


def argument(text: str) -> IdemstoreError:
    return fail("ARGUMENT", text)


def _retry_ms(words: str) -> Optional[int]:
    """"retry_ms=40" as the second word of a LIMIT."""
    word = words.split(" ", 1)[0]
    if not word.startswith("retry_ms="):
        return None
    digits = word[9:]
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
        return None
    return int(digits)


def _shown(text: str) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in text[:200])


def said(endpoint: str, text: str) -> IdemstoreError:
    """What a server's "CODE text" is."""
    word, _, rest = text.partition(" ")
    code = word if word in WIRE_CODES else "SERVER"
    sentence = "%s answered: %s" % (endpoint, _shown(text))
    if CODES[code][0] == UNKNOWN:
        sentence += ("; the call may have taken effect, ask again with the "
                     "same nonce or token")
    return fail(code, sentence, endpoint=endpoint,
                primary=rest.strip() if code == "NOT_PRIMARY" else "",
                retry_ms=_retry_ms(rest) if code == "LIMIT" else None)


# ------------------------------------------------- what `once` may raise


class NotRunError(Exception):
    """A function under `once` was not run, and there is no result of an
    earlier run to return."""


class InProgressError(NotRunError):
    """Someone else is at it this moment.

    lease_left_ms  until others may take over"""

    def __init__(self, lease_left_ms: int, attempt: int = 0) -> None:
        super().__init__("someone else holds this key, for another %d ms "
                         "unless it is renewed" % lease_left_ms)
        self.lease_left_ms = lease_left_ms
        self.attempt = attempt

    def __reduce__(self) -> Tuple[object, ...]:
        return (InProgressError, (self.lease_left_ms, self.attempt))


class MismatchError(NotRunError):
    """The same key was used for something else."""

    def __init__(self, state: str) -> None:
        super().__init__("this key was used with another fingerprint; its "
                         "record is %s" % state)
        self.state = state

    def __reduce__(self) -> Tuple[object, ...]:
        return (MismatchError, (self.state,))


class OrphanedError(NotRunError):
    """With on_orphan="report": whether it happened is not known."""

    def __init__(self, age_ms: int, attempt: int) -> None:
        super().__init__("the holder's lease ended %d ms ago, and whether its "
                         "work was done is not known" % age_ms)
        self.age_ms = age_ms
        self.attempt = attempt

    def __reduce__(self) -> Tuple[object, ...]:
        return (OrphanedError, (self.age_ms, self.attempt))


class FailedBeforeError(NotRunError):
    """It ran before, and its failure is what was stored.

    stored  what the earlier failure left: "ValueError: no such account" """

    def __init__(self, stored: str) -> None:
        super().__init__("it ran before and failed: %s" % stored)
        self.stored = stored

    def __reduce__(self) -> Tuple[object, ...]:
        return (FailedBeforeError, (self.stored,))


class NothingDone(Exception):
    """For a function under `once` to raise: it failed, and nothing has
    happened. The claim is released, whatever on_error says."""
