// SPDX-License-Identifier: Apache-2.0
// Attributes of the current OpenTelemetry span: outcome and attempt, never the
// key. Where @opentelemetry/api is not installed this costs one comparison.
'use strict';

let trace = null;
try {
  ({ trace } = require('@opentelemetry/api'));
} catch {
  // the service has none
}

function span() {
  const active = trace === null ? undefined : trace.getActiveSpan();
  return active?.isRecording() ? active : undefined;
}

/** The answer to an acquire. */
function note(answer) {
  const active = span();
  if (active === undefined) return;
  active.setAttribute('idemstore.outcome', answer.outcome);
  if (answer.attempt !== undefined) {
    active.setAttribute('idemstore.attempt', answer.attempt);
  }
}

function noteError(error) {
  const active = span();
  if (active === undefined) return;
  active.setAttribute('idemstore.outcome', 'error');
  active.setAttribute('idemstore.error', String(error.code));
}

module.exports = { note, noteError, isThere: trace !== null };
