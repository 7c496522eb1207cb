// SPDX-License-Identifier: Apache-2.0
// What is asked: arguments checked and put in the wire's order. One place for
// the store over sockets and the one in memory.
'use strict';

const { randomBytes } = require('node:crypto');
const { argument } = require('./errors.js');

const LEASE_MS_DEFAULT = 30000;
const TTL_MS_DEFAULT = 86400000;
const LEASE_MS_MAX = 86400000;
const TTL_MS_MAX = 31622400000;
const WAIT_MS_MAX = 60000;
const KEY_BYTES_MAX = 512;

const METHODS = {};
for (const name of ['acquire', 'complete', 'release', 'renew', 'peek',
  'ping', 'stats']) {
  METHODS[name] = Buffer.from(name, 'latin1');
}
const CHANGES = new Set(['acquire', 'complete', 'release', 'renew']);
const NOTHING = Buffer.alloc(0);

/** One call as it was asked. params: what follows namespace and key. waitMs,
 *  onOrphan: of an acquire. */
class Ask {
  constructor(method, ns, key, params, timeoutMs) {
    this.method = method;
    this.ns = ns;
    this.key = key;
    this.params = params;
    this.timeoutMs = timeoutMs;
    this.isChange = CHANGES.has(method);
    this.waitMs = 0;
    this.onOrphan = 'takeover';
    this.nonce = null;
    this.resultBytes = 0;
    this.sentMs = 0; // when the attempt that was answered went out
  }

  /** Its bytes, with the wait that is left, and without a result that the
   *  server would skip. */
  write(writer, msgid, waitMs, resultBytesMax) {
    writer.byte(0x94);
    writer.byte(0x00);
    writer.uint(msgid);
    writer.text(METHODS[this.method]);
    if (this.key === null) {
      writer.array(0);
      return;
    }
    const options = waitMs > 0 || this.onOrphan !== 'takeover';
    writer.array(2 + this.params.length + (options ? 1 : 0));
    writer.text(this.ns);
    writer.text(this.key);
    const isTrimmed = this.resultBytes > resultBytesMax;
    for (let n = 0; n < this.params.length; n++) {
      writer.value(isTrimmed && n === 1 ? null : this.params[n]);
    }
    if (!options) return;
    const told = {};
    if (waitMs > 0) told.wait_ms = waitMs;
    if (this.onOrphan !== 'takeover') told.on_orphan = this.onOrphan;
    writer.value(told);
  }
}

/** Random, and no system call each: a base and a count. */
class Nonces {
  constructor() {
    this._base = randomBytes(16);
    this._count = this._base.readUInt32BE(12);
  }

  draw() {
    this._count++;
    if (this._count > 0xffffffff) {
      this._base = randomBytes(16);
      this._count = 0;
    }
    const made = Buffer.from(this._base);
    made.writeUInt32BE(this._count, 12);
    return made;
  }
}

/** The bytes of a text, or bytes as they are. */
function text(value, what, least, most) {
  let raw;
  if (typeof value === 'string') {
    if (!value.isWellFormed()) {
      throw argument(`${what} has half of a surrogate pair, which is no text`);
    }
    raw = Buffer.from(value, 'utf8');
  } else if (value instanceof Uint8Array) {
    raw = Buffer.from(value);
  } else {
    throw argument(`${what} is a string or bytes, not ${kind(value)}`);
  }
  return sized(raw, what, least, most);
}

function kind(value) {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `of type ${typeof value}`;
}

function sized(raw, what, least, most) {
  if (raw.length < least || raw.length > most) {
    throw argument(least === most ? `${what} has ${least} bytes`
      : `${what} has ${least} to ${most} bytes`);
  }
  return raw;
}

function data(value, what, least, most) {
  if (!(value instanceof Uint8Array)) {
    throw argument(`${what} is a Buffer or Uint8Array, not ${kind(value)}`);
  }
  return sized(value, what, least, most);
}

function number(value, what, least, most) {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw argument(`${what} is a whole number from ${least} to ${most}`);
  }
  return value;
}

function oneOf(value, what, words) {
  if (!words.includes(value)) {
    throw argument(`${what} is one of ${words.join(', ')}`);
  }
  return value;
}

