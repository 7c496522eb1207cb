// SPDX-License-Identifier: Apache-2.0
// What the adapters have in common: which requests they cover, under which key,
// and what is said in a handler's place.
'use strict';

const http = require('./http.js');
const { ACQUIRE, kind, known } = require('./calls.js');
const { IdemstoreError, MAY_PASS, argument, fail } = require('./errors.js');

const BODY_BYTES_MAX = 10 << 20;
// A handler that never ends holds its key no longer than this.
const HOLD_MS_MAX = 15 * 60 * 1000;
const SAY_MS = 1000;

const OWN = ['store', 'principal', 'methods', 'required', 'applies', 'onError',
  'onUnavailable', 'keep', 'multipart', 'bodyBytesMax', 'holdMsMax',
  'detached', 'rawBody', 'log'];
const ASKED = [...ACQUIRE].filter((one) => !['fingerprint', 'nonce'].includes(
  one));
const OPTIONS = new Set([...OWN, ...ASKED]);

/** What an open service has let through, for its own health page. */
class Health {
  constructor(log) {
    this.passed = 0;
    this.lastError = '';
    this._log = log;
    this._saidMs = -SAY_MS;
    this._unsaid = 0;
  }

  _notePassed(code) {
    this.passed++;
    this.lastError = code;
    this._unsaid++;
    const nowMs = performance.now();
    if (nowMs - this._saidMs < SAY_MS) return;
    this._log.warn(`idemstore can't be asked (${code}): ${this._unsaid} ` +
      'requests were let through without a claim');
    this._saidMs = nowMs;
    this._unsaid = 0;
  }
}

/** The handler does not run: this is said in its place. */
class Refusal {
  constructor(answer) {
    this.answer = answer;
  }
}

function oneOf(value, what, words) {
  if (!words.includes(value)) {
    throw argument(`${what} is ${words.join(' or ')}`);
  }
  return value;
}

/** "http://host/pay?x" is /pay?x; what is "" is /. */
function originForm(target) {
  const path = target.split('#', 1)[0]
    .replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*/, '');
  return path.startsWith('/') ? path : '/' + path;
}

class Guard {
  constructor(options) {
    known(options, OPTIONS, 'idempotency');
    const { store, principal, methods = ['POST', 'PATCH'] } = options;
    if (typeof store?.acquire !== 'function') {
      throw argument(`store is a Store, not ${kind(store)}`);
    }
    if (principal !== 'none' && typeof principal !== 'function') {
      throw argument('principal is a function that returns who is ' +
        "authenticated, or the word 'none'; without it one user's key could " +
        "find another's answer");
    }
    this.store = store;
    this.options = options;
    this.log = options.log ?? console;
    this.health = new Health(this.log);
    this.methods = new Set(methods.map((one) => one.toUpperCase()));
    for (const one of ['GET', 'HEAD', 'OPTIONS', 'TRACE']) {
      if (this.methods.has(one)) {
        throw argument(`${one} changes nothing, and is not covered`);
      }
    }
    const onError = oneOf(options.onError ?? 'complete', 'onError',
      ['complete', 'leave', 'release']);
    this.onError = onError === 'complete' ? 'store' : onError;
    this.isOpen = oneOf(options.onUnavailable ?? 'closed', 'onUnavailable',
      ['closed', 'open']) === 'open';
    this.keep = options.keep ?? [];
    this.bodyBytesMax = options.bodyBytesMax ?? BODY_BYTES_MAX;
    this.holdMsMax = options.holdMsMax ?? HOLD_MS_MAX;
    this.detached = options.detached ?? true;
    this._asked = {};
    for (const name of ASKED) {
      if (options[name] !== undefined) this._asked[name] = options[name];
    }
    store._asks.acquire('k', this._asked); // a bad number is told now
  }

  covers(method, path, hasHeader) {
    const { required = true, applies } = this.options;
    return this.methods.has(method) && (hasHeader || required) &&
      (applies === undefined || Boolean(applies(method, path)));
  }

  /** Before the body is read. given: the header's values. Throws Refusal. */
  readKey(given) {
    try {
      if (given.length > 1) throw fail('KEY_MALFORMED');
      return http.keyOf(given[0]);
    } catch (why) {
      if (why instanceof IdemstoreError) {
        throw new Refusal(http.fromError(why));
      }
      throw why;
    }
  }

  checkBody(contentType, contentLength) {
    if (Number(contentLength) > this.bodyBytesMax) {
      throw new Refusal(http.problem('too_large'));
    }
    if (/^[ \t]*multipart\//i.test(contentType ?? '') &&
        !this.options.multipart) {
      throw new Refusal(http.problem('multipart'));
    }
  }

  async _principal(who) {
    if (this.options.principal === 'none') return null;
    const found = await this.options.principal(who);
    if (typeof found !== 'string' || found === '') {
      // Nobody is authenticated: the handler will say so, or it serves
      // strangers, who then share nothing with each other.
      throw new Refusal(http.problem('no_principal'));
    }
    return found;
  }

  /** {claim}, or {isPassed}: the handler runs without one. request: {method,
   *  target, contentType, key, body}; who: what principal is called with.
   *  Throws Refusal. */
  async enter(request, who) {
    const target = originForm(request.target);
    const key = http.storeKey(request.key, request.method, target,
      await this._principal(who));
    const ask = this.store._asks.acquire(key, { ...this._asked,
      fingerprint: http.fingerprint(request.method, target,
        request.contentType, request.body) });
    let answer;
    try {
      answer = await this.store._acquire(ask);
    } catch (why) {
      if (!(why instanceof IdemstoreError)) throw why;
      if (!this.isOpen || !MAY_PASS.has(why.code)) {
        throw new Refusal(http.fromError(why));
      }
      this.health._notePassed(why.code);
      return { isPassed: true };
    }
    if (answer.outcome === 'replay') {
      throw new Refusal(http.replayed(answer.result));
    }
    if (answer.outcome !== 'acquired') {
      throw new Refusal(http.fromAnswer(answer));
    }
    return { claim: this.store.hold(key, answer, { ns: this._asked.ns,
      holdMsMax: this.holdMsMax, sentMs: ask.sentMs }) };
  }

  /** What is to be said in the answer's place, or null: the claim is settled
   *  with what was captured. */
  async settle(claim, captured, origin) {
    const { store } = this;
    const fate = http.fate(captured.status,
      claim.nothingDone ? 'retryable' : origin, this.onError);
    try {
      if (fate === 'release') {
        await store.release(claim.key, claim.token,
          store._of(claim, { unbind: true }));
      } else if (fate === 'store') {
        const result = http.pack(captured.status, captured.headers,
          captured.body, { keep: this.keep,
            resultBytesMax: store.resultBytesMax });
        const told = await store.complete(claim.key, claim.token,
          store._of(claim, { result }));
        if (told.outcome !== 'completed') {
          this.log.error('idemstore: an answer came after its claim was ' +
            `lost: ${told.outcome}`);
          return { ...http.problem('stale'), isStale: true };
        }
      }
    } catch (why) {
      if (!(why instanceof IdemstoreError)) throw why;
      this.log.error(`idemstore: an answer is not surely recorded: ${why}`);
      if (fate === 'store') return http.problem('not_recorded');
    } finally {
      store.letGo(claim);
    }
    return null;
  }
}

module.exports = { Guard, Refusal };
