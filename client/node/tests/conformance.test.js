// SPDX-License-Identifier: Apache-2.0
// The suite that clients in any language are held to.
'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');
const { BUILD, run } = require('./helper.js');

test('idemconform client', async () => {
  const { code, said } = await run([path.join(BUILD, 'idemconform'), 'client',
    '--jobs', '6', '--', process.execPath,
    path.join(__dirname, 'conform_client.js')]);
  assert.equal(code, 0, said);
  assert.doesNotMatch(said, /^(failed|not judged|skipped) /m);
  assert.match(said, / 0 failed, 0 not judged, 0 skipped/);
});
