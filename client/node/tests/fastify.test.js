// SPDX-License-Identifier: Apache-2.0
// Each way to answer in fastify, and each way not to.
'use strict';

const assert = require('node:assert/strict');
const { Readable } = require('node:stream');
const { after, before, test } = require('node:test');
const fastify = require('fastify');
const idemstore = require('../src/index.js');
const { idempotency } = require('../src/fastify.js');
const { Daemon } = require('../src/testing.js');
const { ask, freshNs, sleep, until } = require('./helper.js');

const QUIET = { warn() {}, error() {} };

let daemon;
before(async () => { daemon = await Daemon.start(); });
after(() => daemon.close());

async function service(t, handler, { options = {}, route = {}, front,
  server = {} } = {}) {
  const store = new idemstore.Store(daemon.uri(freshNs()));
  const made = { store, runs: 0 };
  const app = made.app = fastify(server);
  if (front) await app.register(front);
  await app.register(idempotency, { store, principal: 'none', log: QUIET,
    ...options });
  app.post('/', route, (request, reply) => {
    made.runs++;
    return handler(request, reply);
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  t.after(async () => {
    app.server.closeAllConnections();
    await app.close();
    await store.close();
  });
  const { port } = app.server.address();
  made.ask = (key, more) => ask(port, { key, body: '{"a":1}', ...more });
  return made;
}

const WAYS = {
  'a returned object': async () => ({ paid: 10 }),
  'reply.send in an async handler': async (request, reply) => {
    reply.code(201).send({ paid: 10 });
    await sleep(5);
    return reply;
  },
  'reply.send, and nothing returned': (request, reply) => {
    reply.header('x-own', '1').send('paid');
  },
  'bytes': async () => Buffer.from([0, 255, 10]),
  'a stream': async (request, reply) => {
    reply.type('text/csv');
    return Readable.from(['a,b\n', '1,2\n']);
  },
  'an error': async () => { throw new Error('x'); },
  'a redirect': (request, reply) => reply.redirect('/orders/17', 303),
  'a hijacked reply': (request, reply) => {
    reply.hijack();
    reply.raw.writeHead(202, { 'content-type': 'text/plain' });
    reply.raw.write('pa');
    reply.raw.end('id');
  },
  '204': (request, reply) => { reply.code(204).send(); },
};
for (const [way, handler] of Object.entries(WAYS)) {
  test(`${way} is replayed`, async (t) => {
    const made = await service(t, handler);
    const first = await made.ask('k');
    const again = await made.ask('k');
    assert.equal(made.runs, 1);
    assert.deepEqual([again.status, again.body], [first.status, first.body]);
    assert.equal(again.headers['content-type'], first.headers['content-type']);
    assert.equal(again.headers['idempotency-replayed'], 'true');
    assert.equal(again.headers.location, first.headers.location);
  });
}

test('what is said in a handler\'s place', async (t) => {
  const made = await service(t, async (request) => {
    await sleep(request.headers['x-slow'] ? 300 : 0);
    return { attempt: request.idempotencyClaim.attempt,
      same: idemstore.currentClaim() === request.idempotencyClaim };
  });
  assert.equal((await made.ask(undefined)).status, 400);
  assert.equal((await made.ask('"')).status, 400);
  assert.equal(String((await made.ask('k')).body),
    '{"attempt":1,"same":true}');
  assert.equal((await made.ask('k', { body: '{"a": 1}' })).status, 422);
  const slow = made.ask('s', { headers: { 'x-slow': '1' } });
  await until(() => made.runs === 2, 'it runs');
  assert.equal((await made.ask('s')).status, 409);
  assert.equal((await slow).status, 200);
  const multipart = await made.ask('m',
    { headers: { 'content-type': 'multipart/form-data; boundary=x' } });
  assert.equal(multipart.status, 415);
});

test('what validation refuses never had a claim', async (t) => {
  const made = await service(t, async () => 'x', { route: { schema: { body: {
    type: 'object', required: ['a'],
    properties: { a: { type: 'integer' } } } } } });
  assert.equal((await made.ask('k', { body: '{"a":"x"}' })).status, 400);
  assert.equal((await made.ask('k', { body: '{"a":' })).status, 400);
  assert.equal((await made.ask('k')).status, 200);
  assert.equal(made.runs, 1);
});

test('a route that opts out, one that does not exist, another scope',
  async (t) => {
    const made = await service(t, async () => made.runs,
      { route: { config: { idempotency: false } } });
    assert.equal(String((await made.ask('k')).body), '1');
    assert.equal(String((await made.ask('k')).body), '2');
    assert.equal((await made.ask('k', { path: '/none' })).status, 404);
  });

test('a body over the limits', async (t) => {
  const made = await service(t, async (request) => request.body.length,
    { options: { bodyBytesMax: 100000 }, server: { bodyLimit: 1 << 20 } });
  const text = (size) => ({ body: 'x'.repeat(size),
    headers: { 'content-type': 'text/plain' } });
  assert.equal(String((await made.ask('k', text(100000))).body), '100000');
  assert.equal((await made.ask('l', text(100001))).status, 413);
  assert.equal((await made.ask('m', text(2 << 20))).status, 413);
  assert.equal(made.runs, 1);
});

test('a stream that breaks: its retry hears 500', async (t) => {
  const made = await service(t, async (request, reply) => {
    reply.type('text/plain');
    return Readable.from((async function* parts() {
      yield 'half';
      await sleep(20);
      throw new Error('x');
    })());
  });
  assert.ok((await made.ask('k')).isCut);
  const again = await until(async () => {
    const got = await made.ask('k');
    return got.status !== 409 && got;
  }, 'it is settled');
  assert.deepEqual([again.status, made.runs], [500, 1]);
});

test('a client that leaves: the answer is for its retry', async (t) => {
  const made = await service(t, async (request) => {
    await until(() => request.raw.socket.destroyed, 'the client has left');
    return { paid: 10 };
  });
  const leave = new AbortController();
  const first = made.ask('k', { signal: leave.signal });
  first.catch(() => {});
  await until(() => made.runs === 1, 'it runs');
  leave.abort();
  const again = await until(async () => {
    const got = await made.ask('k');
    return got.status !== 409 && got;
  }, 'it is settled');
  assert.equal(String(again.body), '{"paid":10}');
  assert.equal(made.runs, 1);
});

test('the store is away: closed, and open', async (t) => {
  const store = new idemstore.Store('idem://127.0.0.1:9/?timeout_ms=300');
  t.after(() => store.close());
  const closed = await service(t, async () => 'x', { options: { store } });
  assert.equal((await closed.ask('k')).status, 503);
  const open = await service(t, async () => 'x',
    { options: { store, onUnavailable: 'open' } });
  assert.equal((await open.ask('k')).status, 200);
  assert.equal(open.app.idempotencyHealth.passed, 1);
  assert.equal(closed.runs, 0);
});
