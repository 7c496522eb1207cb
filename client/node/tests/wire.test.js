// SPDX-License-Identifier: Apache-2.0
// Bytes: what is sent, and what a server may not do to its client.
'use strict';

const assert = require('node:assert/strict');
const { randomInt } = require('node:crypto');
const { test } = require('node:test');
const { Asks } = require('../src/calls.js');
const msgpack = require('../src/msgpack.js');
const { Hash } = require('../src/siphash.js');
const { Broken, Responses } = require('../src/wire.js');

const FRAME_MAX = 65536;
const hex = (text) => Buffer.from(text.replace(/ /g, ''), 'hex');

test("SipHash is the paper's", () => {
  const bytes = Buffer.from(Array.from({ length: 16 }, (_, n) => n));
  assert.deepEqual(new Hash(bytes).of(bytes.subarray(0, 15)),
    [0xa129ca61, 0x49be45e5]);
});

test('SipHash agrees with a slow one on all lengths', () => {
  const M = (1n << 64n) - 1n;
  const rot = (x, b) => ((x << b) | (x >> (64n - b))) & M;
  const slow = (key, text) => {
    const [k0, k1] = [key.readBigUInt64LE(0), key.readBigUInt64LE(8)];
    let [a, b, c, d] = [k0 ^ 0x736f6d6570736575n, k1 ^ 0x646f72616e646f6dn,
      k0 ^ 0x6c7967656e657261n, k1 ^ 0x7465646279746573n];
    const round = () => {
      a = (a + b) & M; b = rot(b, 13n) ^ a; a = rot(a, 32n);
      c = (c + d) & M; d = rot(d, 16n) ^ c;
      a = (a + d) & M; d = rot(d, 21n) ^ a;
      c = (c + b) & M; b = rot(b, 17n) ^ c; c = rot(c, 32n);
    };
    const tail = Buffer.concat([text, Buffer.alloc(7 - text.length % 8),
      Buffer.from([text.length & 255])]);
    for (let at = 0; at < tail.length; at += 8) {
      const word = tail.readBigUInt64LE(at);
      d ^= word; round(); round(); a ^= word;
    }
    c ^= 255n;
    round(); round(); round(); round();
    return a ^ b ^ c ^ d;
  };
  const key = hex('ff01 8203 0405 0607 a809 0a0b fc0d 0e8f');
  const hash = new Hash(key);
  const ns = Buffer.from('shop');
  for (let size = 1; size <= 512; size++) {
    const name = Buffer.from(Array.from({ length: size },
      (_, n) => (n * 131 + size) & 255));
    const want = slow(key, Buffer.concat([Buffer.from([4]), ns, name]));
    for (const shards of [2, 3, 7, 1024]) {
      assert.equal(hash.shard(ns, name, shards), Number(want % BigInt(shards)));
    }
  }
});

test("the request is the wire's, byte for byte", () => {
  const asks = new Asks('shop');
  const ask = asks.acquire('order-17', { fingerprint: Buffer.alloc(8, 0xaa),
    nonce: Buffer.alloc(4, 0xbb), leaseMs: 30000, ttlMs: 86400000 });
  const writer = new msgpack.Writer(1);
  ask.write(writer, 1, 0, 1 << 20);
  assert.deepEqual(writer.take(), hex('94 00 01 a7 61 63 71 75 69 72 65 96 ' +
    'a4 73 68 6f 70 a8 6f 72 64 65 72 2d 31 37 c4 08 aa aa aa aa aa aa aa aa ' +
    'c4 04 bb bb bb bb cd 75 30 ce 05 26 5c 00'));
});

test('what is packed is read again, in the shortest form', () => {
  const all = [0, 127, 128, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32,
    2 ** 53 - 1, true, false, null,
    ...[0, 31, 32, 255, 256, 65536].map((n) => 'x'.repeat(n)),
    ...[0, 255, 256, 65536].map((n) => Buffer.alloc(n, 7))];
  for (const one of all) {
    assert.deepEqual(msgpack.unpack(msgpack.pack(one)), one);
  }
  const sizes = { 0: 1, 127: 1, 128: 2, 255: 2, 256: 3, 65535: 3, 65536: 5,
    [2 ** 32]: 9 };
  for (const [value, size] of Object.entries(sizes)) {
    assert.equal(msgpack.pack(Number(value)).length, size);
  }
});

