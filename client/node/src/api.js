// SPDX-License-Identifier: Apache-2.0
// The calls of a store, over one method that asks. The store over sockets and
// the one in memory are this. All times are milliseconds.
'use strict';

const { ACQUIRE, Asks, known, kind } = require('./calls.js');
const { IdemstoreError, NothingDone, argument } = require('./errors.js');
const { Claim, under } = require('./lease.js');
const once = require('./once.js');
const otel = require('./otel.js');

const ONCE = new Set([...ACQUIRE, 'onError', 'renew', 'holdMsMax', 'encode',
  'decode']);
ONCE.delete('nonce');
const ONCE_OWN = ['onError', 'renew', 'holdMsMax', 'encode', 'decode'];

// One order for everybody, so that no two wait for each other; each key once.
function inOrder(keys) {
  const raw = new Map();
  for (const key of keys) {
    raw.set(Buffer.from(key).toString('latin1'), key);
  }
  return [...raw.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    .map((one) => raw.get(one));
}

class StoreCalls {
  constructor(ns) {
    this._asks = new Asks(ns);
    this._claims = new Set();
  }

  get resultBytesMax() {
    return 1 << 20;
  }

  // No async function: each of those would cost a call two promises more.
  _call(method, ...args) {
    try {
      return this._ask(this._asks[method](...args));
    } catch (why) {
      return Promise.reject(why);
    }
  }

  acquire(key, options) {
    try {
      return this._acquire(this._asks.acquire(key, options));
    } catch (why) {
      return Promise.reject(why);
    }
  }

  _acquire(ask) {
    const asked = this._ask(ask);
    if (!otel.isThere) return asked;
    return asked.then((answer) => {
      otel.note(answer);
      return answer;
    }, (why) => {
      otel.noteError(why);
      throw why;
    });
  }

  complete(key, token, options) {
    return this._call('complete', key, token, options);
  }

  release(key, token, options) {
    return this._call('release', key, token, options);
  }

  renew(key, token, options) {
    return this._call('renew', key, token, options);
  }

  peek(key, options) {
    return this._call('peek', key, options);
  }

  async ping(options) {
    await this._call('bare', 'ping', options);
  }

  stats(options) {
    return this._call('bare', 'stats', options);
  }

  // ---------------------------------------------------------- all or none

  /** {outcome: "acquired", claims: a Map of key to answer}, or the first key
   *  that was not to be had: {outcome: "not_all", key, answer}, and none is
   *  held. */
  async acquireAll(keys, options = {}) {
    const claims = new Map();
    const { ns } = options;
    try {
      for (const key of inOrder(keys)) {
        const answer = await this.acquire(key, options);
        if (answer.outcome !== 'acquired') {
          await this._releaseEach(claims, ns);
          return { outcome: 'not_all', key, answer };
        }
        claims.set(key, answer);
      }
    } catch (why) {
      await this._releaseEach(claims, ns);
      throw why;
    }
    return { outcome: 'acquired', claims };
  }

  // What can't be released is freed by its lease.
  async _releaseEach(claims, ns) {
    const options = ns === undefined ? {} : { ns };
    await Promise.allSettled([...claims].map(
      ([key, { token }]) => this.release(key, token, options)));
  }

  // ---------------------------------------------------------- under a claim

  /** A claim whose lease is renewed until letGo, for holdMsMax at most. */
  hold(key, acquired, { ns, renew = true, holdMsMax = Infinity,
    sentMs = performance.now() } = {}) {
    const claim = new Claim(key, ns, acquired, sentMs);
    this._claims.add(claim);
    if (renew) {
      claim._keep((one) => this._renewOnce(one),
        performance.now() + holdMsMax);
    }
    return claim;
  }

  letGo(claim) {
    claim._end();
    this._claims.delete(claim);
  }

  _letAllGo() {
    for (const claim of [...this._claims]) this.letGo(claim);
  }

  async _renewOnce(claim) {
    const lease = claim._lease;
    const options = { leaseMs: lease.leaseMs, timeoutMs: lease.askMs };
    if (claim.ns !== undefined) options.ns = claim.ns;
    const ask = this._asks.renew(claim.key, claim.token, options);
    try {
      lease.told(await this._ask(ask), ask.sentMs);
    } catch {
      lease.notTold();
    }
  }

  /** fn(claim) runs once per key; what it returns is stored, and everyone else
   *  gets that. Throws NotRunError, NotRecordedError, IdemstoreError. */
  async once(key, options, fn) {
    if (typeof options === 'function') [options, fn] = [{}, options];
    if (typeof fn !== 'function') {
      throw argument(`once takes a function, not ${kind(fn)}`);
    }
    const told = options ?? {};
    known(told, ONCE, 'once');
    const { onError = 'leave', decode = once.decodeJson } = told;
    if (!once.ON_ERROR.includes(onError)) {
      throw argument(`onError is one of ${once.ON_ERROR.join(', ')}`);
    }
    const asked = { ...told };
    for (const name of ONCE_OWN) delete asked[name];
    const ask = this._asks.acquire(key, asked);
    const answer = await this._acquire(ask);
    const done = once.replayed(answer, decode);
    if (!done.isOurs) return done.value;
    const claim = this.hold(key, answer, { ns: told.ns, renew: told.renew,
      holdMsMax: told.holdMsMax, sentMs: ask.sentMs });
    try {
      return await this._run(claim, fn, onError,
        told.encode ?? once.encodeJson);
    } finally {
      this.letGo(claim);
    }
  }

  async _run(claim, fn, onError, encode) {
    let made;
    try {
      made = await under(claim, () => fn(claim));
    } catch (why) {
      await this._failed(claim, why,
        why instanceof NothingDone ? 'release' : onError);
      throw why;
    }
    await this._record(claim, made, encode);
    return made;
  }

  // It has happened, whether or not what it returned can be stored.
  async _record(claim, made, encode) {
    let result = null;
    let unstorable = null;
    try {
      result = await encode(made);
    } catch (why) {
      unstorable = why;
    }
    let told;
    try {
      told = await this.complete(claim.key, claim.token,
        this._of(claim, { result }));
    } catch (why) {
      throw why instanceof IdemstoreError && why.code !== 'ARGUMENT'
        ? once.unconfirmed(why, made) : why;
    }
    const why = once.unrecorded(told, made) ?? unstorable;
    if (why !== null) throw why;
  }

  _of(claim, options) {
    return claim.ns === undefined ? options : { ...options, ns: claim.ns };
  }

  // fn's own error is what is told; where the store can't be told, the lease
  // ends the claim.
  async _failed(claim, why, onError) {
    const { key, token } = claim;
    try {
      if (onError === 'release') {
        await this.release(key, token, this._of(claim, {}));
      } else if (onError === 'complete') {
        await this.complete(key, token, this._of(claim,
          { result: once.describe(why), resultClass: 'error' }));
      }
    } catch (error) {
      if (!(error instanceof IdemstoreError)) throw error;
    }
  }
}

module.exports = { StoreCalls };
