// SPDX-License-Identifier: Apache-2.0
// How a handler's answer may end: whole, broken, never, or with nobody there;
// and what is said while the store can't be asked.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { Readable, pipeline } = require('node:stream');
const { after, before, describe, test } = require('node:test');
const express = require('express');
const idemstore = require('../src/index.js');
const { idempotency } = require('../src/express.js');
const { Daemon } = require('../src/testing.js');
const { EXPRESS, asks, twice } = require('./express_service.js');
const { scratch, sleep, until } = require('./helper.js');

let daemon;
before(async () => { daemon = await Daemon.start(); });
after(() => daemon.close());
const service = (...args) => asks(daemon, ...args);

for (const [version, name] of Object.entries(EXPRESS)) {
  describe(version, () => {
    const express = require(name);

    test('a handler that throws after its first byte: its retry hears 500',
      async (t) => {
        const made = await service(t, express, (req, res, next) => {
          res.write('half of');
          setTimeout(() => next(new Error('x')), 20);
        });
        const first = await made.ask('k');
        assert.ok(first.isCut);
        const again = await until(async () => {
          const got = await made.ask('k');
          return got.status !== 409 && got;
        }, 'it is settled');
        assert.deepEqual([again.status, made.runs], [500, 1]);
        assert.equal(again.headers['idempotency-replayed'], 'true');
      });

    test('a source that breaks in the middle of its pipeline: the same',
      async (t) => {
        const made = await service(t, express, (req, res) => {
          pipeline(Readable.from((async function* parts() {
            yield 'half of';
            await sleep(20);
            throw new Error('x');
          })()), res, () => {});
        });
        assert.ok((await made.ask('k')).isCut);
        const again = await until(async () => {
          const got = await made.ask('k');
          return got.status !== 409 && got;
        }, 'it is settled');
        assert.deepEqual([again.status, made.runs], [500, 1]);
      });

    test('one that never ends holds its key, and no longer than it may',
      async (t) => {
        const made = await service(t, express, () => {},
          { options: { leaseMs: 400, holdMsMax: 1000 } });
        const leave = new AbortController();
        const first = made.ask('k', { signal: leave.signal });
        await until(() => made.runs === 1, 'it runs');
        const second = await made.ask('k');
        assert.equal(second.status, 409);
        assert.ok(Number(second.headers['retry-after']) >= 1);
        leave.abort();
        await assert.rejects(first);
        // Its lease is not renewed for ever: another one may try.
        await until(async () => {
          made.ask('k').catch(() => {});
          await sleep(100);
          return made.runs === 2;
        }, 'the key is free again');
      });

    for (const [how, handler] of Object.entries({
      'before its first byte': async (req, res) => {
        await until(() => req.socket.destroyed, 'the client has left');
        res.json({ paid: 10 });
      },
      'in the middle of a stream': (req, res) => {
        res.type('text/plain');
        const parts = Readable.from((async function* made() {
          yield 'first';
          await until(() => req.socket.destroyed, 'the client has left');
          for (let n = 0; n < 20; n++) yield 'x'.repeat(10000);
        })());
        parts.pipe(res);
      },
      'in the middle of a pipeline': (req, res) => {
        res.type('text/plain');
        pipeline(Readable.from((async function* made() {
          yield 'first';
          await until(() => req.socket.destroyed, 'the client has left');
          for (let n = 0; n < 20; n++) yield 'x'.repeat(10000);
        })()), res, () => {});
      },
      'before a stream begins': async (req, res) => {
        await until(() => req.socket.destroyed, 'the client has left');
        await sleep(30);
        pipeline(Readable.from(['x'.repeat(200005)]), res, () => {});
      },
    })) {
      test(`a client that leaves ${how}: the answer is for its retry`,
        async (t) => {
          const made = await service(t, express, handler);
          const leave = new AbortController();
          const first = made.ask('k', { signal: leave.signal,
            onBegin: (res) => res.once('data', () => leave.abort()) });
          first.catch(() => {});
          await until(() => made.runs === 1, 'it runs');
          if (how.startsWith('before')) leave.abort();
          await first.catch(() => {});
          const again = await until(async () => {
            const got = await made.ask('k');
            return got.status !== 409 && got;
          }, 'it is settled');
          assert.deepEqual([again.status, made.runs], [200, 1]);
          if (how === 'before its first byte') {
            assert.equal(String(again.body), '{"paid":10}');
          } else {
            assert.equal(again.body.length, 200005);
          }
        });
    }
  });
}

function away(t, options) {
  const store = new idemstore.Store('idem://127.0.0.1:9/?timeout_ms=300');
  t.after(() => store.close());
  return { store, ...options };
}

test('the store is away, closed: 503', async (t) => {
  const made = await service(t, express, (req, res) => { res.json({}); },
    { options: away(t) });
  const got = await made.ask('k');
  assert.deepEqual([got.status, got.headers['retry-after'], made.runs],
    [503, '1', 0]);
});

