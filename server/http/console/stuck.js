// SPDX-License-Identifier: Apache-2.0
// stuck.js -- which claims have nobody any more, and what a person decides about
// one of them.
//
// A resolve whose answer was lost may have taken effect. Until that is known the
// same one is asked again, with the same nonce, and no other about that key.
'use strict';

const ROWS_MAX = 500;
const REASON_BYTES_MAX = 256;

const stuck = {
  rows: [], found: 0, isAll: true, isAsking: false, isThere: null, asked: null,
  underWay: new Map(), // by name of the record: the resolve that is not over
};

function nameOf(row) {
  return JSON.stringify([bytesOf(row, 'ns'), bytesOf(row, 'key')]);
}

// --------------------------------------------------------------------- table

function whoHolds(by) {
  if (!by) return [];
  const text = [by.user ?? by.user_b64, by.client ?? by.client_b64, by.address]
    .filter(Boolean).join(' · ');
  return shownText(text);
}

function stuckRow(row) {
  const look = el('button', '', stuck.underWay.has(nameOf(row))
    ? 'Not over yet …' : 'Look');
  look.type = 'button';
  look.addEventListener('click', () => openRecord(row));
  return el('tr', '', el('td', 'key', ...shown(row, 'ns')),
    el('td', 'key', ...shown(row, 'key')),
    el('td', row.state === 'orphaned' ? 'warn' : '', row.state.replace('_', ' ')),
    el('td', 'n', age(row.age_ms)), el('td', 'n', count(row.attempt ?? 0)),
    el('td', 'n', age(row.lease_left_ms)),
    el('td', 'key', ...whoHolds(row.by)), el('td', 'n', look));
}

function showRows(note) {
  stuck.rows.sort((a, b) => b.age_ms - a.age_ms);
  fill($('stuck-rows'), stuck.rows.length ? stuck.rows.map(stuckRow)
    : [el('tr', '', el('td', '', 'None.'))]);
  $('stuck-more').hidden = stuck.isAll || stuck.isAsking;
  const which = stuck.found > stuck.rows.length
    ? `the oldest ${count(stuck.rows.length)} of ${count(stuck.found)}`
    : `${count(stuck.rows.length)}${stuck.isAll ? ''
      : ', the oldest that the last scan found'}`;
  say($('stuck-window'), note ?? `${which}, as of ${utcTime(stuck.asked)}`);
}

function wanted() {
  const told = { state: $('stuck-which').value };
  if ($('stuck-older').value) told.older = $('stuck-older').value;
  if ($('stuck-ns').value) told.ns = $('stuck-ns').value;
  if ($('stuck-prefix').value) told.prefix = $('stuck-prefix').value;
  return told;
}

/** A record may come twice, and counts once; the oldest are kept. */
function takePage(records, names) {
  for (const row of records) {
    const name = nameOf(row);
    if (names.has(name)) continue;
    names.add(name);
    stuck.rows.push(row);
    stuck.found++;
  }
  if (stuck.rows.length <= 2 * ROWS_MAX) return;
  stuck.rows.sort((a, b) => b.age_ms - a.age_ms);
  stuck.rows.length = ROWS_MAX;
}

/** Pages until the last one: the daemon holds what is left in the middle. Where
 *  nothing narrows it, the oldest that the daemon knows of anyway will do. */
async function askRows(isAll) {
  if (stuck.isAsking) return;
  const body = wanted();
  const isNarrow = 'ns' in body || 'prefix' in body
    || body.state === 'released' || body.state === 'completed';
  if (!isAll && !isNarrow) body.oldest = true;
  Object.assign(stuck, { rows: [], found: 0, isAsking: true,
    isAll: body.oldest === undefined, asked: new Date() });
  const names = new Set();
  let told = await ask('v1/list', body);
  for (let pages = 1; told.status === 200; pages++) {
    takePage(told.json.records, names);
    if (told.json.cursor === null) break;
    if (pages % 8 === 0) {
      say($('stuck-window'), `looking … ${count(stuck.found)} so far`);
    }
    told = await ask('v1/list', { cursor: told.json.cursor });
  }
  stuck.rows.sort((a, b) => b.age_ms - a.age_ms);
  if (stuck.rows.length > ROWS_MAX) stuck.rows.length = ROWS_MAX;
  stuck.isAsking = false;
  endAsking(told);
}

