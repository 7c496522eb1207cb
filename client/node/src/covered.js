// SPDX-License-Identifier: Apache-2.0
// A covered request's two ends: its header, and its answer.
'use strict';

const { Capture } = require('./capture.js');

/** A header's values, one by one: node joins them. */
function given(req, name) {
  const made = [];
  for (let n = 0; n < req.rawHeaders.length; n += 2) {
    if (req.rawHeaders[n].toLowerCase() === name) {
      made.push(req.rawHeaders[n + 1]);
    }
  }
  return made;
}

/** From now on its answer is captured; the claim is settled with it. origin():
 *  whether a handler had begun. */
function captured(guard, req, res, claim, origin) {
  return new Capture(req, res, (answer, isFailed) => guard.settle(claim,
    answer, isFailed ? 'handler' : origin()), {
    resultBytesMax: guard.store.resultBytesMax,
    detached: guard.detached,
    letGo: () => guard.store.letGo(claim),
  });
}

module.exports = { captured, given };
