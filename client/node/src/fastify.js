// SPDX-License-Identifier: Apache-2.0
// Idempotency-Key for fastify 5: a plugin for all routes of its scope.
//
//   await app.register(idempotency, { store, principal: (request) => ... });
//   app.post('/pay', { config: { idempotency: false } }, ...)   // not this one
'use strict';

const { Transform } = require('node:stream');
const http = require('./http.js');
const { say } = require('./capture.js');
const { captured, given } = require('./covered.js');
const { Guard, Refusal } = require('./guard.js');
const { under } = require('./lease.js');

const STATE = Symbol('idemstore');
const NOTHING = Buffer.alloc(0);

/** Keeps a copy of what goes through, up to the limit. */
class Tap extends Transform {
  constructor(bytesMax) {
    super();
    this.receivedEncodedLength = 0; // fastify holds it to Content-Length
    this._most = bytesMax;
    this._kept = [];
    this.on('error', () => {}); // the body's end is told where it is read
  }

  _transform(part, encoding, done) {
    this.receivedEncodedLength += part.length;
    if (this.receivedEncodedLength <= this._most) this._kept.push(part);
    done(null, part);
  }

  get isTooLarge() {
    return this.receivedEncodedLength > this._most;
  }

  get body() {
    return Buffer.concat(this._kept);
  }
}

function isCovered(guard, request) {
  if (request.is404 || request.routeOptions?.config?.idempotency === false) {
    return false;
  }
  return guard.covers(request.method, request.url.split('?', 1)[0],
    request.headers['idempotency-key'] !== undefined);
}

// Before the body is parsed: what can be refused is refused, and the bytes are
// kept as they come.
function preParsing(guard, request, reply, payload, done) {
  if (!isCovered(guard, request)) {
    done(null, payload);
    return;
  }
  const { headers } = request;
  try {
    const key = guard.readKey(given(request.raw, 'idempotency-key'));
    guard.checkBody(headers['content-type'], headers['content-length']);
    const isWhole = headers['transfer-encoding'] === undefined &&
      !Number(headers['content-length']);
    const tap = isWhole ? null : payload.pipe(new Tap(guard.bodyBytesMax));
    if (tap !== null) payload.on('error', (why) => tap.destroy(why));
    request[STATE] = { key, tap };
    done(null, tap ?? payload);
  } catch (why) {
    refuse(reply, why, done);
  }
}

// In place of the handler's; anything else is the service's error handler's.
function refuse(reply, why, done) {
  if (!(why instanceof Refusal)) {
    done(why);
    return;
  }
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    reply.raw.setHeader(name, value);
  }
  say(reply.raw, why.answer);
}

async function enter(guard, request) {
  const { key, tap } = request[STATE];
  if (tap?.isTooLarge) {
    throw new Refusal(http.problem('too_large'));
  }
  return guard.enter({ method: request.method,
    target: request.raw.url, contentType: request.headers['content-type'],
    key, body: tap === null ? NOTHING : tap.body }, request);
}

// Behind the validation: what it refuses never had a claim.
function preHandler(guard, request, reply, done) {
  if (request[STATE] === undefined) {
    done();
    return;
  }
  enter(guard, request).then(({ claim }) => {
    request[STATE].tap = null;
    if (claim === undefined) {
      done();
      return;
    }
    request.idempotencyClaim = claim;
    captured(guard, request.raw, reply.raw, claim, () => 'handler');
    under(claim, done);
  }, (why) => refuse(reply, why, done));
}

/** The plugin. See the types for its options. */
function idempotency(fastify, options, done) {
  const guard = new Guard(options);
  fastify.decorateRequest(STATE, undefined);
  fastify.decorateRequest('idempotencyClaim', null);
  fastify.decorate('idempotencyHealth', guard.health);
  fastify.addHook('preParsing', (request, reply, payload, next) =>
    preParsing(guard, request, reply, payload, next));
  fastify.addHook('preHandler', (request, reply, next) =>
    preHandler(guard, request, reply, next));
  done();
}

// What fastify-plugin would set: its hooks are the scope's that registers it.
idempotency[Symbol.for('skip-override')] = true;
idempotency[Symbol.for('fastify.display-name')] = '@idemstore/client';
idempotency[Symbol.for('plugin-meta')] = {
  name: '@idemstore/client', fastify: '5.x',
};

module.exports = { idempotency };
