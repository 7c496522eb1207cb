// SPDX-License-Identifier: Apache-2.0
// browser.js -- a browser's page that notes all that must not be: errors of
// scripts, requests to anywhere else, what the page's own policy forbids.
'use strict';

const assert = require('node:assert');
const { chromium } = require('playwright-core');
const { PATIENCE_MS } = require('./stage.js');

async function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    timeout: PATIENCE_MS,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update',
      '--disable-sync', '--disable-dev-shm-usage'] });
}

class Seen {
  constructor(page, url) {
    Object.assign(this, { page, url, trouble: [], requests: [] });
    page.setDefaultTimeout(PATIENCE_MS);
    page.on('pageerror', (why) => this.trouble.push(String(why)));
    page.on('console', (line) => this.note(line));
    page.on('request', (request) => {
      this.requests.push(request);
      if (!request.url().startsWith(url) && !request.url().startsWith('data:')) {
        this.trouble.push(`asks ${request.url()}`);
      }
    });
  }

  /** The browser itself writes there what a refused request was told. */
  note(line) {
    const text = line.text();
    if (line.type() === 'error' && !/^Failed to load resource/.test(text)) {
      this.trouble.push(text);
    }
  }

  text(id) {
    return this.page.textContent(`#${id}`);
  }

  /** Until the element's text fits. */
  async says(id, words) {
    try {
      await this.page.waitForFunction(([at, source]) => {
        const node = document.getElementById(at);
        return node.checkVisibility() && new RegExp(source).test(node.textContent);
      }, [id, words.source]);
    } catch (why) {
      throw new Error(`#${id} should say ${words}, and says ${
        await this.text(id)}`, { cause: why });
    }
  }

  /** The cells of a table's row whose first cell is this. */
  row(tbody, head) {
    return this.page.evaluate(([id, first]) => {
      const row = [...document.querySelectorAll(`#${id} tr`)]
        .find((tr) => tr.cells[0].textContent === first);
      return row ? [...row.cells].map((cell) => cell.textContent) : null;
    }, [tbody, head]);
  }

  /** The figure behind a name in a list. */
  figure(dl, name) {
    return this.page.evaluate(([id, term]) => [...document.querySelectorAll(
      `#${id} dt`)].find((dt) => dt.textContent === term)
      ?.nextElementSibling.textContent ?? null, [dl, name]);
  }

  async fits(what) {
    const wide = await this.page.evaluate(
      () => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(wide <= 0, `${what}: ${wide} pixels too wide`);
  }

  async end() {
    await this.page.context().close();
    assert.deepEqual(this.trouble, []);
  }
}

async function open(browser, url, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 }, colorScheme: 'light', ...options });
  const seen = new Seen(await context.newPage(), url);
  await seen.page.goto(url);
  return seen;
}

module.exports = { launch, open };
