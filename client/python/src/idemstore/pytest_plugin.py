# SPDX-License-Identifier: Apache-2.0
"""Fixtures for pytest, there once idemstore is installed:

  idemstored         the real daemon, one for the whole session
  idem_store         a Store on it, in a namespace of this test's own
  idem_memory_store  a MemoryStore of this test's own, without a daemon"""

from __future__ import annotations

import uuid
from typing import Iterator

import pytest

from .memory import MemoryStore
from .store import Store
from .testing import Daemon


@pytest.fixture(scope="session")
def idemstored() -> Iterator[Daemon]:
    with Daemon() as daemon:
        yield daemon


@pytest.fixture
def idem_store(idemstored: Daemon) -> Iterator[Store]:
    with Store(idemstored.uri(uuid.uuid4().hex)) as store:
        yield store


@pytest.fixture
def idem_memory_store() -> Iterator[MemoryStore]:
    store = MemoryStore()
    yield store
    store.close()
