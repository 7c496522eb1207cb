# SPDX-License-Identifier: Apache-2.0
"""A Celery task whose work happens once per key, however often its message is
delivered, sent or retried.

    @idemstore.celery.once_task(app, store, key=lambda order, card: order)
    def charge(order, card): ...

    charge.delay("order-17", card)

The message is acknowledged after the work (acks_late), and given back when the
worker is lost. It is
  done before       acknowledged; the task's result is the stored one
  in progress, or the store can't be asked
                    sent again for after the lease that is left, at most 30 s
  another work under the same key
                    rejected without requeue: to the dead letters
  failed            its claim is released, and it is sent again after a pause
                    that grows; after failures_max attempts it fails

The key comes from the arguments: a producer that sends twice makes another task
id, and it is the same work."""

from __future__ import annotations

import functools
import random
from typing import Any, Callable, Optional

from celery.exceptions import Reject  # type: ignore[import-untyped]

from . import _lease
from ._api import StoreCalls
from ._calls import Bytes
from ._errors import (FailedBeforeError, IdemstoreError, InProgressError,
                      MismatchError, OrphanedError)
from ._once import NotRecordedError

REDELIVER_S_MAX = 30.0


def _pause_s(failures: int) -> float:
    return random.uniform(0.5, 1.0) * min(2.0 ** failures, REDELIVER_S_MAX)


class _Failed(Exception):
    """The function raised, and its claim is released."""

    def __init__(self, why: Exception, attempt: int) -> None:
        super().__init__(attempt)
        self.why = why
        self.attempt = attempt


def once_task(app: Any, store: StoreCalls, key: Callable[..., Bytes], *,
              fingerprint: Optional[Callable[..., Optional[bytes]]] = None,
              failures_max: int = 8, once: Optional[Any] = None,
              **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """key, fingerprint: called with the task's arguments. once: further
    options of store.once (lease_ms, ttl_ms, ns ...). options: of app.task.

    The store may be opened before the pool forks."""
    options = {"acks_late": True, "reject_on_worker_lost": True,
               **options, "bind": True, "max_retries": None}

    def decorate(fn: Callable[..., Any]) -> Any:
        @functools.wraps(fn)
        def run(task: Any, *args: Any, **named: Any) -> Any:
            told = dict(once or {}, on_error="release")
            if fingerprint is not None:
                told["fingerprint"] = fingerprint(*args, **named)
            return _deliver(task, store, key(*args, **named),
                            lambda: _attempt(fn, args, named), told,
                            failures_max)
        # Celery binds by the function's own signature.
        del run.__wrapped__
        return app.task(**options)(run)
    return decorate


def _attempt(fn: Callable[..., Any], args: Any, named: Any) -> Any:
    try:
        return fn(*args, **named)
    except Exception as why:
        claim = _lease.current_claim()
        raise _Failed(why, claim.attempt if claim else 1) from why


def _deliver(task: Any, store: StoreCalls, key: Bytes,
             work: Callable[[], Any], told: Any, failures_max: int) -> Any:
    try:
        return store.once(key, work, **told)
    except _Failed as failed:
        if failed.attempt >= failures_max:
            raise failed.why from None
        raise task.retry(exc=failed.why,
                         countdown=_pause_s(failed.attempt)) from None
    except InProgressError as why:
        left_s = max(why.lease_left_ms / 1000, 0.1)
        raise task.retry(exc=why,
                         countdown=min(left_s, REDELIVER_S_MAX)) from None
    except (MismatchError, FailedBeforeError, OrphanedError) as why:
        raise Reject(str(why), requeue=False) from None
    except NotRecordedError as why:
        # It has happened. Another delivery is told so, or takes it over.
        raise task.retry(exc=why, countdown=_pause_s(4)) from None
    except IdemstoreError as why:
        raise task.retry(exc=why, countdown=_pause_s(2)) from None
