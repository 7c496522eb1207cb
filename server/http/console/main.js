// SPDX-License-Identifier: Apache-2.0
// main.js -- asks every two seconds, while somebody looks, and says so when
// there is no answer.
'use strict';

const EVERY_MS = 2000;
const CLIENTS_EVERY_MS = 10000;
const CLIENTS_MAX = 500;

const state = { heardAt: null, isGone: false, needsSecret: false,
  clientsAt: -Infinity, hasClients: true, alarm: '',
  restartedAt: null, replication: null };

// ----------------------------------------------------------------- the secret

function showCredential() {
  const has = credential.secret !== null;
  $('credential').hidden = !has && !state.needsSecret;
  $('secret').hidden = $('credential').querySelector('label').hidden = has;
  $('credential').querySelector('button').hidden = has;
  $('who').hidden = $('forget').hidden = !has;
  say($('who'), has ? `as ${credential.name ?? 'one with a secret'}` : '');
}

function begin() {
  Object.assign(state, { hasClients: true, replication: null, clientsAt: -Infinity,
    needsSecret: state.needsSecret && credential.secret === null });
  showCredential();
  turn();
  if (credential.secret !== null) askRows(false);
}

$('credential').addEventListener('submit', (event) => {
  event.preventDefault();
  credential.secret = $('secret').value.trim() || null;
  $('secret').value = '';
  say($('refused'), '');
  begin();
});

/** What only a credential shows goes with it. */
function forget() {
  credential.secret = null;
  state.needsSecret = true;
  for (const section of document.querySelectorAll('main section')) {
    section.hidden = true;
  }
  stuck.rows = [];
  $('record').close();
  history_.pages = [];
  say($('facts'), '');
  say($('notice'), '');
  $('notice').hidden = true;
  begin();
}
$('forget').addEventListener('click', forget);
credential.onRefused = () => {
  forget();
  say($('refused'), 'The daemon refuses this credential.');
};

// -------------------------------------------------------------------- alarms

function alarm(text) {
  if (state.alarm === text) return;
  state.alarm = text;
  $('alarm').hidden = text === '';
  say($('alarm'), text);
}

/** Once seen, it is told for two minutes: what is counted began at zero. */
function noteRestart(isNew) {
  if (isNew) {
    state.restartedAt = new Date(Date.now() - 1000 * history_.last.uptime);
  }
  const isTold = state.restartedAt !== null && history_.last.uptime < 120;
  $('notice').hidden = !isTold;
  say($('notice'), isTold ? `The daemon was restarted at ${
    utc(state.restartedAt)}: what it counts began at zero.` : '');
}

function heard() {
  state.heardAt = new Date();
  if (state.isGone) say($('refused'), '');
  state.isGone = false;
  document.body.classList.remove('stale');
}

function lost() {
  state.isGone = true;
  document.body.classList.add('stale');
  $('lamp').className = 'bad';
  say($('role'), 'no answer');
  say($('ready'), '');
  document.title = '! idemstore · no answer';
  alarm(state.heardAt === null
    ? 'This daemon does not answer. It is asked again every two seconds.'
    : `This daemon has not answered since ${utc(state.heardAt)}. What stands `
      + 'below is as it was then; it is asked again every two seconds.');
}

function showAsOf() {
  if (state.heardAt === null) return;
  const s = Math.max(0, Math.floor((Date.now() - state.heardAt) / 1000));
  say($('asof'), `as of ${utc(state.heardAt)}, ${age(1000 * s)} ago`);
}

// -------------------------------------------------------------------- a turn

async function askFigures() {
  const secret = credential.secret;
  const metrics = await ask('metrics');
  const replication = metrics.status === 200 ? await ask('v1/replication')
    : { status: 0, json: null };
  if (metrics.status === 0 || credential.secret !== secret) return;
  state.needsSecret = metrics.status === 401;
  if (metrics.status !== 200) {
    alarm(metrics.status === 401 ? '' : `No figures: ${whyOf(metrics)}`);
    if (metrics.status === 401 && $('credential').hidden) {
      say($('refused'), 'It wants a credential; figures are for the grant stats.');
    }
    showCredential();
    return;
  }
  const isNew = history_.add(metrics.text, Date.now());
  alarm('');
  noteRestart(isNew);
  showFigures(replication.json);
  showReplication(replication.status === 200 ? replication.json : null);
  state.replication = replication.status === 200 ? replication.json : null;
}

async function askClients() {
  if (!state.hasClients || credential.secret === null
    || Date.now() - state.clientsAt < CLIENTS_EVERY_MS) return;
  state.clientsAt = Date.now();
  const all = [], secret = credential.secret;
  let told = { status: 200, json: { clients: [], cursor: undefined } };
  do {
    const { cursor } = told.json;
    told = await ask('v1/clients', cursor === undefined ? {} : { cursor });
    if (told.status === 200) all.push(...told.json.clients);
  } while (told.status === 200 && (told.json.cursor ?? null) !== null
    && all.length < CLIENTS_MAX);
  state.hasClients = told.status === 200 || told.status === 0;
  if (credential.secret !== secret) return;
  if (told.status === 200) showClients(all, (told.json.cursor ?? null) === null);
  else if (told.status !== 0) $('clients').hidden = true;
}

let isTurning = false, isAskedAgain = false;

async function askAll() {
  const ready = await ask('readyz');
  if (ready.status === 0) {
    lost();
    return;
  }
  const wasGone = state.isGone;
  heard();
  if (wasGone) alarm('');
  if (!state.needsSecret || credential.secret !== null) await askFigures();
  await askClients();
  showState(ready, state.replication);
}

/** One at a time; who wants another meanwhile gets it behind. */
async function turn() {
  isAskedAgain = isTurning;
  if (isTurning) return;
  isTurning = true;
  try {
    await askAll();
  } finally {
    isTurning = false;
  }
  showAsOf();
  if (isAskedAgain) turn();
}

/** A page that nobody looks at asks nothing. */
async function goOn() {
  setTimeout(goOn, EVERY_MS);
  if (!document.hidden) await turn();
}

document.addEventListener('visibilitychange', () => {
  if (!document.hidden) turn();
});
setInterval(showAsOf, 1000);
showCredential();
goOn();
