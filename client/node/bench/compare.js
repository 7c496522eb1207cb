// SPDX-License-Identifier: Apache-2.0
// compare.js [SECONDS [ROUNDS]] -- what a call costs its client, beside ioredis
// doing SET NX: against an idemstored and a redis-server of its own, in turns,
// each on fresh keys.
//
//   NODE_PATH=build/node-env/node_modules IDEMSTORED=build/release/idemstored \
//     node client/node/bench/compare.js
//
// Counted is the processor time of this process alone, with as many calls under
// way at once as a busy service has; the servers' is not. Latency is of one
// call after the other.
'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const express = require('express');
const Redis = require('ioredis');
const { idempotency } = require('../src/express.js');
const { Store } = require('../src/index.js');
const { Daemon } = require('../src/testing.js');

const SECONDS = Number(process.argv[2] ?? 3);
const ROUNDS = Number(process.argv[3] ?? 3);
const UNDER_WAY = 128;

let serial = 0;
const key = () => `order-${process.pid}-${serial++}`;

/** {perCore, perSecond}: calls for so long, so many at a time. */
async function load(call, seconds) {
  const from = performance.now();
  const cpu = process.cpuUsage();
  let calls = 0;
  const worker = async () => {
    while (performance.now() - from < seconds * 1000) {
      await call();
      calls++;
    }
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, worker));
  const used = process.cpuUsage(cpu);
  return {
    perCore: calls / ((used.user + used.system) / 1e6),
    perSecond: calls / ((performance.now() - from) / 1000),
  };
}

/** Milliseconds of one call, at the median and at 99 %. */
async function latency(call, count) {
  const took = [];
  for (let n = 0; n < count; n++) {
    const from = performance.now();
    await call();
    took.push(performance.now() - from);
  }
  took.sort((a, b) => a - b);
  return { p50: took[count >> 1], p99: took[Math.floor(count * 0.99)] };
}

/** A POST at an express service, with the middleware and without. */
async function behindExpress(store) {
  const app = express();
  const covered = idempotency({ store, principal: 'none',
    applies: (method, at) => at === '/with' });
  app.use(covered);
  app.use(express.json());
  app.post(['/with', '/without'], (req, res) => res.json({ paid: 10 }));
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const post = (at) => new Promise((resolve, reject) => {
    const req = http.request({ agent, host: '127.0.0.1', method: 'POST',
      port: server.address().port, path: at, headers: {
        'content-type': 'application/json', 'content-length': 7,
        'idempotency-key': key() } }, (res) => {
      res.resume().once('end', resolve);
    });
    req.once('error', reject).end('{"a":1}');
  });
  for (const at of ['/without', '/with', '/without', '/with']) {
    const { p50, p99 } = await latency(() => post(at), 3000);
    console.log(`a POST at express, ${at.slice(1)} it`.padEnd(34),
      `p50 ${p50.toFixed(3)}, p99 ${p99.toFixed(3)}`);
  }
  agent.destroy();
  server.close();
}

async function startRedis(dir) {
  const port = 20000 + Math.floor(Math.random() * 20000);
  const child = spawn('redis-server', ['--port', String(port), '--bind',
    '127.0.0.1', '--save', '', '--dir', dir], { stdio: 'ignore' });
  process.once('exit', () => child.kill('SIGKILL'));
  return { port, child };
}

function middle(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

async function main() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'idemstore-bench-'));
  const daemon = await Daemon.start({ args: ['--threads', '1'] });
  const { port, child } = await startRedis(dir);
  const store = new Store(daemon.uri('bench', { timeout_ms: 60000 }));
  const options = { host: '127.0.0.1', port, retryStrategy: () => 50 };
  const redis = new Redis(options);
  const piped = new Redis({ ...options, enableAutoPipelining: true });
  const setNx = (client) => () => client.set(key(), 'x', 'PX', 30000, 'NX');
  const calls = {
    '@idemstore/client acquire': () => store.acquire(key()),
    'ioredis SET NX': setNx(redis),
    'ioredis SET NX, auto pipelining': setNx(piped),
  };
  await Promise.all([store.ping(), redis.ping(), piped.ping()]);
  const made = Object.fromEntries(Object.keys(calls).map((n) => [n, []]));
  for (const call of Object.values(calls)) await load(call, 1); // warm
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, call] of Object.entries(calls)) {
      await sleep(100);
      made[name].push(await load(call, SECONDS));
    }
  }
  console.log(`node ${process.version}, ${UNDER_WAY} calls under way, ` +
    `${ROUNDS} rounds of ${SECONDS} s, the median of them`);
  for (const [name, rounds] of Object.entries(made)) {
    console.log(name.padEnd(34),
      `${Math.round(middle(rounds.map((r) => r.perCore)))} calls a second ` +
      `and core, ${Math.round(middle(rounds.map((r) => r.perSecond)))} a ` +
      'second');
  }
  console.log('one call after the other, ms:');
  const one = { ...calls, 'once(key, fn): acquire and complete':
    () => store.once(key(), () => 1) };
  for (const [name, call] of Object.entries(one)) {
    const { p50, p99 } = await latency(call, 5000);
    console.log(name.padEnd(34),
      `p50 ${p50.toFixed(3)}, p99 ${p99.toFixed(3)}`);
  }
  await behindExpress(store);
  await store.close();
  redis.disconnect();
  piped.disconnect();
  await daemon.close();
  child.kill('SIGKILL');
  fs.rmSync(dir, { recursive: true, force: true });
}

main();
