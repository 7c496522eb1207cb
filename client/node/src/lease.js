// SPDX-License-Identifier: Apache-2.0
// A claim that is held: its token, how long its lease still is, and what the
// function under it may ask.
'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');

// A renewal that failed is tried again after so long at most.
const AGAIN_MS_MAX = 250;
const ASK_MS_MIN = 20;
// setTimeout knows no longer time.
const TIMER_MS_MAX = 2147483647;

/** When a granted lease ends, as far as is known here. */
class Lease {
  constructor(acquired, sentMs) {
    this.leaseMs = acquired.leaseMs;
    this.isEnded = false; // settled, or left
    this.isTaken = false; // another one has it, or the record is gone
    this.dueMs = 0;
    this.endMs = 0;
    this.mostMs = 0;
    this.granted(sentMs, performance.now());
  }

  /** The server gave it after the send. Where the answer was long on its way,
   *  much of the lease may be left or nothing: that is asked at once, and until
   *  it is told the lease counts from the answer. */
  granted(sentMs, answeredMs) {
    this.dueMs = sentMs + this.leaseMs / 3;
    this.endMs = sentMs + this.leaseMs;
    this.mostMs = answeredMs + this.leaseMs;
    if (answeredMs >= this.dueMs) {
      this.dueMs = answeredMs;
      this.endMs = this.mostMs;
    }
  }

  told(answer, sentMs) {
    if (answer.outcome === 'renewed') {
      this.leaseMs = answer.leaseMs;
      this.granted(sentMs, performance.now());
    } else {
      this.isTaken = true;
    }
  }

  notTold() {
    this.dueMs = performance.now() +
      Math.min(this.leaseMs / 20 + 1, AGAIN_MS_MAX);
  }

  get isLost() {
    return this.isTaken || performance.now() >= this.endMs;
  }

  /** How long one renewal may take. */
  get askMs() {
    return Math.max(Math.floor(this.leaseMs / 3), ASK_MS_MIN);
  }
}

/** What a function under `once` may know. token: 16 bytes; write it beside
 *  your own row, a later holder's is greater. attempt: 1 for the first claim
 *  of the key. previous: "none", "released", or "orphaned": then the one before
 *  may or may not have had its effect.
 *
 *  A handler behind an Idempotency-Key may set nothingDone = true: it answers,
 *  and nothing has happened; its answer is not stored, a retry begins anew. */
class Claim {
  constructor(key, ns, acquired, sentMs) {
    this.key = key;
    this.ns = ns;
    this.token = acquired.token;
    this.attempt = acquired.attempt;
    this.previous = acquired.previous;
    this.nothingDone = false;
    this._began = false;
    this._lease = new Lease(acquired, sentMs);
    this._renewer = null;
    this._ender = null;
    this._abort = null;
  }

  /** The lease is over or taken, as far as is known: stop if you can. */
  get lost() {
    return this._lease.isLost;
  }

  get leaseLeftMs() {
    return Math.max(Math.floor(this._lease.endMs - performance.now()), 0);
  }

  /** Aborted once the claim is lost. */
  get signal() {
    if (this._abort === null) {
      this._abort = new AbortController();
      this._watchEnd();
    }
    return this._abort.signal;
  }

  // Looks at the lease's end, which renewals put off.
  _watchEnd() {
    clearTimeout(this._ender);
    if (this._abort === null || this._lease.isEnded) return;
    if (this.lost) {
      this._abort.abort(new Error('the lease of this claim is over or taken'));
      return;
    }
    this._ender = setTimeout(() => this._watchEnd(), Math.min(
      Math.max(this._lease.endMs - performance.now(), 1), TIMER_MS_MAX));
    this._ender.unref();
  }

  /** renew(claim): asks for it. untilMs: after which no more. */
  _keep(renew, untilMs) {
    const lease = this._lease;
    if (lease.isEnded || lease.isTaken || lease.dueMs >= untilMs) return;
    this._renewer = setTimeout(async () => {
      await renew(this);
      this._watchEnd();
      this._keep(renew, untilMs);
    }, Math.min(Math.max(lease.dueMs - performance.now(), 0), TIMER_MS_MAX));
    this._renewer.unref();
  }

  _end() {
    this._lease.isEnded = true;
    clearTimeout(this._renewer);
    clearTimeout(this._ender);
  }
}

const current = new AsyncLocalStorage();

/** The claim under which this code runs, or null. */
function currentClaim() {
  return current.getStore() ?? null;
}

function under(claim, fn) {
  return current.run(claim, fn);
}

module.exports = { Claim, currentClaim, under };