/** Who may not read hears so; a daemon that can't list has no such section. */
function endAsking(told) {
  const isMissing = told.status === 404 && told.json?.code === 'NOT_FOUND';
  stuck.isThere = told.status === 0 ? stuck.isThere : !isMissing;
  $('stuck').hidden = !stuck.isThere;
  if (told.status === 200) showRows();
  else showRows(`not listed: ${whyOf(told)}`);
}

$('stuck-filter').addEventListener('submit', (event) => {
  event.preventDefault();
  askRows(false);
});
$('stuck-more').addEventListener('click', () => askRows(true));

// -------------------------------------------------------------------- a record

let open_ = null; // the row, what inspect said

function recordRows(row) {
  return [['namespace', el('bdi', 'key', ...shown(row, 'ns'))],
    ['state', (row.state ?? '').replace('_', ' ')],
    ['age', age(row.age_ms)],
    ['attempt', String(row.attempt ?? '')],
    row.lease_left_ms !== undefined && ['lease left', age(row.lease_left_ms)],
    row.ttl_left_ms !== undefined && ['kept for another', age(row.ttl_left_ms)],
    row.by && ['claimed by', el('bdi', 'key', ...whoHolds(row.by))],
    row.fingerprint_hex && ['fingerprint', el('bdi', 'key', row.fingerprint_hex)],
    row.token && ['token seen', el('bdi', 'key', row.token)],
  ].filter(Boolean);
}

/** What may be done about it, and why not. */
function noteOf(row) {
  if (row.state === 'in_progress') {
    return 'Somebody is at work under a lease that runs. This page does not take '
      + 'a claim from a living holder.';
  }
  if (row.state !== 'orphaned') return '';
  if (!row.token) return 'This credential has no grant to resolve.';
  return 'Its holder is gone, and nobody has said how it ended. Find out before '
    + 'you decide.';
}

function showRecord(row, pending) {
  const mayResolve = row.state === 'orphaned' && Boolean(row.token);
  fill($('record-key'), shown(row, 'key'));
  fillList($('record-rows'), recordRows(row));
  $('record-verbs').hidden = !(mayResolve || pending);
  $('record-verbs').disabled = Boolean(pending);
  say($('record-note'), pending ? '' : noteOf(row));
  $('record-go').hidden = $('record-verbs').hidden;
}

async function openRecord(row) {
  open_ = { row };
  const mine = open_;
  const pending = stuck.underWay.get(nameOf(row));
  for (const one of $('record-form').elements.verb) one.checked = false;
  $('record-reason').value = $('record-result').value = '';
  say($('record-said'), pending ? '' : 'asking …');
  showRecord({ ...row, token: undefined }, pending);
  if (pending) showPending(pending);
  $('record').showModal();
  if (pending) return;
  const told = await ask('v1/inspect', { ...bytesOf(row, 'ns'),
    ...bytesOf(row, 'key') });
  if (open_ !== mine) return;
  say($('record-said'), told.status === 200 ? ''
    : told.status === 404 ? 'There is no such record any more.' : whyOf(told));
  if (told.status !== 200) return;
  mine.row = { ...row, ...told.json };
  showRecord(mine.row, undefined);
}

$('record-close').addEventListener('click', () => $('record').close());
$('record').addEventListener('close', () => {
  open_ = null;
});

// ------------------------------------------------------------------- resolving

function newNonce() {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))));
}

