// SPDX-License-Identifier: Apache-2.0
// What several tests need.
'use strict';

const { spawn } = require('node:child_process');
const { randomBytes } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { Daemon } = require('../src/testing.js');

const ROOT = path.resolve(__dirname, '../../..');
const BUILD = process.env.IDEMSTORE_BUILD ?? path.join(ROOT, 'build/release');
process.env.IDEMSTORED ??= path.join(BUILD, 'idemstored');

/** Ends with the test. t: a test's context, or node:test's after. */
async function daemonFor(t, ...args) {
  const daemon = await Daemon.start({ args });
  t.after(() => daemon.close());
  return daemon;
}

function freshNs() {
  return 't' + randomBytes(6).toString('hex');
}

function scratch(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'idemstore-node-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Until it is so: how long that takes is the machine's business. */
async function until(is, what, ms = 60000) {
  const endMs = performance.now() + ms;
  for (;;) {
    const got = await is();
    if (got) return got;
    if (performance.now() > endMs) throw new Error('it was never so: ' + what);
    await sleep(10);
  }
}

/** {code, said}. */
function run(command, { timeoutMs = 570000, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const [program, ...args] = command;
    const child = spawn(program, args, { ...options, timeout: timeoutMs,
      killSignal: 'SIGKILL', stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stdout.on('data', (piece) => { said += piece; });
    child.stderr.on('data', (piece) => { said += piece; });
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, said }));
  });
}

module.exports = { ROOT, BUILD, daemonFor, freshNs, scratch, sleep, until,
  run };
