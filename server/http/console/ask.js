// SPDX-License-Identifier: Apache-2.0
// ask.js -- asks the daemon. The secret is in this page's memory alone: it is
// gone with the page, and at once when the daemon refuses it.
'use strict';

const PATIENCE_MS = 8000;

const credential = {
  secret: null,
  onRefused: null, // main.js: the daemon does not take it
  /** idm_NAME_...: whose it says it is. */
  get name() {
    return /^idm_([a-z0-9-]+)_/.exec(this.secret ?? '')?.[1] ?? null;
  },
};

/** {status, text, json}; status 0: no answer, and nobody knows what became of
 *  it. Never throws. */
async function ask(path, body, patienceMs = PATIENCE_MS) {
  const headers = {};
  const options = { headers, cache: 'no-store', credentials: 'same-origin',
    redirect: 'error', referrerPolicy: 'no-referrer',
    signal: AbortSignal.timeout(patienceMs) };
  const secret = credential.secret;
  if (secret !== null) headers.Authorization = `Bearer ${secret}`;
  if (body !== undefined) {
    options.method = 'POST';
    headers['Content-Type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  const told = { status: 0, text: '', json: null };
  try {
    const answer = await fetch(path, options);
    told.text = await answer.text();
    told.status = answer.status;
  } catch {
    return told;
  }
  try {
    told.json = JSON.parse(told.text);
  } catch { /* it is text */ }
  if (told.status === 401 && secret !== null && credential.secret === secret) {
    credential.onRefused();
  }
  return told;
}

/** What a refusal says, in one line. */
function whyOf(told) {
  if (told.status === 0) return 'no answer';
  return told.json?.detail ?? told.json?.title ?? `status ${told.status}`;
}
