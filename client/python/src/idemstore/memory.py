# SPDX-License-Identifier: Apache-2.0
"""Stores in this process's memory, with a server's semantics: for the tests
of whoever uses idemstore. Nothing is shared with another process."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any, Callable, Optional

from ._aapi import AsyncStoreCalls
from ._answers import InProgress
from ._api import StoreCalls
from ._calls import Ask
from ._memory import Machine

# A waiter looks so often, where a clock of the test's own may have moved.
_LOOK_S = 0.02


def _monotonic_ms() -> int:
    return int(time.monotonic() * 1000)


class MemoryStore(StoreCalls):
    """clock_ms: a clock of the test's own, so that it can let a lease end
    without waiting for it."""

    def __init__(self, ns: str = "", *, result_bytes_max: int = 1 << 20,
                 clock_ms: Optional[Callable[[], int]] = None) -> None:
        super().__init__(ns)
        self._machine = Machine(result_bytes_max)
        self._clock_ms = clock_ms or _monotonic_ms
        self._changed = threading.Condition()

    def close(self) -> None:
        self._renewer.close()

    @property
    def result_bytes_max(self) -> int:
        return self._machine.result_bytes_max

    def _ask(self, ask: Ask) -> Any:
        ask.sent_s = time.monotonic()
        with self._changed:
            if ask.wait_ms:
                return self._wait(ask)
            answer = self._machine.do(ask, self._clock_ms(),
                                      not self._machine.queue(ask))
            self._changed.notify_all()
            return answer

    def _wait(self, ask: Ask) -> Any:
        end = self._clock_ms() + ask.wait_ms
        queue = self._machine.queue(ask)
        queue.append(ask)
        try:
            while True:
                now = self._clock_ms()
                answer = self._machine.do(ask, now, queue[0] is ask)
                if not isinstance(answer, InProgress) or now >= end:
                    return answer
                self._changed.wait(_LOOK_S)
        finally:
            queue.remove(ask)
            self._changed.notify_all()


class AsyncMemoryStore(AsyncStoreCalls):
    def __init__(self, ns: str = "", *, result_bytes_max: int = 1 << 20,
                 clock_ms: Optional[Callable[[], int]] = None) -> None:
        super().__init__(ns)
        self._machine = Machine(result_bytes_max)
        self._clock_ms = clock_ms or _monotonic_ms

    async def close(self) -> None:
        for timer in list(self._timers.values()):
            timer.cancel()

    @property
    def result_bytes_max(self) -> int:
        return self._machine.result_bytes_max

    async def _ask(self, ask: Ask) -> Any:
        ask.sent_s = time.monotonic()
        if not ask.wait_ms:
            return self._machine.do(ask, self._clock_ms(),
                                    not self._machine.queue(ask))
        end = self._clock_ms() + ask.wait_ms
        queue = self._machine.queue(ask)
        queue.append(ask)
        try:
            while True:
                now = self._clock_ms()
                answer = self._machine.do(ask, now, queue[0] is ask)
                if not isinstance(answer, InProgress) or now >= end:
                    return answer
                await asyncio.sleep(_LOOK_S)
        finally:
            queue.remove(ask)
