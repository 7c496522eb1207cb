// SPDX-License-Identifier: Apache-2.0
// PORT=8080 node points_express.js
'use strict';

const { idempotency } = require('@idemstore/client/express');
const ledger = require('./ledger.js');
// express 5; a test says express4
const express = require(process.env.POINTS_EXPRESS ?? 'express');

const app = express();
app.use(idempotency({ store: ledger.store, principal: ledger.principal,
  leaseMs: ledger.leaseMs }));
app.use(express.json());

app.post('/match', (req, res, next) => {
  ledger.play(req.body, req.get('x-rehearse'))
    .then(({ status, told }) => res.status(status).json(told))
    .catch(next);
});
app.get('/matches', (req, res) => res.json({ played: ledger.played() }));
// One that says no more than it should.
app.use((why, req, res, next) => {
  if (res.headersSent) return next(why);
  return res.sendStatus(why.status ?? 500);
});

const server = app.listen(ledger.port, '127.0.0.1',
  () => ledger.say(server.address().port));
