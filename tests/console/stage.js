// SPDX-License-Identifier: Apache-2.0
// stage.js -- daemons of this run's own, with credentials, and what is asked of
// them besides the page. All of it ends with the stage.
'use strict';

const assert = require('node:assert');
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const PATIENCE_MS = 180000;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Until it is not null, false or undefined. */
async function until(what, look) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
    await pause(50);
  }
}

/** A loopback address that this process alone uses. */
const ADDRESS = `127.${80 + Math.floor(process.pid / 65536) % 16}.${
  Math.floor(process.pid / 256) % 256}.${process.pid % 254 + 1}`;

class Daemon {
  constructor(stage, name, flags) {
    Object.assign(this, { stage, name, flags, ports: { line: 0, http: 0 } });
  }

  /** Again after a kill: at the same addresses. */
  async start(more = []) {
    this.said = '';
    this.child = spawn(path.join(this.stage.build, 'idemstored'), [
      '--listen', `${ADDRESS}:${this.ports.line}`,
      '--http', `${ADDRESS}:${this.ports.http}`, ...this.flags, ...more],
    { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout.on('data', (text) => { this.said += text; });
    this.child.stderr.on('data', (text) => { this.said += text; });
    this.ports.line = await this.port(/^listening on \S+:(\d+)$/m);
    this.ports.http = await this.port(/^http on \S+:(\d+)$/m);
    return this;
  }

  async port(line) {
    return until(`${this.name} says ${line}`, () => {
      if (this.child.exitCode !== null) throw new Error(this.said);
      return line.exec(this.said)?.[1];
    });
  }

  async kill() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const over = new Promise((done) => this.child.once('exit', done));
    this.child.kill('SIGKILL');
    await over;
  }

  get url() {
    return `http://${ADDRESS}:${this.ports.http}/`;
  }

  get address() {
    return `${ADDRESS}:${this.ports.line}`;
  }
}

class Stage {
  constructor(build, work) {
    Object.assign(this, { build, work, daemons: [], secrets: {} });
  }

  folder(name) {
    return fs.mkdtempSync(path.join(this.work, `${name}-`));
  }

  async daemon(name, ...flags) {
    const daemon = new Daemon(this, name, flags);
    this.daemons.push(daemon);
    return daemon.start();
  }

  /** A file of credentials; their secrets are in this.secrets. */
  credentials(grants) {
    const lines = Object.entries(grants).map(([name, words]) => {
      const told = JSON.parse(this.run('idemctl', ['--json', 'credential', 'new',
        name]));
      this.secrets[name] = told.secret;
      return `${told.line.split(' ').slice(0, 2).join(' ')} ${words}\n`;
    });
    const file = path.join(this.folder('credentials'), 'file');
    fs.writeFileSync(file, lines.join(''), { mode: 0o600 });
    return file;
  }

  /** What it prints; input: its stdin. */
  run(program, args, input = '') {
    const env = { ...process.env };
    delete env.IDEMSTORE_URL;
    delete env.IDEMSTORE_SECRET;
    const told = spawnSync(path.join(this.build, program), args,
      { encoding: 'utf8', env, input, maxBuffer: 1 << 28 });
    this.code = told.status;
    assert.ok(told.status !== null && told.status < 64,
      `${program} ${args.join(' ')}: ${told.stderr}`);
    return told.stdout;
  }

  ctl(daemon, ...args) {
    const secret = this.secrets.ops && daemon.flags.includes('--credentials')
      ? `:${this.secrets.ops}@` : '';
    return this.run('idemctl', ['-s', `idem://${secret}${daemon.address}/`,
      '--timeout', '60s', ...args]);
  }

  async end() {
    for (const daemon of this.daemons) await daemon.kill();
  }
}

module.exports = { ADDRESS, PATIENCE_MS, Stage, pause, until };