// A misspelt option would be silently without effect: leaseMS, wait_ms.
function known(options, names, what) {
  if (options === null || typeof options !== 'object') {
    throw argument(`the options of ${what} are an object, not ` +
      kind(options));
  }
  for (const name in options) {
    if (!names.has(name)) {
      throw argument(`${what} has no option ${name}; there are ` +
        [...names].join(', '));
    }
  }
}

const COMMON = ['ns', 'timeoutMs'];
const ACQUIRE = new Set(['fingerprint', 'nonce', 'leaseMs', 'ttlMs', 'waitMs',
  'onOrphan', ...COMMON]);
const COMPLETE = new Set(['result', 'resultClass', 'ttlMs', ...COMMON]);
const RELEASE = new Set(['unbind', ...COMMON]);
const RENEW = new Set(['leaseMs', ...COMMON]);
const PEEK = new Set(COMMON);
const BARE = new Set(['timeoutMs']);
const NONE = Object.freeze({});

/** Makes them, with a store's namespace and nonces. */
class Asks {
  constructor(ns) {
    this._ns = text(ns, 'ns', 0, 64);
    this._nonces = new Nonces();
  }

  _ask(method, key, params, options) {
    const ns = options.ns === undefined ? this._ns
      : text(options.ns, 'ns', 0, 64);
    return new Ask(method, ns, text(key, 'key', 1, KEY_BYTES_MAX), params,
      this._timeout(options));
  }

  _timeout(options) {
    return options.timeoutMs === undefined ? 0
      : number(options.timeoutMs, 'timeoutMs', 1, LEASE_MS_MAX);
  }

  acquire(key, options = NONE) {
    known(options, ACQUIRE, 'acquire');
    const nonce = options.nonce === undefined ? this._nonces.draw()
      : data(options.nonce, 'nonce', 1, 32);
    const fingerprint = options.fingerprint === undefined ||
      options.fingerprint === null ? null
      : data(options.fingerprint, 'fingerprint', 0, 64);
    const leaseMs = number(options.leaseMs ?? LEASE_MS_DEFAULT, 'leaseMs', 1,
      LEASE_MS_MAX);
    const ttlMs = number(
      options.ttlMs ?? Math.max(TTL_MS_DEFAULT, leaseMs), 'ttlMs', 1,
      TTL_MS_MAX);
    if (leaseMs > ttlMs) throw argument('leaseMs is over ttlMs');
    const made = this._ask('acquire', key, [fingerprint, nonce, leaseMs,
      ttlMs], options);
    made.nonce = nonce;
    made.waitMs = number(options.waitMs ?? 0, 'waitMs', 0, WAIT_MS_MAX);
    made.onOrphan = oneOf(options.onOrphan ?? 'takeover', 'onOrphan',
      ['takeover', 'report']);
    return made;
  }

  complete(key, token, options = NONE) {
    known(options, COMPLETE, 'complete');
    data(token, 'token', 16, 16);
    const ttlMs = options.ttlMs === undefined ? null
      : number(options.ttlMs, 'ttlMs', 1, TTL_MS_MAX);
    const as = oneOf(options.resultClass ?? 'success', 'resultClass',
      ['success', 'error']);
    const result = options.result === undefined || options.result === null
      ? null : data(options.result, 'result', 0, 2 ** 30);
    let params = [token, result];
    if (ttlMs !== null || as !== 'success') params = [token, result, ttlMs];
    if (as !== 'success') params.push({ class: as });
    const made = this._ask('complete', key, params, options);
    made.resultBytes = result === null ? 0 : result.length;
    return made;
  }

  release(key, token, options = NONE) {
    known(options, RELEASE, 'release');
    data(token, 'token', 16, 16);
    const params = options.unbind ? [token, { unbind: true }] : [token];
    return this._ask('release', key, params, options);
  }

  renew(key, token, options = NONE) {
    known(options, RENEW, 'renew');
    data(token, 'token', 16, 16);
    const leaseMs = number(options.leaseMs ?? LEASE_MS_DEFAULT, 'leaseMs', 1,
      LEASE_MS_MAX);
    return this._ask('renew', key, [token, leaseMs], options);
  }

  peek(key, options = NONE) {
    known(options, PEEK, 'peek');
    return this._ask('peek', key, [], options);
  }

  bare(method, options = NONE) {
    known(options, BARE, method);
    return new Ask(method, NOTHING, null, [], this._timeout(options));
  }
}

module.exports = { Ask, Asks, known, kind, LEASE_MS_DEFAULT, ACQUIRE };
