// SPDX-License-Identifier: Apache-2.0
// stories_access.js -- who sees what, what the browser lets the page do, and
// whether people can read it.
'use strict';

const assert = require('node:assert');
const path = require('node:path');
const { open } = require('./browser.js');
const { until } = require('./stage.js');

async function headers({ stage }) {
  const daemon = await stage.daemon('alone');
  const told = await fetch(daemon.url);
  const get = (name) => told.headers.get(name) ?? '';
  assert.equal(told.status, 200);
  assert.equal(get('cache-control'), 'no-store');
  assert.equal(get('x-content-type-options'), 'nosniff');
  assert.equal(get('content-type'), 'text/html; charset=utf-8');
  const policy = get('content-security-policy');
  for (const one of [/^default-src 'none'/, /frame-ancestors 'none'/,
    /base-uri 'none'/, /form-action 'none'/, /connect-src 'self'/,
    /script-src( 'sha256-[^']+=')+;/]) assert.match(policy, one);
  assert.doesNotMatch(policy, /unsafe|\*|https?:/);
  const page = await told.text();
  assert.doesNotMatch(page, /innerHTML|insertAdjacentHTML|document\.write|eval\(/);
  assert.doesNotMatch(page, /localStorage|sessionStorage|indexedDB|document\.cookie/);
  // A name that points here is not ours; from another site one may be led here.
  const led = await fetch(daemon.url, { headers: { 'Sec-Fetch-Site':
    'cross-site' } });
  assert.equal(led.status, 200);
  assert.equal((await fetch(`${daemon.url}metrics`, { headers: {
    'Sec-Fetch-Site': 'cross-site' } })).status, 403);
}

/** What somebody smuggles in does not run, and nobody frames the page. */
async function policyHolds({ stage, browser }) {
  const daemon = await stage.daemon('alone');
  const seen = await open(browser, daemon.url);
  await seen.says('role', /^primary$/);
  const held = await seen.page.evaluate(async (url) => {
    const broken = [];
    document.addEventListener('securitypolicyviolation', (event) => {
      broken.push(event.effectiveDirective);
    });
    const script = document.createElement('script');
    script.textContent = 'window.smuggled = 1';
    document.body.append(script);
    const style = document.createElement('style');
    style.textContent = 'body { display: none }';
    document.body.append(style);
    const image = new Image();
    image.src = `${url}healthz`;
    document.body.append(image);
    const framed = document.createElement('iframe');
    framed.src = url;
    document.body.append(framed);
    const away = await fetch('http://127.0.0.1:1/').then(() => 'asked',
      () => 'refused');
    await new Promise((done) => setTimeout(done, 200));
    return { broken, away, smuggled: window.smuggled ?? null,
      shown: getComputedStyle(document.body).display };
  }, daemon.url);
  for (const one of ['script-src-elem', 'style-src-elem', 'img-src', 'frame-src',
    'connect-src']) assert.ok(held.broken.includes(one), `${one} holds`);
  assert.equal(held.smuggled, null);
  assert.equal(held.away, 'refused');
  assert.equal(held.shown, 'block');
  await seen.page.context().close(); // its troubles were asked for
}

const GRANTS = { ops: 'claim=* read=* resolve=* admin stats', graphs: 'stats',
  shop: 'claim=shop read=shop' };

async function withCredentials({ stage, browser, pictures }) {
  const file = stage.credentials(GRANTS);
  const daemon = await stage.daemon('guarded', '--credentials', file);
  const seen = await open(browser, daemon.url);
  await seen.says('role', /^ready$/);
  await seen.says('refused', /grant stats/);
  assert.ok(!await seen.page.isVisible('#ops'));
  await seen.page.screenshot({ path: path.join(pictures, 'credential.png') });
  // By the keyboard alone.
  await seen.page.focus('#secret');
  await seen.page.keyboard.type(`${stage.secrets.ops.slice(0, -4)}AAAA`);
  await seen.page.keyboard.press('Enter');
  await seen.says('refused', /refuses this credential/);
  assert.equal(await seen.page.inputValue('#secret'), '');
  const shown = () => seen.requests.filter(
    (one) => one.headers().authorization !== undefined).length;
  const before = shown();
  const asked = () => seen.requests.filter((one) => /readyz$/.test(one.url()))
    .length;
  const then = asked();
  await until('it has asked twice more', () => asked() >= then + 2);
  assert.equal(shown(), before, 'a wrong secret is not shown again');
  await typeSecret(seen, stage.secrets.shop);
  await seen.says('alarm', /No figures: /);
  await seen.page.click('#forget');
  await typeSecret(seen, stage.secrets.ops);
  await seen.says('who', /^as ops$/);
  await seen.says('keys-rows', /known/);
  await seen.says('role', /^primary$/);
  await keepsNothing(seen, stage.secrets.ops);
  await seen.page.click('#forget');
  assert.ok(!await seen.page.isVisible('#ops'));
  await seen.page.reload();
  await seen.says('refused', /grant stats/);
  await seen.end();
}

async function typeSecret(seen, secret) {
  await seen.page.fill('#secret', secret);
  await seen.page.keyboard.press('Enter');
}

async function keepsNothing(seen, secret) {
  const kept = await seen.page.evaluate(async () => JSON.stringify([
    { ...localStorage }, { ...sessionStorage }, document.cookie, location.href,
    document.documentElement.outerHTML,
    [...document.querySelectorAll('input')].map((one) => one.value),
    await indexedDB.databases(), history.state]));
  assert.ok(!kept.includes(secret), 'the secret is nowhere but in memory');
  assert.deepEqual(await seen.page.context().cookies(), []);
}

// ----------------------------------------------------------------- to be read

/** WCAG's contrast of each ink on each ground, of what the page computes. */
function contrasts() {
  const style = getComputedStyle(document.documentElement);
  const light = (name) => {
    const hex = style.getPropertyValue(name).trim().slice(1);
    const full = hex.length === 3 ? [...hex].map((c) => c + c).join('') : hex;
    const [r, g, b] = [0, 2, 4].map((i) => {
      const c = parseInt(full.slice(i, i + 2), 16) / 255;
      return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const of = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((m, n) => n - m);
    return (x + 0.05) / (y + 0.05);
  };
  const inks = ['--ink', '--quiet', '--warn', '--bad', '--good', '--accent'];
  return [...inks.flatMap((ink) => ['--card', '--paper'].map(
    (ground) => [ink, ground, of(ink, ground)])),
  ['--bad', '--bad-paper', of('--bad', '--bad-paper')]];
}

async function everyWidth({ stage, browser, pictures }) {
  const daemon = await stage.daemon('alone', '--data-dir', stage.folder('data'));
  for (let i = 0; i < 5; i++) stage.ctl(daemon, 'acquire', `key-${i}`);
  const seen = await open(browser, daemon.url);
  await seen.says('ops-rows', /acquired/);
  for (const colorScheme of ['light', 'dark']) {
    await seen.page.emulateMedia({ colorScheme });
    for (const [ink, ground, ratio] of await seen.page.evaluate(contrasts)) {
      assert.ok(ratio >= 4.5, `${colorScheme}: ${ink} on ${ground}: ${ratio}`);
    }
    for (const width of [320, 768, 1280, 1920]) {
      await seen.page.setViewportSize({ width, height: 900 });
      await seen.fits(`${width} ${colorScheme}`);
      await seen.page.screenshot({ fullPage: true,
        path: path.join(pictures, `${width}-${colorScheme}.png`) });
    }
  }
  await seen.end();
}

module.exports = { headers, policyHolds, withCredentials, everyWidth };
