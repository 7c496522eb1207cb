// SPDX-License-Identifier: Apache-2.0
// The store in memory is held to the server's own stories, to the millisecond.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const idemstore = require('../src/index.js');
const { Asks } = require('../src/calls.js');
const { Machine } = require('../src/machine.js');
const { MemoryStore } = require('../src/memory.js');
const { ROOT, sleep } = require('./helper.js');

const FOLDER = path.join(ROOT, 'tests/conformance');
const NAMES = ['acquire', 'complete', 'release', 'renew', 'expiry',
  'fingerprints', 'tokens', 'waiting'];
const FIELDS = { lease: 'leaseMs', lease_left: 'leaseLeftMs', age: 'ageMs',
  ttl_left: 'ttlLeftMs', result_bytes: 'resultBytes', class: 'resultClass',
  ttl: 'ttlMs' };

/** A story about bytes, connections or the daemon. */
class Unusual extends Error {}

function stories() {
  const made = [];
  for (const name of NAMES) {
    const text = fs.readFileSync(path.join(FOLDER, name + '.md'), 'utf8');
    for (const part of text.split(/^(?=## )/m).slice(1)) {
      const title = part.slice(3, part.indexOf('\n'));
      for (const [, about, body] of
        part.matchAll(/```story([^\n]*)\n([^]*?)```/g)) {
        if (/=|\btcp/.test(about)) continue;
        made.push({ title: `${name}: ${title}`, body });
      }
    }
  }
  return made;
}

const WORDS = new RegExp('[a-z_]+="(?:[^"\\\\]|\\\\.)*"|[a-z_]*=?h"[0-9a-f]*"' +
  '|"(?:[^"\\\\]|\\\\.)*"|\\S+', 'g');

function wordsOf(text) {
  return (text.match(WORDS) ?? []).map((one) =>
    (one.startsWith('"') ? one.replaceAll('\\', '') : one));
}

/** Bytes, null for nil, or the word. */
function valueOf(word) {
  if (word === 'nil') return null;
  if (word.startsWith('h"')) return Buffer.from(word.slice(2, -1), 'hex');
  if (word.startsWith('"')) return Buffer.from(word.slice(1, -1));
  const repeated = /^(.)\*(\d+)$/.exec(word);
  return repeated ? Buffer.from(repeated[1].repeat(Number(repeated[2])))
    : word;
}

const raw = (value) => (typeof value === 'string' ? Buffer.from(value) : value);

function lineOf(line) {
  const found = /^at (\d+)\s+(-> )?([A-Z])\s+(.*)$/.exec(line.trim());
  if (!found) throw new Unusual(line);
  const [, at, owed, actor, rest] = found;
  if (owed) {
    return { at: Number(at), actor, told: wordsOf(rest), isOwed: true };
  }
  const arrow = rest.indexOf('->');
  if (arrow < 0) throw new Unusual(line);
  return { at: Number(at), actor, asked: wordsOf(rest.slice(0, arrow)),
    told: wordsOf(rest.slice(arrow + 2)) };
}

/** Tells one story to a Machine, on a clock of its own. */
class Teller {
  constructor() {
    this.machine = new Machine();
    this.asks = new Asks('');
    this.tokens = new Map();
    this.now = 0;
    this.waiting = []; // {actor, ask, end}
    this.owed = []; // {at, actor, answer}
  }

  named(words) {
    const made = {};
    for (const word of words) {
      const at = word.indexOf('=');
      made[at < 0 ? word : word.slice(0, at)] =
        valueOf(at < 0 ? '' : word.slice(at + 1));
    }
    return made;
  }

  token(word) {
    const found = typeof word === 'string' &&
      /^(\$\w+)([+-]\d+)?$/.exec(word);
    if (!found) throw new Unusual('no token, or one of other bytes');
    const token = Buffer.from(this.tokens.get(found[1]));
    token.writeBigUInt64BE(
      token.readBigUInt64BE(8) + BigInt(found[2] ?? 0), 8);
    return token;
  }

  ask([method, nsWord, keyWord, ...rest]) {
    const [ns, key] = [raw(valueOf(nsWord)), raw(valueOf(keyWord))];
    if (!key?.length || key.length > 512 || !ns || ns.length > 64) {
      throw new Unusual(method);
    }
    const named = this.named(rest);
    if (method === 'peek') return this.asks.peek(key, { ns });
    if (method === 'acquire') return this.acquire(ns, key, named);
    const token = this.token(named.token);
    if (method === 'complete') {
      const options = { ns, result: raw(named.result ?? null) };
      if (named.ttl) options.ttlMs = Number(named.ttl);
      if (named.class) options.resultClass = named.class;
      return this.asks.complete(key, token, options);
    }
    if (method === 'release') {
      return this.asks.release(key, token,
        { ns, unbind: named.unbind === 'true' });
    }
    return this.asks.renew(key, token, { ns, leaseMs: Number(named.lease) });
  }

  acquire(ns, key, named) {
    const nonce = raw(named.nonce ?? null);
    const made = this.asks.acquire(key, { ns,
      fingerprint: raw(named.fp ?? null),
      ...(nonce?.length ? { nonce } : {}), leaseMs: Number(named.lease),
      ttlMs: Number(named.ttl), waitMs: Number(named.wait ?? 0),
      onOrphan: named.on_orphan ?? 'takeover' });
    // Ours always has one; a story may not.
    if (!nonce?.length) made.params[1] = null;
    return made;
  }

  /** Answers whoever waits and may be answered now. */
  settle() {
    for (let moved = true; moved;) {
      moved = false;
      for (const row of [...this.waiting]) {
        const { actor, ask, end } = row;
        const answer = this.machine.do(ask, this.now,
          this.machine.queue(ask)[0] === ask);
        if (answer.outcome === 'in_progress' && this.now < end) continue;
        this.waiting.splice(this.waiting.indexOf(row), 1);
        this.machine.leave(ask);
        this.owed.push({ at: this.now, actor, answer });
        moved = true;
      }
    }
  }

  goTo(at) {
    for (;;) {
      const ends = this.waiting.flatMap(({ ask, end }) =>
        [end, this.machine.nextChange(ask, this.now) ?? 0]);
      const nexts = ends.filter((e) => this.now < e && e <= at);
      if (nexts.length === 0) break;
      this.now = Math.min(...nexts);
      this.settle();
    }
    this.now = at;
  }

  tell(line) {
    const { at, actor, asked, told, isOwed } = lineOf(line);
    this.goTo(at);
    if (isOwed) {
      const n = this.owed.findIndex(
        (row) => row.actor === actor && row.at === at);
      assert.ok(n >= 0, `nothing is owed: ${line}`);
      this.compare(this.owed.splice(n, 1)[0].answer, told, line);
      return;
    }
    const ask = this.ask(asked);
    const answer = this.machine.do(ask, at, !this.machine.isAwaited(ask));
    if (told[0] === 'parked') {
      assert.equal(answer.outcome, 'in_progress', line);
      this.machine.queue(ask).push(ask);
      this.waiting.push({ actor, ask, end: at + ask.waitMs });
      return;
    }
    this.settle();
    this.compare(answer, told, line);
  }

  compare(answer, told, line) {
    assert.equal(answer.outcome ?? answer.state, told[0], line);
    for (const word of told.slice(1)) {
      const at = word.indexOf('=');
      const [name, value] = [word.slice(0, at), word.slice(at + 1)];
      if (name === 'token') this.meet(answer.token, value, line);
      else this.same(answer[FIELDS[name] ?? name], value, line);
    }
  }

  meet(token, value, line) {
    const [name, before] = value.split('>');
    if (before !== undefined) {
      assert.ok(token.compare(this.tokens.get(before)) > 0, line);
    }
    if (this.tokens.has(name)) {
      assert.deepEqual(token, this.tokens.get(name), line);
    }
    this.tokens.set(name, token);
  }

  same(got, value, line) {
    const want = valueOf(value);
    if (Buffer.isBuffer(got)) assert.deepEqual(got, raw(want), line);
    else if (got === null || got === undefined) {
      assert.ok(want === null || want === 'none', line);
    } else {
      assert.equal(String(got), String(want), line);
    }
  }
}

const ALL = stories();
let skipped = 0;
for (const { title, body } of ALL) {
  test(title, (t) => {
    const teller = new Teller();
    try {
      for (const line of body.trim().split('\n')) {
        if (line.trim() && !line.trim().startsWith('#')) teller.tell(line);
      }
    } catch (why) {
      if (!(why instanceof Unusual)) throw why;
      skipped++;
      t.skip('about the wire: ' + why.message);
      return;
    }
    assert.deepEqual(teller.owed, []);
  });
}

test('most stories are told', () => {
  assert.ok(ALL.length - skipped > 60, `${ALL.length} less ${skipped}`);
});

test('once without a daemon', async () => {
  const store = new MemoryStore();
  let runs = 0;
  for (let n = 0; n < 2; n++) {
    assert.deepEqual(await store.once('k', () => {
      runs++;
      return { n: 1 };
    }), { n: 1 });
  }
  assert.equal(runs, 1);
  await store.close();
  await assert.rejects(store.once('k', () => 1), { code: 'CLOSED' });
});

test("a clock of the test's own lets a lease end", async () => {
  let now = 0;
  const store = new MemoryStore('', { clockMs: () => now });
  await store.acquire('k', { leaseMs: 30000 });
  now = 30000;
  assert.equal((await store.acquire('k')).previous, 'orphaned');
  await store.close();
});

test('who waits is answered, each with what was done', async () => {
  const store = new MemoryStore();
  let runs = 0;
  const work = async () => {
    runs++;
    await sleep(50);
    return 3;
  };
  assert.deepEqual(await Promise.all(Array.from({ length: 5 },
    () => store.once('k', { waitMs: 20000 }, work))), [3, 3, 3, 3, 3]);
  assert.equal(runs, 1);
  await store.once('f', { fingerprint: Buffer.from('a') }, work);
  await assert.rejects(
    store.once('f', { fingerprint: Buffer.from('b') }, work),
    idemstore.MismatchError);
  await store.close();
});
