// SPDX-License-Identifier: Apache-2.0
// stories_real.js -- what is stuck, and who is connected, as a daemon itself tells
// it, with names that strangers give; and what people decide there.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { open } = require('./browser.js');
const { StandIn } = require('./standin.js');
const { until } = require('./stage.js');

const GRANTS = { ops: 'claim=* read=* resolve=* admin stats',
  night: 'read=* resolve=shop stats', reader: 'claim=shop read=* stats' };

const HOSTILE = [
  [Buffer.from('<img src=x onerror="window.smuggled=1">'),
    '<img src=x onerror="window.smuggled=1">'],
  [Buffer.from('\u001b]0;owned\u0007'), '\\x1b]0;owned\\x07'],
  [Buffer.from([0xff, 0x0a, 0x3c]), '\\xff\\x0a<'],
  [Buffer.from('\u202egnp.exe'), '\\u{202e}gnp.exe'],
  [Buffer.from('k'.repeat(512)), 'k'.repeat(512)]];

async function enter(seen, secret) {
  await seen.page.waitForSelector('#secret', { state: 'visible' });
  await seen.page.fill('#secret', secret);
  await seen.page.keyboard.press('Enter');
}

async function lookAtAll(seen, ns = 'shop') {
  await seen.page.waitForSelector('#stuck', { state: 'visible' });
  await seen.page.fill('#stuck-older', '');
  await seen.page.fill('#stuck-ns', ns);
  await seen.page.click('#stuck-filter button');
}

async function asToldByTheDaemon({ stage, browser, pictures }) {
  const daemon = await stage.daemon('guarded', '--credentials',
    stage.credentials(GRANTS));
  for (const [key] of HOSTILE) {
    stage.ctl(daemon, 'acquire', '--key-hex', key.toString('hex'), '-n', 'shop',
      '--lease', '100ms');
  }
  const seen = await open(browser, daemon.url);
  await enter(seen, stage.secrets.ops);
  await seen.says('clients-rows', /idemctl|127\.|ops/);
  const keys = () => seen.page.locator('#stuck-rows td:nth-child(2)')
    .allTextContents();
  await until('all are orphaned, and shown', async () => {
    await lookAtAll(seen);
    await seen.says('stuck-window', /as of/);
    return (await keys()).length === HOSTILE.length;
  });
  for (const [, shown] of HOSTILE) {
    assert.ok((await keys()).includes(shown), `${shown} is shown as it is`);
  }
  assert.match(await seen.text('stuck-rows'), /ops/, 'who claimed them');
  assert.equal(await seen.page.evaluate(() => window.smuggled ?? null), null);
  await seen.page.screenshot({ path: path.join(pictures, 'stuck.png') });
  await seen.page.locator('#stuck-rows button').first().click();
  await seen.says('record-rows', /token seen[0-9a-f]{32}/);
  await seen.says('record-note', /Find out before you decide/);
  await seen.page.keyboard.press('Escape');
  await seen.page.click('#forget');
  await enter(seen, stage.secrets.reader);
  await lookAtAll(seen);
  await seen.page.locator('#stuck-rows button').first().click();
  await seen.says('record-note', /no grant to resolve/);
  await seen.end();
}

// ------------------------------------------------------------- what is decided

const TOO_LONG = '\u20ac'.repeat(100); // 300 bytes

/** Orphans of a daemon that keeps an audit log, by key: their tokens. */
async function orphaned(stage, ns, ...keys) {
  const audit = path.join(stage.folder('audit'), 'log');
  const daemon = await stage.daemon('guarded', '--audit-log', audit,
    '--max-result', '1k', '--credentials', stage.credentials(GRANTS));
  const tokens = {};
  for (const key of keys) {
    tokens[key] = stage.ctl(daemon, 'acquire', key, '-n', ns, '--lease', '100ms',
      '--raw').trim();
  }
  for (const key of keys) {
    await until(`${key} is orphaned`, () => /orphaned/.test(
      stage.ctl(daemon, 'peek', key, '-n', ns)));
  }
  return { daemon, audit, tokens };
}

/** daemon: it, or who stands between. */
async function openAs(browser, daemon, secret) {
  const seen = await open(browser, daemon.url);
  await enter(seen, secret);
  await lookAtAll(seen);
  await seen.says('stuck-window', /as of/);
  return seen;
}

async function look(seen, key) {
  await seen.page.locator('#stuck-rows tr', { has: seen.page.getByText(key,
    { exact: true }) }).locator('button').click();
  await seen.says('record-rows', /fingerprint|token seen|attempt/);
}

async function say(seen, verb, reason, result) {
  await seen.says('record-note', /Find out before you decide/);
  await seen.page.check(`input[value=${verb}]`);
  if (result) await seen.page.fill('#record-result', result);
  await seen.page.fill('#record-reason', reason);
  await seen.page.click('#record-go');
}

async function decide(seen, key, verb, said, result) {
  await look(seen, key);
  await say(seen, verb, `${verb}: the bank says so`, result);
  await seen.says('record-said', said);
  await seen.page.click('#record-close');
}

const decidedOf = (audit) => fs.readFileSync(audit, 'utf8').split('\n')
  .filter(Boolean).map((line) => JSON.parse(line))
  .filter(({ event }) => event === 'resolve');

