// SPDX-License-Identifier: Apache-2.0
// readme.js -- the README's lines for Node, as they stand there, must run and
// print what they say they print:
//
//   node readme.js README.md PORT
'use strict';
const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');

const [readme, port] = process.argv.slice(2);
const [, code] = /```js\n(.*?)```/s.exec(fs.readFileSync(readme, 'utf8'));
const promised = /console\.log\(.*\); \/\/ (.*)/.exec(code)[1];
assert.ok(code.includes('7117'));
const said = execFileSync(process.execPath, ['-e',
  code.replace('7117', port)], { encoding: 'utf8', timeout: 20000 });
assert.equal(said.trim(), promised);
console.log(`the README's Node prints: ${promised}`);
