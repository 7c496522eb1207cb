// SPDX-License-Identifier: Apache-2.0
// The server's state machine, for tests without a server: the same answers to
// the same calls. Pure: time is an argument, milliseconds of any clock. Who
// waits asks again when something has changed.
'use strict';

function at(ask) {
  return ask.ns.toString('latin1') + '\0' + ask.key.toString('latin1') +
    '\0' + ask.ns.length;
}

const same = (a, b) => a !== null && b !== null && Buffer.compare(a, b) === 0;
const some = (bytes) => (bytes !== null && bytes.length > 0 ? bytes : null);

class Row {
  constructor() {
    this.state = 'in_progress';
    this.fingerprint = null;
    this.nonce = null;
    this.token = null;
    this.attempt = 0;
    this.previous = 'none';
    this.since = 0; // when it entered its state
    this.leaseEnd = 0;
    this.ttl = 0;
    this.ttlEnd = 0;
    this.result = null;
    this.resultClass = 'success';
  }

  enter(state, now) {
    this.state = state;
    this.since = now;
    this.ttlEnd = now + this.ttl;
  }

  /** A lease from now on, of the same claim. */
  again(leaseMs, now) {
    if (this.state === 'in_progress') this.ttlEnd = now + this.ttl;
    else this.enter('in_progress', now);
    this.leaseEnd = now + leaseMs;
  }
}

class Machine {
  constructor(resultBytesMax = 1 << 20) {
    this.resultBytesMax = resultBytesMax;
    this._rows = new Map();
    this._queues = new Map();
    this._sequence = 0;
  }

  _row(ask, now) {
    const row = this._rows.get(at(ask));
    if (row === undefined) return null;
    if (now >= row.ttlEnd) {
      this._rows.delete(at(ask));
      return null;
    }
    if (row.state === 'in_progress' && now >= row.leaseEnd) {
      row.state = 'orphaned';
      row.since = row.leaseEnd;
    }
    return row;
  }

  // --------------------------------------------------------------- waiting

  /** Who waits for that key, in order. The first one alone may be granted what
   *  is released or orphaned. */
  queue(ask) {
    const name = at(ask);
    if (!this._queues.has(name)) this._queues.set(name, []);
    return this._queues.get(name);
  }

  /** Whether somebody waits for that key. */
  isAwaited(ask) {
    return ask.key !== null && this._queues.has(at(ask));
  }

  leave(ask) {
    const queue = this.queue(ask);
    queue.splice(queue.indexOf(ask), 1);
    if (queue.length === 0) this._queues.delete(at(ask));
  }

  /** When a waiter may be answered though nobody does anything, or null. */
  nextChange(ask, now) {
    const row = this._row(ask, now);
    return row !== null && row.state === 'in_progress' ? row.leaseEnd : null;
  }

  // ----------------------------------------------------------------- calls

  /** isFirst: nobody waits for the key before this one. */
  do(ask, now, isFirst = true) {
    switch (ask.method) {
      case 'acquire': return this._acquire(ask, now, isFirst);
      case 'peek': return this._peek(ask, now);
      case 'ping': return 'pong';
      case 'stats': return { records: this._rows.size };
      default: return this._settle(ask, now);
    }
  }

  _grant(row, ask, now, previous) {
    const [fingerprint, nonce, leaseMs, ttlMs] = ask.params;
    this._sequence++;
    row.token = Buffer.alloc(16);
    row.token.writeUInt32BE(1, 4);
    row.token.writeUInt32BE(this._sequence, 12);
    row.attempt++;
    row.previous = previous;
    row.nonce = nonce;
    row.fingerprint ??= some(fingerprint);
    row.ttl = ttlMs;
    row.enter('in_progress', now);
    row.leaseEnd = now + leaseMs;
    return this._acquired(row, leaseMs);
  }

  _acquired(row, leaseMs) {
    return { outcome: 'acquired', token: Buffer.from(row.token),
      attempt: row.attempt, previous: row.previous, leaseMs,
      nonce: row.nonce };
  }

  _acquire(ask, now, isFirst) {
    const [fingerprint, nonce, leaseMs, ttlMs] = ask.params;
    const row = this._row(ask, now);
    if (row === null) {
      const made = new Row();
      this._rows.set(at(ask), made);
      return this._grant(made, ask, now, 'none');
    }
    if (some(fingerprint) && row.fingerprint &&
        !same(fingerprint, row.fingerprint)) {
      return { outcome: 'mismatch', state: row.state };
    }
    if (row.state === 'completed') {
      return { outcome: 'replay', result: row.result,
        resultClass: row.resultClass, ageMs: now - row.since,
        ttlLeftMs: row.ttlEnd - now };
    }
    const isHeld = row.state === 'in_progress' || row.state === 'orphaned';
    if (isHeld && same(nonce, row.nonce)) {
      row.ttl = ttlMs;
      row.again(leaseMs, now);
      return this._acquired(row, leaseMs);
    }
    if (row.state === 'in_progress' || !isFirst) {
      return { outcome: 'in_progress',
        leaseLeftMs: Math.max(row.leaseEnd - now, 0), attempt: row.attempt,
        ageMs: now - row.since };
    }
    if (row.state === 'orphaned' && ask.onOrphan === 'report') {
      return { outcome: 'orphaned', ageMs: now - row.since,
        attempt: row.attempt };
    }
    return this._grant(row, ask, now, row.state);
  }

  _settle(ask, now) {
    const row = this._row(ask, now);
    if (row === null) return { outcome: 'unknown' };
    const isHis = same(ask.params[0], row.token);
    if (ask.method === 'complete') return this._complete(row, isHis, ask, now);
    if (ask.method === 'release') return this._release(row, isHis, ask, now);
    if (!isHis || row.state === 'completed' || row.state === 'released') {
      return { outcome: 'stale', state: row.state };
    }
    const leaseMs = Math.min(ask.params[1], row.ttl);
    row.again(leaseMs, now);
    return { outcome: 'renewed', leaseMs };
  }

  _complete(row, isHis, ask, now) {
    const [, given = null, ttlMs = null, options = {}] = ask.params;
    if (!isHis || row.state === 'released') {
      return { outcome: 'stale', state: row.state };
    }
    if (row.state === 'completed') {
      return { outcome: 'completed', kept: row.result !== null,
        ttlMs: row.ttl };
    }
    row.result = given !== null && given.length <= this.resultBytesMax
      ? Buffer.from(given) : null;
    row.resultClass = options.class ?? 'success';
    row.ttl = ttlMs ?? row.ttl;
    row.enter('completed', now);
    return { outcome: 'completed', kept: row.result !== null, ttlMs: row.ttl };
  }

  _release(row, isHis, ask, now) {
    if (!isHis || row.state === 'completed') {
      return { outcome: 'stale', state: row.state };
    }
    // Released already: its first reply was lost.
    if (row.state !== 'released') {
      if (ask.params.length > 1) this._rows.delete(at(ask));
      else row.enter('released', now);
    }
    return { outcome: 'released' };
  }

  _peek(ask, now) {
    const row = this._row(ask, now);
    if (row === null) return { state: 'absent' };
    const made = { state: row.state, ageMs: now - row.since,
      attempt: row.attempt, ttlLeftMs: row.ttlEnd - now };
    if (row.state === 'in_progress') made.leaseLeftMs = row.leaseEnd - now;
    if (row.state === 'completed') {
      made.resultBytes = row.result === null ? null : row.result.length;
      made.resultClass = row.resultClass;
    }
    return made;
  }
}

module.exports = { Machine };
