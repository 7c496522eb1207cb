# SPDX-License-Identifier: Apache-2.0
"""idemstore: asks a store before something that must happen once.

    store = idemstore.Store("idem://127.0.0.1:7117/shop")
    receipt = store.once(order_id, lambda: charge(card, 10))

charge runs once per order_id, on whichever machine; everyone else gets what it
returned. AsyncStore is the same for asyncio."""

from __future__ import annotations

from ._answers import (AcquireAnswer, Acquired, CompleteAnswer, Completed,
                       InProgress, Mismatch, NoRecord, Orphaned, Record,
                       ReleaseAnswer, Released, RenewAnswer, Renewed, Replay,
                       Stale)
from ._api import All, NotAll
from ._decorate import fingerprint, once
from ._errors import (FailedBeforeError, IdemstoreError, InProgressError,
                      MismatchError, NothingDone, NotRunError, OrphanedError,
                      OutcomeUnknownError, RefusedError, UnchangedError)
from ._lease import Claim, current_claim
from ._once import NotRecordedError
from ._version import VERSION as __version__
from .aio import AsyncStore
from .store import Status, Store

__all__ = [
    "AcquireAnswer", "Acquired", "All", "AsyncStore", "Claim", "CompleteAnswer",
    "Completed", "FailedBeforeError", "IdemstoreError", "InProgress",
    "InProgressError", "Mismatch", "MismatchError", "NoRecord", "NotAll",
    "NotRecordedError", "NotRunError", "NothingDone", "Orphaned",
    "OrphanedError", "OutcomeUnknownError", "Record", "RefusedError",
    "ReleaseAnswer", "Released", "RenewAnswer", "Renewed", "Replay", "Stale",
    "Status", "Store", "UnchangedError", "__version__", "current_claim",
    "fingerprint", "once",
]
