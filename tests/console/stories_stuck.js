// SPDX-License-Identifier: Apache-2.0
// stories_stuck.js -- the table of what is stuck, and what a person decides.
'use strict';

const assert = require('node:assert');
const path = require('node:path');
const { open } = require('./browser.js');
const { StandIn } = require('./standin.js');
const { until } = require('./stage.js');

const GRANTS = { ops: 'claim=* read=* resolve=* admin stats',
  reader: 'read=* stats', graphs: 'stats' };
const TOKEN = '0000000065b0c1c4a000000000000001';
const ORPHANS = 10000;

const refused = (detail) => [403, { type: 'urn:idemstore:denied', status: 403,
  title: 'Forbidden', code: 'DENIED', detail }];

/** What strangers call their keys. */
const HOSTILE = [
  { key: '<img src=x onerror="window.smuggled=1">' },
  { key: '</td><script>window.smuggled=1</script>' },
  { key: '\u001b]0;owned\u0007\u001b[2J' },
  { key: 'a\nb\r\tc\u0000' },
  { key: '\u202egnp.exe\u2066' },
  { key: '\u200b\ufeff' },
  { key_b64: Buffer.from([0xff, 0xfe, 0x3c, 0x62, 0x3e]).toString('base64') },
  { key: 'k'.repeat(512) },
  { key: '"\'`${1}&lt;' }];

function rowOf(i) {
  const hostile = HOSTILE[i];
  return { ns: i % 3 ? 'shop' : '', ...(hostile ?? { key: `order-${i}` }),
    state: 'orphaned', age_ms: 3600000 - i * 100, attempt: 1 + i % 4,
    ttl_left_ms: 82800000, by: { user: 'shop', client: 'python/1 <b>',
      address: '10.0.0.9:41022' } };
}

/** Pages of 60, by a cursor; the oldest are 256. reader may look, ops decide. */
function play(standin, rows) {
  const mayRead = ({ user }) => user === 'ops' || user === 'reader';
  const same = (row, body) => row.ns === (body.ns ?? '') && row.key === body.key
    && row.key_b64 === body.key_b64;
  Object.assign(standin.parts, {
    '/v1/list': (asked) => {
      if (!mayRead(asked)) return refused('"graphs" may not read');
      const of = asked.body.cursor?.split(' ')
        ?? [asked.body.oldest ? 'oldest' : 'all', '0'];
      const from = Number(of[1]), to = from + 60;
      const some = of[0] === 'all' ? rows : rows.slice(0, 256);
      return [200, { records: some.slice(from, to),
        cursor: to < some.length ? `${of[0]} ${to}` : null }];
    },
    '/v1/inspect': (asked) => {
      const row = rows.find((one) => same(one, asked.body));
      return row ? [200, { ...row, fingerprint_hex: 'ab'.repeat(32),
        ...(asked.user === 'ops' ? { token: TOKEN } : {}) }]
        : [404, { status: 404, code: 'absent', outcome: 'absent' }];
    },
    '/v1/clients': ({ body }) => [200, { cursor: body.cursor ? null : 'next',
      clients: [{ address: `10.0.0.9:${body.cursor ? 2 : 1}`, http: false,
        name: '<b>bold</b>', user: 'shop', tls: true, age_ms: 61000,
        requests: 1234567, waiting: 2, unsent_bytes: 0 }] }] });
}

async function enter(seen, secret) {
  await seen.page.waitForSelector('#secret', { state: 'visible' });
  await seen.page.fill('#secret', secret);
  await seen.page.keyboard.press('Enter');
}

async function begin({ stage, browser }, rows, user, change = () => {}) {
  const daemon = await stage.daemon('guarded', '--credentials',
    stage.credentials(GRANTS));
  const standin = await new StandIn(daemon).start();
  play(standin, rows);
  change(standin);
  const seen = await open(browser, standin.url);
  await enter(seen, stage.secrets[user]);
  return { standin, seen, daemon };
}

const openFirst = async (seen) => {
  await seen.page.locator('#stuck-rows button').first().click();
  await seen.says('record-rows', /fingerprint/);
};

async function manyOrphans(told) {
  const rows = Array.from({ length: ORPHANS }, (_, i) => rowOf(i));
  const { standin, seen } = await begin(told, rows, 'ops');
  await seen.says('stuck-window', /^256, the oldest .* found, as of \d\d:\d\d:\d\dZ$/);
  const shown = () => seen.page.locator('#stuck-rows tr').count();
  assert.equal(await shown(), 256);
  await seen.page.screenshot({ path: path.join(told.pictures, 'orphans.png') });
  await seen.page.click('#stuck-more');
  await seen.says('stuck-window', /^the oldest 500 of 10\u202f000, /);
  assert.equal(await shown(), 500);
  const cells = await seen.page.locator('#stuck-rows td:nth-child(2)')
    .allTextContents();
  for (const words of ['<img src=x onerror="window.smuggled=1">',
    '\\x1b]0;owned\\x07\\x1b[2J', 'a\\x0ab\\x0d\\x09c\\x00',
    '\\u{202e}gnp.exe\\u{2066}', '\\u{200b}\\u{feff}', '\\xff\\xfe<b>',
    'k'.repeat(512), '"\'`${1}&lt;']) {
    assert.ok(cells.includes(words), `${words} is shown as it is`);
  }
  assert.equal(await seen.page.evaluate(() => window.smuggled ?? null), null);
  assert.equal(await seen.page.locator('main img, main script').count(), 0);
  await seen.says('clients-rows', /<b>bold<\/b>.*10.0.0.9:2/);
  await seen.fits('orphans, wide');
  await seen.page.setViewportSize({ width: 320, height: 800 });
  await seen.fits('orphans, narrow');
  await seen.end();
  standin.end();
}

