// SPDX-License-Identifier: Apache-2.0
// One call with all its attempts: what is done again, where, and until when.
// Never sends twice what could count twice: a repeated acquire has its first
// nonce, all else a token. No socket; time is an argument.
'use strict';

const answers = require('./answers.js');
const { CODES, UNCHANGED, UNKNOWN, fail, said } = require('./errors.js');
const { Backoff, PAUSE_MS_FIRST } = require('./selector.js');

// So often does one call go where NOT_PRIMARY sends it. Servers that still
// send it on then don't know: the other endpoints are asked.
const HOPS_MAX = 8;
const CONFIRMING = new Set(['acquired', 'completed', 'released', 'renewed']);

/** An attempt that was not answered. sent: it may have taken effect. No Error:
 *  it is made for each call on a connection that ends, and nobody sees it. */
class Lost {
  constructor(error, serial, sent) {
    this.error = error;
    this.serial = serial;
    this.sent = sent;
  }
}

/** Whether changes are confirmed; counts for a store's status. */
class Watch {
  constructor() {
    this.changesWait = false;
    this.tryAtMs = 0;
    this.calls = 0;
    this.repeats = 0;
    this.connects = 0;
    this.losses = 0;
    this.timeouts = 0;
    this.unreplicated = 0;
    this.failedFast = 0;
  }

  mayTry(nowMs, everyMs) {
    if (nowMs < this.tryAtMs) return false;
    this.tryAtMs = nowMs + everyMs;
    return true;
  }
}

class Course {
  constructor(ask, selector, watch, nowMs, timeoutMs, failFastMs, settle) {
    this.ask = ask;
    this.selector = selector;
    this.watch = watch;
    this.startMs = nowMs;
    this.sentMs = nowMs;
    this.deadlineMs = nowMs + (ask.timeoutMs || timeoutMs) + ask.waitMs;
    this.fastMs = ask.isChange ? failFastMs : 0;
    this.endMs = this.deadlineMs; // of the attempt that is under way
    this.settle = settle; // (error or null, answer), once
    this._unsure = null;
    this._hops = 0;
    this._unreplicated = 0;
    this._isDenied = false;
    this._down = null;
    this._backoff = null;
    watch.calls++;
  }

  // ------------------------------------------------------ before an attempt

  /** An error where the call is not to be tried. */
  mayGo(nowMs) {
    if (this.fastMs === 0 || !this.watch.changesWait ||
        this.watch.mayTry(nowMs, this.fastMs)) {
      return null;
    }
    this.watch.failedFast++;
    return this.conclude(fail('CHANGES_WAIT', 'changes wait for the replica; ' +
      'nothing was sent. Ask again later, or see idemctl replication'));
  }

  write(writer, msgid, nowMs, resultBytesMax) {
    const { ask } = this;
    this.sentMs = nowMs;
    this.endMs = this.fastMs && !ask.waitMs
      ? Math.min(this.deadlineMs, nowMs + this.fastMs) : this.deadlineMs;
    let waitMs = ask.waitMs;
    if (waitMs > 0) {
      waitMs = Math.max(waitMs - Math.floor(nowMs - this.startMs), 0);
    }
    ask.write(writer, msgid, waitMs, resultBytesMax);
  }

  // ------------------------------------------------------- after an attempt

  /** null: it is over, settled. Else what was lost. */
  answered(endpoint, serial, error, result, resultBytesMax) {
    if (error !== null) return new Lost(said(endpoint, error), serial, true);
    const { ask } = this;
    let answer;
    try {
      answer = answers.read(ask.method, result);
    } catch (why) {
      if (!(why instanceof answers.Garbled)) throw why;
      return new Lost(fail('GARBLED', `the reply of ${endpoint} is not an ` +
        'answer to the call', { endpoint }), serial, true);
    }
    if (this.watch.changesWait && ask.isChange &&
        CONFIRMING.has(answer.outcome)) {
      this.watch.changesWait = false;
    }
    if (answer.outcome === 'acquired') answer.nonce = ask.nonce;
    if (answer.outcome === 'completed' && ask.resultBytes > resultBytesMax) {
      answer.kept = false;
    }
    ask.sentMs = this.sentMs;
    this.settle(null, answer);
    return null;
  }

