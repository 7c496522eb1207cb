// SPDX-License-Identifier: Apache-2.0
// Webhooks and messages, delivered more than once. Kafka, SQS and the senders
// of webhooks are doubles in this process; BullMQ runs against a real Redis
// where there is one.
'use strict';

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const { test } = require('node:test');
const express = require('express');
const fastify = require('fastify');
const idemstore = require('../src/index.js');
const { Redeliver, dedupe, ids } = require('../src/dedupe.js');
const { MemoryStore } = require('../src/memory.js');
const { ask, scratch, serve, sleep, until } = require('./helper.js');

const QUIET = { warn() {}, error() {} };
const sha256 = (text) => createHash('sha256').update(text).digest();

function memory(t) {
  const store = new MemoryStore();
  t.after(() => store.close());
  return store;
}

// ------------------------------------------------------------------ webhooks

async function hook(t, store, id, handler) {
  const made = { runs: 0 };
  const app = express();
  const once = dedupe({ store, id, log: QUIET });
  app.post('/', express.raw({ type: '*/*' }), once.express,
    (req, res, next) => {
      made.runs++;
      Promise.resolve(handler(req, res, made.runs)).catch(next);
    });
  app.use((why, req, res, next) => {
    if (res.headersSent) next(why);
    else res.sendStatus(500);
  });
  const port = await serve(t, app);
  made.stripe = (event) => ask(port, { body: JSON.stringify(event) });
  made.github = (delivery) => ask(port, { body: '{"zen":"x"}',
    headers: delivery ? { 'x-github-delivery': delivery } : {} });
  return made;
}

test("Stripe's event is handled once, whatever else its body says",
  async (t) => {
    const made = await hook(t, memory(t), ids.stripe, (req, res) => {
      res.json({ attempt: idemstore.currentClaim().attempt });
    });
    const first = await made.stripe({ id: 'evt_1', pending_webhooks: 2 });
    const again = await made.stripe({ id: 'evt_1', pending_webhooks: 1 });
    assert.deepEqual([first.status, again.status, made.runs], [200, 200, 1]);
    assert.deepEqual(again.body, first.body);
    assert.equal(again.headers['idempotency-replayed'], 'true');
    await made.stripe({ id: 'evt_2' });
    assert.equal(made.runs, 2);
    for (const none of [{}, { id: 7 }, { id: '' }, null]) {
      const got = await made.stripe(none);
      assert.equal(got.status, 400);
      assert.equal(JSON.parse(got.body).outcome, 'no_id');
    }
    assert.equal(made.runs, 2);
  });

test("GitHub's delivery: what fails is sent again, and handled then",
  async (t) => {
    const made = await hook(t, memory(t), ids.github, (req, res, run) => {
      if (run === 1) throw new Error('the database is away');
      if (run === 2) return res.sendStatus(503);
      return res.sendStatus(202);
    });
    const told = [];
    for (let n = 0; n < 4; n++) told.push((await made.github('d1')).status);
    assert.deepEqual([told, made.runs], [[500, 503, 202, 202], 3]);
    assert.equal((await made.github()).status, 400);
  });

test('two deliveries at once: one is handled, the other told to come again',
  async (t) => {
    let go;
    const gone = new Promise((resolve) => { go = resolve; });
    const made = await hook(t, memory(t), ids.github, async (req, res) => {
      await gone;
      res.sendStatus(200);
    });
    const first = made.github('d1');
    await until(() => made.runs === 1, 'it runs');
    const second = await made.github('d1');
    assert.equal(second.status, 409);
    assert.ok(Number(second.headers['retry-after']) <= 30);
    go();
    assert.equal((await first).status, 200);
  });

test('the store is away: it is to be sent again', async (t) => {
  const store = new idemstore.Store('idem://127.0.0.1:9?timeout_ms=200');
  t.after(() => store.close());
  const made = await hook(t, store, ids.github, () => {});
  assert.deepEqual([(await made.github('d')).status, made.runs], [503, 0]);
});

test('fastify, as a preHandler', async (t) => {
  const app = fastify();
  const once = dedupe({ store: memory(t), id: ids.stripe, log: QUIET });
  let runs = 0;
  app.post('/', { preHandler: once.fastify }, async () => ({ runs: ++runs }));
  await app.listen({ port: 0, host: '127.0.0.1' });
  t.after(() => app.close());
  const { port } = app.server.address();
  const send = (id) => ask(port, { body: JSON.stringify({ id }) });
  assert.equal(String((await send('evt_1')).body), '{"runs":1}');
  assert.equal(String((await send('evt_1')).body), '{"runs":1}');
  assert.equal(String((await send('evt_2')).body), '{"runs":2}');
  assert.equal((await send(undefined)).status, 400);
});