test('the store is away, open: the handler runs, and it is counted',
  async (t) => {
    const lines = [];
    const made = await service(t, express, (req, res) => {
      res.json({ claim: idemstore.currentClaim() });
    }, { options: away(t, { onUnavailable: 'open',
      log: { warn: (line) => lines.push(line), error() {} } }) });
    for (let n = 0; n < 3; n++) {
      const got = await made.ask('k');
      assert.deepEqual([got.status, String(got.body)],
        [200, '{"claim":null}']);
    }
    assert.equal(made.middleware.health.passed, 3);
    assert.equal(made.middleware.health.lastError, 'CONNECT');
    assert.match(lines[0], /can't be asked \(CONNECT\): 1 requests/);
  });

test('DENIED is no absence: refused, also when open', async (t) => {
  const file = scratch(t) + '/secret';
  fs.writeFileSync(file, 'hush\n', { mode: 0o600 });
  const own = await Daemon.start({ args: ['--secret-file', file] });
  t.after(() => own.close());
  const store = new idemstore.Store(own.uri(), { secret: 'wrong' });
  t.after(() => store.close());
  const made = await service(t, express, (req, res) => { res.json({}); },
    { options: { store, onUnavailable: 'open' } });
  assert.equal((await made.ask('k')).status, 500);
  assert.equal(made.runs, 0);
});

test('a claim that is taken over: the late answer is not said', async (t) => {
  for (const isStreamed of [false, true]) {
    const made = await service(t, express, async (req, res) => {
      const claim = idemstore.currentClaim();
      if (isStreamed) res.write('half');
      await made.store.release(claim.key, claim.token);
      await made.store.acquire(claim.key);
      res.end('late');
    });
    const got = await made.ask('k');
    if (isStreamed) assert.ok(got.isCut);
    else assert.deepEqual([got.status, JSON.parse(got.body).outcome],
      [500, 'stale']);
  }
});

test('nobody has the whole answer before it is stored', async (t) => {
  let settle;
  const stored = new Promise((resolve) => { settle = resolve; });
  const made = await service(t, express, (req, res) => {
    res.writeHead(200, { 'content-length': 4 });
    res.write('pa');
    res.write('id');
    res.end();
  });
  const { complete } = made.store;
  let isStored = false;
  made.store.complete = async (...args) => {
    await stored;
    isStored = true;
    return complete.apply(made.store, args);
  };
  let had = '';
  const told = made.ask('k', { onBegin: (res) => res.on('data', (part) => {
    had += part;
    if (had.length === 4) assert.ok(isStored);
  }) });
  await until(() => had === 'pa', 'it is sent as it comes');
  await sleep(50);
  settle();
  assert.equal(String((await told).body), 'paid');
});

test('the store goes away while the handler runs: it happened, and says so',
  async (t) => {
    const own = await Daemon.start();
    t.after(() => own.close());
    const store = new idemstore.Store(own.uri('', { timeout_ms: 500 }));
    t.after(() => store.close());
    const made = await service(t, express, async (req, res) => {
      await own.kill();
      res.json({ paid: 10 });
    }, { options: { store } });
    const got = await made.ask('k');
    assert.deepEqual([got.status, JSON.parse(got.body).outcome],
      [500, 'not_recorded']);
  });

test('event streams are sent as they come, and replayed without a body',
  async (t) => {
    const made = await service(t, express, async (req, res) => {
      res.type('text/event-stream');
      res.flushHeaders();
      res.write('data: 1\n\n');
      await sleep(20);
      res.end('data: 2\n\n');
    });
    const [first, again] = await twice(made);
    assert.equal(String(first.body), 'data: 1\n\ndata: 2\n\n');
    assert.equal(again.headers['idempotency-replayed'], 'true; body=dropped');
  });

test('onError, a retryable answer, 401 and 429', async (t) => {
  for (const [status, onError, state] of [
    [500, 'complete', 'completed'], [500, 'leave', 'in_progress'],
    [500, 'release', 'absent'], [401, 'complete', 'absent'],
    [429, 'complete', 'absent'], [404, 'complete', 'completed']]) {
    let key;
    const made = await service(t, express, (req, res) => {
      ({ key } = idemstore.currentClaim());
      res.status(status).end('x');
    }, { options: { onError } });
    await made.ask('k');
    assert.equal((await made.store.peek(key)).state, state,
      `${status} ${onError}`);
  }
  const made = await service(t, express, (req, res) => {
    idemstore.currentClaim().nothingDone = made.runs === 1;
    res.status(made.runs === 1 ? 503 : 200).end('x');
  });
  assert.equal((await made.ask('k')).status, 503);
  assert.equal((await made.ask('k')).status, 200);
});

test('who is authenticated, and nobody', async (t) => {
  const made = await service(t, express, (req, res) => {
    res.json({ run: made.runs });
  }, { options: { principal: async (req) => req.get('x-user') } });
  const as = (user) => made.ask('k',
    { headers: user ? { 'x-user': user } : {} });
  assert.equal((await as(undefined)).status, 401);
  assert.equal(String((await as('ann')).body), '{"run":1}');
  assert.equal(String((await as('bob')).body), '{"run":2}');
  assert.equal(String((await as('ann')).body), '{"run":1}');
});

test('options that are none are told at once', (t) => {
  const { store } = away(t);
  for (const [options, words] of [
    [{ store }, /principal is a function/],
    [{ store, principal: 'ann' }, /principal is a function/],
    [{ principal: 'none' }, /store is a Store/],
    [{ store, principal: 'none', lease: 1 }, /no option lease;/],
    [{ store, principal: 'none', leaseMs: 0 }, /leaseMs/],
    [{ store, principal: 'none', methods: ['GET'] }, /GET changes nothing/],
    [{ store, principal: 'none', onUnavailable: 'x' }, /closed or open/]]) {
    assert.throws(() => idempotency(options), words);
  }
});
