// SPDX-License-Identifier: Apache-2.0
// Each way to answer in express, and each way not to.
'use strict';

const assert = require('node:assert/strict');
const http = require('node:http');
const { Readable, pipeline } = require('node:stream');
const { after, before, describe, test } = require('node:test');
const zlib = require('node:zlib');
const compression = require('compression');
const idemstore = require('../src/index.js');
const { idempotency, keepRawBody } = require('../src/express.js');
const { Daemon } = require('../src/testing.js');
const { EXPRESS, QUIET, asks, same, twice } = require('./express_service.js');
const { ask, freshNs, serve } = require('./helper.js');

let daemon;
before(async () => { daemon = await Daemon.start(); });
after(() => daemon.close());
const service = (...args) => asks(daemon, ...args);

const WAYS = {
  'res.json': (req, res) => { res.status(201).json({ paid: 10 }); },
  'res.send': (req, res) => { res.send('<p>paid</p>'); },
  'res.end': (req, res) => {
    res.setHeader('Content-Type', 'text/plain');
    res.end('paid');
  },
  'a piped stream': (req, res) => {
    res.type('text/csv');
    Readable.from(['a,b\n', '1,2\n', Buffer.from('3,4\n')]).pipe(res);
  },
  'an error handler': (req, res, next) => {
    next(Object.assign(new Error('teapot'), { status: 418 }));
  },
  'sendStatus': (req, res) => { res.sendStatus(202); },
  'writeHead, write, end': (req, res) => {
    res.writeHead(203, 'Fine', { 'content-type': 'text/x', 'x-own': '1' });
    res.write('YWI=', 'base64');
    res.end('c', () => {});
  },
  'a write that fills up its length': (req, res) => {
    res.writeHead(200, { 'content-type': 'text/x', 'content-length': 4 });
    res.write('pa');
    res.write('id');
    res.end();
  },
  'writeHead with pairs': (req, res) => {
    res.writeHead(200, ['Content-Type', 'text/y', 'Set-Cookie', 'a=1',
      'Set-Cookie', 'b=2']);
    res.end('x');
  },
  'bytes': (req, res) => { res.send(Buffer.from([0, 255, 10])); },
  'redirect': (req, res) => { res.redirect(303, '/orders/17'); },
  'pipeline': (req, res) => {
    pipeline(Readable.from([Buffer.alloc(100000, 65)]), res, () => {});
  },
};

