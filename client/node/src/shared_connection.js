// SPDX-License-Identifier: Apache-2.0
// A shared connection: the one to a shard, coming and going. When to dial, how
// long, and what a failure means.
'use strict';

const { Lost, closed, lost, unsent } = require('./course.js');
const { Link, LISTEN_MS } = require('./link.js');
const { Backoff } = require('./selector.js');

// Where there is another server to try, the first attempts to connect get so
// much each, and twice as much in every further round.
const DIAL_MS_FIRST = 250;
// What another attempt would not change.
const FINAL = new Set(['DENIED', 'BAD_REQUEST', 'UNKNOWN_METHOD', 'TLS']);

/** When a shared connection dials, and what became of it. */
class Plan {
  constructor(dialer, selector, shard) {
    this.dialer = dialer;
    this.selector = selector;
    this.shard = shard;
    this.backoff = new Backoff();
    this.retryAtMs = 0;
    this.why = null;
    this.dials = 0;
    this.serial = 0;
    this.endpointName = '';
  }

  // A server that takes the connection and says nothing may not eat the whole
  // deadline where there is another one.
  _endMs(nowMs, deadlineMs) {
    let leftMs = Math.max(deadlineMs - nowMs, 0);
    let dialMs = this.dialer.uri.numbers.connect_timeout_ms;
    const count = this.selector.endpoints.length;
    if (count > 1) {
      const before = this.backoff.attempts - 1;
      const rounds = Math.floor(before / count);
      dialMs = Math.min(dialMs, DIAL_MS_FIRST * 2 ** Math.min(rounds, 8));
      leftMs /= Math.max(count - before % count, 2);
    }
    return nowMs + Math.min(dialMs, leftMs);
  }

  async dial(deadlineMs) {
    this.backoff.attempts++;
    this.dials++;
    const { endpoint } = this.selector;
    this.serial = this.selector.serial;
    this.endpointName = endpoint.name;
    const shard = this.selector.shardAware ? this.shard : null;
    const made = await this.dialer.dial(endpoint, shard,
      this._endMs(performance.now(), deadlineMs), this.selector.good);
    const doubt = this.selector.learn(endpoint, this.serial, made.hello,
      performance.now());
    if (doubt !== null) {
      made.socket.destroy();
      throw doubt;
    }
    this.why = null;
    return made;
  }

  /** Throws Lost where another attempt would not change it. An attempt that
   *  the call's own end cut short says less than the one before. */
  failed(why, nowMs, deadlineMs) {
    if (this.why === null || nowMs < deadlineMs) this.why = why;
    this.pause(nowMs);
    // A server with fewer threads than there were refuses the higher ones.
    if (why.code === 'BAD_REQUEST' && this.shard > 0) {
      this.selector.unlearn(this.serial);
      throw new Lost(lost(this.endpointName, 'it has fewer shards than it had'),
        this.serial, false);
    }
    if (why.code !== 'DENIED') this.selector.failed(this.serial);
    if (FINAL.has(why.code)) throw new Lost(why, this.serial, false);
  }

  pause(nowMs) {
    const free = this.selector.endpoints.length;
    this.retryAtMs = nowMs + this.backoff.pauseMs(free);
  }

  isEnough(dialsBefore) {
    const enough = this.dialer.uri.numbers.connect_rounds *
      this.selector.endpoints.length;
    return enough > 0 && enough <= this.dials - dialsBefore;
  }

  giveUp() {
    return new Lost(
      this.why ?? unsent(this.endpointName || this.selector.endpoint.name),
      this.serial, false);
  }
}

class SharedConnection {
  constructor(plan, watch, failed) {
    this.plan = plan;
    this.link = null;
    this._watch = watch;
    this._failed = failed;
    this._isDialing = false;
    this._waiting = new Set(); // who waits for a connection, in order
    this._looker = null;
    this._isClosed = false;
  }

  /** A connection to call on, at once; null: see up(). */
  usable() {
    const { link, plan } = this;
    if (link === null) return null;
    if (link.broken === null && link.serial !== plan.selector.serial) {
      link.breakOff('the store has moved to another server');
    }
    if (link.broken === null && link.drainingMs > 0) {
      if (link.pending.size > 0 && performance.now() < link.drainingMs) {
        return null;
      }
      link.breakOff('it is shutting down');
    }
    if (link.broken === null) return link;
    this.link = null;
    plan.pause(performance.now());
    return null;
  }

  /** Rejects with Lost. */
  async up(deadlineMs) {
    const dialsBefore = this.plan.dials;
    for (;;) {
      const link = this.usable();
      if (link === null) {
        await this._dialOrWait(deadlineMs, dialsBefore);
      } else if (!link.isFull()) {
        return link;
      } else if (performance.now() >= deadlineMs) {
        throw new Lost(unsent(link.endpoint.name), link.serial, false);
      } else {
        await link.waitForRoom(deadlineMs);
      }
    }
  }

  async _dialOrWait(deadlineMs, dialsBefore) {
    const nowMs = performance.now();
    if (this._isClosed) throw new Lost(closed(), 0, false);
    if (nowMs >= deadlineMs || this.plan.isEnough(dialsBefore)) {
      throw this.plan.giveUp();
    }
    if (!this._isDialing && this.link === null &&
        nowMs >= this.plan.retryAtMs) {
      this._isDialing = true;
      this._dial(deadlineMs).then(() => this._wakeAll(null),
        (why) => this._wakeAll(why));
    }
    await this._wait(deadlineMs, nowMs);
  }

  // One dials for all, and its end wakes them all. So many may wait that none
  // of them looks up before, but for the one whose turn it is, or at its own
  // deadline.
  _wait(deadlineMs, nowMs) {
    return new Promise((resolve, reject) => {
      const waiter = { end: null };
      const timer = setTimeout(() => waiter.end(null),
        Math.max(deadlineMs - nowMs, 1));
      waiter.end = (why) => {
        clearTimeout(timer);
        this._waiting.delete(waiter);
        if (why === null) resolve();
        else reject(why);
      };
      this._waiting.add(waiter);
      if (!this._isDialing) this._lookLater(nowMs);
    });
  }

  _wakeAll(why) {
    for (const waiter of [...this._waiting]) waiter.end(why);
  }

  // Nobody dials: when it is time to, or a connection has drained, is seen by
  // the first who waits.
  _lookLater(nowMs) {
    if (this._looker !== null) return;
    let untilMs = nowMs + LISTEN_MS;
    if (this.link === null) untilMs = Math.min(untilMs, this.plan.retryAtMs);
    this._looker = setTimeout(() => {
      this._looker = null;
      const [first] = this._waiting;
      if (this._isDialing || first === undefined) return;
      first.end(null);
      if (this._waiting.size > 0) this._lookLater(performance.now());
    }, Math.max(untilMs - nowMs, 1));
  }

  async _dial(deadlineMs) {
    try {
      const made = await this.plan.dial(deadlineMs);
      if (this._isClosed) {
        made.socket.destroy();
        return;
      }
      this.link = new Link(made, this.plan, this._watch, this._failed);
      this._watch.connects++;
    } catch (why) {
      if (!why.assume) throw why; // no error of ours
      this.plan.failed(why, performance.now(), deadlineMs);
    } finally {
      this._isDialing = false;
    }
  }

  close() {
    this._isClosed = true;
    clearTimeout(this._looker);
    if (this.link !== null) this.link.breakOff('the store was closed');
    this._wakeAll(null);
  }
}

module.exports = { SharedConnection, Plan };