/** Each verb does what it says, and the holder who wakes up comes too late. */
async function decidedForReal({ stage, browser, pictures }) {
  const keys = ['to-complete', 'to-release', 'to-delete'];
  const { daemon, audit, tokens } = await orphaned(stage, 'shop', ...keys);
  const seen = await openAs(browser, daemon, stage.secrets.ops);
  await look(seen, 'to-complete');
  await say(seen, 'complete', TOO_LONG);
  await seen.says('record-said', /reason is longer than 256 bytes/);
  await seen.page.screenshot({ path: path.join(pictures, 'decide.png') });
  await seen.page.click('#record-close');
  await decide(seen, 'to-complete', 'complete',
    /^Nothing was changed: the result is over its limit\.$/, 'x'.repeat(1025));
  assert.equal(decidedOf(audit).length, 0);
  await decide(seen, 'to-complete', 'complete', /^Completed\.$/, 'receipt <7>');
  await decide(seen, 'to-release', 'release', /^Released: /);
  await decide(seen, 'to-delete', 'delete', /^Forgotten\.$/);
  await seen.says('stuck-rows', /^None\.$/);
  for (const key of keys) {
    const late = stage.ctl(daemon, 'complete', key, '-n', 'shop', '--token',
      tokens[key]);
    assert.match(late, key === 'to-delete' ? /^unknown/ : /^stale/, key);
  }
  const next = (key) => JSON.parse(stage.ctl(daemon, '--json', 'acquire', key,
    '-n', 'shop'));
  const replay = next('to-complete');
  assert.equal(replay.outcome, 'replay');
  assert.match(JSON.stringify(replay), /receipt <7>/);
  assert.equal(next('to-release').attempt, 3, 'who decides is an attempt, too');
  assert.equal(next('to-delete').attempt, 1);
  const lines = await until('all of it is on record', () => {
    const all = decidedOf(audit);
    return all.length >= 2 * keys.length && all;
  });
  assert.deepEqual(lines.map(({ phase, user, key }) => [phase, user, key]),
    keys.flatMap((key) => [['asked', 'ops', key], ['outcome', 'ops', key]]));
  assert.ok(lines.every(({ reason }) => /: the bank says so$/.test(reason)));
  await seen.end();
}

/** Two look at one claim; the second decision changes nothing. */
async function firstOneWins({ stage, browser }) {
  const { daemon } = await orphaned(stage, 'shop', 'both', 'other');
  const ops = await openAs(browser, daemon, stage.secrets.ops);
  const night = await openAs(browser, daemon, stage.secrets.night);
  await look(ops, 'both');
  await look(night, 'both');
  await say(night, 'release', 'no trace of it');
  await night.says('record-said', /^Released: /);
  await say(ops, 'complete', 'it is there', 'never seen');
  await ops.says('record-said',
    /^Nothing was changed: the record is released by now/);
  await ops.page.click('#record-close');
  assert.match(stage.ctl(daemon, 'peek', 'both', '-n', 'shop'), /released/);
  assert.equal(await ops.page.locator('#stuck-rows tr').count(), 1);
  await look(ops, 'other');
  stage.ctl(daemon, 'acquire', 'other', '-n', 'shop', '--lease', '1h');
  await say(ops, 'delete', 'nobody is there');
  await ops.says('record-said',
    /^Nothing was changed: the record is in progress by now/);
  await ops.end();
  await night.end();
}

/** It was decided, and the answer is lost: asked again it is decided once. */
async function askedAgain({ stage, browser }) {
  const { daemon, audit } = await orphaned(stage, 'shop', 'lost');
  const standin = await new StandIn(daemon).start();
  const seen = await openAs(browser, standin, stage.secrets.ops);
  standin.parts['/v1/resolve'] = async ({ body }) => {
    delete standin.parts['/v1/resolve'];
    const told = await fetch(`${daemon.url}v1/resolve`, { method: 'POST',
      body: JSON.stringify(body), headers: { 'Content-Type': 'application/json',
        Authorization: `Bearer ${stage.secrets.ops}` } });
    assert.equal((await told.json()).outcome, 'released');
    return [0];
  };
  await look(seen, 'lost');
  await say(seen, 'release', 'no trace of it');
  await seen.says('record-said', /answer was lost.*may have taken effect/);
  stage.ctl(daemon, 'acquire', 'lost', '-n', 'shop', '--lease', '1h');
  await seen.page.click('#record-go');
  await seen.says('record-said', /^Released: /);
  assert.match(stage.ctl(daemon, 'peek', 'lost', '-n', 'shop'), /in_progress/,
    'the next holder keeps it');
  const lines = await until('both are on record', () => {
    const all = decidedOf(audit);
    return all.length >= 4 && all;
  });
  assert.equal(new Set(lines.map(({ nonce }) => nonce)).size, 1);
  await seen.end();
  standin.end();
}

/** No grant, or one for another namespace: no buttons, and no token. */
async function noButtons({ stage, browser }) {
  const { daemon } = await orphaned(stage, 'till', 'not-theirs');
  for (const user of ['reader', 'night']) {
    const seen = await open(browser, daemon.url);
    await enter(seen, stage.secrets[user]);
    await lookAtAll(seen, 'till');
    await seen.says('stuck-rows', /not-theirs/);
    await look(seen, 'not-theirs');
    await seen.says('record-note', /no grant to resolve/);
    assert.ok(!await seen.page.isVisible('#record-go'), user);
    assert.ok(!await seen.page.isVisible('#record-verbs'), user);
    assert.doesNotMatch(await seen.text('record-rows'), /token seen/);
    await seen.end();
  }
}

module.exports = { asToldByTheDaemon, decidedForReal, firstOneWins,
  askedAgain, noButtons };
