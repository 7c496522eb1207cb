// SPDX-License-Identifier: Apache-2.0
// What a user does first, with the package alone.
'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { Store, IdemstoreError, version } = require('@idemstore/client');
const { dedupe } = require('@idemstore/client/dedupe');
const { idempotency } = require('@idemstore/client/express');
const { keyOf } = require('@idemstore/client/http');
const { MemoryStore } = require('@idemstore/client/memory');
const { Daemon } = require('@idemstore/client/testing');
require('@idemstore/client/fastify');

async function main() {
  const here = path.dirname(require.resolve('@idemstore/client/package.json'));
  assert.equal(here, path.join(__dirname, 'node_modules/@idemstore/client'));
  const daemon = await Daemon.start({ args: ['--threads', '2'] });
  const store = new Store(daemon.uri('shop'));
  let runs = 0;
  for (let n = 0; n < 2; n++) {
    assert.equal(await store.once('k', () => {
      runs++;
      return 'paid';
    }), 'paid');
  }
  await Promise.all(Array.from({ length: 300 },
    (_, n) => store.once('k' + n, () => n)));
  assert.equal(runs, 1);
  const memory = new MemoryStore();
  assert.equal(await memory.once('k', () => 1), 1);
  assert.equal(keyOf('"k"'), 'k');
  assert.equal(typeof idempotency({ store, principal: 'none' }), 'function');
  assert.ok(dedupe({ store, id: () => 'x' }).express);
  assert.throws(() => require('@idemstore/client/src/link.js'),
    { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' });
  // Loaded both ways, it is one: the same classes, the same current claim.
  const other = await import('@idemstore/client');
  assert.equal(other.IdemstoreError, IdemstoreError);
  assert.equal(other.Store, Store);
  await store.close();
  await memory.close();
  await daemon.close();
  console.log(`used: @idemstore/client ${version} by require`);
}

main();
