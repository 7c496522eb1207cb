// SPDX-License-Identifier: Apache-2.0
// Held by tsc, and never run: what compiles, and what must not.
import express from 'express';
import express4 from 'express4';
import fastify from 'fastify';
import { Worker } from 'bullmq';
import { InProgressError, Store, currentClaim } from '@idemstore/client';
import { dedupe, ids } from '@idemstore/client/dedupe';
import { idempotency, keepRawBody } from '@idemstore/client/express';
import { idempotency as plugin } from '@idemstore/client/fastify';
import { MemoryStore } from '@idemstore/client/memory';
import { IdempotencyModule } from '@idemstore/client/nest';
import { Daemon } from '@idemstore/client/testing';

async function calls(store: Store | MemoryStore): Promise<number> {
  const answer = await store.acquire('k', { leaseMs: 1000 });
  // @ts-expect-error an answer is told apart first
  answer.token;
  switch (answer.outcome) {
    case 'acquired': {
      const told = await store.complete('k', answer.token,
        { result: Buffer.from('x') });
      return told.outcome === 'completed' && told.kept ? 1 : 0;
    }
    case 'replay': return answer.result?.length ?? 0;
    case 'in_progress': return answer.leaseLeftMs;
    case 'mismatch': return answer.state.length;
    case 'orphaned': return answer.ageMs;
  }
}

async function once(store: Store): Promise<string> {
  const told: { id: string } = await store.once('k', { waitMs: 10 },
    async (claim) => ({ id: claim.token.toString('hex') }));
  const plain: number = await store.once('k', () => 1);
  // @ts-expect-error there is no such option
  await store.once('k', { lease: 1 }, () => 1);
  // @ts-expect-error a result is bytes
  await store.complete('k', Buffer.alloc(16), { result: 'text' });
  // @ts-expect-error a key is a string or bytes
  await store.acquire(7);
  const all = await store.acquireAll(['a', 'b']);
  if (all.outcome === 'not_all') return all.key;
  return `${told.id}${plain}${all.claims.size}${currentClaim()?.attempt}`;
}

function services(store: Store): void {
  const app = express();
  app.use(idempotency({ store, principal: (req: express.Request) =>
    req.get('x-user') }));
  app.use(express.json({ verify: keepRawBody }));
  express4().use(idempotency({ store, principal: 'none', rawBody: true }));
  // @ts-expect-error who is authenticated?
  idempotency({ store });
  // @ts-expect-error none or a function
  idempotency({ store, principal: 'ann' });
  const server = fastify();
  void server.register(plugin, { store, principal: 'none' });
  // @ts-expect-error closed or open
  void server.register(plugin, { store, principal: 'none', onUnavailable: 'x' });
  IdempotencyModule.forRoot({ store, principal: 'none' });
  const hooks = dedupe({ store, id: ids.github });
  app.post('/hook', hooks.express, (req, res) => {
    res.json({ attempt: req.idempotencyClaim?.attempt });
  });
  server.post('/hook', { preHandler: hooks.fastify }, async () => 'x');
  const jobs = dedupe({ store, id: (job) => job.data.id });
  new Worker('mail', jobs.bullmq(async (job) => job.data));
}

async function tests(): Promise<void> {
  const daemon = await Daemon.start({ args: ['--threads', '2'] });
  const store = new Store(daemon.uri('shop', { timeout_ms: 500 }));
  try {
    await store.once('k', () => 1);
  } catch (why) {
    if (why instanceof InProgressError) console.log(why.leaseLeftMs);
  } finally {
    await store.close();
  }
}

export { calls, once, services, tests };
