// SPDX-License-Identifier: Apache-2.0
// The Idempotency-Key header, and an HTTP answer that every language can
// replay: the same rules, and the same bytes, as in each other package. Held to
// proto/vectors. A header's value is a string whose characters are bytes
// (ISO 8859-1), as node:http has it.
'use strict';

const { createHash } = require('node:crypto');
const { argument, fail } = require('./errors.js');
const msgpack = require('./msgpack.js');

const KEY_BYTES_MAX = 255;
const HEADERS_MAX = 64;
const RESULT_BYTES_MAX = 1 << 20;

const KEPT = ['content-type', 'content-language', 'content-encoding',
  'location', 'etag', 'retry-after'];
const NEVER_STORED = new Set([401, 407, 408, 413, 415, 421, 425, 429, 431]);

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]{0,8192}$/;
const QUOTED = /^"((?:[!#-[\]-~]|\\["\\])*)"$/;
const BARE = /^[!#-~]+$/;

/** ASCII alone, whatever the locale. */
function lower(text) {
  return text.replace(/[A-Z]+/g, (found) => found.toLowerCase());
}

function trim(text) {
  return text.replace(/^[ \t]+|[ \t]+$/g, '');
}

/** The key in an Idempotency-Key header: a string of RFC 8941 or bare
 *  characters, 1 to 255. undefined, null: the request has none. Throws
 *  KEY_MISSING, KEY_MALFORMED. */
function keyOf(value) {
  if (value === undefined || value === null) throw fail('KEY_MISSING');
  const given = trim(value);
  const quoted = QUOTED.exec(given);
  let key = '';
  if (quoted) key = quoted[1].replace(/\\(.)/g, '$1');
  else if (BARE.test(given)) key = given;
  if (key.length < 1 || key.length > KEY_BYTES_MAX) throw fail('KEY_MALFORMED');
  return key;
}

function digest(...parts) {
  const hash = createHash('sha256');
  for (const part of parts) {
    const length = Buffer.alloc(8);
    length.writeUInt32BE(part.length, 4);
    hash.update(length).update(part);
  }
  return hash.digest();
}

function checkRequest(method, target) {
  if (!method || !target) throw argument('a request has a method and a target');
}

/** The key in the store. target: as it came over the wire; its query does not
 *  count. principal: who is authenticated; null: the word "none". */
function storeKey(key, method, target, principal) {
  checkRequest(method, target);
  if (principal === '') {
    throw argument('a principal is not empty; null is for anyone');
  }
  if (!BARE.test(key.replaceAll('"', 'x')) || key.length > KEY_BYTES_MAX) {
    throw argument("the header's key has 1 to 255 visible characters");
  }
  const path = target.split('?', 1)[0];
  const scope = digest(Buffer.from(method), Buffer.from(path),
    Buffer.from(principal ?? ''));
  return key + '@' + scope.toString('base64url').slice(0, 22);
}

/** What the request asks for. body: after transfer coding, before content
 *  coding. */
function fingerprint(method, target, contentType, body) {
  checkRequest(method, target);
  const kind = trim((contentType ?? '').split(';', 1)[0]);
  return digest(Buffer.from(method), Buffer.from(target),
    Buffer.from(lower(kind), 'latin1'), body);
}

const isAscii = (text) => !/[^\0-\x7f]/.test(text);

/** The result to complete with. headers: [[name, value], ...]. keep: further
 *  names of headers to store. Where the whole is longer than resultBytesMax,
 *  the body is left out; where that does not suffice, the headers too. */
function pack(status, headers, body, { keep = [],
  resultBytesMax = RESULT_BYTES_MAX } = {}) {
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw argument("an answer's status is 200 to 599");
  }
  const names = new Set([...KEPT, ...keep.map(lower)]);
  const kept = [];
  for (const [given, raw] of headers) {
    const name = lower(given);
    const value = trim(raw);
    if (names.has(name) && kept.length < HEADERS_MAX && TOKEN.test(name) &&
        VALUE.test(value)) {
      kept.push([name, isAscii(value) ? value : Buffer.from(value, 'latin1')]);
    }
  }
  let packed;
  for (const form of [[1, status, kept, body], [1, status, kept, null],
    [1, status, [], null]]) {
    packed = msgpack.pack(form);
    if (packed.length <= resultBytesMax) break;
  }
  return packed;
}

class NotHttp extends Error {}

function bytesOf(value) {
  if (typeof value === 'string') return Buffer.from(value, 'utf8');
  if (Buffer.isBuffer(value)) return value;
  throw new NotHttp();
}

function headerOf(pair) {
  if (!Array.isArray(pair) || pair.length !== 2) throw new NotHttp();
  const name = bytesOf(pair[0]).toString('latin1');
  const value = bytesOf(pair[1]).toString('latin1');
  if (!TOKEN.test(name) || name !== lower(name) || !VALUE.test(value)) {
    throw new NotHttp();
  }
  return [name, value];
}

function read(result) {
  const value = msgpack.unpack(result);
  if (!Array.isArray(value) || value.length !== 4 || value[0] !== 1 ||
      !Number.isInteger(value[1]) || value[1] < 200 || value[1] > 599 ||
      !Array.isArray(value[2]) || value[2].length > HEADERS_MAX) {
    throw new NotHttp();
  }
  return {
    status: value[1],
    headers: value[2].map(headerOf),
    body: value[3] === null ? null : bytesOf(value[3]),
  };
}