async function whoMayNot(told) {
  const { standin, seen } = await begin(told, [rowOf(9)], 'reader');
  await seen.says('stuck-rows', /order-9/);
  await openFirst(seen);
  await seen.says('record-note', /no grant to resolve/);
  assert.ok(!await seen.page.isVisible('#record-go'));
  await seen.page.keyboard.press('Escape');
  assert.ok(!await seen.page.isVisible('#record'));
  await seen.page.click('#forget');
  await enter(seen, told.stage.secrets.graphs);
  await seen.says('stuck-window', /not listed: .*may not read/);
  await seen.says('ops-title', /Operations/);
  await seen.end();
  standin.end();
}

/** The first answer is lost on the way; then it is told as it was. */
async function lostAnswer(told) {
  const { standin, seen } = await begin(told, [rowOf(9), rowOf(10)], 'ops');
  const nonces = [];
  standin.parts['/v1/resolve'] = (asked) => {
    nonces.push(asked.body.nonce_b64);
    return nonces.length === 1 ? [0] : nonces.length === 2
      ? [504, { status: 504, code: 'UNREPLICATED', outcome_unknown: true,
        detail: 'the replica has not confirmed it' }]
      : [200, { outcome: 'completed', kept: false }];
  };
  await seen.says('stuck-rows', /order-9/);
  await openFirst(seen);
  await seen.page.click('#record-go');
  await seen.says('record-said', /Say what became of it/);
  await seen.page.check('input[value=complete]');
  await seen.page.click('#record-go');
  await seen.says('record-said', /reason is needed/);
  await seen.page.fill('#record-reason', 'paid, says the bank');
  await seen.page.fill('#record-result', 'receipt <7>');
  assert.equal(nonces.length, 0);
  await seen.page.click('#record-go');
  await seen.says('record-said', /answer was lost.*may have taken effect/);
  assert.ok(await seen.page.locator('#record-reason').isDisabled());
  await seen.page.screenshot({ path: path.join(told.pictures, 'unknown.png') });
  // Who closes it meanwhile finds it again, and nothing else to decide.
  await seen.page.click('#record-close');
  await seen.page.getByText('Not over yet').click();
  assert.equal(await seen.page.inputValue('#record-reason'),
    'paid, says the bank');
  await seen.page.click('#record-go');
  await seen.says('record-said', /replica has not confirmed.*may have taken/);
  await seen.page.click('#record-go');
  await seen.says('record-said', /^Completed, and the result was not kept/);
  assert.equal(nonces.length, 3);
  assert.equal(new Set(nonces).size, 1, 'one nonce for one decision');
  assert.ok(Buffer.from(nonces[0], 'base64').length >= 16);
  const asked = standin.asked.filter((one) => one.path === '/v1/resolve');
  assert.deepEqual({ ...asked[0].body, nonce_b64: '' }, { ns: '', key: 'order-9',
    token: TOKEN, verb: 'complete', reason: 'paid, says the bank', nonce_b64: '',
    result_text: 'receipt <7>' });
  assert.deepEqual(asked[0].body, asked[2].body);
  await seen.page.click('#record-close');
  assert.equal(await seen.page.locator('#stuck-rows tr').count(), 1);
  await seen.end();
  standin.end();
}

/** Somebody else was faster; the next decision has a nonce of its own. */
async function movedOn(told) {
  const { standin, seen } = await begin(told, [rowOf(9), rowOf(10)], 'ops');
  const nonces = [];
  let go = null;
  standin.parts['/v1/resolve'] = async (asked) => {
    nonces.push(asked.body.nonce_b64);
    if (nonces.length > 1) return refused('"ops" may not resolve in shop');
    await new Promise((done) => { go = done; });
    return [409, { status: 409, code: 'stale', outcome: 'stale',
      state: 'in_progress' }];
  };
  await seen.says('stuck-rows', /order-9/);
  for (const [said, i] of [[/Nothing was changed: the record is in progress/, 0],
    [/Nothing was changed: "ops" may not resolve/, 1]]) {
    await openFirst(seen);
    await seen.page.check('input[value=release]');
    await seen.page.fill('#record-reason', `no trace of it ${i}`);
    await seen.page.keyboard.press('Enter');
    if (i === 0) {
      await seen.says('record-said', /no answer yet/);
      assert.ok(await seen.page.locator('#record-go').isDisabled());
      await until('it was asked', () => go);
      go();
    }
    await seen.says('record-said', said);
    await seen.page.click('#record-close');
  }
  assert.equal(new Set(nonces).size, 2);
  await seen.end();
  standin.end();
}

/** A daemon that has no such calls: the page is without that section. */
async function withoutTheRoutes(told) {
  const missing = () => [404, { status: 404, code: 'NOT_FOUND' }];
  const calls = ['/v1/list', '/v1/clients'];
  const { standin, seen } = await begin(told, [], 'ops', (one) => {
    for (const path of calls) one.parts[path] = missing;
  });
  await seen.says('keys-rows', /known|orphaned/);
  await until('both were asked', () => calls.every(
    (path) => standin.asked.some((one) => one.path === path)));
  await seen.says('asof', /, [2-9] s ago$|, 1 s ago$/); // and it has gone on
  assert.ok(!await seen.page.isVisible('#stuck'));
  assert.ok(!await seen.page.isVisible('#clients'));
  await seen.end();
  standin.end();
}

module.exports = { manyOrphans, whoMayNot, lostAnswer, movedOn,
  withoutTheRoutes };
