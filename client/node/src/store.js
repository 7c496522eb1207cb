// SPDX-License-Identifier: Apache-2.0
// The store: it connects at its first call, keeps a connection per shard of
// the server, follows the primary, and does again what is to be done again.
'use strict';

const { StoreCalls } = require('./api.js');
const { Dialer } = require('./dial.js');
const { Course, Lost, Watch, closed, unsent } = require('./course.js');
const { argument } = require('./errors.js');
const { SharedConnection, Plan } = require('./shared_connection.js');
const { EndpointSelector } = require('./selector.js');
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
    this._selector = new EndpointSelector(
      read.endpoints, read.numbers.shard_aware === 1);
    this._watch = new Watch();
    this._connections = [];
    this._isClosed = false;
    this._lost = (course, lost) => this._again(course, lost);
    this._sleeping = new Map(); // course: the timer of its pause
  }

  /** How it stands. Counts are since it was made. */
  status() {
    const { changesWait, ...counts } = this._watch;
    delete counts.tryAtMs;
    return {
      primary: this._selector.primary,
      epoch: this._selector.epoch,
      connections: this._connections.filter(
        (shared) => shared?.link && shared.link.broken === null).length,
      changesWait,
      follows: this._selector.follows,
      ...counts,
    };
  }

  [Symbol.for('nodejs.util.inspect.custom')]() {
    return `Store at ${this._uri.endpoints.map((one) => one.name).join()}`;
  }

  get resultBytesMax() {
    const up = this._connections.find((shared) => shared?.link);
    return up ? up.link.hello.resultBytesMax : 1 << 20;
  }

  /** Ends its connections; calls under way end with CLOSED or LOST. */
  async close() {
    this._isClosed = true;
    this._letAllGo();
    for (const shared of this._connections) shared?.close();
    for (const [course, timer] of this._sleeping) {
      clearTimeout(timer);
      course.settle(course.conclude(closed()));
    }
    this._sleeping.clear();
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.close();
  }

  // ---------------------------------------------------------------- asking

  _connection(shard) {
    let shared = this._connections[shard];
    if (shared === undefined) {
      const plan = new Plan(this._dialer, this._selector, shard);
      shared = new SharedConnection(plan, this._watch, this._lost);
      this._connections[shard] = shared;
    }
    return shared;
  }

  _ask(ask) {
    return new Promise((resolve, reject) => {
      const { timeout_ms: timeoutMs, fail_fast_ms: fastMs } = this._uri.numbers;
      const settle = (error, answer) => {
        if (error) reject(error);
        else resolve(answer);
      };
      this._go(new Course(ask, this._selector, this._watch, performance.now(),
        timeoutMs, fastMs, settle));
    });
  }

  _go(course) {
    const nowMs = performance.now();
    const why = this._mayNotGo(course, nowMs);
    if (why !== null) {
      course.settle(why);
      return;
    }
    const shard = this._selector.route(course.ask.ns, course.ask.key ?? '');
    const link = shard < 0 ? null : this._connection(shard).usable();
    if (link !== null && !link.isFull() && !link.isAwaited) {
      link.call(course, nowMs);
    } else {
      this._goSlowly(course);
    }
  }

  _mayNotGo(course, nowMs) {
    if (this._isClosed) return course.conclude(closed());
    if (nowMs >= course.deadlineMs) {
      return course.conclude(unsent(this._selector.endpoint.name));
    }
    return course.mayGo(nowMs);
  }

  async _goSlowly(course) {
    try {
      const { ask, deadlineMs } = course;
      let shard;
      while ((shard = this._selector.route(ask.ns, ask.key ?? '')) < 0) {
        await this._connection(0).up(deadlineMs);
      }
      const shared = this._connection(shard);
      // Others who waited for the same room may have been first.
      let link;
      do {
        link = await shared.up(deadlineMs);
      } while (shared.usable() !== link || link.isFull());
      link.call(course, performance.now());
    } catch (why) {
      if (why instanceof Lost) this._again(course, why);
      else course.settle(why);
    }
  }

  _again(course, lost) {
    const pauseMs = this._isClosed && lost.error.code !== 'LOST'
      ? this._over(course, lost) : course.failed(lost, performance.now());
    if (pauseMs < 0) return;
    // Never at once: a connection that ends tells one call after the other.
    const timer = setTimeout(() => {
      this._sleeping.delete(course);
      this._go(course);
    }, pauseMs);
    this._sleeping.set(course, timer);
  }

  _over(course, lost) {
    course.settle(course.conclude(lost.error));
    return -1;
  }
}

module.exports = { Store };
