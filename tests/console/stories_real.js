// SPDX-License-Identifier: Apache-2.0
// stories_real.js -- what is stuck, and who is connected, as a daemon itself tells
// it, with names that strangers give.
'use strict';

const assert = require('node:assert');
const path = require('node:path');
const { open } = require('./browser.js');
const { until } = require('./stage.js');

const GRANTS = { ops: 'claim=* read=* resolve=* admin stats',
  reader: 'claim=shop read=* stats' };

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

async function lookAtAll(seen) {
  await seen.page.waitForSelector('#stuck', { state: 'visible' });
  await seen.page.fill('#stuck-older', '');
  await seen.page.fill('#stuck-ns', 'shop');
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

module.exports = { asToldByTheDaemon };
