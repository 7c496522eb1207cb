// SPDX-License-Identifier: Apache-2.0
// Messages and webhooks whose work happens once, however often they are
// delivered, sent or retried.
//
//   const once = dedupe({ store, id: ids.stripe });
//   app.post('/stripe', express.raw({ type: '*/*' }), verified, once.express,
//     handler);
//
//   const once = dedupe({ store, id: ({ message }) => message.headers.id,
//     deadLetter });
//   consumer.run({ eachMessage: once.kafka(handler) });    // KafkaJS
//   new Worker('mail', once.bullmq(handler));              // BullMQ
//   exports.handler = once.sqs(handler);                   // SQS behind Lambda
//
// A delivery is
//   done before       acknowledged
//   in progress, or the store can't be asked
//                     not acknowledged: redelivered after the lease that is
//                     left, at most 30 s
//   another work under the same id
//                     handed to deadLetter, and acknowledged
//   failed            released, and not acknowledged
//
// The id comes from the message: a partition and an offset are none, since a
// producer that sends twice gets another offset.
'use strict';

const http = require('./http.js');
const { ACQUIRE, known } = require('./calls.js');
const { Capture, say } = require('./capture.js');
const errors = require('./errors.js');
const { under } = require('./lease.js');

const REDELIVER_MS_MAX = 30000;
const AGAIN_MS_MIN = 100;
const HOLD_MS_MAX = 15 * 60 * 1000;

const OWN = ['store', 'id', 'fingerprint', 'deadLetter', 'changeVisibility',
  'holdMsMax', 'log'];
const ASKED = [...ACQUIRE].filter((one) => !['fingerprint', 'nonce',
  'timeoutMs'].includes(one));
const OPTIONS = new Set([...OWN, ...ASKED]);

// No later attempt would be answered otherwise.
const NEVER = new Set(['ARGUMENT', 'BAD_REQUEST', 'TOO_LARGE']);

/** Not acknowledged: to be delivered again after so long. */
class Redeliver extends Error {
  constructor(afterMs, cause) {
    super(`to be delivered again after ${afterMs} ms: ${cause.message}`,
      { cause });
    this.afterMs = afterMs;
  }
}
Redeliver.prototype.name = 'Redeliver';

// BullMQ knows its own errors by name.
class DelayedError extends Error {}
DelayedError.prototype.name = 'DelayedError';
class UnrecoverableError extends Error {}
UnrecoverableError.prototype.name = 'UnrecoverableError';

/** Parsed, also where the signature's check wanted it raw. */
function body(req) {
  const given = req.body;
  const isRaw = given instanceof Uint8Array || typeof given === 'string';
  return Object(isRaw ? JSON.parse(Buffer.from(given).toString('utf8'))
    : given);
}

function header(req, name) {
  const value = req.headers[name];
  return typeof value === 'string' ? `${name}:${value}` : undefined;
}

/** Where a webhook's sender writes the id of what it tells. */
const ids = Object.freeze({
  stripe(req) {
    const { id } = body(req);
    return typeof id === 'string' && id !== '' ? `stripe:${id}` : undefined;
  },
  github: (req) => header(req, 'x-github-delivery'),
  standard: (req) => header(req, 'webhook-id'), // standardwebhooks.com
  shopify: (req) => header(req, 'x-shopify-webhook-id'),
});

function jittered(ms) {
  return Math.floor(ms * (0.5 + Math.random() / 2));
}

/** Why a delivery is not acknowledged now, or never will be. */
function verdictOn(why) {
  if (why instanceof errors.InProgressError) {
    return { verdict: 'later', why, afterMs: Math.min(
      Math.max(why.leaseLeftMs, AGAIN_MS_MIN), REDELIVER_MS_MAX) };
  }
  if (why instanceof errors.NotRunError || NEVER.has(why.code)) {
    return { verdict: 'dead', why };
  }
  if (why instanceof errors.IdemstoreError) {
    // NOT_RECORDED: it has happened; another delivery is told so.
    return { verdict: 'later', why, afterMs: jittered(4000) };
  }
  return { verdict: 'failed', why };
}

