// SPDX-License-Identifier: Apache-2.0
// A lane: the connection to one shard, coming and going. When to dial, how
// long, and what a failure means.
'use strict';

const { Lost, closed, lost, unsent } = require('./errand.js');
const { Link, LISTEN_MS } = require('./link.js');
const { Backoff } = require('./target.js');

// Where there is another server to try, the first attempts to connect get so
// much each, and twice as much in every further round.
const DIAL_MS_FIRST = 250;
// What another attempt would not change.
const FINAL = new Set(['DENIED', 'BAD_REQUEST', 'UNKNOWN_METHOD', 'TLS']);

/** When a lane dials, and what became of it. */
class Plan {
  constructor(dialer, target, shard) {
    this.dialer = dialer;
    this.target = target;
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
    const count = this.target.endpoints.length;
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
    const { endpoint } = this.target;
    this.serial = this.target.serial;
    this.endpointName = endpoint.name;
    const shard = this.target.shardAware ? this.shard : null;
    const made = await this.dialer.dial(endpoint, shard,
      this._endMs(performance.now(), deadlineMs), this.target.good);
    const doubt = this.target.learn(endpoint, this.serial, made.hello,
      performance.now());
    if (doubt !== null) {
      made.socket.destroy();
      throw doubt;
    }
    this.why = null;
    return made;
  }

  /** Throws Lost where another attempt would not change it. */
  failed(why, nowMs) {
    this.why = why;
    this.pause(nowMs);
    // A server with fewer threads than there were refuses the higher ones.
    if (why.code === 'BAD_REQUEST' && this.shard > 0) {
      this.target.unlearn(this.serial);
      throw new Lost(lost(this.endpointName, 'it has fewer shards than it had'),
        this.serial, false);
    }
    if (why.code !== 'DENIED') this.target.failed(this.serial);
    if (FINAL.has(why.code)) throw new Lost(why, this.serial, false);
  }

  pause(nowMs) {
    this.retryAtMs = nowMs + this.backoff.pauseMs(this.target.endpoints.length);
  }

  isEnough(dialsBefore) {
    const enough = this.dialer.uri.numbers.connect_rounds *
      this.target.endpoints.length;
    return enough > 0 && enough <= this.dials - dialsBefore;
  }

  giveUp() {
    return new Lost(
      this.why ?? unsent(this.endpointName || this.target.endpoint.name),
      this.serial, false);
  }
}

class Lane {
  constructor(plan, watch, failed) {
    this.plan = plan;
    this.link = null;
    this._watch = watch;
    this._failed = failed;
    this._dialing = null;
    this._isClosed = false;
  }

  /** A connection to call on, at once; null: see up(). */
  usable() {
    const { link, plan } = this;
    if (link === null) return null;
    if (link.broken === null && link.serial !== plan.target.serial) {
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
    if (this._dialing === null && this.link === null &&
        nowMs >= this.plan.retryAtMs) {
      this._dialing = this._dial(deadlineMs);
      this._dialing.catch(() => {}); // who waits hears it
    }
    let untilMs = Math.min(deadlineMs, nowMs + LISTEN_MS);
    if (this._dialing === null && this.link === null) {
      untilMs = Math.min(untilMs, this.plan.retryAtMs);
    }
    await this._waitUntil(untilMs, nowMs);
  }

  // One dials for all; who waits for it looks up at its own deadline.
  async _waitUntil(untilMs, nowMs) {
    let timer;
    const time = new Promise((resolve) => {
      timer = setTimeout(resolve, Math.max(untilMs - nowMs, 1));
    });
    try {
      await (this._dialing ? Promise.race([this._dialing, time]) : time);
    } finally {
      clearTimeout(timer);
    }
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
      this.plan.failed(why, performance.now());
    } finally {
      this._dialing = null;
    }
  }

  close() {
    this._isClosed = true;
    if (this.link !== null) this.link.breakOff('the store was closed');
  }
}

module.exports = { Lane, Plan };
