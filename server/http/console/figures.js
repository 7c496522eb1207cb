// SPDX-License-Identifier: Apache-2.0
// figures.js -- what the daemon says of itself, as the page shows it.
'use strict';

const history_ = new History();

// ---------------------------------------------------------------- its state

function showState(ready, replication) {
  const isPrimary = valueOf(history_.last ?? { of: new Map() }, 'primary');
  const role = replication?.role
    ?? (isPrimary === null ? null : isPrimary === 1 ? 'primary' : 'replica');
  const good = ready.status === 200;
  $('lamp').className = good ? 'good' : 'bad';
  say($('role'), role ?? (good ? 'ready' : 'not ready'));
  say($('ready'), ready.text.trim());
  document.title = `${good ? '' : '! '}idemstore · ${location.host}`;
}

function showFacts(replication) {
  const page = history_.last;
  if (page === undefined) return;
  const version = page.of.get('build_info')?.[0]?.labels.version;
  const facts = [replication?.node && `node ${replication.node}`,
    version && `version ${version}`,
    `up ${age(1000 * page.uptime)}`,
    `${valueOf(page, 'workers')} workers`,
    valueOf(page, 'safe_to_stop') === 1 ? 'safe to stop' : 'not safe to stop',
    valueOf(page, 'reload_failed') === 1 && 'the last reload was refused'];
  say($('facts'), facts.filter(Boolean).join(' · '));
}

// --------------------------------------------------------------- operations

const DATA = ['acquire', 'complete', 'release', 'renew', 'peek'];
const OUTCOMES = [['acquired', 'acquired'], ['replay', 'replay'],
  ['in_progress', 'in progress'], ['completed', 'completed'],
  ['released', 'released'], ['renewed', 'renewed'], ['record', 'record (peek)'],
  ['orphaned', 'orphaned', 'warn'], ['mismatch', 'mismatch', 'warn'],
  ['stale', 'stale', 'warn'], ['unknown', 'unknown', 'warn']];

/** Rates are told where there are two pages to compare. */
function figureRow(className, name, perSecond, ever) {
  const head = el('th', '', name);
  head.scope = 'row';
  return el('tr', className, head, el('td', 'n', rate(perSecond)),
    el('td', 'n', count(ever)));
}

function sumOfData(ofMethod) {
  const all = DATA.map(ofMethod);
  return all.includes(null) ? null : all.reduce((a, b) => a + b, 0);
}

function showOperations() {
  const page = history_.last;
  const rows = OUTCOMES.flatMap(([outcome, name, className]) => {
    const ever = valueOf(page, 'requests_total', { outcome }) ?? 0;
    return ever === 0 ? [] : [figureRow(className ?? '', name,
      history_.rate('requests_total', { outcome }), ever)];
  });
  for (const { labels: { code }, value } of page.of.get('errors_total') ?? []) {
    if (value > 0) {
      rows.push(figureRow('bad', `error ${code}`,
        history_.rate('errors_total', { code }), value));
    }
  }
  fill($('ops-rows'), rows.length ? rows : [el('tr', '', el('td', '',
    'Nothing was asked yet.'))]);
  const total = sumOfData((method) => history_.rate('requests_total', { method }));
  say($('ops-total'), total === null ? '…' : `${rate(total)} /s`);
  const seconds = Math.min(RATE_MS / 1000, history_.windowS(RATE_MS));
  say($('ops-window'), seconds ? `of the last ${Math.round(seconds)} s` : '');
  drawLine($('ops-line'), history_.pages.map((at) => [at.atMs,
    sumOfData((method) => history_.rateAt(at, RATE_MS, 'requests_total',
      { method }))]).filter(([, y]) => y !== null));
}

function drawLine(svg, points) {
  const top = Math.max(1, ...points.map(([, y]) => y));
  const end = points.at(-1)?.[0] ?? 0;
  const span = Math.max(60000, end - (points[0]?.[0] ?? 0));
  const at = points.map(([x, y]) => `${(300 * (1 - (end - x) / span)).toFixed(1)
  } ${(38 - 36 * y / top).toFixed(1)}`);
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', at.length > 1 ? `M${at.join('L')}` : '');
  svg.replaceChildren(path);
}

// ------------------------------------------------------------------- latency

const CAUSES = [
  ...DATA.map((method) => [`at work: ${method}`, 'request_duration_seconds',
    { method }]),
  ['waits for the disk', 'commit_wait_seconds', { for: 'disk' }],
  ['waits for the replica', 'commit_wait_seconds', { for: 'replica' }],
  ['another’s claim: decided', 'wait_seconds', { ended: 'decided' }],
  ['another’s claim: time over', 'wait_seconds',
    { ended: 'time' }],
  ['a worker’s turn', 'loop_iteration_seconds', {}]];

function causeRow([name, metric, labels]) {
  const head = el('th', '', name);
  head.scope = 'row';
  const buckets = history_.histogram(metric, labels);
  const cells = [0.5, 0.99, 1].map((share) => quantile(buckets, share));
  return el('tr', '', head,
    el('td', 'n', rate(history_.rateAt(history_.last, LATENCY_MS,
      `${metric}_count`, labels))),
    ...cells.map((s) => el('td', s !== null && s > 0.1 &&
      metric !== 'wait_seconds' ? 'n warn' : 'n', s === null ? '–' : short(s))));
}

function showLatency() {
  const rows = CAUSES.filter(([, metric, labels]) =>
    valueOf(history_.last, `${metric}_count`, labels) > 0);
  fill($('latency-rows'), rows.map(causeRow));
  const seconds = history_.windowS(LATENCY_MS);
  say($('latency-window'), seconds ? `in the last ${Math.round(seconds)} s`
    : 'since the daemon’s start');
}

