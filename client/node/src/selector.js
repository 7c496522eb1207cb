// SPDX-License-Identifier: Apache-2.0
// Which server a store's connections lead to, and what it said of itself.
// Shared by all connections of a store. No socket; time is an argument.
'use strict';

const { Hash } = require('./siphash.js');
const { endpoint } = require('./uri.js');
const { fail } = require('./errors.js');

// How long a primary of a lower epoch than another one had is not believed:
// longer than a failover takes, and not for ever, where an operator did go
// back to the older one.
const DOUBT_MS = 10000;
const PAUSE_MS_FIRST = 20;
const PAUSE_MS_MAX = 250;

/** A random pause below a bound that doubles ("full jitter"). */
class Backoff {
  constructor() {
    this.attempts = 0;
  }

  /** freeAttempts: how many may follow each other at once. */
  pauseMs(freeAttempts) {
    if (this.attempts < freeAttempts) return 0;
    const doublings = Math.min(Math.floor(this.attempts / freeAttempts) - 1, 4);
    const bound = Math.min(PAUSE_MS_FIRST * (1 << doublings), PAUSE_MS_MAX);
    return 1 + Math.random() * (bound - 1);
  }
}

function whole(value, otherwise, most = 2 ** 53) {
  return Number.isInteger(value) && value >= 0 && value <= most
    ? value : otherwise;
}

/** What a server's hello says, checked. null: these are words that this
 *  version does not know. */
function readHello(result) {
  if (!(result instanceof Map)) return null;
  const limits = result.get('limits') instanceof Map
    ? result.get('limits') : new Map();
  const shards = whole(result.get('shards'), 0);
  if (shards < 1 || shards > 1024) return null;
  let hashKey = result.get('hash_key');
  if (!Buffer.isBuffer(hashKey) || hashKey.length !== 16) {
    if (shards > 1) return null;
    hashKey = Buffer.alloc(16);
  }
  return {
    leads: String(result.get('role') ?? 'primary') !== 'replica',
    epoch: whole(result.get('epoch'), 0),
    shards,
    hashKey,
    resultBytesMax: whole(limits.get('result_bytes_max'), 1 << 20, 2 ** 30),
    frameBytesMax: whole(
      limits.get('frame_bytes_max'), (1 << 20) + 65536, 2 ** 30),
    pendingMax: whole(limits.get('pending_max'), 1024) || 1024,
  };
}

class EndpointSelector {
  constructor(endpoints, shardAware) {
    this.endpoints = endpoints;
    this.shardAware = shardAware;
    // Grows whenever the server changes: a connection that was made under
    // another serial belongs to another server.
    this.serial = 1;
    this.shards = 0; // 0: not known yet
    this.primary = '';
    this.epoch = 0;
    this.follows = 0;
    this.good = new Map(); // endpoint's name: the address that answered
    this._index = 0;
    this._redirect = null;
    this._hash = null;
    this._epochAt = '';
    this._doubtEndMs = null;
  }

  get endpoint() {
    return this._redirect || this.endpoints[this._index];
  }

  _moved() {
    this.shards = 0;
    this.serial++;
  }

  _moveOn() {
    if (this.endpoints.length === 1 && !this._redirect) return; // no other
    this._redirect = null;
    this._index = (this._index + 1) % this.endpoints.length;
    this._moved();
  }

  /** It can't be reached, or wants no more calls: the next one's turn. Nothing
   *  happens when another call was first. */
  failed(serial) {
    if (this.serial === serial) this._moveOn();
  }

  /** It named the primary; what is no endpoint counts as failed. */
  redirect(serial, primary) {
    if (this.serial !== serial) return;
    let named;
    try {
      named = endpoint(primary);
    } catch {
      this._moveOn();
      return;
    }
    const index = this.endpoints.findIndex((one) => one.name === named.name);
    this._redirect = index < 0 ? named : null;
    if (index >= 0) this._index = index;
    this._moved();
  }

  /** It no longer is what it told: each connection asks it anew. */
  unlearn(serial) {
    if (this.serial === serial) this._moved();
  }

  _believes(at, hello, nowMs) {
    if (!hello.leads) return true; // it names the primary, or none
    if (hello.epoch < this.epoch && at.name !== this._epochAt) {
      this._doubtEndMs ??= nowMs + DOUBT_MS;
      if (nowMs < this._doubtEndMs) return false;
    }
    this.epoch = hello.epoch;
    this._epochAt = at.name;
    this._doubtEndMs = null;
    if (this.primary && this.primary !== at.name) this.follows++;
    this.primary = at.name;
    return true;
  }

  /** What hello told. An error when it calls itself the primary in an epoch
   *  that is over: another is to be looked for first. */
  learn(at, serial, hello, nowMs) {
    if (!this._believes(at, hello, nowMs)) {
      return fail('CONNECT', `${at.name} calls itself the primary of epoch ` +
        `${hello.epoch}, but ${this._epochAt} was the primary of epoch ` +
        `${this.epoch}; if the older one is meant to go on, it is believed ` +
        `after ${DOUBT_MS / 1000} s`, { endpoint: at.name });
    }
    if (this.serial === serial) {
      this.shards = this.shardAware && hello.leads ? hello.shards : 1;
      this._hash = new Hash(hello.hashKey);
    }
    return null;
  }

  /** The shard that owns the key; -1 while it is not known how many there
   *  are. */
  route(ns, key) {
    if (this.shards === 0) return -1;
    if (this.shards === 1 || key.length === 0) return 0;
    return this._hash.shard(ns, key, this.shards);
  }
}

module.exports = { Backoff, EndpointSelector, readHello, PAUSE_MS_FIRST };
