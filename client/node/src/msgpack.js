// SPDX-License-Identifier: Apache-2.0
// MessagePack, as much as the wire has of it: written into one growing buffer,
// read with bounds. Nothing is reserved for what is merely announced.
'use strict';

const ITEMS_MAX = 64;
const DEPTH_MAX = 8;
const LARGE = 65536;
const TWO_32 = 4294967296;

class Malformed extends Error {}

/** Thrown where a value is not whole: so many bytes are needed from its
 *  beginning on, at least. */
class More extends Error {
  constructor(need) {
    super('more bytes are needed');
    this.need = need;
  }
}

/** What came as a float: a number is an integer here, and 200.0 is none. */
class Float {
  constructor(value) {
    this.value = value;
  }
}

/** Bytes that are written one behind the other. */
class Writer {
  constructor(size = 1024) {
    this.buffer = Buffer.allocUnsafeSlow(size);
    this.size = 0;
  }

  /** Room for so many more; `at` of it. */
  room(count) {
    const at = this.size;
    const need = at + count;
    if (need > this.buffer.length) {
      const larger = Buffer.allocUnsafeSlow(
        Math.max(this.buffer.length * 2, need));
      this.buffer.copy(larger, 0, 0, at);
      this.buffer = larger;
    }
    this.size = need;
    return at;
  }

  byte(value) {
    const at = this.room(1);
    this.buffer[at] = value;
  }

  uint(value) {
    if (value < 0x80) {
      this.byte(value);
    } else if (value < 0x100) {
      const at = this.room(2);
      this.buffer[at] = 0xcc;
      this.buffer[at + 1] = value;
    } else if (value < 0x10000) {
      const at = this.room(3);
      this.buffer[at] = 0xcd;
      this.buffer[at + 1] = value >>> 8;
      this.buffer[at + 2] = value;
    } else if (value < TWO_32) {
      const at = this.room(5);
      this.buffer[at] = 0xce;
      this.buffer.writeUInt32BE(value, at + 1);
    } else {
      const at = this.room(9);
      this.buffer[at] = 0xcf;
      this.buffer.writeUInt32BE(Math.floor(value / TWO_32), at + 1);
      this.buffer.writeUInt32BE(value % TWO_32, at + 5);
    }
  }

  array(count) {
    this._header(count, 0x90, 16, 0xdc, false);
  }

  map(count) {
    this._header(count, 0x80, 16, 0xde, false);
  }

  _header(count, fix, fixEnd, wide, hasByte) {
    if (count < fixEnd) {
      this.byte(fix + count);
    } else if (hasByte && count < 0x100) {
      const at = this.room(2);
      this.buffer[at] = wide - 1;
      this.buffer[at + 1] = count;
    } else if (count < 0x10000) {
      const at = this.room(3);
      this.buffer[at] = wide;
      this.buffer.writeUInt16BE(count, at + 1);
    } else {
      const at = this.room(5);
      this.buffer[at] = wide + 1;
      this.buffer.writeUInt32BE(count, at + 1);
    }
  }

  str(text) {
    const length = Buffer.byteLength(text, 'utf8');
    this._header(length, 0xa0, 32, 0xda, true);
    const at = this.room(length);
    this.buffer.write(text, at, length, 'utf8');
  }

  /** Bytes of a text that are there already. */
  text(bytes) {
    this._header(bytes.length, 0xa0, 32, 0xda, true);
    const at = this.room(bytes.length);
    this.buffer.set(bytes, at);
  }

  bin(bytes) {
    const length = bytes.length;
    if (length < 0x100) {
      const at = this.room(2 + length);
      this.buffer[at] = 0xc4;
      this.buffer[at + 1] = length;
      this.buffer.set(bytes, at + 2);
      return;
    }
    this._header(length, 0, 0, 0xc5, false);
    const at = this.room(length);
    this.buffer.set(bytes, at);
  }

  value(value) {
    if (value === null || value === undefined) this.byte(0xc0);
    else if (value === true) this.byte(0xc3);
    else if (value === false) this.byte(0xc2);
    else if (typeof value === 'number') this.uint(value);
    else if (typeof value === 'string') this.str(value);
    else if (value instanceof Uint8Array) this.bin(value);
    else if (Array.isArray(value)) {
      this.array(value.length);
      for (const one of value) this.value(one);
    } else {
      const names = Object.keys(value);
      this.map(names.length);
      for (const name of names) {
        this.str(name);
        this.value(value[name]);
      }
    }
  }

  /** What was written; the writer begins anew. What is large is handed on,
   *  what is small copied, so that this buffer stays. */
  take() {
    const written = this.buffer.subarray(0, this.size);
    const large = this.buffer.length > LARGE;
    if (large) this.buffer = Buffer.allocUnsafeSlow(1024);
    this.size = 0;
    return large ? written : Buffer.from(written);
  }
}