class Dedupe {
  constructor(options) {
    known(options, OPTIONS, 'dedupe');
    if (typeof options.store?.acquire !== 'function') {
      throw errors.argument('dedupe needs a store');
    }
    if (typeof options.id !== 'function') {
      throw errors.argument('id is a function that finds the id in a message ' +
        'or a request: what its sender repeats when it sends it again');
    }
    this._options = options;
    this._store = options.store;
    this._log = options.log ?? console;
    this._asked = {};
    for (const name of ASKED) {
      if (options[name] !== undefined) this._asked[name] = options[name];
    }
    this._store._asks.acquire('k', this._asked); // a bad number is told now
    this.express = (req, res, next) => this._express(req, res, next);
    this.fastify = (request, reply, next) =>
      this._fastify(request, reply, next);
  }

  /** The key, and what it was acquired with. Throws ARGUMENT: no id. */
  async _named(message) {
    const key = await this._options.id(message);
    if (typeof key !== 'string' || key === '') {
      throw errors.argument('there is no id in it');
    }
    const fingerprint = await this._options.fingerprint?.(message);
    return [key, { ...this._asked, ...(fingerprint ? { fingerprint } : {}) }];
  }

  // -------------------------------------------------------------- consumers

  /** {verdict: "done", value}, "later", "dead" or "failed". */
  async _deliver(message, work, encode) {
    try {
      const [key, asked] = await this._named(message);
      const value = await this._store.once(key, { ...asked, encode,
        onError: 'release',
        holdMsMax: this._options.holdMsMax ?? HOLD_MS_MAX }, work);
      return { verdict: 'done', value };
    } catch (why) {
      return verdictOn(why);
    }
  }

  async _bury(message, why) {
    const { deadLetter } = this._options;
    if (deadLetter === undefined) {
      this._log.error('idemstore: a message was dropped, there is no ' +
        `deadLetter to hand it to: ${why.message}`);
      return;
    }
    await deadLetter(message, why);
  }

  /** KafkaJS' eachMessage. What is not acknowledged throws, and its partition
   *  rests until it is due. */
  kafka(handler) {
    return async (payload) => {
      const { verdict, why, afterMs } = await this._deliver(payload,
        (claim) => handler(payload, claim), () => null);
      if (verdict === 'done') return;
      if (verdict === 'dead') {
        await this._bury(payload, why);
        return;
      }
      if (verdict === 'failed') throw why;
      if (typeof payload.pause === 'function') {
        setTimeout(payload.pause(), afterMs);
      }
      throw new Redeliver(afterMs, why);
    };
  }

  /** BullMQ's processor. The job's return value is what the first run made. */
  bullmq(handler) {
    return async (job, token, ...more) => {
      const { verdict, value, why, afterMs } = await this._deliver(job,
        (claim) => handler(job, token, claim, ...more));
      if (verdict === 'done') return value;
      if (verdict === 'failed') throw why;
      if (verdict === 'dead') {
        if (this._options.deadLetter) await this._bury(job, why);
        throw new UnrecoverableError(why.message, { cause: why });
      }
      await job.moveToDelayed(Date.now() + afterMs, token);
      throw new DelayedError(why.message, { cause: why });
    };
  }

  /** A Lambda's handler of SQS batches, with ReportBatchItemFailures. Messages
   *  of one group keep their order: behind one that is not acknowledged none
   *  of its group is. */
  sqs(handler) {
    return async (event) => {
      const groups = new Map();
      event.Records.forEach((record, n) => {
        const group = record.attributes?.MessageGroupId ?? n;
        if (!groups.has(group)) groups.set(group, []);
        groups.get(group).push(record);
      });
      const failed = await Promise.all([...groups.values()].map(
        (records) => this._inOrder(records, handler)));
      return { batchItemFailures: failed.flat().map(
        ({ messageId }) => ({ itemIdentifier: messageId })) };
    };
  }