// --------------------------------------------------------------------- Kafka

/** A partition as KafkaJS plays it: what throws is fetched again, once the
 *  partition is no longer paused. */
async function consume(messages, eachMessage) {
  let isPaused = false;
  const rounds = [];
  for (let offset = 0; offset < messages.length;) {
    await until(() => !isPaused, 'it is resumed');
    try {
      await eachMessage({ topic: 'orders', partition: 0,
        message: { offset: String(offset), ...messages[offset] },
        heartbeat: async () => {}, pause: () => {
          isPaused = true;
          return () => { isPaused = false; };
        } });
      rounds.push(offset);
      offset++;
    } catch (why) {
      rounds.push(why);
    }
  }
  return rounds;
}

test('Kafka: a producer that sends twice gets another offset, and one run',
  async (t) => {
    const runs = [];
    const dead = [];
    const once = dedupe({ store: memory(t), log: QUIET,
      id: ({ message }) => message.headers.id,
      fingerprint: ({ message }) => sha256(message.value),
      deadLetter: (payload, why) =>
        dead.push([payload.message.offset, why.name]) });
    const message = (id, value) => ({ headers: { id }, value });
    const rounds = await consume([message('a', '1'), message('a', '1'),
      message('b', '2'), message('a', 'other'), message(undefined, '3'),
      message('c', 'fails twice')], once.kafka(async ({ message: one }) => {
      runs.push(one.headers.id);
      if (one.headers.id === 'c' && runs.length < 5) throw new Error('x');
    }));
    assert.deepEqual(runs, ['a', 'b', 'c', 'c', 'c']);
    assert.deepEqual(rounds.map((one) => one.message ?? one),
      [0, 1, 2, 3, 4, 'x', 'x', 5]);
    assert.deepEqual(dead, [['3', 'MismatchError'], ['4', 'IdemstoreError']]);
  });

test('Kafka: in progress elsewhere: its partition rests, and it comes again',
  async (t) => {
    const store = memory(t);
    const held = await store.acquire('a', { leaseMs: 3000 });
    const once = dedupe({ store, id: () => 'a', log: QUIET });
    let runs = 0;
    setTimeout(() => store.complete('a', held.token), 100);
    const rounds = await consume([{}], once.kafka(() => { runs++; }));
    assert.ok(rounds[0] instanceof Redeliver);
    assert.ok(rounds[0].afterMs >= 100 && rounds[0].afterMs <= 3000);
    assert.deepEqual([rounds.at(-1), runs], [0, 0]);
  });

// ----------------------------------------------------------------------- SQS

function records(...ids) {
  return { Records: ids.map(([id, group], n) => ({ messageId: 'm' + n,
    body: id, receiptHandle: 'r' + n,
    attributes: group ? { MessageGroupId: group } : {} })) };
}

test('SQS: what is done is deleted, what is not is seen again', async (t) => {
  const store = memory(t);
  await store.acquire('held', { leaseMs: 120000 });
  const seen = [];
  const once = dedupe({ store, id: (record) => record.body, log: QUIET,
    changeVisibility: (record, seconds) =>
      seen.push([record.messageId, seconds]) });
  const runs = [];
  const handle = once.sqs(async (record, claim) => {
    runs.push(record.body);
    if (record.body === 'fails' && claim.attempt === 1) throw new Error('x');
  });
  const first = await handle(records(['a'], ['fails'], ['a'], ['held']));
  const failed = first.batchItemFailures.map((one) => one.itemIdentifier);
  // Two at once of one id: one runs, the other is done by its next delivery.
  assert.deepEqual(failed.filter((one) => one !== 'm2'), ['m1', 'm3']);
  assert.deepEqual(seen.filter(([id]) => id === 'm3'), [['m3', 30]]);
  const later = await handle(records(['a'], ['fails']));
  assert.deepEqual(later, { batchItemFailures: [] });
  assert.deepEqual(runs.sort(), ['a', 'fails', 'fails']);
});

