// SPDX-License-Identifier: Apache-2.0
// browser.js SITE PICTURES -- opens the site in a browser, as files: its menu,
// its search, a link from page to page, narrow and wide, light and dark. Nothing
// is asked from outside, and no script fails.
'use strict';

const assert = require('node:assert');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { chromium } = require('playwright-core');

const [, , site, pictures] = process.argv;
const PATIENCE_MS = 120000;
const at = (name) => pathToFileURL(path.join(site, name)).href;

async function search(page) {
  await page.goto(at('index.html'));
  assert.match(await page.title(), /^idemstore/);
  await page.keyboard.press('/');
  await page.keyboard.type('fencing tok');
  const first = page.locator('#found a').first();
  await first.waitFor();
  await page.fill('#search', 'zzzz no such word');
  await page.getByText('Nothing has these words.').waitFor();
  await page.fill('#search', 'a primary dies');
  await page.locator('#found a', { hasText: 'A primary dies' }).click();
  await page.waitForURL(/kubernetes\.html#a-primary-dies$/);
  assert.ok(await page.locator('h2#a-primary-dies').isVisible());
}

async function menu(page) {
  await page.locator('nav a', { hasText: 'Flags, settings' }).click();
  await page.waitForURL(/flags\.html$/);
  assert.match(await page.textContent('main pre'), /--max-memory/);
  assert.equal(await page.textContent('nav a[aria-current]'),
    'Flags, settings');
  await page.locator('nav a', { hasText: 'The wire' }).click();
  await page.locator('main h3#acquire').waitFor();
  await page.locator('nav a', { hasText: 'Errors' }).click();
  await page.locator('main tr', { hasText: 'UNREPLICATED' })
    .getByText('it may have taken effect').waitFor();
}

async function fits(page, width, scheme) {
  await page.setViewportSize({ width, height: 900 });
  await page.emulateMedia({ colorScheme: scheme });
  for (const name of ['index', 'operations', 'wire', 'idemstored.8', 'flags',
    'errors']) {
    await page.goto(at(`${name}.html`));
    const wide = await page.evaluate(
      () => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(wide <= 0, `${name} at ${width}: ${wide} too wide`);
  }
  await page.goto(at('index.html'));
  await page.screenshot({ path: path.join(pictures, `${width}-${scheme}.png`) });
}

async function main() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    timeout: PATIENCE_MS,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update',
      '--disable-sync', '--disable-dev-shm-usage'] });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const trouble = [];
    page.on('pageerror', (why) => trouble.push(String(why)));
    page.on('console', (line) => {
      if (line.type() === 'error') trouble.push(line.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith('file:')) trouble.push(request.url());
    });
    await search(page);
    await menu(page);
    await fits(page, 380, 'dark');
    await fits(page, 1280, 'light');
    assert.deepEqual(trouble, []);
  } finally {
    await browser.close();
  }
  console.log('  opened in a browser: menu, search, narrow and wide');
}

main().catch((why) => {
  console.error(why);
  process.exit(1);
});
