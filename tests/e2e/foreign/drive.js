// SPDX-License-Identifier: Apache-2.0
// drive.js -- MessagePack-RPC clients that are not ours, from the npm registry,
// tell one story to the daemon:
//
//   node drive.js PORT      (run puts a daemon beside it)
//
// Once with msgpack-rpc-lite as it comes, once with nothing but a socket and
// @msgpack/msgpack, and once with both at the same keys.
'use strict';
const assert = require('node:assert/strict');
const net = require('node:net');
const rpc = require('msgpack-rpc-lite');
const msgpack = require('@msgpack/msgpack');

const port = Number(process.argv[2]);
const host = '127.0.0.1';
const days30 = 30 * 24 * 3600 * 1000; // beyond 2^31

// A MessagePack-RPC client as its users write it: answers by promise.
function lite() {
  const client = rpc.createClient(port, host);
  return {
    name: 'msgpack-rpc-lite',
    call: (method, ...params) => client.request(method, ...params).then(
      ([result]) => result),
    close: () => client.close(),
  };
}

// The same by hand: a socket, an encoder, a stream of decoded messages.
function raw() {
  const socket = net.connect(port, host);
  const waiting = new Map();
  let msgid = 0;
  (async () => {
    for await (const message of msgpack.decodeMultiStream(socket)) {
      const [type, id, error, result] = message;
      assert.equal(type, 1, 'nothing but replies is sent');
      assert.equal(message.length, 4);
      assert.ok(error === null || typeof error === 'string');
      const { resolve, reject } = waiting.get(id);
      waiting.delete(id);
      if (error === null) resolve(result); else reject(error);
    }
  })();
  return {
    name: '@msgpack/msgpack',
    call: (method, ...params) => new Promise((resolve, reject) => {
      waiting.set(++msgid, { resolve, reject });
      socket.write(msgpack.encode([0, msgid, method, params]));
    }),
    close: () => socket.end(),
  };
}

const refused = async (promise, code) => {
  const error = await promise.then(() => null, (e) => e);
  assert.ok(error !== null, `${code} was expected, and there is no error`);
  assert.match(String(error.message ?? error), new RegExp(`^${code} .+`));
};

async function story(a, b, key) {
  // The first asker is let through, with a token of 16 bytes.
  const [outcome, token, attempt, previous, lease] =
    await a.call('acquire', 'shop', key, 'body-1', null, 30000, days30);
  assert.deepEqual([outcome, attempt, previous, lease],
    ['acquired', 1, 'none', 30000]);
  assert.equal(token.length, 16);

  // A duplicate hears that it is under way; another body under the same key
  // is a mismatch; a look shows a retention that no 32 bits hold.
  const dup = await b.call('acquire', 'shop', key, 'body-1', null, 30000,
    days30);
  assert.equal(dup[0], 'in_progress');
  assert.ok(dup[1] > 0 && dup[1] <= 30000);
  const other = await b.call('acquire', 'shop', key, 'body-2', null, 30000,
    days30);
  assert.deepEqual(other.slice(0, 2), ['mismatch', 'in_progress']);
  const [state, seen] = await b.call('peek', 'shop', key);
  assert.equal(state, 'in_progress');
  assert.ok(seen.ttl_left_ms > 2 ** 31 && seen.ttl_left_ms <= days30);

  // A waiter is answered by the complete of the first.
  const waiter = b.call('acquire', 'shop', key, 'body-1', null, 30000, days30,
    { wait_ms: 20000 });
  assert.equal((await a.call('renew', 'shop', key, token, 30000))[0],
    'renewed');
  const result = Buffer.from('{"points":90}');
  assert.deepEqual(await a.call('complete', 'shop', key, token, result, null),
    ['completed', true]);
  const replay = await waiter;
  assert.equal(replay[0], 'replay');
  assert.deepEqual(Buffer.from(replay[1]), result);
  assert.equal(replay[2], 'success');

  // Again: the same bytes. A token that is not the current one: stale.
  const again = await b.call('acquire', 'shop', key, 'body-1', null, 30000,
    days30);
  assert.deepEqual(Buffer.from(again[1]), result);
  assert.ok(again[4] > 2 ** 31);
  const stale = await b.call('complete', 'shop', key, Buffer.alloc(16, 1),
    result, null);
  assert.deepEqual(stale.slice(0, 2), ['stale', 'completed']);
  assert.deepEqual(await b.call('complete', 'shop', key + '-none', token,
    result, null), ['unknown']);
}

async function errors(a) {
  await refused(a.call('frobnicate'), 'UNKNOWN_METHOD');
  await refused(a.call('peek', 'shop'), 'BAD_REQUEST');
  await refused(a.call('acquire', 'shop', 'k', null, null, -1, 1000),
    'BAD_REQUEST');
  await refused(a.call('acquire', 'shop', 'k', null, null, 1.5, 1000),
    'BAD_REQUEST');
  await refused(a.call('acquire', 'shop', 'k', null, null, 2 ** 60, 2 ** 60),
    'BAD_REQUEST');
  await refused(a.call('peek', 'shop', 'k'.repeat(513)), 'TOO_LARGE');
  assert.equal(await a.call('ping'), 'pong');
  const hello = await a.call('hello', { client: a.name });
  assert.equal(hello.server, 'idemstored');
  const stats = await a.call('stats');
  assert.ok(stats.connections >= 1);
}

// Many at once, in whatever order the replies come; half of them lie on the
// other thread where there are two.
async function crowd(a, key) {
  const all = await Promise.all(Array.from({ length: 300 }, (_, i) =>
    a.call('acquire', 'shop', `${key}-${i % 100}`, null, null, 30000, 60000)));
  const won = all.filter(([outcome]) => outcome === 'acquired');
  assert.equal(won.length, 100);
  assert.ok(all.every(([o]) => o === 'acquired' || o === 'in_progress'));
}

async function main() {
  const clients = [lite(), raw()];
  for (const a of clients)
    for (const b of clients) {
      await story(a, b, `order ${a.name} ${b.name}`);
      console.log(`${a.name} acts, ${b.name} repeats: as promised`);
    }
  for (const a of clients) {
    await errors(a);
    await crowd(a, a.name);
    console.log(`${a.name}: errors, and 300 calls at once`);
  }
  clients.forEach((c) => c.close());
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
