// SPDX-License-Identifier: Apache-2.0
// Servers that are away, strangers, silent, full, or gone in the middle: what
// is told, and what its caller may assume. The suite has more of it.
'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const net = require('node:net');
const { test } = require('node:test');
const { Store } = require('../src/index.js');
const { pack } = require('../src/msgpack.js');
const { Responses } = require('../src/wire.js');
const { daemonFor, freshNs, sleep, until } = require('./helper.js');

function open(t, uri) {
  const store = new Store(uri);
  t.after(() => store.close());
  return store;
}

async function listen(t, onSocket) {
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const one of sockets) one.destroy();
    server.close();
  });
  return server.address().port;
}

const HELLO = { role: 'primary', epoch: 5, shards: 1,
  limits: { pending_max: 4, result_bytes_max: 1 << 20 } };

/** A server that says hello, and answers what answer() gives; undefined:
 *  nothing. */
function played(t, answer, hello = () => HELLO) {
  return listen(t, (socket) => {
    const responses = new Responses(1 << 22, () => {});
    responses._one = (cursor) => {
      const [, msgid, method, params] = cursor.value(0);
      const told = method === 'hello' ? hello()
        : answer(method, params, socket, msgid);
      if (told !== undefined) socket.write(pack([1, msgid, null, told]));
    };
    socket.on('data', (piece) => responses.feed(piece));
  });
}

test('nobody listens: CONNECT, unchanged, in good time', async (t) => {
  const store = open(t, 'idem://127.0.0.1:9?timeout_ms=3000');
  await assert.rejects(store.acquire('k'), (why) => why.code === 'CONNECT' &&
    why.assume === 'unchanged' && why.endpoint === '127.0.0.1:9' &&
    /connection refused/.test(why.message) && why.nonce.length === 16);
});

test('a name that is none', async (t) => {
  const store = open(t, 'idem://no.such.name.invalid?timeout_ms=3000');
  await assert.rejects(store.ping(), (why) => why.code === 'CONNECT' &&
    /host of no\.such\.name\.invalid:7117 is not known/.test(why.message));
});

