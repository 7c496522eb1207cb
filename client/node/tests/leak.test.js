// SPDX-License-Identifier: Apache-2.0
// The heap stays as it is, however many calls were made: 200,000 here, and ten
// million in the long tier.
'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');
const { run } = require('./helper.js');

const CALLS = process.env.IDEMSTORE_LONG ? 1e7 : 2e5;
const MORE_BYTES_MAX = 2 << 20;

test(`${CALLS} calls: the heap is flat`, { timeout: 5400000 }, async () => {
  const { code, said } = await run([process.execPath, '--expose-gc',
    path.join(__dirname, 'leak.js'), String(CALLS)], { timeoutMs: 5400000 });
  assert.equal(code, 0, said);
  const steps = said.trim().split('\n').map((line) => JSON.parse(line));
  assert.ok(steps.at(-1).calls >= CALLS * 0.99);
  // The first quarter fills caches and pools.
  const [early, late] = [steps[4], steps.at(-1)];
  assert.ok(late.heap - early.heap < MORE_BYTES_MAX, said);
  assert.ok(late.buffers - early.buffers < MORE_BYTES_MAX, said);
});
