# SPDX-License-Identifier: Apache-2.0
"""What a user does first, with the package alone: no msgpack, no pytest."""

import asyncio
import importlib.metadata
import sys

import idemstore
import idemstore.http
from idemstore.memory import MemoryStore
from idemstore.testing import Daemon

assert "msgpack" not in sys.modules
if "site-packages" in str(idemstore.__file__):
    assert importlib.metadata.version("idemstore") == idemstore.__version__

with Daemon("--threads", "2") as daemon:
    runs = []
    with idemstore.Store(daemon.uri("shop")) as store:
        for _ in range(2):
            assert store.once("k", lambda: runs.append(1) or "paid") == "paid"
        for i in range(300):
            store.once("k%d" % i, lambda: i)

    async def story():
        async with idemstore.AsyncStore(daemon.uri("shop")) as store:
            async def never():
                raise AssertionError
            assert await store.once("k", never) == "paid"
    asyncio.run(story())
assert len(runs) == 1
assert MemoryStore().once("k", lambda: 1) == 1
print("used: idemstore %s without any dependency" % idemstore.__version__)
