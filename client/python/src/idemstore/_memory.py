# SPDX-License-Identifier: Apache-2.0
"""The server's state machine, for tests without a server: the same answers to
the same calls. Pure: time is an argument, milliseconds of any clock. No
thread, no waiting: who waits asks again when something has changed."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from ._answers import (AcquireAnswer, Acquired, CompleteAnswer, Completed,
                       InProgress, Mismatch, NoRecord, Orphaned, Record,
                       Released, ReleaseAnswer, Renewed, RenewAnswer, Replay,
                       Stale)
from ._calls import Ask


class _Row:
    """A record. `since`: when it entered its state."""

    def __init__(self) -> None:
        self.state = "in_progress"
        self.fingerprint: Optional[bytes] = None
        self.nonce: Optional[bytes] = None
        self.token = b""
        self.attempt = 0
        self.previous = "none"
        self.since = 0
        self.lease_end = 0
        self.ttl = 0
        self.ttl_end = 0
        self.result: Optional[bytes] = None
        self.result_class = "success"


class Machine:
    def __init__(self, result_bytes_max: int = 1 << 20) -> None:
        self.result_bytes_max = result_bytes_max
        self._rows: Dict[Tuple[bytes, bytes], _Row] = {}
        self._sequence = 0
        self._queues: Dict[Tuple[bytes, bytes], List[object]] = {}

    def _row(self, ask: Ask, now: int) -> Optional[_Row]:
        at = (ask.ns, ask.key)
        row = self._rows.get(at)
        if row is not None and now >= row.ttl_end:
            del self._rows[at]
            return None
        if row is not None and row.state == "in_progress" \
                and now >= row.lease_end:
            row.state, row.since = "orphaned", row.lease_end
        return row

    @staticmethod
    def _enter(row: _Row, state: str, now: int) -> None:
        row.state = state
        row.since = now
        row.ttl_end = now + row.ttl

    # --------------------------------------------------------------- waiting

    def queue(self, ask: Ask) -> List[object]:
        """Who waits for that key, in order. The first one alone may be
        granted what is released or orphaned."""
        return self._queues.setdefault((ask.ns, ask.key), [])

    def next_change(self, ask: Ask, now: int) -> Optional[int]:
        """When a waiter may be answered though nobody does anything."""
        row = self._row(ask, now)
        if row is None or row.state != "in_progress":
            return None
        return row.lease_end

    # ----------------------------------------------------------------- calls

    def do(self, ask: Ask, now: int, is_first: bool = True) -> Any:
        if ask.method == "acquire":
            return self._acquire(ask, now, is_first)
        if ask.method == "peek":
            return self._peek(ask, now)
        if ask.method == "ping":
            return "pong"
        if ask.method == "stats":
            return {"records": len(self._rows)}
        return self._settle(ask, now)

    def _grant(self, row: _Row, ask: Ask, now: int, previous: str) -> Acquired:
        _, _, fingerprint, nonce, lease_ms, ttl_ms = ask.params
        self._sequence += 1
        row.token = (1).to_bytes(8, "big") + self._sequence.to_bytes(8, "big")
        row.attempt += 1
        row.previous = previous
        row.nonce = nonce
        row.fingerprint = row.fingerprint or fingerprint or None
        row.ttl = ttl_ms
        self._enter(row, "in_progress", now)
        row.lease_end = now + lease_ms
        return Acquired(row.token, row.attempt, previous, lease_ms,
                        nonce or b"")

    def _acquire(self, ask: Ask, now: int, is_first: bool) -> AcquireAnswer:
        _, _, fingerprint, nonce, lease_ms, ttl_ms = ask.params
        row = self._row(ask, now)
        if row is None:
            row = self._rows[(ask.ns, ask.key)] = _Row()
            return self._grant(row, ask, now, "none")
        if fingerprint and row.fingerprint and fingerprint != row.fingerprint:
            return Mismatch(row.state)
        if row.state == "completed":
            return Replay(row.result, row.result_class, now - row.since,
                          row.ttl_end - now)
        held = row.state in ("in_progress", "orphaned")
        if held and nonce is not None and nonce == row.nonce:
            row.ttl = ttl_ms
            self._again(row, lease_ms, now)
            return Acquired(row.token, row.attempt, row.previous, lease_ms,
                            nonce)
        if row.state == "in_progress" or not is_first:
            return InProgress(max(row.lease_end - now, 0), row.attempt,
                              now - row.since)
        if row.state == "orphaned" and ask.on_orphan == "report":
            return Orphaned(now - row.since, row.attempt)
        return self._grant(row, ask, now, row.state)

    def _settle(self, ask: Ask, now: int) -> Any:
        row = self._row(ask, now)
        if row is None:
            return NoRecord()
        token = ask.params[2]
        if ask.method == "complete":
            return self._complete(row, token, ask, now)
        if ask.method == "release":
            return self._release(row, token, ask, now)
        return self._renew(row, token, ask, now)

    def _complete(self, row: _Row, token: bytes, ask: Ask,
                  now: int) -> CompleteAnswer:
        result, ttl_ms, options = (*ask.params[3:], None, None, None)[:3]
        if token != row.token or row.state == "released":
            return Stale(row.state)
        if row.state == "completed":
            return Completed(row.result is not None, row.ttl)
        if result is not None and len(result) > self.result_bytes_max:
            result = None
        row.result = result
        row.result_class = (options or {}).get("class", "success")
        row.ttl = ttl_ms or row.ttl
        self._enter(row, "completed", now)
        return Completed(result is not None, row.ttl)

    def _release(self, row: _Row, token: bytes, ask: Ask,
                 now: int) -> ReleaseAnswer:
        if token != row.token or row.state == "completed":
            return Stale(row.state)
        if row.state == "released":
            return Released()  # its first reply was lost
        if len(ask.params) > 3:
            del self._rows[(ask.ns, ask.key)]
        else:
            self._enter(row, "released", now)
        return Released()

    def _renew(self, row: _Row, token: bytes, ask: Ask,
               now: int) -> RenewAnswer:
        if token != row.token or row.state in ("completed", "released"):
            return Stale(row.state)
        lease_ms = min(ask.params[3], row.ttl)
        self._again(row, lease_ms, now)
        return Renewed(lease_ms)

    def _again(self, row: _Row, lease_ms: int, now: int) -> None:
        """A lease from now on, of the same claim."""
        if row.state == "in_progress":
            row.ttl_end = now + row.ttl
        else:
            self._enter(row, "in_progress", now)
        row.lease_end = now + lease_ms

    def _peek(self, ask: Ask, now: int) -> Record:
        row = self._row(ask, now)
        if row is None:
            return Record("absent")
        done = row.state == "completed"
        return Record(
            row.state, now - row.since, row.attempt,
            row.lease_end - now if row.state == "in_progress" else None,
            row.ttl_end - now,
            len(row.result) if done and row.result is not None else None,
            row.result_class if done else None)
