// SPDX-License-Identifier: Apache-2.0
// The primary of a pair is killed under load, and its replica promoted: what
// was to happen once has happened once.
'use strict';

const assert = require('node:assert/strict');
const net = require('node:net');
const path = require('node:path');
const { test } = require('node:test');
const idemstore = require('../src/index.js');
const { pack } = require('../src/msgpack.js');
const { Daemon } = require('../src/testing.js');
const { Responses } = require('../src/wire.js');
const { freshNs, scratch, until } = require('./helper.js');

/** One call of an operator's. */
function order(port, method) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    const responses = new Responses(1 << 20, (msgid, error, result) => {
      socket.destroy();
      if (error) reject(new Error(error));
      else resolve(result);
    });
    socket.on('error', reject).on('data', (piece) => responses.feed(piece));
    socket.write(pack([0, 1, method, []]));
  });
}

async function pairOf(t) {
  const dir = scratch(t);
  const common = ['--threads', '2', '--peer-insecure', '--peer-state'];
  const a = await Daemon.start({ args: [...common, path.join(dir, 'a'),
    '--replication', 'sync'] });
  t.after(() => a.close());
  const b = await Daemon.start({ args: [...common, path.join(dir, 'b'),
    '--replicate-from', a.address] });
  t.after(() => b.close());
  await until(async () =>
    (await order(a.port, 'replication')).get('in_sync').length === 2,
  'both are in sync');
  const store = new idemstore.Store(`idem://${a.address},${b.address}/` +
    `${freshNs()}?timeout_ms=20000&connect_timeout_ms=500`);
  t.after(() => store.close());
  return { a, b, store };
}

async function promote(b) {
  await until(async () => (await order(b.port, 'promote'))[0] === 'promoted',
    'it is promoted');
}

async function failOver({ a, b }) {
  await a.kill();
  await promote(b);
}

test('double clicks under a failover', async (t) => {
  const pair = await pairOf(t);
  const { store } = pair;
  const runs = new Map(); // key: how often
  const trouble = [];
  let count = 0;
  let isOver = false;
  const worker = async (me) => {
    for (let n = 0; !isOver; n++) {
      const key = `w${me}-${n}`;
      const work = () => {
        runs.set(key, (runs.get(key) ?? 0) + 1);
        return key;
      };
      try {
        const told = await Promise.all([1, 2].map(
          () => store.once(key, { waitMs: 10000 }, work)));
        assert.deepEqual(told, [key, key]);
      } catch (why) {
        trouble.push(why);
      }
      count++;
    }
  };
  const workers = Array.from({ length: 32 }, (_, me) => worker(me));
  await until(() => count > 3000, 'there is load');
  await failOver(pair);
  const at = count;
  await until(() => count > at + 3000, 'it goes on');
  isOver = true;
  await Promise.all(workers);
  assert.deepEqual(trouble, []);
  assert.deepEqual([...runs.values()].filter((n) => n !== 1), []);
  assert.equal(runs.size, count);
  // Also where it said hello before it was promoted.
  await until(() => store.status().primary === pair.b.address,
    'it knows who leads');
  const status = store.status();
  assert.equal(status.primary, pair.b.address);
  // Each of the 64 calls under way was slow once; none was asked for ever.
  assert.ok(status.repeats < 64 * 40, JSON.stringify(status));
});

test('a claim that is held over a failover is completed', async (t) => {
  const pair = await pairOf(t);
  const { store } = pair;
  const work = async () => {
    await failOver(pair);
    return 'done';
  };
  assert.equal(await store.once('k', { leaseMs: 2000 }, work), 'done');
  assert.equal(await store.once('k', () => 'again'), 'done');
  assert.equal((await store.peek('k')).attempt, 1);
});

test('a stopped primary is left for the promoted one', async (t) => {
  const { a, b, store } = await pairOf(t);
  await store.once('before', () => 1);
  a.signal('SIGSTOP');
  await promote(b);
  assert.equal(await store.once('k', () => 2), 2);
  assert.equal(await store.once('before', () => 3), 1);
  assert.equal(store.status().primary, b.address);
});
