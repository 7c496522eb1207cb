// SPDX-License-Identifier: Apache-2.0
// conform_client.js -- this client behind JSON lines, for idemconform client
// (tests/conformance/client). Node does not fork a process that runs: its
// child_process.fork and its cluster start another one, and what such a child
// does with the same URI is what `in_child` shows.
'use strict';

const { fork } = require('node:child_process');
const { createInterface } = require('node:readline');
const { setTimeout: sleep } = require('node:timers/promises');
const idemstore = require('../src/index.js');

const FIELDS = { leaseMs: 'lease_ms', leaseLeftMs: 'lease_left_ms',
  resultClass: 'class' };

function say(line) {
  process.stdout.write(JSON.stringify(line) + '\n');
}

function put(made, line, name, wire = name) {
  if (line[wire] === undefined) return;
  made[name] = HEX.has(wire) ? Buffer.from(line[wire], 'hex') : line[wire];
}
const HEX = new Set(['fingerprint', 'result', 'token']);

function told(answer) {
  const made = {};
  for (const [name, value] of Object.entries(answer)) {
    made[FIELDS[name] ?? name] = Buffer.isBuffer(value)
      ? value.toString('hex') : value;
  }
  return made;
}

function failed(why) {
  return { error: why.code, assume: why.assume, text: why.message };
}

function common(line) {
  const made = {};
  put(made, line, 'ns');
  put(made, line, 'timeoutMs', 'timeout_ms');
  return made;
}

function acquiring(line) {
  const made = common(line);
  put(made, line, 'fingerprint');
  put(made, line, 'leaseMs', 'lease_ms');
  put(made, line, 'ttlMs', 'ttl_ms');
  put(made, line, 'waitMs', 'wait_ms');
  put(made, line, 'onOrphan', 'on_orphan');
  return made;
}

const CALLS = {
  acquire: (store, line) => store.acquire(line.key, acquiring(line)),
  complete(store, line) {
    const options = common(line);
    put(options, line, 'result');
    put(options, line, 'ttlMs', 'ttl_ms');
    put(options, line, 'resultClass', 'class');
    return store.complete(line.key, Buffer.from(line.token, 'hex'), options);
  },
  release: (store, line) => store.release(
    line.key, Buffer.from(line.token, 'hex'), common(line)),
  renew(store, line) {
    const options = common(line);
    put(options, line, 'leaseMs', 'lease_ms');
    return store.renew(line.key, Buffer.from(line.token, 'hex'), options);
  },
  async run(store, line) {
    let ran = false;
    const options = acquiring(line);
    delete options.timeoutMs;
    await store.once(line.key, { ...options, encode: (value) => value,
      decode: (stored) => stored }, async () => {
      ran = true;
      await sleep(line.work_ms);
      return Buffer.from(line.result ?? '', 'hex');
    });
    return { outcome: ran ? 'completed' : 'replay' };
  },
};

// What `once` throws, in the suite's words.
function outcomeOf(why) {
  if (why instanceof idemstore.NotRecordedError && why.cause === null) {
    return { outcome: /taken over/.test(why.message) ? 'stale' : 'unknown' };
  }
  if (why instanceof idemstore.InProgressError) {
    return { outcome: 'in_progress', lease_left_ms: why.leaseLeftMs,
      attempt: why.attempt };
  }
  if (why instanceof idemstore.IdemstoreError) return failed(why);
  throw why;
}

async function answer(store, line) {
  let made;
  try {
    made = told(await CALLS[line.call](store, line));
  } catch (why) {
    made = outcomeOf(why);
  }
  return { id: line.id, ...made };
}

function inChild(uri, line) {
  const child = fork(__filename, ['child']);
  child.once('message', say);
  child.send({ uri, line: { ...line, call: 'acquire' } });
}

function main() {
  let store, uri;
  createInterface({ input: process.stdin }).on('line', async (text) => {
    const line = JSON.parse(text);
    if (line.call === 'in_child') {
      inChild(uri, line);
    } else if (line.call !== 'open') {
      say(await answer(store, line));
    } else {
      const reply = { id: line.id, can: ['together', 'run', 'fork'] };
      try {
        uri = line.uri;
        store = new idemstore.Store(uri);
        say(reply);
      } catch (why) {
        say({ ...reply, ...failed(why) });
      }
    }
  });
}

if (process.argv[2] === 'child') {
  process.once('message', async ({ uri, line }) => {
    process.send(await answer(new idemstore.Store(uri), line));
    process.disconnect();
  });
} else {
  main();
}