for (const [version, name] of Object.entries(EXPRESS)) {
  const express = require(name);

  describe(version, () => {
    for (const [way, handler] of Object.entries(WAYS)) {
      test(`${way} is replayed`, async (t) => {
        const made = await service(t, express, handler);
        const [first, again] = await twice(made);
        same(first, again);
        assert.ok(first.body.length > 0 || way === 'redirect');
        assert.equal(again.headers.location, first.headers.location);
      });
    }

    test('a 500 of an exception is stored', async (t) => {
      const made = await service(t, express, () => { throw new Error('x'); });
      const [first, again] = await twice(made);
      assert.equal(first.status, 500);
      same(first, again);
    });

    test("and so is the one of express' own error handler", async (t) => {
      const made = await service(t, express, (req, res, next) => {
        setTimeout(() => next(new Error('x')), 5);
      }, { isBare: true });
      const [first, again] = await twice(made);
      assert.equal(first.status, 500);
      same(first, again);
    });

    test('gzip by a middleware in front: what is stored is not', async (t) => {
      const text = 'paid '.repeat(1000);
      const made = await service(t, express, (req, res) => { res.send(text); },
        { front: [compression({ threshold: 0 })] });
      const zipped = { headers: { 'accept-encoding': 'gzip' } };
      const first = await made.ask('k', zipped);
      assert.equal(first.headers['content-encoding'], 'gzip');
      assert.equal(String(zlib.gunzipSync(first.body)), text);
      const plain = await made.ask('k', { headers: {} });
      assert.equal(plain.headers['content-encoding'], undefined);
      assert.equal(String(plain.body), text);
      const again = await made.ask('k', zipped);
      assert.equal(String(zlib.gunzipSync(again.body)), text);
      assert.equal(made.runs, 1);
    });

    test('a stream behind gzip in front is sent as it comes', async (t) => {
      const made = await service(t, express, async (req, res) => {
        res.type('text/plain');
        for (let n = 0; n < 50; n++) res.write('line\n'.repeat(500));
        res.end('end');
      }, { front: [compression({ threshold: 0 })] });
      const first = await made.ask('k',
        { headers: { 'accept-encoding': 'gzip' } });
      const again = await made.ask('k');
      assert.deepEqual(zlib.gunzipSync(first.body), again.body);
      assert.equal(made.runs, 1);
    });

    test('gzip by a middleware behind: nobody encodes for one client',
      async (t) => {
        const text = 'paid '.repeat(1000);
        const made = await service(t, express, (req, res) => {
          res.send(text);
        }, { behind: [compression({ threshold: 0 })] });
        const zipped = { headers: { 'accept-encoding': 'gzip' } };
        const [first, again] = await twice(made, zipped);
        assert.equal(first.headers['content-encoding'], undefined);
        same(first, again);
        assert.equal(String(again.body), text);
      });

    test("the handler's own gzip is replayed as it is", async (t) => {
      const made = await service(t, express, (req, res) => {
        res.setHeader('content-encoding', 'gzip');
        res.end(zlib.gzipSync('paid'));
      });
      const [first, again] = await twice(made);
      same(first, again);
      assert.equal(again.headers['content-encoding'], 'gzip');
      assert.equal(String(zlib.gunzipSync(again.body)), 'paid');
    });

    test('204 has no body and no length', async (t) => {
      const made = await service(t, express,
        (req, res) => { res.status(204).end(); });
      const [first, again] = await twice(made);
      same(first, again);
      assert.equal(again.headers['content-length'], undefined);
    });

    test('HEAD and GET are not covered', async (t) => {
      const made = await service(t, express, () => {});
      for (const method of ['HEAD', 'GET']) {
        const got = await ask(made.port, { method, key: 'k' });
        assert.equal(got.status, 404);
      }
      assert.equal((await made.store.stats()).acquires ?? 0, 0);
    });

    test('1 MiB is over the limit with its frame: the body is dropped',
      async (t) => {
        for (const [size, mark] of [[(1 << 20) - 200, 'true'],
          [1 << 20, 'true; body=dropped'],
          [3 << 20, 'true; body=dropped']]) {
          const made = await service(t, express, (req, res) => {
            res.type('bin').send(Buffer.alloc(size, 7));
          });
          const [first, again] = await twice(made);
          assert.equal(first.body.length, size);
          assert.equal(again.headers['idempotency-replayed'], mark);
          assert.equal(again.body.length, mark === 'true' ? size : 0);
          assert.equal(again.headers['content-type'],
            first.headers['content-type']);
        }
      });

    test('two Set-Cookie are sent, and never replayed', async (t) => {
      const made = await service(t, express, (req, res) => {
        res.cookie('a', '1').cookie('b', '2').json({});
      });
      const [first, again] = await twice(made);
      assert.equal(first.headers['set-cookie'].length, 2);
      assert.equal(again.headers['set-cookie'], undefined);
    });

    test('a header that is asked for is stored, each of its values',
      async (t) => {
        const made = await service(t, express, (req, res) => {
          res.setHeader('Link', ['<a>', '<b>']);
          res.set('X-Other', 'x').json({});
        }, { options: { keep: ['Link'] } });
        const [, again] = await twice(made);
        assert.equal(again.headers.link, '<a>, <b>');
        assert.equal(again.headers['x-other'], undefined);
      });

    test('what parsers refuse, and what nobody routes, frees its key',
      async (t) => {
        const made = await service(t, express, (req, res) => { res.json({}); });
        const bad = await made.ask('k', { body: '{"a":' });
        assert.equal(bad.status, 400);
        assert.equal((await ask(made.port, { path: '/none', key: 'k',
          body: '{}' })).status, 404);
        assert.equal((await made.ask('k')).status, 200);
        assert.equal(made.runs, 1);
      });

    test('the handler sees the body, once, and its claim', async (t) => {
      let seen;
      const made = await service(t, express, (req, res) => {
        seen = [req.body, req.idempotencyClaim.attempt,
          idemstore.currentClaim()?.token.equals(req.idempotencyClaim.token)];
        res.json({});
      });
      const body = JSON.stringify({ text: 'ä'.repeat(500000) });
      await made.ask('k', { body });
      assert.deepEqual(seen, [JSON.parse(body), 1, true]);
      // In chunks, and without a body.
      const chunked = { 'transfer-encoding': 'chunked' };
      for (const [key, given] of [['c', '{"a":2}'], ['e', '']]) {
        const got = await new Promise((resolve, reject) => {
          const req = http.request({ port: made.port,
            host: '127.0.0.1', method: 'POST', headers: { ...chunked,
              'idempotency-key': key, 'content-type': 'application/json' },
          }, (res) => resolve(res.resume().statusCode));
          req.once('error', reject);
          for (const one of given) req.write(one);
          req.end();
        });
        assert.equal(got, 200, key);
      }
      assert.equal((await made.ask('n', { body: '' })).status, 200);
    });

    test('a connection that is kept alive is good for the next request',
      async (t) => {
        const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
        t.after(() => agent.destroy());
        const made = await service(t, express, (req, res) => { res.json({}); });
        const body = JSON.stringify({ text: 'x'.repeat(300000) });
        const sockets = new Set();
        const onBegin = (res) => sockets.add(res.socket);
        for (const [key, status] of [['k', 200], ['k', 200], ['"', 400],
          ['l', 200]]) {
          const got = await made.ask(key, { body, agent, onBegin });
          assert.equal(got.status, status);
        }
        assert.deepEqual([made.runs, sockets.size], [2, 1]);
      });

    test('another body, another type, another query: 422', async (t) => {
      const made = await service(t, express, (req, res) => { res.json({}); });
      await made.ask('k');
      for (const more of [{ body: '{"a": 1}' }, { path: '/?x=1' },
        { headers: { 'content-type': 'text/plain' } }]) {
        const got = await made.ask('k', more);
        assert.equal(got.status, 422);
        assert.equal(got.headers['content-type'], 'application/problem+json');
      }
      assert.equal(made.runs, 1);
    });

    test('behind a parser it refuses to start', (t) => {
      const store = new idemstore.Store('idem://127.0.0.1:9');
      t.after(() => store.close());
      const options = { store, principal: 'none', log: QUIET };
      const app = express();
      app.use(express.json());
      assert.throws(() => app.use(idempotency(options)),
        /jsonParser stands in front of idempotency\(\)/);
      assert.throws(() => app.use('/pay', idempotency(options)), /jsonParser/);
      const other = express();
      other.use('/upload', express.json());
      other.use(idempotency(options));
      const kept = express();
      kept.use(express.json({ verify: keepRawBody }));
      kept.use(idempotency({ ...options, rawBody: true }));
    });

    test('a body that was read and not kept is refused, not guessed',
      async (t) => {
        const store = new idemstore.Store(daemon.uri(freshNs()));
        t.after(() => store.close());
        const options = { store, principal: 'none', log: QUIET };
        const app = express();
        let runs = 0;
        const handler = (req, res) => res.json({ runs: ++runs });
        app.post('/lost', express.json(), idempotency(options), handler);
        app.post('/kept', express.json({ verify: keepRawBody }),
          idempotency({ ...options, rawBody: true }), handler);
        const port = await serve(t, app);
        const asked = (path, body) => ask(port, { path, key: 'k', body });
        assert.equal((await asked('/lost', '{}')).status, 500);
        assert.equal(runs, 0);
        assert.equal((await asked('/kept', '{}')).status, 200);
        assert.equal((await asked('/kept', '{}')).headers[
          'idempotency-replayed'], 'true');
        // The same JSON in other bytes is another request.
        assert.equal((await asked('/kept', '{ }')).status, 422);
        assert.equal(runs, 1);
      });
  });
}