/** {status, headers, body}; body null: it was not kept. Throws NOT_HTTP; null
 *  is no answer either. */
function unpack(result) {
  try {
    if (!(result instanceof Uint8Array)) throw new NotHttp();
    return read(result);
  } catch (why) {
    if (why instanceof NotHttp || why instanceof msgpack.Malformed ||
        why instanceof msgpack.More) {
      throw fail('NOT_HTTP');
    }
    throw why;
  }
}

const ORIGINS = ['handler', 'before', 'retryable', 'unsent', 'lost'];

/** What becomes of the claim: "store", "release" (with unbind) or "leave".
 *  origin: "handler", "before" (it never began), "retryable" (it says so
 *  itself), "unsent" or "lost" (a gateway's backend). */
function fate(status, origin = 'handler', onError = 'store') {
  if (!ORIGINS.includes(origin)) {
    throw argument('origin is handler, before, retryable, unsent or lost');
  }
  if (origin === 'lost') return 'leave';
  if (origin !== 'handler' || NEVER_STORED.has(status)) return 'release';
  if (status >= 500 && status <= 599) return onError;
  return status >= 200 && status <= 499 ? 'store' : 'leave';
}

// ------------------------------------------------------ what the others hear

const TITLES = { 400: 'Bad Request', 401: 'Unauthorized', 409: 'Conflict',
  413: 'Content Too Large', 415: 'Unsupported Media Type',
  422: 'Unprocessable Content', 500: 'Internal Server Error',
  503: 'Service Unavailable' };
const DETAILS = {
  in_progress: [409, 'A request with this Idempotency-Key is being ' +
    'processed.'],
  orphaned: [409, 'An earlier request with this Idempotency-Key ended in an ' +
    'unknown state.'],
  mismatch: [422, 'This Idempotency-Key was used with a different request.'],
  stale: [500, 'Another request took this Idempotency-Key over.'],
  key_missing: [400, 'This operation needs an Idempotency-Key header.'],
  key_malformed: [400, 'The Idempotency-Key must be a string of 1 to 255 ' +
    'visible ASCII characters.'],
  not_recorded: [500, 'The request was carried out, but its answer could not ' +
    'be stored.'],
  no_principal: [401, 'An Idempotency-Key belongs to who is authenticated, ' +
    'and nobody is.'],
  too_large: [413, 'The request is too large to be compared with a later ' +
    'one.'],
  multipart: [415, 'A multipart body is another one each time it is sent; ' +
    'this service takes none with an Idempotency-Key.'],
  unreadable: [500, "The request's body was read before it could be " +
    "compared; the middleware that reads it must go behind idemstore's."],
  not_http: [500, 'The request was carried out, but what was stored is no ' +
    'HTTP answer.'],
  unavailable: [503, "Whether this request was seen before can't be told " +
    'now; send it again with the same Idempotency-Key.'],
  error: [500, 'The request could not be checked against its ' +
    'Idempotency-Key.'],
};
const UNAVAILABLE = new Set(['LIMIT', 'NO_MEMORY', 'NOT_PRIMARY',
  'UNREPLICATED', 'CHANGES_WAIT', 'SHUTTING_DOWN', 'CONNECT',
  'TIMEOUT_UNSENT', 'CLOSED', 'TIMEOUT', 'LOST']);

/** A problem document (RFC 9457). */
function problem(what, retryAfterS = 0) {
  const [status, detail] = DETAILS[what];
  const headers = [['content-type', 'application/problem+json']];
  if (retryAfterS > 0) headers.push(['retry-after', String(retryAfterS)]);
  const body = Buffer.from(JSON.stringify({ type: 'about:blank',
    title: TITLES[status], status, detail, outcome: what }));
  return { status, headers, body };
}

/** What somebody hears who does not get the claim, and no replay. */
function fromAnswer(answer) {
  if (answer.outcome === 'in_progress') {
    return problem('in_progress',
      Math.max(Math.ceil(answer.leaseLeftMs / 1000), 1));
  }
  return problem(answer.outcome);
}

const OWN = new Set(['KEY_MISSING', 'KEY_MALFORMED', 'NOT_RECORDED',
  'NOT_HTTP']);

function fromError(error) {
  if (OWN.has(error.code)) return problem(error.code.toLowerCase());
  return UNAVAILABLE.has(error.code) ? problem('unavailable', 1)
    : problem('error');
}

/** A stored answer as it is sent again. */
function replayed(result) {
  let stored;
  try {
    stored = unpack(result);
  } catch (why) {
    if (why.code === 'NOT_HTTP') return fromError(why);
    throw why;
  }
  const mark = stored.body === null ? 'true; body=dropped' : 'true';
  return { status: stored.status, body: stored.body ?? Buffer.alloc(0),
    headers: [...stored.headers, ['idempotency-replayed', mark]] };
}

module.exports = { keyOf, storeKey, fingerprint, pack, unpack, fate, problem,
  fromAnswer, fromError, replayed, RESULT_BYTES_MAX };
