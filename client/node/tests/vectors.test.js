// SPDX-License-Identifier: Apache-2.0
// The rules that each language holds: proto/vectors, beside this checkout.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { CODES, MAY_PASS, fail } = require('../src/errors.js');
const http = require('../src/http.js');
const { ROOT } = require('./helper.js');

const FOLDER = path.join(ROOT, 'proto/vectors');
const text = (name) => fs.readFileSync(path.join(FOLDER, name), 'utf8');

function told(call) {
  try {
    return call();
  } catch (why) {
    if (!why.assume) throw why;
    return why.code.toLowerCase();
  }
}

const unhex = (value) => (value === null ? null : Buffer.from(value, 'hex'));

function each(name, call, field) {
  const rows = text(name).trim().split('\n').map((one) => JSON.parse(one));
  assert.ok(rows.length > 5);
  for (const row of rows) {
    test(`${name}: ${row.what}`, () => {
      const want = 'error' in row ? row.error
        : typeof field === 'function' ? field(row) : row[field];
      assert.deepEqual(told(() => call(row)), want);
    });
  }
}

each('http_keys.jsonl', (row) => http.keyOf(row.value), 'key');
each('http_store_keys.jsonl', (row) => http.storeKey(
  row.key, row.method, row.target, row.principal), 'store_key');
each('http_fingerprints.jsonl', (row) => http.fingerprint(row.method,
  row.target, row.content_type, unhex(row.body_hex)).toString('hex'),
'fingerprint_hex');
each('http_packs.jsonl', (row) => http.pack(row.status, row.headers,
  unhex(row.body_hex), { keep: row.keep ?? [],
    resultBytesMax: row.result_bytes_max ?? 1 << 20 }).toString('hex'),
'result_hex');
each('http_answers.jsonl', (row) => {
  const got = http.unpack(unhex(row.result_hex));
  return { ...got, body: got.body === null ? null : got.body.toString('hex') };
}, ({ status, headers, body_hex: body }) => ({ status, headers, body }));

const TABLE = JSON.parse(text('http_statuses.json'));

function byRule(status, origin, onError) {
  const rule = TABLE.rules.find((one) =>
    (one.origin ?? [origin]).includes(origin) &&
    (one.status ?? [status]).includes(status) &&
    (one.from ?? status) <= status && status <= (one.to ?? status));
  return rule.fate === 'on_error' ? onError : rule.fate;
}

test('what becomes of a claim', () => {
  for (const origin of TABLE.origins) {
    for (const onError of Object.keys(TABLE.fates)) {
      for (let status = 100; status <= 600; status++) {
        assert.equal(http.fate(status, origin, onError),
          byRule(status, origin, onError), `${status} ${origin} ${onError}`);
      }
    }
  }
});

test('which errors an open service may pass', () => {
  const want = TABLE.on_unavailable_open.filter((one) => one in CODES);
  assert.deepEqual([...MAY_PASS].sort(), want.sort());
});

test('what each outcome is', () => {
  for (const outcome of ['in_progress', 'mismatch', 'orphaned']) {
    const row = TABLE.answers.find((one) => one.outcome === outcome);
    const got = http.fromAnswer({ outcome, leaseLeftMs: 1500 });
    assert.equal(got.status, row.status);
    assert.equal('retry-after' in Object.fromEntries(got.headers),
      row.retry_after);
  }
});

test('what each error is', () => {
  const status = {};
  for (const row of TABLE.errors) {
    if (!Array.isArray(row.errors)) continue;
    for (const code of row.errors) status[code] = row.status;
  }
  for (const code of Object.keys(CODES)) {
    assert.equal(http.fromError(fail(code)).status, status[code] ?? 500, code);
  }
});
