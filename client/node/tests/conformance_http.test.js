// SPDX-License-Identifier: Apache-2.0
// The suite that services in any language are held to, against each example.
'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Daemon } = require('../src/testing.js');
const { BUILD, Service, freshNs, run } = require('./helper.js');

const SERVICES = {
  'express 5': ['points_express.js', {}],
  'express 4': ['points_express.js', { POINTS_EXPRESS: 'express4' }],
  'fastify': ['points_fastify.js', {}],
  'NestJS over express': ['points_nest.js', {}],
  'NestJS over fastify': ['points_nest.js', { POINTS_PLATFORM: 'fastify' }],
};

let daemon;
before(async () => { daemon = await Daemon.start(); });
after(() => daemon.close());

describe('idemconform http', { concurrency: 5 }, () => {
  for (const [name, [file, env]] of Object.entries(SERVICES)) {
    test(name, async (t) => {
      const service = await Service.start(t, [process.execPath, file],
        daemon.uri(freshNs()),
        { POINTS_LEASE_MS: '3000', POINTS_USERS: 'yes', ...env });
      const url = `http://127.0.0.1:${service.port}`;
      const { code, said } = await run([path.join(BUILD, 'idemconform'),
        'http', url + '/match', '--yes', '--hold', '3s',
        '--body', '{"user":"conform","cost":{n}}',
        '--count', url + '/matches', '--count-pointer', '/played',
        '--slow', 'X-Rehearse: sleep-{ms}', '--fail', 'X-Rehearse: fail',
        '--crash', 'X-Rehearse: crash', '--header', 'X-User: ann',
        '--other-user', 'X-User: bob']);
      assert.equal(code, 0, said + service.said);
      assert.doesNotMatch(said, /^(failed|not judged|skipped) /m);
    });
  }
});
