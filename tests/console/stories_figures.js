// SPDX-License-Identifier: Apache-2.0
// stories_figures.js -- what the console shows of a daemon that works, of many
// keys, of a pair, of one that is gone.
'use strict';

const assert = require('node:assert');
const path = require('node:path');
const { open } = require('./browser.js');
const { ADDRESS, until } = require('./stage.js');

const spaced = (n) => n.toLocaleString('en').replaceAll(',', '\u202f');

async function empty({ stage, browser }) {
  const daemon = await stage.daemon('alone');
  const seen = await open(browser, daemon.url);
  await seen.says('role', /^primary$/);
  await seen.says('ready', /^Claims are served here\.$/);
  await seen.says('ops-rows', /Nothing was asked yet/);
  await seen.says('keys-rows', /known, in any state0/);
  await seen.says('asof', /^as of \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ, .* ago$/);
  for (const id of ['credential', 'stuck', 'clients', 'replication', 'alarm']) {
    assert.ok(!await seen.page.isVisible(`#${id}`), id);
  }
  await seen.end();
}

async function countedRight({ stage, browser }) {
  const daemon = await stage.daemon('alone');
  stage.ctl(daemon, 'acquire', 'first');
  for (let i = 0; i < 3; i++) stage.ctl(daemon, 'acquire', 'first');
  for (let i = 0; i < 7; i++) {
    const token = stage.ctl(daemon, 'acquire', `key-${i}`, '--raw').trim();
    stage.ctl(daemon, 'complete', `key-${i}`, '--token', token);
  }
  stage.ctl(daemon, 'acquire', 'key-0');
  const seen = await open(browser, daemon.url);
  await seen.says('ops-rows', /acquired/);
  const ever = async (name) => (await seen.row('ops-rows', name))?.[2];
  assert.equal(await ever('acquired'), '8');
  assert.equal(await ever('in progress'), '3');
  assert.equal(await ever('completed'), '7');
  assert.equal(await ever('replay'), '1');
  assert.equal(await ever('mismatch'), undefined);
  stage.ctl(daemon, 'acquire', 'key-1');
  await until('a rate is told', async () => /^\d/.test(
    await seen.text('ops-total')) && await ever('replay') === '2');
  assert.ok(await seen.row('latency-rows', 'at work: acquire'));
  await seen.end();
}

/** A replay storm beside it, so that there is something to see. */
async function manyKeys({ stage, browser, keys, pictures }) {
  const daemon = await stage.daemon('full', '--max-memory', '1g');
  stage.run('idembench', ['--target', `idem/at=${daemon.address}`, '--rounds',
    '1', '--duration', '1', '--warmup', '0', '--mix', 'replay=1', '--pool', '100',
    '--prefill', String(keys), '--connections', '4', '--pipeline', '8']);
  const seen = await open(browser, daemon.url);
  await until('all keys are counted', async () => Number((await seen.figure(
    'keys-rows', 'known, in any state') ?? '0').replaceAll('\u202f', ''))
    >= keys);
  assert.match(await seen.figure('memory-rows', 'records take'), /of 1\.0 GiB$/);
  assert.match(await seen.figure('memory-rows', 'a key takes'), /^\d+ B$/);
  assert.match((await seen.row('ops-rows', 'acquired'))[2], /\u202f/);
  assert.ok((await seen.row('latency-rows', 'at work: complete')).length === 5);
  await seen.fits('many keys');
  await seen.page.screenshot({ path: path.join(pictures, 'many-keys.png') });
  await seen.end();
}

async function replicaLost({ stage, browser, pictures }) {
  const secret = path.join(stage.folder('secret'), 'file');
  require('node:fs').writeFileSync(secret, 'a-secret-of-nodes\n', { mode: 0o600 });
  const pair = ['--replication', 'sync', '--peer-secret-file', secret,
    '--data-dir'];
  const a = await stage.daemon('a', ...pair, stage.folder('a'));
  const b = await stage.daemon('b', ...pair, stage.folder('b'),
    '--replicate-from', a.address);
  const seen = await open(browser, a.url);
  await until('both are in sync', async () => /, /.test(
    await seen.figure('replication-rows', 'in sync') ?? ''));
  assert.match(await seen.figure('replication-rows', 'the other node'),
    /, connected$/);
  const other = await open(browser, b.url);
  await other.says('role', /^replica$/);
  await other.says('ready', /This server is a replica; the primary is/);
  await other.end();
  await b.kill();
  await until('it is told', async () => /not connected$/.test(
    await seen.figure('replication-rows', 'the other node') ?? ''));
  await seen.says('ready', /^Changes wait: /);
  assert.equal(await seen.page.getAttribute('#lamp', 'class'), 'bad');
  await seen.fits('a lost replica');
  await seen.page.screenshot({ path: path.join(pictures, 'replica-lost.png') });
  await b.start();
  await seen.says('ready', /^Claims are served here\.$/);
  await seen.end();
}

async function twoReplicas({ stage, browser }) {
  const secret = path.join(stage.folder('secret'), 'file');
  require('node:fs').writeFileSync(secret, 'a-secret-of-nodes\n', { mode: 0o600 });
  const group = ['--replication', 'sync', '--peer-secret-file', secret,
    '--data-dir'];
  // Its peers' addresses only say how many it takes.
  const a = await stage.daemon('a', ...group, stage.folder('a'), '--peer',
    `${ADDRESS}:1`, '--peer', `${ADDRESS}:2`);
  const [b, c] = [await stage.daemon('b', ...group, stage.folder('b'),
    '--replicate-from', a.address), await stage.daemon('c', ...group,
    stage.folder('c'), '--replicate-from', a.address)];
  const seen = await open(browser, a.url);
  for (const one of [b, c]) {
    await until('it is in sync', async () => /^connected, in sync, /.test(
      await seen.figure('replication-rows', one.address) ?? ''));
  }
  assert.equal(await seen.figure('replication-rows', 'the other node'), null);
  await c.kill();
  await until('it is told', async () => /^not connected, /.test(
    await seen.figure('replication-rows', c.address) ?? ''));
  assert.match(await seen.figure('replication-rows', b.address), /^connected, /);
  await seen.end();
}

async function killedAndBack({ stage, browser, pictures }) {
  const daemon = await stage.daemon('mortal', '--data-dir', stage.folder('data'));
  stage.ctl(daemon, 'acquire', 'one');
  const seen = await open(browser, daemon.url);
  await seen.says('ops-rows', /acquired/);
  await daemon.kill();
  await seen.says('alarm', /has not answered since \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/);
  assert.match(await seen.page.title(), /no answer$/);
  assert.ok(await seen.page.isVisible('#ops'), 'the last figures stay');
  assert.equal(await seen.text('role'), 'no answer');
  assert.equal(await seen.page.getAttribute('body', 'class'), 'stale');
  await seen.page.screenshot({ path: path.join(pictures, 'no-answer.png') });
  await daemon.start();
  await seen.says('notice', /^The daemon was restarted at /);
  await seen.says('keys-rows', /known, in any state1/);
  assert.ok(!await seen.page.isVisible('#alarm'));
  assert.equal(await seen.text('role'), 'primary');
  assert.equal(await seen.page.getAttribute('body', 'class'), '');
  await seen.end();
}

module.exports = { empty, countedRight, manyKeys, replicaLost, twoReplicas,
  killedAndBack };
