// SPDX-License-Identifier: Apache-2.0
// backend.js -- one of two backends: POST /match takes points, once for each
// Idempotency-Key; GET /matches says how often points were taken, by either.
//
//   node backend.js              serves port 8080
//   node backend.js --is-well    exits with 0 if one is served here
'use strict';

const http = require('node:http');
const { idempotency } = require('@idemstore/client/express');
const ledger = require('./ledger.js');

const PORT = 8080;
const once = idempotency({ store: ledger.store, principal: ledger.principal,
  leaseMs: ledger.leaseMs });

function answer(res, status, told) {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(told));
}

async function match(req, res) {
  const parts = [];
  for await (const part of req) parts.push(part);
  const { status, told } = await ledger.play(
    JSON.parse(Buffer.concat(parts)), req.headers['x-rehearse']);
  answer(res, status, { ...told, by: process.env.NAME });
}

function route(req, res) {
  const { method, url } = req;
  if (method === 'GET' && url === '/matches') {
    answer(res, 200, { played: ledger.played() });
  } else if (method === 'POST' && url === '/match') {
    match(req, res).catch((why) => answer(res, why.status ?? 500,
      { error: String(why.message) }));
  } else {
    answer(res, 404, { error: 'there are /match and /matches' });
  }
}

function serve() {
  http.createServer((req, res) => once(req, res, (why) => (why
    ? answer(res, why.status ?? 500, { error: String(why.message) })
    : route(req, res)))).listen(PORT, '0.0.0.0');
  process.on('SIGTERM', () => process.exit(0));
}

function look() {
  http.get({ port: PORT, path: '/matches' },
    (res) => process.exit(res.statusCode === 200 ? 0 : 1))
    .on('error', () => process.exit(1));
}

if (process.argv.includes('--is-well')) look();
else serve();