test('SQS: a group keeps its order', async (t) => {
  const once = dedupe({ store: memory(t), id: (record) => record.body,
    log: QUIET });
  const runs = [];
  const handle = once.sqs(async (record) => {
    runs.push(record.body);
    if (record.body === '1b') throw new Error('x');
  });
  const told = await handle(records(['1a', 'g1'], ['2a', 'g2'], ['1b', 'g1'],
    ['1c', 'g1'], ['2b', 'g2']));
  assert.deepEqual(told.batchItemFailures.map((one) => one.itemIdentifier),
    ['m2', 'm3']);
  assert.deepEqual(runs.sort(), ['1a', '1b', '2a', '2b']);
});

// -------------------------------------------------------------------- BullMQ

/** {connection, end}: what uses it is closed first. */
async function redis(t) {
  const dir = scratch(t);
  const child = spawn('redis-server', ['--port', '0', '--unixsocket',
    dir + '/redis', '--save', '', '--dir', dir], { stdio: 'ignore' });
  const end = async () => {
    child.kill('SIGKILL');
    await until(() => child.exitCode !== null || child.signalCode !== null,
      'redis has ended');
  };
  process.once('exit', () => child.kill('SIGKILL'));
  await until(() => fs.existsSync(dir + '/redis'), 'redis listens');
  return { end, connection: { path: dir + '/redis',
    maxRetriesPerRequest: null } };
}

const hasRedis = spawnSync('redis-server', ['--version']).status === 0;

test('BullMQ: a job that is added twice, retried, or under way elsewhere',
  { skip: !hasRedis && 'there is no redis-server' }, async (t) => {
    const { Queue, Worker } = require('bullmq');
    const { connection, end } = await redis(t);
    const store = memory(t);
    const once = dedupe({ store, id: (job) => job.data.id,
      fingerprint: (job) => sha256(JSON.stringify(job.data)), log: QUIET });
    const runs = [];
    const queue = new Queue('mail', { connection });
    const worker = new Worker('mail', once.bullmq(async (job) => {
      runs.push(job.data.id);
      if (job.data.id === 'c' && runs.length < 4) throw new Error('x');
      return { sent: job.data.id };
    }), { connection, concurrency: 1, drainDelay: 1 });
    const others = [];
    worker.on('error', (why) => others.push(why));
    t.after(async () => {
      await worker.close();
      await queue.close();
      await end();
    });
    // Looked for, since an event may come before who listens for it.
    const finished = ({ id }) => until(async () => {
      const job = await queue.getJob(id);
      return job.finishedOn !== undefined && job;
    }, 'the job is finished', 120000);
    const done = async (data, options) =>
      (await finished(await queue.add('send', data, options))).returnvalue;
    assert.deepEqual(await done({ id: 'a' }), { sent: 'a' });
    assert.deepEqual(await done({ id: 'a' }), { sent: 'a' });
    assert.deepEqual(await done({ id: 'c' }, { attempts: 5 }), { sent: 'c' });
    assert.deepEqual(runs, ['a', 'c', 'c', 'c']);
    // Another work under the same id is not retried.
    const bad = await queue.add('send', { id: 'a', more: 1 }, { attempts: 5 });
    const failed = await finished(bad);
    assert.match(failed.failedReason, /fingerprint/);
    assert.equal(failed.attemptsMade, 1);
    // Under way elsewhere: delayed until that one's lease is over.
    const held = await store.acquire('h', { leaseMs: 5000,
      fingerprint: sha256('{"id":"h"}') });
    const later = done({ id: 'h' });
    await until(async () => (await queue.getDelayedCount()) === 1,
      'it is delayed');
    await store.complete('h', held.token,
      { result: Buffer.from('{"sent":"elsewhere"}') });
    assert.deepEqual(await later, { sent: 'elsewhere' });
    assert.deepEqual(others, []);
  });

test('BullMQ, with a job that is a double', async (t) => {
  const store = memory(t);
  await store.acquire('h', { leaseMs: 500 });
  const once = dedupe({ store, id: () => 'h', log: QUIET });
  const moved = [];
  const job = { moveToDelayed: async (...told) => moved.push(told) };
  await assert.rejects(once.bullmq(() => {})(job, 'token'),
    { name: 'DelayedError' });
  assert.equal(moved[0][1], 'token');
  assert.ok(moved[0][0] > Date.now() - 1000);
  await sleep(1);
});

test('options that are none are told at once', (t) => {
  const store = memory(t);
  assert.throws(() => dedupe({ store }), /id is a function/);
  assert.throws(() => dedupe({ id: () => 'x' }), /needs a store/);
  assert.throws(() => dedupe({ store, id: () => 'x', lease: 1 }),
    /no option lease/);
  assert.throws(() => dedupe({ store, id: () => 'x', ttlMs: 0 }), /ttlMs/);
});
