// SPDX-License-Identifier: Apache-2.0
// leak.js CALLS -- makes so many calls of each kind, and tells after each
// twentieth of them how much memory is in use. node --expose-gc.
'use strict';

const { Store } = require('../src/index.js');
const { Daemon } = require('../src/testing.js');

const CALLS = Number(process.argv[2]);
const STEPS = 20;
const UNDER_WAY = 64;

function used() {
  global.gc();
  global.gc();
  const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
  return { heap: heapUsed, buffers: external + arrayBuffers, rss };
}

// Five calls, on keys that come again, so that the daemon's table stays small.
async function round(store, n) {
  const key = `k${n % 2000}-${n}`;
  const first = await store.acquire(key);
  await store.acquire(key).then((told) => told.outcome);
  await store.renew(key, first.token);
  await store.once(`o${n % 1000}`, { ttlMs: 60000, waitMs: 1000 }, () => n);
  await store.release(key, first.token, { unbind: true });
}

async function main() {
  const daemon = await Daemon.start({ args: ['--threads', '2'] });
  const store = new Store(daemon.uri('leak', { timeout_ms: 60000 }));
  let n = 0;
  for (let step = 1; step <= STEPS; step++) {
    const until = Math.floor(CALLS / 5 / STEPS) * step;
    await Promise.all(Array.from({ length: UNDER_WAY }, async () => {
      while (n < until) await round(store, n++);
    }));
    console.log(JSON.stringify({ calls: store.status().calls, ...used() }));
  }
  await store.close();
  await daemon.close();
}

main();
