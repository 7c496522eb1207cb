// SPDX-License-Identifier: Apache-2.0
// What several tests need.
'use strict';

const { spawn } = require('node:child_process');
const { randomBytes } = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { Daemon } = require('../src/testing.js');

const ROOT = path.resolve(__dirname, '../../..');
const BUILD = process.env.IDEMSTORE_BUILD ?? path.join(ROOT, 'build/release');
// As tests/run has laid them out, what is to be compiled too.
const EXAMPLES = path.join(BUILD, '../node-env/examples');
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

/** An HTTP answer, whole: {status, headers, rawHeaders, body, isCut}. */
function ask(port, { method = 'POST', path: target = '/', key, body = '',
  headers = {}, onBegin, signal, agent = false } = {}) {
  return new Promise((resolve, reject) => {
    const req = http.request({ port, host: '127.0.0.1', method, path: target,
      agent, signal, headers: {
        ...(key === undefined ? {} : { 'idempotency-key': key }),
        ...(body === '' ? {} : { 'content-type': 'application/json',
          'content-length': Buffer.byteLength(body) }), ...headers } });
    req.once('error', reject);
    req.once('response', (res) => {
      onBegin?.(res, req);
      const parts = [];
      res.on('data', (part) => parts.push(part));
      const end = (isCut) => resolve({ status: res.statusCode, isCut,
        headers: res.headers, rawHeaders: res.rawHeaders,
        body: Buffer.concat(parts) });
      res.once('end', () => end(false));
      res.once('error', () => end(true));
    });
    req.end(body);
  });
}

/** A server of this process. */
async function serve(t, app) {
  const server = http.createServer(app);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return server.address().port;
}

/** An example, in a process of its own. */
class Service {
  static async start(t, command, uri, env = {}) {
    const made = new Service();
    made.file = path.join(scratch(t), 'points.log');
    made.said = '';
    made.child = spawn(command[0], command.slice(1), { cwd: EXAMPLES,
      stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env,
        IDEMSTORE_URI: uri, POINTS_FILE: made.file, ...env } });
    for (const stream of [made.child.stdout, made.child.stderr]) {
      stream.on('data', (piece) => { made.said += piece; });
    }
    t.after(() => made.close());
    const found = await until(() => /127\.0\.0\.1:(\d+)/.exec(made.said) ??
      (made.child.exitCode !== null && { failed: true }), 'it listens');
    if (found.failed) throw new Error(made.said);
    made.port = Number(found[1]);
    return made;
  }

  click(key, { body = '{"user":"ann","cost":10}', rehearse } = {}) {
    return ask(this.port, { path: '/match', key, body,
      headers: rehearse ? { 'x-rehearse': rehearse } : {} });
  }

  rows() {
    return fs.existsSync(this.file)
      ? fs.readFileSync(this.file, 'latin1').split('\n').length - 1 : 0;
  }

  async close() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}

module.exports = { BUILD, EXAMPLES, ROOT, Service, ask, daemonFor, freshNs,
  run, scratch, serve, sleep, until };
