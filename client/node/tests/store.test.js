// SPDX-License-Identifier: Apache-2.0
// The store against the daemon.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { before, after, test } = require('node:test');
const { inspect } = require('node:util');
const idemstore = require('../src/index.js');
const { Daemon } = require('../src/testing.js');
const { daemonFor, freshNs, run, scratch, sleep } = require('./helper.js');

const INDEX = require.resolve('../src/index.js');

let daemon, store;
before(async () => {
  daemon = await Daemon.start({ args: ['--threads', '2'] });
  store = new idemstore.Store(daemon.uri(freshNs()));
});
after(async () => {
  await store.close();
  await daemon.close();
});

test('a claim, its completion, its replay', async () => {
  const first = await store.acquire('a', { fingerprint: Buffer.from('f') });
  assert.equal(first.outcome, 'acquired');
  assert.equal(first.token.length, 16);
  assert.deepEqual([first.attempt, first.previous, first.leaseMs],
    [1, 'none', 30000]);
  assert.equal((await store.acquire('a')).outcome, 'in_progress');
  assert.equal((await store.renew('a', first.token)).leaseMs, 30000);
  const done = await store.complete('a', first.token,
    { result: Buffer.from('paid') });
  assert.deepEqual([done.outcome, done.kept], ['completed', true]);
  const again = await store.acquire('a');
  assert.equal(again.outcome, 'replay');
  assert.equal(again.result.toString(), 'paid');
  assert.deepEqual(
    await store.acquire('a', { fingerprint: Buffer.from('g') }),
    { outcome: 'mismatch', state: 'completed' });
  assert.equal((await store.release('a', first.token)).outcome, 'stale');
  assert.deepEqual(await store.release('never', first.token),
    { outcome: 'unknown' });
});

test('peek, ping, stats', async () => {
  assert.deepEqual(await store.peek('p'), { state: 'absent' });
  const { token } = await store.acquire('p');
  const record = await store.peek('p');
  assert.equal(record.state, 'in_progress');
  assert.equal(record.attempt, 1);
  assert.ok(record.leaseLeftMs > 0);
  await store.complete('p', token, { result: Buffer.from('xyz'),
    resultClass: 'error' });
  const done = await store.peek('p');
  assert.deepEqual([done.state, done.resultBytes, done.resultClass],
    ['completed', 3, 'error']);
  await store.ping();
  assert.ok(Object.keys(await store.stats()).length > 5);
});

test('a waiter is told what the holder did', async () => {
  const { token } = await store.acquire('w');
  const waiting = store.acquire('w', { waitMs: 30000 });
  await sleep(20);
  await store.complete('w', token, { result: Buffer.from('x') });
  assert.equal((await waiting).outcome, 'replay');
});

test('every shard is asked, many at a time, each key once', async () => {
  const keys = Array.from({ length: 2000 }, (_, n) => 'many' + n);
  const twice = [...keys, ...keys];
  const told = await Promise.all(twice.map((key) => store.acquire(key)));
  const won = told.filter((one) => one.outcome === 'acquired');
  assert.equal(won.length, 2000);
  assert.equal(new Set(won.map((one) => one.token.toString('hex'))).size, 2000);
  assert.equal(store.status().connections, 2);
});

test('once: one runs, the others get what it returned', async () => {
  let runs = 0;
  const work = async (claim) => {
    runs++;
    assert.equal(idemstore.currentClaim(), claim);
    await sleep(20);
    return { paid: 10 };
  };
  const told = await Promise.all(Array.from({ length: 20 },
    () => store.once('once', { waitMs: 30000 }, work)));
  assert.equal(runs, 1);
  for (const one of told) assert.deepEqual(one, { paid: 10 });
  assert.equal(idemstore.currentClaim(), null);
});