/** What was chosen, whole; or what is missing, as text. */
function chosen(row) {
  const verb = $('record-form').elements.verb.value;
  const reason = $('record-reason').value.trim();
  if (!verb) return 'Say what became of it.';
  if (!reason) return 'A reason is needed: it is all that is left of this later.';
  if (new TextEncoder().encode(reason).length > REASON_BYTES_MAX) {
    return `The reason is longer than ${REASON_BYTES_MAX} bytes.`;
  }
  const body = { ...bytesOf(row, 'ns'), ...bytesOf(row, 'key'),
    token: row.token, verb, reason, nonce_b64: newNonce() };
  if (verb === 'complete' && $('record-result').value) {
    body.result_text = $('record-result').value;
  }
  return body;
}

function showPending(pending) {
  if (open_ === null || nameOf(open_.row) !== pending.name) return;
  const { elements } = $('record-form');
  elements.verb.value = pending.body.verb;
  $('record-reason').value = pending.body.reason;
  $('record-result').value = pending.body.result_text ?? '';
  $('record-verbs').disabled = true;
  $('record-go').disabled = pending.isAsking;
  say($('record-go'), pending.isAsking ? 'Under way …' : 'Ask again');
  say($('record-said'), pending.isAsking
    ? `Asked at ${utcTime(pending.since)}; no answer yet.`
    : `${pending.why}: it may have taken effect. Asking again sends the same `
      + 'decision with the same nonce: it counts once.');
}

const OUTCOMES_OF_RESOLVE = {
  completed: 'Completed.', released: 'Released: the next one who asks goes ahead.',
  deleted: 'Forgotten.' };

function endPending(pending, text) {
  stuck.underWay.delete(pending.name);
  if (open_ !== null && nameOf(open_.row) === pending.name) {
    $('record-verbs').hidden = $('record-go').hidden = true;
    $('record-go').disabled = false;
    say($('record-go'), 'Resolve');
    say($('record-note'), '');
    say($('record-said'), text);
  }
  showRows(text);
}

/** What a definite answer says; null: the outcome is unknown. */
function answerOf(told) {
  if (told.status === 0 || told.json?.outcome_unknown || told.status >= 500
    && told.json?.code === undefined) return null;
  if (told.status === 200 && told.json.kept === false) {
    return 'Completed, and the result was not kept: there was no room for it.';
  }
  if (told.status === 200) {
    return OUTCOMES_OF_RESOLVE[told.json.outcome] ?? told.json.outcome;
  }
  if (told.status === 404) return 'There is no such record any more.';
  if (told.json?.outcome === 'stale') {
    return `Nothing was changed: the record is ${(told.json.state
      ?? 'another’s').replace('_', ' ')} by now, and no longer as you saw it.`;
  }
  return `Nothing was changed: ${whyOf(told).replace(/[;:] nothing was changed/,
    '')}.`;
}

async function resolve(pending) {
  pending.isAsking = true;
  pending.since = new Date();
  showPending(pending);
  const told = await ask('v1/resolve', pending.body);
  pending.isAsking = false;
  const text = answerOf(told);
  if (text === null) {
    pending.why = told.status === 0 ? 'The answer was lost' : whyOf(told);
    showPending(pending);
    showRows();
    return;
  }
  if (told.status === 200 || told.status === 404 || told.json?.outcome) {
    const before = stuck.rows.length;
    stuck.rows = stuck.rows.filter((row) => nameOf(row) !== pending.name);
    stuck.found -= before - stuck.rows.length;
  }
  endPending(pending, text);
}

$('record-form').addEventListener('submit', (event) => {
  event.preventDefault();
  if (open_ === null) return;
  const name = nameOf(open_.row);
  let pending = stuck.underWay.get(name);
  if (pending?.isAsking) return;
  if (pending === undefined) {
    const body = chosen(open_.row);
    if (typeof body === 'string') {
      say($('record-said'), body);
      return;
    }
    pending = { name, body };
    stuck.underWay.set(name, pending);
  }
  resolve(pending);
});
