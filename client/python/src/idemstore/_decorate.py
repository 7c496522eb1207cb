# SPDX-License-Identifier: Apache-2.0
"""@once: a function that runs once per key, on whichever machine."""

from __future__ import annotations

import functools
import hashlib
import inspect
from typing import Any, Callable, Optional, TypeVar, Union, cast

from ._aapi import AsyncStoreCalls
from ._api import StoreCalls
from ._calls import Bytes
from ._errors import argument

F = TypeVar("F", bound=Callable[..., Any])


def fingerprint(*parts: Bytes) -> bytes:
    """32 bytes over the parts, each with its length: what a key stands for.
    The same parts have the same fingerprint in each language."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8") if isinstance(part, str) else bytes(part)
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.digest()


def once(store: Union[StoreCalls, AsyncStoreCalls],
         key: Callable[..., Bytes], *,
         fingerprint: Optional[Callable[..., Optional[bytes]]] = None,
         **options: Any) -> Callable[[F], F]:
    """Decorates a function, or a coroutine function with an AsyncStore.

        @once(store, key=lambda order, **_: "charge-%s" % order.id)
        def charge(order, amount): ...

    key, fingerprint: called with the function's own arguments. options: as of
    store.once (lease_ms, ttl_ms, wait_ms, on_error, ns, ...)."""
    if not callable(key):
        raise argument("key is a function of the decorated one's arguments: "
                       "one key for all calls would run it only once, ever")

    def decorate(fn: F) -> F:
        is_async = inspect.iscoroutinefunction(fn)
        if is_async != isinstance(store, AsyncStoreCalls):
            raise argument("%s is %s: it needs %s" % (
                fn.__qualname__, "async" if is_async else "not async",
                "an AsyncStore" if is_async else "a Store"))

        @functools.wraps(fn)
        def call(*args: Any, **named: Any) -> Any:
            told = dict(options)
            if fingerprint is not None:
                told["fingerprint"] = fingerprint(*args, **named)
            return store.once(key(*args, **named),
                              lambda: fn(*args, **named), **told)

        if not is_async:
            return cast(F, call)

        @functools.wraps(fn)
        async def call_async(*args: Any, **named: Any) -> Any:
            return await call(*args, **named)
        return cast(F, call_async)
    return decorate