test('once: what is thrown, and what becomes of the claim', async () => {
  const boom = () => { throw new TypeError('no such account'); };
  const ask = (key, onError) => store.once(key, { onError }, boom);
  for (const [onError, state] of [['leave', 'in_progress'],
    ['release', 'released'], ['complete', 'completed']]) {
    await assert.rejects(ask('t' + onError, onError), TypeError);
    assert.equal((await store.peek('t' + onError)).state, state);
  }
  await assert.rejects(ask('tcomplete', 'leave'), (why) =>
    why instanceof idemstore.FailedBeforeError &&
    why.stored === 'TypeError: no such account');
  await assert.rejects(ask('tleave', 'leave'), idemstore.InProgressError);
  await assert.rejects(store.once('nothing', () => {
    throw new idemstore.NothingDone('refused');
  }), idemstore.NothingDone);
  assert.equal((await store.peek('nothing')).state, 'released');
  assert.equal(await store.once('nothing', () => 7), 7);
  await assert.rejects(store.once('tcomplete',
    { fingerprint: Buffer.from('x') }, boom), idemstore.FailedBeforeError);
});

test('once: what it returns', async () => {
  assert.equal(await store.once('u', () => undefined), undefined);
  assert.equal(await store.once('u', () => 1), undefined);
  assert.equal(await store.once('null', () => null), null);
  assert.equal(await store.once('null', () => 1), null);
  const raw = { encode: (value) => value, decode: (stored) => stored };
  assert.deepEqual(await store.once('raw', raw, () => Buffer.from([0, 255])),
    Buffer.from([0, 255]));
  assert.deepEqual(await store.once('raw', raw, () => 1),
    Buffer.from([0, 255]));
  // It has happened, though its value can't be stored: it is completed.
  await assert.rejects(store.once('big', () => 10n), TypeError);
  assert.equal((await store.peek('big')).state, 'completed');
});

test('once: a claim that is lost is told, by an abort and at the end',
  async () => {
    let signal;
    await assert.rejects(store.once('lost', { leaseMs: 300, renew: false },
      async (claim) => {
        ({ signal } = claim);
        while (!claim.lost) await sleep(20);
        await store.acquire('lost', { waitMs: 5000 });
      }), (why) => why instanceof idemstore.NotRecordedError &&
        /taken over/.test(why.message));
    assert.equal(signal.aborted, true);
  });

test('once: a lease is renewed for as long as it takes', async () => {
  await store.once('renewed', { leaseMs: 3000 }, async (claim) => {
    await sleep(4000);
    assert.equal(claim.signal.aborted, claim.lost);
  });
  assert.equal((await store.peek('renewed')).attempt, 1);
});

test('acquireAll: all or none', async () => {
  const held = await store.acquire('all3');
  const told = await store.acquireAll(['all1', 'all3', 'all2']);
  assert.equal(told.outcome, 'not_all');
  assert.equal(told.key, 'all3');
  assert.equal(told.answer.outcome, 'in_progress');
  assert.equal((await store.peek('all1')).state, 'released');
  await store.release('all3', held.token);
  const got = await store.acquireAll(['all1', 'all3', 'all2', 'all1']);
  assert.deepEqual([...got.claims.keys()], ['all1', 'all2', 'all3']);
});

test('a result over the limit completes the key all the same', async () => {
  const { token } = await store.acquire('large');
  const told = await store.complete('large', token,
    { result: Buffer.alloc((1 << 20) + 1) });
  assert.equal(told.kept, false);
  assert.equal((await store.acquire('large')).result, null);
  const largest = await store.acquire('largest');
  await store.complete('largest', largest.token,
    { result: Buffer.alloc(1 << 20, 7) });
  assert.deepEqual((await store.acquire('largest')).result,
    Buffer.alloc(1 << 20, 7));
});

