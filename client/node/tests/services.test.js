// SPDX-License-Identifier: Apache-2.0
// The example services as they run, clicked twice, by many and at once. And the
// same click at a service in C: one store, whatever it is written in.
'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Daemon } = require('../src/testing.js');
const { BUILD, Service, freshNs, run, scratch } = require('./helper.js');

let daemon;
before(async () => {
  daemon = await Daemon.start({ args: ['--threads', '2'] });
});
after(() => daemon.close());

const SERVICES = {
  'express 5': ['points_express.js', {}],
  'express 4': ['points_express.js', { POINTS_EXPRESS: 'express4' }],
  'fastify': ['points_fastify.js', {}],
  'NestJS over express': ['points_nest.js', {}],
  'NestJS over fastify': ['points_nest.js', { POINTS_PLATFORM: 'fastify' }],
};

const start = (t, name, uri) => Service.start(t,
  [process.execPath, SERVICES[name][0]], uri, SERVICES[name][1]);

describe('the double click', { concurrency: 2 }, () => {
  for (const name of Object.keys(SERVICES)) {
    test(name, async (t) => {
      const uri = daemon.uri(freshNs());
      // Two instances behind a load balancer.
      const [a, b] = [await start(t, name, uri), await start(t, name, uri)];
      const rows = () => a.rows() + b.rows();
      const first = await a.click('double');
      const again = await b.click('double');
      assert.deepEqual([first.status, again.status], [200, 200], a.said);
      assert.deepEqual(again.body, first.body);
      assert.equal(first.headers['idempotency-replayed'], undefined);
      assert.equal(again.headers['idempotency-replayed'], 'true');
      assert.equal(rows(), 1);
      // Many at once, at both: one grant per key.
      const keys = Array.from({ length: 40 }, (_, n) => 'k' + n);
      const told = await Promise.all(keys.flatMap((key) => [a, b, a].map(
        (one) => one.click(key, { rehearse: 'sleep-20' }))));
      for (const { status } of told) assert.ok([200, 409].includes(status));
      assert.equal(rows(), 41);
      const found = await Promise.all(keys.map((key) => b.click(key)));
      assert.equal(new Set(found.map((one) => JSON.parse(one.body).id)).size,
        40);
      assert.equal(rows(), 41);
      // Nothing was done: a retry begins anew. An exception: it does not.
      const failed = await a.click('f', { rehearse: 'fail' });
      assert.match(String(failed.body), /no opponent/, a.said);
      const later = await b.click('f');
      assert.equal(later.status, 200, String(later.body) + a.said + b.said);
      const crashed = await a.click('c', { rehearse: 'crash' });
      assert.equal(crashed.status, 500);
      const after = await b.click('c');
      assert.equal(after.status, 500,
        String(crashed.body) + String(after.body) + a.said + b.said);
      assert.equal(rows(), 43);
      assert.equal((await a.click('double',
        { body: '{"user":"bob","cost":1}' })).status, 422);
      assert.equal((await a.click('')).status, 400);
      // What is refused before the handler never takes its key.
      const bad = await a.click('v', { body: '{"user":' });
      assert.equal(bad.status, 400);
      assert.equal((await a.click('v')).status, 200);
    });
  }
});

test('one click at a service in C and one in Node', async (t) => {
  const uri = daemon.uri(freshNs());
  const inC = await Service.start(t, [
    path.join(BUILD, 'examples/points_service'), '--store', uri, '--ledger',
    path.join(scratch(t), 'c.ledger'), '--rehearse'], uri);
  const inNode = await start(t, 'express 5', uri);
  let [first, again] = [await inC.click('a'), await inNode.click('a')];
  assert.deepEqual([first.status, again.status], [200, 200], inC.said);
  assert.deepEqual(again.body, first.body);
  assert.equal(again.headers['content-type'], first.headers['content-type']);
  assert.equal(again.headers['idempotency-replayed'], 'true');
  assert.equal(inNode.rows(), 0);
  [first, again] = [await inNode.click('b'), await inC.click('b')];
  assert.deepEqual([first.status, again.status], [200, 200]);
  assert.deepEqual(again.body, first.body);
  assert.match(again.headers['idempotency-replayed'], /^true/);
  assert.equal(inNode.rows(), 1);
  // And at the same time.
  const told = await Promise.all([inC, inNode].map(
    (one) => one.click('c', { rehearse: 'sleep-500' })));
  assert.deepEqual(told.map((one) => one.status).sort(), [200, 409]);
});

test('a program in C and a function in Node: one runs', async () => {
  const uri = daemon.uri(freshNs());
  const { Store } = require('../src/index.js');
  const store = new Store(uri);
  const inC = () => run([path.join(BUILD, 'examples/points_minimal'),
    'my-key'], { env: { ...process.env, IDEMSTORE_URL: uri } });
  assert.match((await inC()).said, /working/);
  const text = { decode: (stored) => stored.toString(),
    encode: (value) => Buffer.from(value) };
  assert.equal(await store.once('my-key', text, () => 'never'),
    '10 points taken');
  assert.doesNotMatch((await inC()).said, /working/);
  await store.close();
});