  /** How long to pause before the next attempt; -1: it is over, settled. */
  failed(lost, nowMs) {
    const { error } = lost;
    const pauseMs = this._isWorthAnother(lost)
      ? this._pauseMs(error, nowMs) : -1;
    if (pauseMs < 0) this.settle(this.conclude(error));
    else this.watch.repeats++;
    return pauseMs;
  }

  _isWorthAnother(lost) {
    const { error, serial } = lost;
    switch (error.code) {
      case 'LOST':
        if (lost.sent) this._unsure ??= 'LOST';
        return true;
      case 'NOT_PRIMARY':
        this._hops++;
        if (this._hops <= HOPS_MAX && error.primary !== error.endpoint) {
          this.selector.redirect(serial, error.primary);
        } else {
          this.selector.failed(serial);
        }
        return true;
      case 'SHUTTING_DOWN':
        this._down = error;
        this.selector.failed(serial);
        return true;
      case 'UNREPLICATED':
        return this._isNotConfirmed(serial);
      case 'DENIED': {
        // The nodes may not have the same credentials yet.
        const again = !this._isDenied && this.selector.endpoints.length > 1;
        this._isDenied = true;
        this.selector.failed(serial);
        return again;
      }
      default:
        return error.code === 'LIMIT' && error.retryMs !== null;
    }
  }

  // The primary may be about to confirm, or be cut off and replaced by now: it
  // and the others are asked in turns.
  _isNotConfirmed(serial) {
    this._unsure = 'UNREPLICATED';
    this.watch.unreplicated++;
    this.watch.changesWait = true;
    this._unreplicated++;
    if (this._unreplicated % 2 === 0) this.selector.failed(serial);
    return !this.fastMs;
  }

  // -1: the deadline is too near for another attempt.
  _pauseMs(error, nowMs) {
    if (error.code === 'LOST') return 0; // it pauses before it dials
    const leftMs = this.deadlineMs - nowMs;
    if (leftMs <= 0) return -1;
    if (error.retryMs !== null) {
      // Full jitter above what the server asks for.
      const pauseMs = error.retryMs * (1 + Math.random());
      return pauseMs < leftMs ? pauseMs : -1;
    }
    this._backoff ??= new Backoff();
    const pauseMs = this._backoff.pauseMs(1);
    this._backoff.attempts++;
    // An attempt that has no time would only tell that time was over.
    return leftMs < PAUSE_MS_FIRST ? -1 : Math.min(pauseMs, leftMs / 2);
  }

  /** An attempt that may have taken effect outweighs what a later one says. */
  conclude(error) {
    let told = error;
    const { endpoint, primary } = error;
    if (this.fastMs && (error.code === 'TIMEOUT' ||
                        error.code === 'UNREPLICATED')) {
      this.watch.tryAtMs = this.sentMs + this.fastMs;
    }
    if (error.code === 'TIMEOUT') this.watch.timeouts++;
    if (this._unsure !== null && error.assume !== UNKNOWN) {
      told = fail(this._unsure, 'an attempt of this call may have taken ' +
        `effect (${CODES[this._unsure][1]}); ask again with the same nonce ` +
        `or token; the last attempt: ${error.message}`, { endpoint });
    } else if (this._down !== null && error.assume === UNCHANGED) {
      told = this._down;
    } else if (error.code === 'NOT_PRIMARY') {
      told = fail('NOT_PRIMARY', 'no server was the primary before the ' +
        `deadline, and the last one that was asked, ${endpoint}, names ` +
        `${primary || 'none'}; see idemctl replication`,
      { endpoint, primary });
    }
    told.nonce = this.ask.nonce;
    return told;
  }
}

function timedOut(endpoint) {
  return fail('TIMEOUT', `no answer of ${endpoint} came before the deadline; ` +
    'the call may have taken effect, ask again with the same nonce or token',
  { endpoint });
}

function lost(endpoint, why) {
  return fail('LOST', `the connection to ${endpoint} was lost before the ` +
    `answer: ${why}`, { endpoint });
}

function unsent(endpoint) {
  return fail('TIMEOUT_UNSENT', 'the deadline passed before a connection to ' +
    `${endpoint} was there; nothing was sent`, { endpoint });
}

function closed() {
  return fail('CLOSED', 'the store was closed; nothing was sent');
}

module.exports = { Course, Lost, Watch, timedOut, lost, unsent, closed };