  async _inOrder(records, handler) {
    for (let n = 0; n < records.length; n++) {
      const record = records[n];
      try {
        const { verdict, why, afterMs } = await this._deliver(record,
          (claim) => handler(record, claim), () => null);
        if (verdict === 'done') continue;
        if (verdict === 'dead') {
          await this._bury(record, why);
          continue;
        }
        this._log.error(`idemstore: a message is not done: ${why.message}`);
        if (verdict === 'later') {
          await this._options.changeVisibility?.(record,
            Math.ceil(afterMs / 1000));
        }
      } catch (why) {
        this._log.error(why); // deadLetter's, changeVisibility's
      }
      return records.slice(n);
    }
    return [];
  }

  // --------------------------------------------------------------- webhooks

  /** {claim}, or what is said in the handler's place. */
  async _enter(req) {
    let key, answer, ask;
    try {
      let asked;
      [key, asked] = await this._named(req);
      ask = this._store._asks.acquire(key, asked);
      answer = await this._store._acquire(ask);
    } catch (why) {
      if (why.code === 'ARGUMENT' || why instanceof SyntaxError) {
        return { said: malformed(why) };
      }
      if (!(why instanceof errors.IdemstoreError)) throw why;
      return { said: http.fromError(why) };
    }
    if (answer.outcome === 'replay') {
      return { said: http.replayed(answer.result) };
    }
    if (answer.outcome !== 'acquired') {
      return { said: http.fromAnswer(answer) };
    }
    return { claim: this._store.hold(key, answer, { ns: this._asked.ns,
      holdMsMax: this._options.holdMsMax ?? HOLD_MS_MAX,
      sentMs: ask.sentMs }) };
  }

  // 2xx is done; after anything else the sender sends it again.
  async _settle(claim, captured) {
    const store = this._store;
    const isDone = captured.status >= 200 && captured.status <= 299;
    try {
      const told = isDone
        ? await store.complete(claim.key, claim.token, store._of(claim, {
          result: http.pack(captured.status, captured.headers, captured.body,
            { resultBytesMax: store.resultBytesMax }) }))
        : await store.release(claim.key, claim.token, store._of(claim, {}));
      if (told.outcome === 'completed' || told.outcome === 'released') {
        return null;
      }
      this._log.error(`idemstore: a webhook's claim was lost: ${told.outcome}`);
      return isDone ? { ...http.problem('stale'), isStale: true } : null;
    } catch (why) {
      if (!(why instanceof errors.IdemstoreError)) throw why;
      this._log.error(`idemstore: a webhook is not surely recorded: ${why}`);
      return isDone ? http.problem('not_recorded') : null;
    } finally {
      store.letGo(claim);
    }
  }

  _capture(req, res, claim) {
    return new Capture(req, res, (captured) => this._settle(claim, captured), {
      resultBytesMax: this._store.resultBytesMax,
      letGo: () => this._store.letGo(claim),
    });
  }

  _express(req, res, next) {
    this._enter(req).then(({ claim, said }) => {
      if (said !== undefined) {
        say(res, said);
        return;
      }
      req.idempotencyClaim = claim;
      this._capture(req, res, claim);
      under(claim, next);
    }).catch(next);
  }

  _fastify(request, reply, next) {
    this._enter(request).then(({ claim, said }) => {
      if (said !== undefined) {
        reply.hijack();
        say(reply.raw, said);
        return;
      }
      request.idempotencyClaim = claim;
      this._capture(request.raw, reply.raw, claim);
      under(claim, next);
    }).catch(next);
  }
}

function malformed(why) {
  const answer = http.problem('key_missing');
  const told = { ...JSON.parse(answer.body), outcome: 'no_id',
    detail: `The webhook has no id: ${why.message}.` };
  return { ...answer, body: Buffer.from(JSON.stringify(told)) };
}

function dedupe(options) {
  return new Dedupe(options);
}

module.exports = { dedupe, ids, Redeliver };
