// SPDX-License-Identifier: Apache-2.0
// The store: it connects at its first call, keeps a connection per shard of
// the server, follows the primary, and does again what is to be done again.
'use strict';

const { StoreCalls } = require('./api.js');
const { Dialer } = require('./dial.js');
const { Errand, Lost, Watch, closed, unsent } = require('./errand.js');
const { argument } = require('./errors.js');
const { Lane, Plan } = require('./lane.js');
const { Target } = require('./target.js');
const { parse } = require('./uri.js');
const { version } = require('../package.json');

class Store extends StoreCalls {
  /** uri: idem://[:SECRET@]HOST[:PORT][,HOST...][/NAMESPACE][?OPTIONS],
   *  idems:// for TLS, idem+unix:///PATH. secret: where the URI has none; left
   *  out, the option secret_file or IDEMSTORE_SECRET in the environment. */
  constructor(uri, options = {}) {
    if (typeof uri !== 'string') {
      throw argument('the URI is a string: idem://127.0.0.1:7117/shop');
    }
    const read = parse(uri, options.secret);
    super(read.ns);
    this._uri = read;
    this._dialer = new Dialer(read, 'node/' + version);
    this._target = new Target(read.endpoints, read.numbers.shard_aware === 1);
    this._watch = new Watch();
    this._lanes = [];
    this._isClosed = false;
    this._lost = (errand, lost) => this._again(errand, lost);
    this._sleeping = new Map(); // errand: the timer of its pause
  }

  /** How it stands. Counts are since it was made. */
  status() {
    const { changesWait, ...counts } = this._watch;
    delete counts.tryAtMs;
    return {
      primary: this._target.primary,
      epoch: this._target.epoch,
      connections: this._lanes.filter(
        (lane) => lane?.link && lane.link.broken === null).length,
      changesWait,
      follows: this._target.follows,
      ...counts,
    };
  }

  [Symbol.for('nodejs.util.inspect.custom')]() {
    return `Store at ${this._uri.endpoints.map((one) => one.name).join()}`;
  }

  get resultBytesMax() {
    const up = this._lanes.find((lane) => lane?.link);
    return up ? up.link.hello.resultBytesMax : 1 << 20;
  }

  /** Ends its connections; calls under way end with CLOSED or LOST. */
  async close() {
    this._isClosed = true;
    this._letAllGo();
    for (const lane of this._lanes) lane?.close();
    for (const [errand, timer] of this._sleeping) {
      clearTimeout(timer);
      errand.settle(errand.conclude(closed()));
    }
    this._sleeping.clear();
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.close();
  }

  // ---------------------------------------------------------------- asking

  _lane(shard) {
    let lane = this._lanes[shard];
    if (lane === undefined) {
      const plan = new Plan(this._dialer, this._target, shard);
      lane = this._lanes[shard] = new Lane(plan, this._watch, this._lost);
    }
    return lane;
  }

  _ask(ask) {
    return new Promise((resolve, reject) => {
      const { timeout_ms: timeoutMs, fail_fast_ms: fastMs } = this._uri.numbers;
      const settle = (error, answer) => {
        if (error) reject(error);
        else resolve(answer);
      };
      this._go(new Errand(ask, this._target, this._watch, performance.now(),
        timeoutMs, fastMs, settle));
    });
  }

  _go(errand) {
    const nowMs = performance.now();
    const why = this._mayNotGo(errand, nowMs);
    if (why !== null) {
      errand.settle(why);
      return;
    }
    const shard = this._target.route(errand.ask.ns, errand.ask.key ?? '');
    const link = shard < 0 ? null : this._lane(shard).usable();
    if (link !== null && !link.isFull() && !link.isAwaited) {
      link.call(errand, nowMs);
    } else {
      this._goSlowly(errand);
    }
  }

  _mayNotGo(errand, nowMs) {
    if (this._isClosed) return errand.conclude(closed());
    if (nowMs >= errand.deadlineMs) {
      return errand.conclude(unsent(this._target.endpoint.name));
    }
    return errand.mayGo(nowMs);
  }

  async _goSlowly(errand) {
    try {
      const { ask, deadlineMs } = errand;
      let shard;
      while ((shard = this._target.route(ask.ns, ask.key ?? '')) < 0) {
        await this._lane(0).up(deadlineMs);
      }
      const lane = this._lane(shard);
      // Others who waited for the same room may have been first.
      let link;
      do {
        link = await lane.up(deadlineMs);
      } while (lane.usable() !== link || link.isFull());
      link.call(errand, performance.now());
    } catch (why) {
      if (why instanceof Lost) this._again(errand, why);
      else errand.settle(why);
    }
  }

  _again(errand, lost) {
    const pauseMs = this._isClosed && lost.error.code !== 'LOST'
      ? this._over(errand, lost) : errand.failed(lost, performance.now());
    if (pauseMs < 0) return;
    // Never at once: a connection that ends tells one call after the other.
    const timer = setTimeout(() => {
      this._sleeping.delete(errand);
      this._go(errand);
    }, pauseMs);
    this._sleeping.set(errand, timer);
  }

  _over(errand, lost) {
    errand.settle(errand.conclude(lost.error));
    return -1;
  }
}

module.exports = { Store };