test('illegal arguments are told at once, and never sent', async () => {
  const bad = (call, words) => assert.rejects(call, (why) =>
    why.code === 'ARGUMENT' && why.assume === 'unchanged' &&
    words.test(why.message));
  const { calls } = store.status();
  await bad(store.acquire(''), /key has 1 to 512/);
  await bad(store.acquire('x'.repeat(513)), /key has 1 to 512/);
  await bad(store.acquire('\ud800'), /surrogate/);
  await bad(store.acquire(7), /string or bytes, not of type number/);
  await bad(store.acquire('k', { leaseMs: 0 }), /leaseMs/);
  await bad(store.acquire('k', { leaseMs: 2.5 }), /leaseMs/);
  await bad(store.acquire('k', { ttlMs: 31622400001 }), /ttlMs/);
  await bad(store.acquire('k', { leaseMs: 10, ttlMs: 9 }), /over ttlMs/);
  await bad(store.acquire('k', { lease_ms: 10 }), /no option lease_ms/);
  await bad(store.acquire('k', { onOrphan: 'x' }), /takeover, report/);
  await bad(store.acquire('k', { ns: 'n'.repeat(65) }), /ns has/);
  await bad(store.complete('k', Buffer.alloc(15)), /16 bytes/);
  await bad(store.complete('k', Buffer.alloc(16), { result: 'text' }),
    /Buffer or Uint8Array/);
  await bad(store.once('k', {}, 'no function'), /function/);
  await bad(store.once('k', { onError: 'x' }, () => 1), /onError/);
  assert.equal(store.status().calls, calls);
  assert.equal((await store.acquire('x'.repeat(512))).outcome, 'acquired');
  assert.equal((await store.acquire(Buffer.from([0, 255]))).outcome,
    'acquired');
});

test('a URI that is none', () => {
  const bad = (uri, words) => assert.throws(() => new idemstore.Store(uri),
    (why) => why.code === 'URI' && words.test(why.message) &&
    !/hush/.test(why.message));
  bad('redis://x', /scheme/);
  bad('idem://', /host number 1/);
  bad('idem://a:0', /port/);
  bad('idem://a:70000', /port/);
  bad('idem://user@a', /user name/);
  bad('idem://:hu%sh@a', /secret has a %/);
  bad('idem://:hush/x@a', /secret has a \//);
  bad('idem://a/?timeout=1', /unknown option, timeout/);
  bad('idem://a/?timeout_ms=0', /timeout_ms is a number/);
  bad('idem://::1', /a host is/);
  bad('idem://' + Array(17).fill('a').join(), /more than 16/);
  bad('idem+unix://', /names no socket/);
});

test('a secret is shown, and never told', async (t) => {
  const file = path.join(scratch(t), 'secret');
  fs.writeFileSync(file, 'hush-hush\n', { mode: 0o600 });
  const own = await daemonFor(t, '--secret-file', file);
  const wrong = new idemstore.Store(own.uri().replace('://', '://:wrong@'));
  await assert.rejects(wrong.ping(), (why) => why.code === 'DENIED' &&
    why.assume === 'refused' && !/wrong@|hush/.test(why.stack));
  await wrong.close();
  const right = new idemstore.Store(own.uri(), { secret: 'hush-hush' });
  await right.ping();
  assert.doesNotMatch(inspect(right, { depth: 9 }), /hush/);
  await right.close();
  const read = new idemstore.Store(own.uri('', { secret_file: file }));
  await read.ping();
  await read.close();
});

test('a Unix socket', async (t) => {
  const socket = path.join(scratch(t), 's');
  await daemonFor(t, '--listen', 'unix:' + socket);
  const there = new idemstore.Store('idem+unix://' + socket);
  await there.ping();
  await there.close();
});

test('a process with nothing under way ends, though the store is open',
  async () => {
    const { code, said } = await run([process.execPath, '-e', `
      const { Store } = require(${JSON.stringify(INDEX)});
      const store = new Store(${JSON.stringify(daemon.uri(freshNs()))});
      store.once('k', () => 1).then(console.log);`], { timeoutMs: 60000 });
    assert.deepEqual([code, said], [0, '1\n']);
  });

test('closed', async () => {
  const other = new idemstore.Store(daemon.uri());
  await other.ping();
  const { token } = await store.acquire('held');
  assert.ok(token);
  const waiting = other.acquire('held', { ns: store._uri.ns, waitMs: 30000 });
  await sleep(50);
  await other.close();
  await assert.rejects(waiting, (why) => why.code === 'LOST' &&
    why.assume === 'unknown');
  await assert.rejects(other.ping(), { code: 'CLOSED' });
  await other.close();
});
