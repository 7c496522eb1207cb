// SPDX-License-Identifier: Apache-2.0
// The package as somebody has it who has only the file: installed in a folder
// where nothing of ours is.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { run, scratch } = require('./helper.js');

const PACKAGE = path.join(__dirname, '..');

test('every module: what its types tell is there, both ways', async () => {
  const { exports: told } = require('../package.json');
  for (const [name, forms] of Object.entries(told)) {
    if (typeof forms === 'string') continue;
    for (const { types, default: file } of Object.values(forms)) {
      for (const one of [types, file]) {
        assert.ok(fs.existsSync(path.join(PACKAGE, one)), one);
      }
    }
    const text = fs.readFileSync(path.join(PACKAGE, forms.require.types),
      'utf8');
    const declared = [...text.matchAll(
      /^export (?:declare )?(?:class|function|const) (\w+)/gm)]
      .map((found) => found[1]);
    const made = require(path.join(PACKAGE, forms.require.default));
    const both = await import(path.join(PACKAGE, forms.import.default));
    assert.deepEqual(Object.keys(made).sort(),
      [...new Set(declared)].sort(), name);
    assert.deepEqual(Object.keys(both).sort(), Object.keys(made).sort(), name);
  }
});

test('packed, installed elsewhere, and used', async (t) => {
  const dir = scratch(t);
  const env = { ...process.env, npm_config_cache: path.join(dir, 'cache'),
    npm_config_update_notifier: 'false' };
  delete env.NODE_PATH;
  const packed = await run(['npm', 'pack', '--json', '--pack-destination', dir,
    PACKAGE], { env, cwd: dir });
  assert.equal(packed.code, 0, packed.said);
  const [file] = fs.readdirSync(dir).filter((one) => one.endsWith('.tgz'));
  fs.writeFileSync(path.join(dir, 'package.json'), '{"private":true}');
  const installed = await run(['npm', 'install', '--offline', '--no-audit',
    '--no-fund', './' + file], { env, cwd: dir });
  assert.equal(installed.code, 0, installed.said);
  // Nothing comes with it, and nothing is left behind.
  const modules = fs.readdirSync(path.join(dir, 'node_modules'))
    .filter((one) => !one.startsWith('.'));
  assert.deepEqual(modules, ['@idemstore']);
  const there = path.join(dir, 'node_modules/@idemstore/client');
  assert.deepEqual(fs.readdirSync(there).sort(),
    ['README.md', 'esm', 'package.json', 'src', 'types']);
  const { dependencies } = require(path.join(there, 'package.json'));
  assert.equal(dependencies, undefined);
  for (const use of ['use_package.cjs', 'use_package.mjs']) {
    fs.copyFileSync(path.join(__dirname, use), path.join(dir, use));
    const { code, said } = await run([process.execPath, use],
      { env, cwd: dir });
    assert.equal(code, 0, said);
    assert.match(said, /^used: /m);
  }
});