for (const [what, bytes, words] of [
  ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n', /, but HTTP; check the port/],
  ['Redis', '-ERR unknown command\r\n', /, but Redis'; check the port/],
  ['TLS', Buffer.from('15030100020246', 'hex'), /but TLS: write idems:/],
]) {
  test(`${what} listens there: it says so`, async (t) => {
    const port = await listen(t, (socket) =>
      socket.once('data', () => socket.end(bytes)));
    const store = open(t, `idem://127.0.0.1:${port}?timeout_ms=3000`);
    await assert.rejects(store.ping(),
      (why) => why.code === 'CONNECT' && words.test(why.message));
  });
}

test('an attempt that the call\'s end cuts short says less than one that was ' +
  'answered', async (t) => {
  let connections = 0;
  const port = await listen(t, (socket) => {
    if (++connections > 1) return; // silent from then on
    socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  });
  const store = open(t, `idem://127.0.0.1:${port}?` +
    'timeout_ms=5000&connect_timeout_ms=60000');
  await assert.rejects(store.ping(),
    (why) => why.code === 'CONNECT' && /but HTTP/.test(why.message));
  assert.ok(connections > 1, 'it was not asked again');
});

test('one that is silent from the start, and one that closes at once',
  async (t) => {
    const silent = await listen(t, () => {});
    await assert.rejects(
      open(t, `idem://127.0.0.1:${silent}?timeout_ms=4000`).ping(),
      /takes connections and says nothing/);
    const closing = await listen(t, (socket) => socket.end());
    await assert.rejects(
      open(t, `idem://127.0.0.1:${closing}?timeout_ms=4000`).ping(),
      /closed the connection before it said a word/);
  });

test('no more than pending_max are under way, and none is lost', async (t) => {
  let under = 0;
  let most = 0;
  const port = await played(t, (method, params, socket, msgid) => {
    if (method === 'ping') return 'pong';
    most = Math.max(most, ++under);
    setImmediate(() => {
      under--;
      socket.write(pack([1, msgid, null, ['absent']]));
    });
    return undefined;
  });
  const store = open(t, `idem://127.0.0.1:${port}?timeout_ms=60000`);
  const told = await Promise.all(Array.from({ length: 5000 },
    (_, n) => store.peek('k' + n)));
  assert.equal(told.length, 5000);
  assert.ok(most <= 4, `${most} were`);
});

test('a call without room at its deadline was never sent', async (t) => {
  let heard = 0;
  const port = await played(t, (method) => {
    if (method === 'ping') return 'pong';
    heard++;
    return undefined;
  });
  const store = open(t, `idem://127.0.0.1:${port}?timeout_ms=60000`);
  const first = Array.from({ length: 4 }, () => store.acquire('k'));
  await until(() => heard === 4, 'four are under way');
  await assert.rejects(store.acquire('k', { timeoutMs: 300 }),
    (why) => why.code === 'TIMEOUT_UNSENT' && why.assume === 'unchanged');
  await store.close();
  for (const one of await Promise.allSettled(first)) {
    assert.deepEqual([one.status, one.reason.code, one.reason.assume],
      ['rejected', 'LOST', 'unknown']);
  }
  assert.equal(heard, 4);
});

test('late answers are dropped, and told to nobody else', async (t) => {
  const sockets = [];
  const ids = [];
  const port = await listen(t, (socket) => {
    sockets.push(socket);
    const responses = new Responses(1 << 22, () => {});
    responses._one = (cursor) => {
      const [, msgid, method] = cursor.value(0);
      if (method === 'hello') socket.write(pack([1, msgid, null, HELLO]));
      else if (method === 'ping') socket.write(pack([1, msgid, null, 'pong']));
      else ids.push(msgid);
    };
    socket.on('data', (piece) => responses.feed(piece));
  });
  const store = open(t, `idem://127.0.0.1:${port}?timeout_ms=20000`);
  await store.ping();
  await assert.rejects(store.peek('a', { timeoutMs: 200 }),
    { code: 'TIMEOUT' });
  const second = store.peek('b');
  await until(() => ids.length === 2, 'it is asked');
  sockets[0].write(pack([1, ids[0], null, ['absent']]));
  await sleep(50);
  sockets[0].write(pack([1, ids[1], null, ['released', { age_ms: 1,
    attempt: 7, ttl_left_ms: 1 }]]));
  assert.equal((await second).attempt, 7);
  assert.equal(sockets.length, 1);
});

test('fail_fast_ms: while changes wait, calls end at once', async (t) => {
  let heard = 0;
  const port = await played(t, (method) => {
    if (method === 'ping') return 'pong';
    heard++;
    return undefined;
  });
  const store = open(t,
    `idem://127.0.0.1:${port}?timeout_ms=30000&fail_fast_ms=1000`);
  await assert.rejects(store.acquire('a'),
    (why) => why.assume === 'unknown');
  assert.ok(store.status().changesWait);
  // One in a second goes to see; the others are told at once.
  const told = await Promise.allSettled(['b', 'c', 'd'].map(
    (key) => store.acquire(key)));
  assert.deepEqual(told.map((one) => one.reason.code),
    ['TIMEOUT', 'CHANGES_WAIT', 'CHANGES_WAIT']);
  assert.equal(heard, 2);
  assert.equal(store.status().failedFast, 2);
});

test('a server that restarts: who calls meanwhile waits for it', async (t) => {
  const daemon = await daemonFor(t, '--threads', '2');
  const store = open(t, daemon.uri(freshNs(), { timeout_ms: 60000 }));
  await store.once('a', () => 1);
  await daemon.kill();
  const calls = Array.from({ length: 200 },
    (_, n) => store.once('k' + n, () => n));
  await sleep(300);
  await daemon.restart();
  assert.deepEqual(await Promise.all(calls), calls.map((_, n) => n));
});

test('a server that stops for a while is left, and comes again', async (t) => {
  const daemon = await daemonFor(t, '--threads', '1');
  const store = open(t, daemon.uri(freshNs(), { timeout_ms: 60000 }));
  await store.ping();
  daemon.signal('SIGSTOP');
  const waiting = store.acquire('k');
  await until(() => store.status().losses > 0, 'it is left');
  daemon.signal('SIGCONT');
  assert.equal((await waiting).outcome, 'acquired');
});

test('a replica that is promoted under its connection says hello again',
  async (t) => {
    const hellos = [];
    const port = await played(t, (method) => {
      if (method === 'acquire') {
        return ['acquired', Buffer.alloc(16), 1, 'none', 30000];
      }
      return 'pong';
    }, () => {
      hellos.push(1);
      return { ...HELLO, role: hellos.length > 1 ? 'primary' : 'replica' };
    });
    const store = open(t, `idem://127.0.0.1:${port}`);
    await store.acquire('a');
    await until(() => store.status().primary !== '', 'it knows who leads');
    await store.acquire('b');
    assert.deepEqual([store.status().primary, hellos.length],
      [`127.0.0.1:${port}`, 2]);
  });
