// SPDX-License-Identifier: Apache-2.0
// For the tests of whoever uses idemstore: the real daemon, on a port of its
// own. It ends with the test's process.
'use strict';

const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');

const PORT = /listening on 127\.0\.0\.1:([0-9]+)/;
const START_MS_MAX = 60000;
const STOP_MS_MAX = 30000;
const LOG_BYTES_MAX = 1 << 20;

const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

function isProgram(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

function onPath(name) {
  return (process.env.PATH ?? '').split(path.delimiter).filter(Boolean)
    .map((dir) => path.join(dir, name)).find(isProgram);
}

/** IDEMSTORED in the environment, or idemstored on the PATH. */
function findDaemon() {
  const found = process.env.IDEMSTORED || onPath('idemstored');
  if (!found || !isProgram(found)) {
    throw new Error('there is no idemstored: install it, or set IDEMSTORED ' +
      'to its path');
  }
  return found;
}

// Also when this process is killed: util-linux has a program for that.
let dieWithParent;
function withParent(command) {
  if (dieWithParent === undefined) {
    const asked = ['--pdeathsig', 'KILL', 'true'];
    dieWithParent = process.platform === 'linux' &&
      spawnSync('setpriv', asked).status === 0;
  }
  return dieWithParent ? ['setpriv', '--pdeathsig', 'KILL', ...command]
    : command;
}

/** A running idemstored. */
class Daemon {
  constructor(file, args, port) {
    this.port = port;
    this._path = file;
    this._args = args;
    this._child = null;
    this._log = '';
  }

  /** args: further flags. port: 0 is a free one. path: of the program. */
  static async start({ args = [], port = 0, path: file = findDaemon() } = {}) {
    const made = new Daemon(file, args, port);
    await made.restart();
    return made;
  }

  /** At the same port once it had one. */
  async restart() {
    await this.kill();
    this._log = '';
    const [program, ...args] = withParent([this._path, '--listen',
      `127.0.0.1:${this.port}`, ...this._args]);
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this._child = child;
    running.add(child);
    let error = null;
    child.once('error', (why) => { error = why; });
    child.once('exit', () => running.delete(child));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (piece) => this._keep(piece));
      stream.unref?.();
    }
    child.unref();
    await this._listening(child, () => error);
  }

  _keep(piece) {
    this._log = (this._log + piece.toString('utf8')).slice(-LOG_BYTES_MAX);
  }

  async _listening(child, error) {
    const untilMs = performance.now() + START_MS_MAX;
    for (;;) {
      const found = PORT.exec(this._log);
      if (found) {
        this.port = Number(found[1]);
        return;
      }
      if (error() || child.exitCode !== null || child.signalCode !== null ||
          performance.now() > untilMs) {
        await this.kill();
        throw new Error(`idemstored did not start: ${error() ?? this._log}`);
      }
      await sleep(10);
    }
  }

  get pid() {
    return this._child.pid;
  }

  get address() {
    return `127.0.0.1:${this.port}`;
  }

  /** options: of the URI, by their names there: {timeout_ms: 500}. */
  uri(ns = '', options = {}) {
    const query = new URLSearchParams(
      Object.entries(options).map(([k, value]) => [k, String(value)]));
    const asked = query.toString();
    return `idem://${this.address}/${ns}${asked ? '?' + asked : ''}`;
  }

  log() {
    return this._log;
  }

  signal(name) {
    this._child.kill(name);
  }

  /** SIGKILL. */
  async kill() {
    await this._end('SIGKILL');
  }

  /** SIGTERM, then SIGKILL when it takes too long. */
  async stop() {
    await this._end('SIGTERM');
  }

  async _end(name) {
    const child = this._child;
    this._child = null;
    if (child === null || child.exitCode !== null ||
        child.signalCode !== null || child.pid === undefined) {
      return;
    }
    child.ref();
    const ended = once(child, 'exit');
    child.kill(name);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    await ended;
    clearTimeout(timer);
  }

  async close() {
    await this.kill();
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.close();
  }
}

module.exports = { Daemon, findDaemon };
