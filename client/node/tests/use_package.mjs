// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { InProgressError, Store, currentClaim, version }
  from '@idemstore/client';
import { dedupe, ids } from '@idemstore/client/dedupe';
import { idempotency, keepRawBody } from '@idemstore/client/express';
import { idempotency as plugin } from '@idemstore/client/fastify';
import { fingerprint } from '@idemstore/client/http';
import { MemoryStore } from '@idemstore/client/memory';
import { Daemon, findDaemon } from '@idemstore/client/testing';

for (const one of [dedupe, ids.stripe, idempotency, keepRawBody, plugin,
  fingerprint, MemoryStore, findDaemon]) {
  assert.equal(typeof one, 'function');
}
const daemon = await Daemon.start();
const store = new Store(daemon.uri('shop'));
assert.equal(await store.once('k', () => currentClaim().attempt), 1);
await store.acquire('held');
await assert.rejects(store.once('held', () => 1), InProgressError);
await store.close();
await daemon.close();
console.log(`used: @idemstore/client ${version} by import`);
