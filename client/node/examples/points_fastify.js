// SPDX-License-Identifier: Apache-2.0
// PORT=8080 node points_fastify.js
'use strict';

const { idempotency } = require('@idemstore/client/fastify');
const fastify = require('fastify');
const ledger = require('./ledger.js');

const app = fastify();
app.register(idempotency, { store: ledger.store, principal: ledger.principal,
  leaseMs: ledger.leaseMs });

const body = { type: 'object', required: ['user', 'cost'], properties: {
  user: { type: 'string' }, cost: { type: 'integer' } } };
app.after(() => {
  app.post('/match', { schema: { body } }, async (request, reply) => {
    const { status, told } = await ledger.play(request.body,
      request.headers['x-rehearse']);
    return reply.code(status).send(told);
  });
  app.get('/matches', async () => ({ played: ledger.played() }));
});

app.listen({ port: ledger.port, host: '127.0.0.1' }).then(
  () => ledger.say(app.server.address().port));