// -------------------------------------------------------------------- memory

function showMemory() {
  const page = history_.last;
  const get = (name) => valueOf(page, name);
  const used = get('memory_bytes'), limit = get('memory_limit_bytes');
  const records = get('records'), share = limit ? used / limit : 0;
  say($('memory-share'), percent(share));
  $('memory-share').className = share > 0.8 ? 'bad' : '';
  $('memory-meter').value = Math.min(1, share);
  const free = get('disk_free_bytes');
  fillList($('memory-rows'), [
    ['records take', `${bytes(used)} of ${bytes(limit)}`],
    records > 1000 && ['a key takes', bytes(used / records)],
    ['buffers', bytes(get('buffer_bytes'))],
    ['connections', count(get('connections'))],
    ['acquires that wait', count(get('waiters'))],
    ['replies held back', count(get('replies_in_commit_wait'))],
    free !== null && ['room on the disk', bytes(free),
      free < 1 << 30 ? 'bad' : ''],
    get('journal_unsynced_changes') !== null && ['changes not synced yet',
      count(get('journal_unsynced_changes'))],
    get('snapshot_waits') === 1 && ['the last snapshot', 'was given up', 'bad'],
  ].filter(Boolean));
}

// ---------------------------------------------------------------------- keys

function showKeys() {
  const page = history_.last;
  const byState = page.of.get('records_by_state') ?? [];
  const scan = valueOf(page, 'scan_age_seconds');
  const oldest = valueOf(page, 'oldest_orphan_age_seconds');
  say($('keys-window'), scan === null ? ''
    : `states as of ${age(1000 * scan)} ago`);
  fillList($('keys-rows'), [
    ['known, in any state', count(valueOf(page, 'records'))],
    ...byState.map(({ labels, value }) => [labels.state.replace('_', ' '),
      count(value), labels.state === 'orphaned' && value > 0 ? 'warn' : '']),
    oldest > 0 && ['the oldest orphan', age(1000 * oldest), 'warn'],
    ...(page.of.get('orphans_older_than') ?? []).filter((one) => one.value > 0)
      .map(({ labels, value }) => [`orphaned for over ${
        age(1000 * labels.age).replace(/ 0 .*/, '')}`, count(value), 'warn']),
    ['ended, a second', rate(history_.rate('records_expired_total'))],
  ].filter(Boolean));
}

// --------------------------------------------------------------- replication

/** Of several replicas, each. */
function replicaRows(r) {
  const some = r.replicas ?? [];
  if (some.length < 2) return [];
  return some.map((one) => [one.at ?? one.node ?? 'a replica', [
    one.connected ? 'connected' : 'not connected',
    one.in_sync ? 'in sync' : one.syncing ? `full copy, ${
      count(one.copy_records ?? 0)} of ${count(one.copy_total ?? 0)}`
      : 'not in sync',
    `${age(one.lag_ms ?? 0)} behind`].join(', '), one.connected ? '' : 'bad']);
}

function showReplication(r) {
  $('replication').hidden = r === null
    || (r.mode === 'none' && r.role === 'primary');
  if ($('replication').hidden) return;
  const isCopying = r.syncing && r.copy_total > 0;
  say($('replication-state'), r.state ?? '');
  fillList($('replication-rows'), [
    ['mode', r.mode],
    ['primary', r.primary ?? (r.role === 'primary' ? 'this one' : 'not known')],
    ['in sync', r.in_sync.join(', ') || 'nobody'],
    (r.replicas ?? []).length < 2 && ['the other node', `${r.peer
      ?? 'not known'}, ${r.connected ? 'connected' : 'not connected'}`,
    r.connected ? '' : 'bad'],
    ['behind', `${count(r.lag_ops)} changes, ${bytes(r.lag_bytes)}, ${
      age(r.lag_ms)}`, r.lag_ms > 5000 ? 'bad' : ''],
    ...replicaRows(r),
    isCopying && ['full copy', `${count(r.copy_records)} of ${
      count(r.copy_total)} records`],
    valueOf(history_.last, 'peer_settings_differ') === 1
      && ['settings', 'differ between the nodes', 'bad'],
    ['safe to stop', r.safe_to_stop ? 'yes' : 'no'],
  ].filter(Boolean));
}

// ------------------------------------------------------------------- clients

/** Who speaks HTTP shows a name with each request, and none with all. */
function clientRow(c) {
  return el('tr', '', el('td', 'key', ...shownText(c.address ?? '–')),
    el('td', 'key', ...(c.http ? ['by HTTP'] : shown(c, 'name'))),
    el('td', 'key', ...shown(c, 'user')),
    el('td', '', c.tls ? 'yes' : 'no'), el('td', 'n', age(c.age_ms)),
    el('td', 'n', count(c.requests ?? 0)), el('td', 'n', count(c.waiting ?? 0)),
    el('td', 'n', bytes(c.unsent_bytes ?? 0)));
}

/** Those who ask most, first. */
function showClients(all, isWhole) {
  all.sort((a, b) => b.requests - a.requests);
  fill($('clients-rows'), all.map(clientRow));
  say($('clients-window'), isWhole ? count(all.length)
    : `${count(all.length)} of more`);
  $('clients').hidden = false;
}

function showFigures(replication) {
  showFacts(replication);
  showOperations();
  showLatency();
  showMemory();
  showKeys();
  for (const id of ['ops', 'latency', 'memory', 'keys']) $(id).hidden = false;
}
