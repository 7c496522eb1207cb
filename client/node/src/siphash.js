// SPDX-License-Identifier: Apache-2.0
// SipHash-2-4, which names the shard that owns a key. Words of 64 bits as two
// of 32: a BigInt each step would cost a hundred times as much.
'use strict';

// v0..v3 as [high, low] of each, in one array that every call reuses.
const v = new Uint32Array(8);

function add(a, b) {
  const low = v[a + 1] + v[b + 1];
  v[a] = v[a] + v[b] + (low > 0xffffffff ? 1 : 0);
  v[a + 1] = low;
}

function rotateXor(a, bits, b) {
  const high = v[a];
  const low = v[a + 1];
  v[a] = ((high << bits) | (low >>> (32 - bits))) ^ v[b];
  v[a + 1] = ((low << bits) | (high >>> (32 - bits))) ^ v[b + 1];
}

function swap(a) {
  const high = v[a];
  v[a] = v[a + 1];
  v[a + 1] = high;
}

function rounds(count) {
  for (let n = 0; n < count; n++) {
    add(0, 2); rotateXor(2, 13, 0); swap(0);
    add(4, 6); rotateXor(6, 16, 4);
    add(0, 6); rotateXor(6, 21, 0);
    add(4, 2); rotateXor(2, 17, 4); swap(4);
  }
}

function word(high, low) {
  v[6] ^= high;
  v[7] ^= low;
  rounds(2);
  v[0] ^= high;
  v[1] ^= low;
}

/** The hash under one 16-byte key: shard(ns, key, shards). */
class Hash {
  constructor(key) {
    const k = [key.readUInt32LE(4), key.readUInt32LE(0),
      key.readUInt32LE(12), key.readUInt32LE(8)];
    const c = [0x736f6d65, 0x70736575, 0x646f7261, 0x6e646f6d,
      0x6c796765, 0x6e657261, 0x74656462, 0x79746573];
    this._start = Uint32Array.from(c, (one, n) => one ^ k[n & 3]);
    this._text = Buffer.alloc(1024);
  }

  /** [high, low] of the 64 bits. */
  of(text, size = text.length) {
    v.set(this._start);
    const whole = size - (size & 7);
    for (let at = 0; at < whole; at += 8) {
      word(text.readUInt32LE(at + 4), text.readUInt32LE(at));
    }
    let high = 0;
    let low = 0;
    for (let n = 0; n < (size & 7); n++) {
      if (n < 4) low |= text[whole + n] << (8 * n);
      else high |= text[whole + n] << (8 * (n - 4));
    }
    word((high | (size & 255) << 24) >>> 0, low >>> 0);
    v[5] ^= 255;
    rounds(4);
    return [(v[0] ^ v[2] ^ v[4] ^ v[6]) >>> 0,
      (v[1] ^ v[3] ^ v[5] ^ v[7]) >>> 0];
  }

  /** Which of so many shards owns the key: over a byte of the namespace's
   *  length, it, the key. */
  shard(ns, key, shards) {
    const text = this._text;
    text[0] = ns.length;
    text.set(ns, 1);
    text.set(key, 1 + ns.length);
    const [high, low] = this.of(text, 1 + ns.length + key.length);
    return ((high % shards) * (4294967296 % shards) + low % shards) % shards;
  }
}

module.exports = { Hash };