function pack(value) {
  const writer = new Writer(256);
  writer.value(value);
  return writer.take();
}

/** Reads values in a buffer. limit: bytes of one message. */
class Cursor {
  constructor(buffer, at, end, limit) {
    this.reset(buffer, at, end, limit);
  }

  reset(buffer, at, end, limit) {
    this.buffer = buffer;
    this.at = at;
    this.start = at;
    this.end = end;
    this.limit = limit;
  }

  /** Steps over so many bytes; where they begin. */
  step(count) {
    const at = this.at;
    const next = at + count;
    if (next - this.start > this.limit) {
      throw new Malformed(`a message over the limit of ${this.limit} bytes`);
    }
    if (next > this.end) throw new More(next - this.start);
    this.at = next;
    return at;
  }

  uint(size) {
    const at = this.step(size);
    if (size === 1) return this.buffer[at];
    if (size === 2) return this.buffer.readUInt16BE(at);
    const high = this.buffer.readUInt32BE(at);
    if (size === 4) return high;
    return high * TWO_32 + this.buffer.readUInt32BE(at + 4);
  }

  int(size) {
    const at = this.step(size);
    if (size < 8) return this.buffer.readIntBE(at, size);
    return Number(this.buffer.readBigInt64BE(at));
  }

  /** A str: a string, or its bytes where they are no UTF-8. */
  str(size) {
    const at = this.step(size);
    const text = this.buffer.toString('utf8', at, at + size);
    if (text.includes('\ufffd')) {
      const raw = this.buffer.subarray(at, at + size);
      if (!Buffer.from(text, 'utf8').equals(raw)) return Buffer.from(raw);
    }
    return text;
  }

  bin(size) {
    const at = this.step(size);
    const made = Buffer.allocUnsafe(size);
    this.buffer.copy(made, 0, at, at + size);
    return made;
  }

  value(depth) {
    const first = this.buffer[this.step(1)];
    if (first < 0x80) return first;
    if (first >= 0xe0) return first - 0x100;
    if (first < 0x90) return this.map(first & 15, depth);
    if (first < 0xa0) return this.array(first & 15, depth);
    if (first < 0xc0) return this.str(first & 31);
    return this._longer(first, depth);
  }

  _longer(first, depth) {
    switch (first) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: return this.bin(this.uint(1));
      case 0xc5: return this.bin(this.uint(2));
      case 0xc6: return this.bin(this.uint(4));
      case 0xca: return new Float(this.buffer.readFloatBE(this.step(4)));
      case 0xcb: return new Float(this.buffer.readDoubleBE(this.step(8)));
      case 0xcc: return this.uint(1);
      case 0xcd: return this.uint(2);
      case 0xce: return this.uint(4);
      case 0xcf: return this.uint(8);
      case 0xd0: return this.int(1);
      case 0xd1: return this.int(2);
      case 0xd2: return this.int(4);
      case 0xd3: return this.int(8);
      case 0xd9: return this.str(this.uint(1));
      case 0xda: return this.str(this.uint(2));
      case 0xdb: return this.str(this.uint(4));
      case 0xdc: return this.array(this.uint(2), depth);
      case 0xdd: return this.array(this.uint(4), depth);
      case 0xde: return this.map(this.uint(2), depth);
      case 0xdf: return this.map(this.uint(4), depth);
      default: throw new Malformed('an ext type or the byte 0xc1');
    }
  }

  _check(count, depth) {
    if (count > ITEMS_MAX || depth >= DEPTH_MAX) {
      throw new Malformed('a container over the limits of the wire');
    }
  }

  array(count, depth) {
    this._check(count, depth);
    const made = [];
    for (let n = 0; n < count; n++) made.push(this.value(depth + 1));
    return made;
  }

  /** A Map: no key of a stranger's is a property of an object of ours. */
  map(count, depth) {
    this._check(count, depth);
    const made = new Map();
    for (let n = 0; n < count; n++) {
      const name = this.value(depth + 1);
      if (typeof name !== 'string' && !Buffer.isBuffer(name)) {
        throw new Malformed('a map key that is no text');
      }
      made.set(String(name), this.value(depth + 1));
    }
    return made;
  }
}

/** The only value in these bytes. Throws Malformed, More. */
function unpack(bytes) {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const cursor = new Cursor(buffer, 0, buffer.length, buffer.length);
  const value = cursor.value(0);
  if (cursor.at !== buffer.length) throw new Malformed('bytes behind it');
  return value;
}

module.exports = { Writer, Cursor, Malformed, More, pack, unpack, ITEMS_MAX };
