# SPDX-License-Identifier: Apache-2.0
"""A daemon for all tests, found as a user's tests find it: by IDEMSTORED."""

import asyncio
import uuid

import pytest

import idemstore
from idemstore.testing import Daemon

pytest_plugins = ()


@pytest.fixture(scope="session")
def daemon():
    with Daemon("--threads", "2") as one:
        yield one


@pytest.fixture
def ns():
    return uuid.uuid4().hex


@pytest.fixture
def store(daemon, ns):
    with idemstore.Store(daemon.uri(ns)) as one:
        yield one


@pytest.fixture
def run(daemon, ns):
    """run(story): story(store) is a coroutine function, on a loop of its
    own."""
    def go(story, **options):
        async def whole():
            async with idemstore.AsyncStore(
                    daemon.uri(ns, **options)) as one:
                return await story(one)
        return asyncio.run(whole())
    return go
