# SPDX-License-Identifier: Apache-2.0
"""One connection that any number of threads call on. There is no thread
behind it: the callers take two roles in turns. One at a time sends; one reads
and hands each its answer. A thread that is alone pays for one send and one
recv a call."""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
import time
from typing import Any, Dict, Optional

from . import _course, _wire
from ._dial import Dialed
from ._course import Lost
from ._errors import IdemstoreError, fail
from ._selector import Backoff, EndpointSelector, read_hello

# Whoever reads comes back so often, to look whether the server is alive.
LISTEN_S = 0.25
# A server that shuts down answers what it has, within so long.
DRAIN_S = 5.0
_LISTEN = struct.pack("ll", 0, int(LISTEN_S * 1e6))
_CHUNK = 16384
# What recv and send raise when nothing moved for LISTEN_S.
_QUIET = (BlockingIOError, socket.timeout)


class Slot:
    """A call under way."""

    __slots__ = ("done", "lost", "sent", "error", "result", "gate", "change_s",
                 "is_hello")

    def __init__(self) -> None:
        self.done = False
        self.lost: Optional[str] = None
        self.sent = False
        self.error: Optional[str] = None
        self.result: Any = None
        self.gate: Optional[threading.Lock] = None
        self.change_s = 0.0  # when a change was sent that nobody waits for
        self.is_hello = False  # it is a hello, which nobody waits for


