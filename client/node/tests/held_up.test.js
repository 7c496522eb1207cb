// SPDX-License-Identifier: Apache-2.0
// A process whose loop is held up, by work of its own or by a machine without
// time: what has arrived meanwhile counts, though its deadline is over.
'use strict';

const assert = require('node:assert/strict');
const net = require('node:net');
const { test } = require('node:test');
const { Worker } = require('node:worker_threads');
const { Store } = require('../src/index.js');

// A server with a loop of its own: it counts what it has answered.
const SERVER = `
  const net = require('node:net');
  const { parentPort, workerData } = require('node:worker_threads');
  const { pack } = require(workerData.src + '/msgpack.js');
  const { Responses } = require(workerData.src + '/wire.js');
  const answered = new Int32Array(workerData.answered);
  const HELLO = { role: 'primary', epoch: 5, shards: 1,
    limits: { pending_max: 4, result_bytes_max: 1 << 20 } };
  const TOLD = { hello: HELLO, ping: 'pong', peek: ['absent'] };
  const server = net.createServer((socket) => {
    const responses = new Responses(1 << 22, () => {});
    responses._one = (cursor) => {
      const [, msgid, method] = cursor.value(0);
      socket.write(pack([1, msgid, null, TOLD[method]]), () => {
        Atomics.add(answered, 0, 1);
        Atomics.notify(answered, 0);
      });
    };
    socket.on('data', (piece) => responses.feed(piece));
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1',
    () => parentPort.postMessage(server.address().port));
`;

async function open(t, options) {
  const answered = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(SERVER, { eval: true, workerData: {
    src: require('node:path').join(__dirname, '../src'),
    answered: answered.buffer } });
  const port = await new Promise((resolve) => worker.once('message', resolve));
  const store = new Store(`idem://127.0.0.1:${port}?${options}`);
  t.after(() => worker.terminate());
  t.after(() => store.close());
  return { store, answered };
}

/** Holds the loop up behind the next write, until the server has answered it
 *  and so much time is over. */
function holdUp(t, answered, ms) {
  const { write } = net.Socket.prototype;
  const restore = () => { net.Socket.prototype.write = write; };
  t.after(restore);
  net.Socket.prototype.write = function held(...args) {
    const before = Atomics.load(answered, 0);
    const went = write.apply(this, args);
    restore();
    const endMs = performance.now() + ms;
    while (Atomics.load(answered, 0) === before) {
      Atomics.wait(answered, 0, before, 100);
    }
    while (performance.now() < endMs);
    return went;
  };
}

test('a hello that was answered in time is heard', async (t) => {
  const { store, answered } = await open(t,
    'timeout_ms=600000&connect_timeout_ms=300');
  holdUp(t, answered, 400);
  await store.ping();
  assert.equal(Atomics.load(answered, 0), 2, 'hello and ping, once each');
});

test('a call that was answered in time has its answer', async (t) => {
  const { store, answered } = await open(t, 'timeout_ms=600000');
  await store.ping();
  holdUp(t, answered, 400);
  const told = await store.peek('k', { timeoutMs: 300 });
  assert.equal(told.state, 'absent');
  assert.equal(Atomics.load(answered, 0), 3);
});
