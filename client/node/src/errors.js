// SPDX-License-Identifier: Apache-2.0
// What keeps a call from being answered, and what that lets a caller assume.
// An outcome is no error: "someone else holds it" is an answer. No error holds
// a key, a result or a secret.
'use strict';

const REFUSED = 'refused';
const UNCHANGED = 'unchanged';
const UNKNOWN = 'unknown';

/** code: [what may be assumed, text] */
const CODES = Object.freeze({
  PROTOCOL: [REFUSED, 'the server did not understand the bytes'],
  UNKNOWN_METHOD: [REFUSED, 'the server does not know the method'],
  BAD_REQUEST: [REFUSED, 'the server refused the parameters'],
  TOO_LARGE: [REFUSED, "a field is over the server's limit"],
  LIMIT: [REFUSED, 'too many waiters, connections or requests'],
  NO_MEMORY: [REFUSED, "the server's memory limit is reached"],
  DENIED: [REFUSED, 'a secret is needed, or it is wrong'],
  NOT_PRIMARY: [REFUSED, 'the server is not the primary'],
  UNREPLICATED: [UNKNOWN, 'the replica has not confirmed the change'],
  SHUTTING_DOWN: [REFUSED, 'the server is going down'],
  SERVER: [UNKNOWN, 'the server sent an error of a newer version'],
  ARGUMENT: [UNCHANGED, 'an argument is not legal'],
  URI: [UNCHANGED, 'the URI is not legal'],
  CONNECT: [UNCHANGED, 'no endpoint could be reached'],
  TLS: [UNCHANGED, 'no TLS connection could be made'],
  TIMEOUT_UNSENT: [UNCHANGED, 'the deadline passed before sending'],
  CLOSED: [UNCHANGED, 'the store was closed before sending'],
  CHANGES_WAIT: [UNCHANGED, 'changes wait for the replica'],
  KEY_MISSING: [UNCHANGED, 'there is no Idempotency-Key'],
  KEY_MALFORMED: [UNCHANGED, 'the Idempotency-Key is malformed'],
  NOT_HTTP: [UNCHANGED, 'the stored result is no HTTP answer'],
  TIMEOUT: [UNKNOWN, 'no answer came before the deadline'],
  LOST: [UNKNOWN, 'the connection was lost before the answer'],
  GARBLED: [UNKNOWN, 'the reply is not an answer to the call'],
  NOT_RECORDED: [UNKNOWN, 'it was done, but not surely recorded'],
});

const WIRE_CODES = new Set([
  'PROTOCOL', 'UNKNOWN_METHOD', 'BAD_REQUEST', 'TOO_LARGE', 'LIMIT',
  'NO_MEMORY', 'DENIED', 'NOT_PRIMARY', 'UNREPLICATED', 'SHUTTING_DOWN']);

// A store that can't be reached or does not answer: onUnavailable "open" may
// let a request through after these, and after no other.
const MAY_PASS = new Set([
  'CONNECT', 'TIMEOUT_UNSENT', 'CLOSED', 'CHANGES_WAIT', 'TIMEOUT', 'LOST']);

/** A call that was not answered: code, assume, endpoint, primary, retryMs,
 *  nonce. */
class IdemstoreError extends Error {
  constructor(code, text, more = {}) {
    super(text || CODES[code][1]);
    this.code = code;
    this.assume = CODES[code][0];
    this.endpoint = more.endpoint || '';
    this.primary = more.primary || '';
    this.retryMs = more.retryMs ?? null;
    this.nonce = null;
  }

  toString() {
    return `${this.name}: ${this.code}: ${this.message}`;
  }
}
IdemstoreError.prototype.name = 'IdemstoreError';

/** The function has run, and that is not surely recorded: after the lease
 *  another asker may be told to go ahead, with previous "orphaned". */
class NotRecordedError extends IdemstoreError {
  constructor(value, text, cause = null) {
    super('NOT_RECORDED', text);
    this.value = value;
    this.cause = cause;
  }
}
NotRecordedError.prototype.name = 'NotRecordedError';

/** A function under `once` was not run, and there is no result of an earlier
 *  run to return. */
class NotRunError extends Error {}
NotRunError.prototype.name = 'NotRunError';

/** Someone else is at it this moment. */
class InProgressError extends NotRunError {
  constructor(leaseLeftMs, attempt = 0) {
    super(`someone else holds this key, for another ${leaseLeftMs} ms unless ` +
      'it is renewed');
    this.leaseLeftMs = leaseLeftMs;
    this.attempt = attempt;
  }
}
InProgressError.prototype.name = 'InProgressError';

/** The same key was used for something else. */
class MismatchError extends NotRunError {
  constructor(state) {
    super('this key was used with another fingerprint; its record is ' + state);
    this.state = state;
  }
}
MismatchError.prototype.name = 'MismatchError';

/** With onOrphan "report": whether it happened is not known. */
class OrphanedError extends NotRunError {
  constructor(ageMs, attempt) {
    super(`the holder's lease ended ${ageMs} ms ago, and whether its work ` +
      'was done is not known');
    this.ageMs = ageMs;
    this.attempt = attempt;
  }
}
OrphanedError.prototype.name = 'OrphanedError';

/** It ran before, and its failure is what was stored. */
class FailedBeforeError extends NotRunError {
  constructor(stored) {
    super('it ran before and failed: ' + stored);
    this.stored = stored;
  }
}
FailedBeforeError.prototype.name = 'FailedBeforeError';

/** For a function under `once` to throw: it failed, and nothing has happened.
 *  The claim is released, whatever onError says. */
class NothingDone extends Error {}
NothingDone.prototype.name = 'NothingDone';

function fail(code, text, more) {
  return new IdemstoreError(code, text, more);
}

function argument(text) {
  return new IdemstoreError('ARGUMENT', text);
}

/** "retry_ms=40" as the second word of a LIMIT. */
function retryMs(words) {
  const found = /^retry_ms=([0-9]{1,9})(?: |$)/.exec(words);
  return found ? Number(found[1]) : null;
}

function shown(text) {
  return text.slice(0, 200).replace(/[^ -~]/g, '?');
}

/** What a server's "CODE text" is. */
function said(endpoint, text) {
  const space = text.indexOf(' ');
  const word = space < 0 ? text : text.slice(0, space);
  const rest = space < 0 ? '' : text.slice(space + 1);
  const code = WIRE_CODES.has(word) ? word : 'SERVER';
  let sentence = `${endpoint} answered: ${shown(text)}`;
  if (CODES[code][0] === UNKNOWN) {
    sentence += '; the call may have taken effect, ask again with the same ' +
      'nonce or token';
  }
  return fail(code, sentence, {
    endpoint,
    primary: code === 'NOT_PRIMARY' ? rest.trim() : '',
    retryMs: code === 'LIMIT' ? retryMs(rest) : null,
  });
}

module.exports = {
  REFUSED, UNCHANGED, UNKNOWN, CODES, MAY_PASS, IdemstoreError,
  NotRecordedError, NotRunError, InProgressError, MismatchError,
  OrphanedError, FailedBeforeError, NothingDone, fail, argument, said,
};