class Link:
    def __init__(self, dialed: Dialed, serial: int, selector: EndpointSelector,
                 backoff: Backoff, watch: _course.Watch,
                 connect_s: float) -> None:
        self.hello = dialed.hello
        self.endpoint = dialed.endpoint
        self.serial = serial
        self.broken: Optional[str] = None
        self.draining_s: Optional[float] = None
        self.pending: Dict[int, Slot] = {}
        self.room = threading.Condition(threading.Lock())
        self.waiting = 0  # calls, for room
        self._selector = selector
        self._backoff = backoff
        self._watch = watch
        self._connect_s = connect_s
        self._sock = dialed.sock
        self._sealer = dialed.sealer
        self._lock = threading.Lock()
        self._send_lock = threading.Lock()
        self._reading = False
        self._users = 0
        self._msgid = 0
        self._quiet_s = 0.0
        self._probe: Optional[Slot] = None
        self._probed_s = 0.0
        self._responses = _wire.Responses(
            self.hello.frame_bytes_max + _wire.FRAME_BYTES_MORE)
        self._set_listen()

    def _set_listen(self) -> None:
        """recv and send come back after LISTEN_S: by the kernel, without a
        call of poll each; where sockets are gevent's, by gevent."""
        if type(self._sock).__module__ != "socket":
            self._sock.settimeout(LISTEN_S)
            return
        self._sock.settimeout(None)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _LISTEN)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _LISTEN)

    # ----------------------------------------------------------------- calls

    def is_full(self) -> bool:
        return len(self.pending) >= self.hello.pending_max

    def call(self, course: _course.Course, stop: Any) -> Any:
        """The answer. Raises Lost. stop: a list that is not empty once the
        store is closed."""
        slot = Slot()
        with self._lock:
            if self.broken is not None:
                raise Lost(_course.lost(self.endpoint.name, self.broken),
                           self.serial, False)
            self._msgid = msgid = self._msgid % 0xFFFFFFFF + 1
            self.pending[msgid] = slot
            self._users += 1
        try:
            now_s = time.monotonic()
            data = _wire.request(
                msgid, course.tail(now_s, self.hello.result_bytes_max))
            if course.ask.is_change and not course.ask.wait_ms:
                slot.change_s = now_s
            end_s = course.attempt_end_s()
            self._send(slot, data, end_s)
            if not slot.done:
                self._wait(slot, end_s, stop)
            if not slot.done:
                raise self._unanswered(slot, stop)
            answer = course.answered(self.endpoint.name, self.serial,
                                     slot.error, slot.result)
            if not self.hello.leads and course.ask.is_change:
                self._hello_again(end_s)
            return answer
        finally:
            self._leave(msgid)

    def _leave(self, msgid: int) -> None:
        with self._lock:
            self.pending.pop(msgid, None)
            self._users -= 1
            if not self._reading and self.pending:
                self._wake_next()  # whom it was handed to may be gone
            self._close_if_left()
        if self.waiting:
            with self.room:
                self.room.notify()

    def _unanswered(self, slot: Slot, stop: Any) -> Lost:
        name = self.endpoint.name
        if slot.lost is not None:
            return Lost(_course.lost(name, slot.lost), self.serial, slot.sent)
        if stop:
            error = _course.lost(name, "the store was closed")
            if not slot.sent:
                error = _course.closed()
            return Lost(error, self.serial, slot.sent)
        if not slot.sent:
            return Lost(_course.unsent(name), self.serial, False)
        return Lost(_course.timed_out(name), self.serial, True)

    # --------------------------------------------------------------- sending

    def _send(self, slot: Optional[Slot], data: bytes, end_s: float) -> None:
        with self._send_lock:
            if self.broken is not None:
                return
            if self._sealer is not None:
                with self._lock:
                    data = self._sealer.seal(data)
            if slot is not None:
                slot.sent = True
            try:
                sent = self._sock.send(data)
                if sent < len(data):
                    self._send_rest(memoryview(data)[sent:], end_s)
            except _QUIET:
                self._send_rest(memoryview(data), end_s)
            except OSError as why:
                self.break_off(why.strerror or "it can't be written to")

    def _send_rest(self, data: memoryview, end_s: float) -> None:
        """A server that takes nothing for the time of a call is gone."""
        while data and self.broken is None:
            try:
                data = data[self._sock.send(data):]
            except _QUIET:
                if time.monotonic() >= end_s:
                    self._selector.failed(self.serial)
                    self.break_off("it takes no more bytes")
            except OSError as why:
                self.break_off(why.strerror or "it can't be written to")

    # --------------------------------------------------------------- reading

    def _wait(self, slot: Slot, end_s: float, stop: Any) -> None:
        while True:
            with self._lock:
                if slot.done or slot.lost is not None:
                    return
                is_reader = not self._reading
                if is_reader:
                    self._reading = True
                else:
                    gate = slot.gate = threading.Lock()
                    gate.acquire()
            left_s = end_s - time.monotonic()
            if is_reader:
                try:
                    self._read_for(slot, end_s, stop)
                finally:
                    self._hand_on()
                if not slot.done and slot.lost is None:
                    return  # the deadline, or the store is closed
            elif left_s <= 0 or stop:
                return
            else:
                gate.acquire(timeout=min(left_s, LISTEN_S))

    def _hand_on(self) -> None:
        with self._lock:
            self._reading = False
            self._wake_next()

    def _wake_next(self) -> None:
        """The lock is held. Another one whose answer is not there reads on."""
        for slot in self.pending.values():
            if slot.gate is not None:
                self._open(slot)
                return

    @staticmethod
    def _open(slot: Slot) -> None:
        gate, slot.gate = slot.gate, None
        if gate is not None:
            gate.release()

    def _read_for(self, slot: Slot, end_s: float, stop: Any) -> None:
        while not slot.done and slot.lost is None and not stop:
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return
            try:
                if left_s < LISTEN_S and not self._comes(left_s):
                    continue
                data = self._sock.recv(_CHUNK)
            except _QUIET:
                self._heard_nothing(left_s, end_s)
                continue
            except OSError as why:
                self.break_off(why.strerror or "it can't be read from")
                return
            if not data:
                self.break_off("it closed the connection")
                return
            self._quiet_s = 0.0
            self._hear(data)

    def _comes(self, left_s: float) -> bool:
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(max(left_s * 1000, 1)))

    def _hear(self, data: bytes) -> None:
        try:
            if self._sealer is not None:
                with self._lock:
                    data = self._sealer.open(data)
            self._responses.feed(data)
            for msgid, error, result in self._responses:
                with self._lock:
                    slot = self.pending.get(msgid)
                    if slot is None:
                        continue  # too late for its caller
                    del self.pending[msgid]
                    slot.error, slot.result = error, result
                    slot.done = True
                    self._open(slot)
                # What answers is worth dialling at once when it is lost.
                self._backoff.attempts = 0
                if error is not None:
                    self._heard_error(error)
                elif slot.is_hello:
                    self._hello_came_again(result)
        except (_wire.Broken, ssl.SSLError) as why:
            self.break_off("it sent " + str(why))
        except EOFError:
            self.break_off("it closed the connection")

    def _heard_error(self, error: str) -> None:
        if error.startswith("SHUTTING_DOWN") and self.draining_s is None:
            self.draining_s = time.monotonic() + DRAIN_S

    # ------------------------------------------------------------- promotion

    def _hello_again(self, end_s: float) -> None:
        """It was a replica when it said hello, and takes changes: it was
        promoted. How many shards it has now, and its epoch, is told by another
        hello."""
        slot = Slot()
        slot.is_hello = True
        with self._lock:
            if any(other.is_hello for other in self.pending.values()):
                return
            self._msgid = msgid = self._msgid % 0xFFFFFFFF + 1
            self.pending[msgid] = slot
        tail = _wire.request_tail("hello", ())
        self._send(None, _wire.request(msgid, tail), end_s)

    def _hello_came_again(self, result: Any) -> None:
        hello = read_hello(result)
        if hello is not None:
            self.hello = hello
            self._selector.learn(self.endpoint, self.serial, hello,
                                 time.monotonic())

    # --------------------------------------------------------------- silence

    def _heard_nothing(self, left_s: float, end_s: float) -> None:
        """A server that is gone without a close is told from one that lets a
        call wait by a ping: one that is alive answers it at once."""
        if self._selector.serial != self.serial:
            self.break_off("the store has moved to another server")
            return
        self._quiet_s += LISTEN_S
        probe = self._probe
        if probe is None or probe.done:
            if probe is not None:
                self._note_waiting()
            self._probe = probe = Slot()
            self._probed_s = self._quiet_s
            with self._lock:
                self._msgid = msgid = self._msgid % 0xFFFFFFFF + 1
                self.pending[msgid] = probe
            tail = _wire.request_tail("ping", ())
            self._send(None, _wire.request(msgid, tail), end_s)
        elif self._quiet_s - self._probed_s >= max(
                LISTEN_S, min(left_s / 3, self._connect_s)):
            self._selector.failed(self.serial)
            self.break_off("it has gone silent")

    def _note_waiting(self) -> None:
        """It is alive, and confirms no change."""
        late_s = time.monotonic() - LISTEN_S
        with self._lock:
            if any(0 < s.change_s < late_s for s in self.pending.values()):
                self._watch.changes_wait = True

    # ------------------------------------------------------------ its end

    def break_off(self, why: str) -> None:
        with self._lock:
            if self.broken is not None:
                return
            self.broken = why
            self._watch.losses += 1
            for slot in self.pending.values():
                slot.lost = why
                self._open(slot)
            self.pending.clear()
            try:
                self._sock.shutdown(socket.SHUT_RDWR)  # wakes the reader
            except OSError:
                pass
            self._close_if_left()

    def _close_if_left(self) -> None:
        if self.broken is not None and self._users == 0:
            self._sock.close()

    def forget(self) -> None:
        """In a child of a fork: its descriptor goes, the parent's connection
        stays."""
        self.broken = "the process has forked"
        self._sock.close()


def full(link: Link) -> IdemstoreError:
    return fail("TIMEOUT_UNSENT", "the deadline passed while other calls "
                "filled the connection to %s; nothing was sent"
                % link.endpoint.name, endpoint=link.endpoint.name)
