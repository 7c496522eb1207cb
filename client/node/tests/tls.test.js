// SPDX-License-Identifier: Apache-2.0
// idems://: the client's half of TLS, against a proxy that ends it before a
// real daemon.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { once } = require('node:events');
const net = require('node:net');
const path = require('node:path');
const { after, before, test } = require('node:test');
const tls = require('node:tls');
const idemstore = require('../src/index.js');
const { Daemon } = require('../src/testing.js');
const { freshNs } = require('./helper.js');

const file = (name) => path.join(__dirname, 'tls', name);
const read = (name) => fs.readFileSync(file(name));

let daemon;
before(async () => {
  daemon = await Daemon.start({ args: ['--threads', '2'] });
});
after(() => daemon.close());

/** Its port. */
async function proxy(t, options = {}, name = 'server') {
  const sockets = new Set();
  const server = tls.createServer({ cert: read(name + '.crt'),
    key: read(name + '.key'), ...options }, (socket) => {
    const onward = net.connect(daemon.port, '127.0.0.1');
    for (const one of [socket, onward]) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        socket.destroy();
        onward.destroy();
      });
    }
    socket.pipe(onward).pipe(socket);
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const one of sockets) one.destroy();
    server.close();
  });
  return server.address().port;
}

function open(t, port, options = {}, host = 'localhost') {
  const query = new URLSearchParams({ ca: file('ca.pem'), timeout_ms: '20000',
    ...options });
  const store = new idemstore.Store(
    `idems://${host}:${port}/${freshNs()}?${query}`);
  t.after(() => store.close());
  return store;
}

const isTls = (words) => (why) => why.code === 'TLS' &&
  why.assume === 'unchanged' && words.test(why.message);

test('over TLS, by name and by address', async (t) => {
  const port = await proxy(t);
  for (const host of ['localhost', '127.0.0.1']) {
    const store = open(t, port, {}, host);
    const large = Buffer.alloc(1 << 20, 7);
    const raw = { encode: (value) => value, decode: (stored) => stored };
    assert.deepEqual(await store.once('k', raw, () => large), large);
    assert.deepEqual(await store.once('k', raw, () => null), large);
    await Promise.all(Array.from({ length: 200 },
      (_, n) => store.once('k' + n, () => n)));
    assert.equal(store.status().connections, 2);
  }
});

test('who it is, is verified', async (t) => {
  const port = await proxy(t);
  await assert.rejects(open(t, port, { ca: file('other.pem') }).ping(),
    isTls(/certificate|signature/));
  const elsewhere = await proxy(t, {}, 'elsewhere');
  await assert.rejects(open(t, elsewhere).ping(), isTls(/altname/));
  await open(t, elsewhere, { server_name: 'elsewhere.test' }).ping();
  await open(t, elsewhere, { verify: 'ca' }).ping();
  await assert.rejects(
    open(t, elsewhere, { verify: 'ca', ca: file('other.pem') }).ping(),
    isTls(/certificate|signature/));
  await open(t, elsewhere, { verify: 'none', ca: file('other.pem') }).ping();
});

test('a client certificate', async (t) => {
  const port = await proxy(t, { requestCert: true, ca: read('ca.pem') });
  await open(t, port, { cert: file('client.crt'),
    key: file('client.key') }).ping();
  // Under TLS 1.3 it hears of that only once it reads.
  await assert.rejects(open(t, port, { timeout_ms: '2000' }).ping(),
    (why) => why.assume === 'unchanged');
});

test('TLS 1.1 is none', async (t) => {
  const port = await proxy(t, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1',
    ciphers: 'DEFAULT@SECLEVEL=0' });
  await assert.rejects(open(t, port, { timeout_ms: '3000' }).ping(),
    (why) => why.assume === 'unchanged');
});

test('TLS and plain, each where the other is spoken', async (t) => {
  const port = await proxy(t);
  await assert.rejects(
    open(t, daemon.port, { timeout_ms: '3000' }, '127.0.0.1').ping(),
    (why) => why.assume === 'unchanged' &&
      ['TLS', 'CONNECT'].includes(why.code));
  const plain = new idemstore.Store(`idem://127.0.0.1:${port}?timeout_ms=3000`);
  t.after(() => plain.close());
  await assert.rejects(plain.ping(), { code: 'CONNECT' });
});

test('files that are none are told when the store is made', (t) => {
  for (const [options, words] of [
    [{ ca: '/none' }, /ca can't be used: ENOENT/],
    [{ ca: file('README.md') }, /ca can't be used/],
    [{ cert: '/none' }, /cert can't be used: ENOENT/],
    [{ cert: file('client.crt'), key: file('server.key') },
      /cert or key can't be used/]]) {
    assert.throws(() => open(t, 1, options), isTls(words));
  }
});

test('a connection that is lost is made anew', async (t) => {
  const port = await proxy(t);
  const store = open(t, port);
  await store.once('k', () => 1);
  await daemon.restart();
  assert.equal(await store.once('k2', () => 2), 2);
});
