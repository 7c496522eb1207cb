// SPDX-License-Identifier: Apache-2.0
// What `once` is made of, apart from asking: what an answer to its acquire
// means, and how what a function returns is stored.
'use strict';

const errors = require('./errors.js');

const ON_ERROR = ['leave', 'release', 'complete'];

/** What fn returns is stored as JSON; nothing for undefined. */
function encodeJson(value) {
  const text = JSON.stringify(value);
  if (text === undefined) {
    if (value === undefined) return null;
    throw new TypeError(`a ${typeof value} can't be stored as JSON`);
  }
  return Buffer.from(text, 'utf8');
}

function decodeJson(stored) {
  return JSON.parse(stored.toString('utf8'));
}

/** {isOurs} or {value}. Throws NotRunError. */
function replayed(answer, decode) {
  if (answer.outcome === 'acquired') return { isOurs: true };
  if (answer.outcome !== 'replay') throw notRun(answer);
  if (answer.resultClass === 'error') {
    throw new errors.FailedBeforeError(
      (answer.result ?? Buffer.alloc(0)).toString('utf8'));
  }
  return { value: answer.result === null ? undefined : decode(answer.result) };
}

function notRun(answer) {
  if (answer.outcome === 'in_progress') {
    return new errors.InProgressError(answer.leaseLeftMs, answer.attempt);
  }
  if (answer.outcome === 'mismatch') {
    return new errors.MismatchError(answer.state);
  }
  return new errors.OrphanedError(answer.ageMs, answer.attempt);
}

/** What is stored of a failure: its type and its text. */
function describe(error) {
  const told = error instanceof Error ? `${error.name}: ${error.message}`
    : String(error);
  return Buffer.from(told.slice(0, 4096), 'utf8');
}

/** null, or the error where the complete was no complete. */
function unrecorded(answer, value) {
  if (answer.outcome === 'completed') return null;
  const how = answer.outcome === 'stale' ? 'taken over or given up' : 'gone';
  return new errors.NotRecordedError(value, 'the function has run, and its ' +
    `claim was ${how} by then: another may have run it, too`);
}

function unconfirmed(why, value) {
  return new errors.NotRecordedError(value, 'the function has run, and its ' +
    `completion is not confirmed: ${why.message}`, why);
}

module.exports = { ON_ERROR, encodeJson, decodeJson, replayed, describe,
  unrecorded, unconfirmed };
