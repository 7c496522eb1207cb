// SPDX-License-Identifier: Apache-2.0
// A store in this process's memory, with a server's semantics: for the tests
// of whoever uses idemstore. Nothing is shared with another process.
'use strict';

const { StoreCalls } = require('./api.js');
const { closed } = require('./course.js');
const { Machine } = require('./machine.js');

// A waiter looks so often, where a clock of the test's own may have moved.
const LOOK_MS = 20;

class MemoryStore extends StoreCalls {
  /** clockMs: a clock of the test's own, so that it can let a lease end
   *  without waiting for it. */
  constructor(ns = '', { resultBytesMax = 1 << 20,
    clockMs = () => Math.floor(performance.now()) } = {}) {
    super(ns);
    this._machine = new Machine(resultBytesMax);
    this._clockMs = clockMs;
    this._isClosed = false;
    this._waiting = new Map(); // ask: {end, resolve, reject}
    this._looker = null;
  }

  get resultBytesMax() {
    return this._machine.resultBytesMax;
  }

  async close() {
    this._isClosed = true;
    this._letAllGo();
    clearInterval(this._looker);
    for (const { reject } of this._waiting.values()) reject(closed());
    this._waiting.clear();
  }

  _ask(ask) {
    if (this._isClosed) return Promise.reject(closed());
    ask.sentMs = performance.now();
    const now = this._clockMs();
    const answer = this._machine.do(ask, now, !this._machine.isAwaited(ask));
    if (ask.waitMs > 0 && answer.outcome === 'in_progress') {
      return this._wait(ask, now + ask.waitMs);
    }
    this._settleWaiters();
    return Promise.resolve(answer);
  }

  _wait(ask, end) {
    this._machine.queue(ask).push(ask);
    this._looker ??= setInterval(() => this._settleWaiters(), LOOK_MS);
    return new Promise((resolve, reject) => {
      this._waiting.set(ask, { end, resolve, reject });
    });
  }

  _settleWaiters() {
    const now = this._clockMs();
    for (const [ask, { end, resolve }] of this._waiting) {
      const isFirst = this._machine.queue(ask)[0] === ask;
      const answer = this._machine.do(ask, now, isFirst);
      if (answer.outcome === 'in_progress' && now < end) continue;
      this._waiting.delete(ask);
      this._machine.leave(ask);
      resolve(answer);
    }
    if (this._waiting.size === 0) {
      clearInterval(this._looker);
      this._looker = null;
    }
  }
}

module.exports = { MemoryStore };
