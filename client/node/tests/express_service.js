// SPDX-License-Identifier: Apache-2.0
// A service in express with one handler, for its tests.
'use strict';

const assert = require('node:assert/strict');
const idemstore = require('../src/index.js');
const { idempotency } = require('../src/express.js');
const { ask, freshNs, serve } = require('./helper.js');

const EXPRESS = { 'express 5': 'express', 'express 4': 'express4' };
const QUIET = { warn() {}, error() {} };

/** A service with one handler at POST /, which counts how often it runs. */
async function asks(daemon, t, express, handler, { options = {}, front = [],
  behind = [], isBare = false } = {}) {
  const store = new idemstore.Store(daemon.uri(freshNs()));
  t.after(() => store.close());
  const made = { store, runs: 0 };
  const app = express();
  app.set('env', 'test'); // its own error handler says nothing on stderr
  for (const one of front) app.use(one);
  made.middleware = idempotency({ store, principal: 'none', log: QUIET,
    ...options });
  app.use(made.middleware);
  app.use(express.json({ limit: '8mb' }));
  for (const one of behind) app.use(one);
  app.post('/', (req, res, next) => {
    made.runs++;
    return handler(req, res, next);
  });
  if (!isBare) {
    app.use((why, req, res, next) => {
      if (res.headersSent) next(why);
      else res.status(why.status ?? 500).end('failed');
    });
  }
  made.port = await serve(t, app);
  made.ask = (key, more) => ask(made.port, { key, body: '{"a":1}', ...more });
  return made;
}

/** Answers twice: what was said, and its replay. One run. */
async function twice(made, more) {
  const first = await made.ask('k', more);
  const again = await made.ask('k', more);
  assert.equal(first.headers['idempotency-replayed'], undefined);
  assert.equal(made.runs, 1);
  return [first, again];
}

function same(first, again, mark = 'true') {
  assert.equal(again.status, first.status);
  assert.deepEqual(again.body, first.body);
  assert.equal(again.headers['content-type'], first.headers['content-type']);
  assert.equal(again.headers['idempotency-replayed'], mark);
}

module.exports = { EXPRESS, QUIET, asks, same, twice };
