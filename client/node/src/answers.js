// SPDX-License-Identifier: Apache-2.0
// What is answered, and how it is read from the wire. Later versions of the
// server only append fields: what follows those that are known is skipped. All
// times are milliseconds.
'use strict';

/** A reply that is no answer to its call. */
class Garbled extends Error {}

function number(value) {
  if (!Number.isSafeInteger(value) || value < 0) throw new Garbled();
  return value;
}

function bytes(value) {
  if (Buffer.isBuffer(value)) return value;
  if (typeof value === 'string') return Buffer.from(value, 'utf8');
  throw new Garbled();
}

function text(value) {
  if (typeof value === 'string') return value;
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  throw new Garbled();
}

function token(value) {
  const made = bytes(value);
  if (made.length !== 16) throw new Garbled();
  return made;
}

const STATES = new Set(['in_progress', 'orphaned', 'completed', 'released']);

function state(value) {
  const made = text(value);
  // Another one is a newer version's: nobody here knows what it means.
  if (!STATES.has(made)) throw new Garbled();
  return made;
}

function completed(f) {
  if (typeof f[1] !== 'boolean') throw new Garbled();
  return {
    outcome: 'completed', kept: f[1],
    ttlMs: f.length > 2 && f[2] !== null ? number(f[2]) : 0,
  };
}

const stale = (f) => ({ outcome: 'stale', state: state(f[1]) });
const noRecord = () => ({ outcome: 'unknown' });

const READERS = {
  acquire: {
    acquired: (f) => ({
      outcome: 'acquired', token: token(f[1]), attempt: number(f[2]),
      previous: text(f[3]), leaseMs: number(f[4]), nonce: null,
    }),
    replay: (f) => {
      if (f.length < 5) throw new Garbled();
      return {
        outcome: 'replay', result: f[1] === null ? null : bytes(f[1]),
        resultClass: text(f[2]), ageMs: number(f[3]), ttlLeftMs: number(f[4]),
      };
    },
    in_progress: (f) => ({
      outcome: 'in_progress', leaseLeftMs: number(f[1]),
      attempt: number(f[2]), ageMs: number(f[3]),
    }),
    mismatch: (f) => ({ outcome: 'mismatch', state: state(f[1]) }),
    orphaned: (f) => ({
      outcome: 'orphaned', ageMs: number(f[1]), attempt: number(f[2]),
    }),
  },
  complete: { completed, stale, unknown: noRecord },
  release: { released: () => ({ outcome: 'released' }), stale,
    unknown: noRecord },
  renew: {
    renewed: (f) => ({ outcome: 'renewed', leaseMs: number(f[1]) }), stale,
    unknown: noRecord,
  },
};

function readPeek(result) {
  if (text(result[0]) === 'absent') return { state: 'absent' };
  const made = { state: state(result[0]) };
  const told = result[1];
  if (!(told instanceof Map)) throw new Garbled();
  const put = (name, wire) => {
    const value = told.get(wire);
    if (value !== undefined && value !== null) made[name] = number(value);
  };
  put('ageMs', 'age_ms');
  put('attempt', 'attempt');
  put('leaseLeftMs', 'lease_left_ms');
  put('ttlLeftMs', 'ttl_left_ms');
  if (made.state === 'completed') made.resultBytes = null;
  put('resultBytes', 'result_bytes');
  if (told.has('class')) made.resultClass = text(told.get('class'));
  return made;
}

function readStats(result) {
  if (!(result instanceof Map)) throw new Garbled();
  const made = {};
  for (const [name, value] of result) {
    if (value instanceof Map) { // what one map has no room for
      Object.defineProperties(
        made, Object.getOwnPropertyDescriptors(readStats(value)));
      continue;
    }
    Object.defineProperty(made, name, {
      value: number(value), enumerable: true, configurable: true,
      writable: true,
    });
  }
  return made;
}

/** The answer to that method. Throws Garbled. */
function read(method, result) {
  if (method === 'ping') {
    if (String(result) !== 'pong') throw new Garbled();
    return 'pong';
  }
  if (method === 'stats') return readStats(result);
  if (!Array.isArray(result) || result.length === 0) throw new Garbled();
  if (method === 'peek') return readPeek(result);
  const readers = READERS[method];
  const outcome = text(result[0]);
  if (!Object.hasOwn(readers, outcome)) throw new Garbled();
  return readers[outcome](result);
}

module.exports = { read, Garbled };