test('a str that is no UTF-8 is read as its bytes', () => {
  assert.deepEqual(msgpack.unpack(hex('a2 ff 61')), hex('ff 61'));
  assert.equal(msgpack.unpack(hex('a3 ef bf bd')), '\ufffd');
});

function readAll(...pieces) {
  const got = [];
  const responses = new Responses(FRAME_MAX, (...one) => got.push(one));
  for (const piece of pieces) responses.feed(piece);
  return got;
}

test('responses are read at every split', () => {
  const data = Buffer.concat([
    [1, 1, null, ['replay', Buffer.alloc(300, 120), 'success', 1, 70000]],
    [1, 70000, 'LIMIT retry_ms=4', null],
    [1, 3, null, ['x', { a: [1, { b: null }] }]]].map(msgpack.pack));
  const want = readAll(data);
  assert.equal(want.length, 3);
  for (let at = 0; at <= data.length; at++) {
    assert.deepEqual(readAll(data.subarray(0, at), data.subarray(at)), want);
  }
  assert.deepEqual(readAll(...[...data].map((b) => Buffer.from([b]))), want);
});

const HOSTILE = {
  'an array that announces 268 million elements': '94 01 01 c0 dd 0f ff ff ff',
  'a map that does': '94 01 01 c0 df 0f ff ff ff',
  '2 GiB of bytes': '94 01 01 c0 c6 7f ff ff ff',
  '2 GiB of text': '94 01 01 c0 db 7f ff ff ff',
  'arrays in arrays': '94 01 01 c0' + '91'.repeat(2000),
  'an ext type': '94 01 01 c0 c7 ff 01',
  'the byte c1': '94 01 01 c0 c1',
  'no response': '94 02 01 c0 c0',
  'a notification': '93 02 a1 61 90',
  'an error that is an array': '94 01 01 92 01 02 c0',
  'HTTP': Buffer.from('HTTP/1.1 400 Bad Request\r\n').toString('hex'),
  'TLS': '15 03 01 00 02 02 46',
};
for (const [what, bytes] of Object.entries(HOSTILE)) {
  test(`${what}: the connection is over, and no memory is taken`, () => {
    const before = process.memoryUsage().arrayBuffers;
    assert.throws(() => readAll(hex(bytes)), Broken);
    assert.ok(process.memoryUsage().arrayBuffers - before < 1 << 20);
  });
}

test('a map key named __proto__ is a key', () => {
  const [[, , result]] = readAll(
    msgpack.pack([1, 1, null, JSON.parse('{"__proto__":{"x":1}}')]));
  assert.ok(result.get('__proto__') instanceof Map);
  assert.equal({}.x, undefined);
});

test('noise breaks or waits, and nothing else', () => {
  const seed = randomInt(2 ** 31);
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 16) & 255;
  };
  for (let n = 0; n < 20000; n++) {
    const noise = Buffer.from(Array.from({ length: 40 }, next));
    try {
      readAll(Buffer.concat([hex('94 01 01 c0'), noise]));
    } catch (why) {
      assert.ok(why instanceof Broken, `seed ${seed}: ${why.stack}`);
    }
  }
});

test('a long message in small pieces is not read anew for each', () => {
  const message = msgpack.pack([1, 1, null, ['replay', Buffer.alloc(1 << 20)]]);
  const got = [];
  const responses = new Responses(1 << 22, (...one) => got.push(one));
  let reads = 0;
  const read = responses._read;
  responses._read = (piece) => {
    reads++;
    return read.call(responses, piece);
  };
  for (let at = 0; at < message.length; at += 64) {
    responses.feed(message.subarray(at, at + 64));
  }
  assert.equal(got[0][2][1].length, 1 << 20);
  assert.ok(reads < 10, `${reads} reads`);
});
