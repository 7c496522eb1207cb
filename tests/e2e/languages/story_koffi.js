// SPDX-License-Identifier: Apache-2.0
// story_koffi.js LIBRARY PORT -- libidemclient from Node, by koffi: its
// structs are written down once, and no compiler is needed.
'use strict';
const assert = require('assert');
const koffi = require('koffi');

const [library, port] = process.argv.slice(2);
const ACQUIRE = 101, COMPLETE = 102;
const ACQUIRED = 201, REPLAY = 202, IN_PROGRESS = 203, MISMATCH = 204;
const COMPLETED = 206, LEFT = 214, CLASS_SUCCESS = 501;
const RUN_DONE = 0x444f4e45;
const E_CONNECT = -104;

koffi.struct('idem_args', {
  size: 'uint32_t', timeout_ms: 'uint32_t',
  ns: 'const char *', ns_len: 'size_t', key: 'const char *', key_len: 'size_t',
  fingerprint: 'const char *', fingerprint_len: 'size_t',
  nonce: 'const char *', nonce_len: 'size_t',
  result: 'const char *', result_len: 'size_t',
  token: koffi.array('uint8_t', 16), ttl_ms: 'uint64_t',
  lease_ms: 'uint32_t', wait_ms: 'uint32_t',
  on_orphan: 'int32_t', result_class: 'int32_t',
});
koffi.struct('idem_answer', {
  size: 'uint32_t', outcome: 'int32_t', state: 'int32_t', previous: 'int32_t',
  result_class: 'int32_t', kept: 'int32_t', has_result: 'int32_t',
  attempt: 'uint32_t', token: koffi.array('uint8_t', 16),
  lease_ms: 'uint64_t', lease_left_ms: 'uint64_t', age_ms: 'uint64_t',
  ttl_left_ms: 'uint64_t', result_bytes: 'uint64_t',
  result: 'void *', result_len: 'size_t', memory: 'void *',
  memory_bytes: 'size_t', nonce: koffi.array('uint8_t', 32),
  nonce_len: 'uint32_t',
});
koffi.struct('idem_error', {
  size: 'uint32_t', code: 'int32_t', assume: 'int32_t', os_error: 'int32_t',
  endpoint: koffi.array('char', 288, 'String'),
  text: koffi.array('char', 512, 'String'),
  primary: koffi.array('char', 288, 'String'),
  nonce: koffi.array('uint8_t', 32), nonce_len: 'uint32_t',
});
koffi.opaque('idem_client');
koffi.opaque('idem_run');
koffi.proto('int32_t idem_run_fn(idem_run *run, void *ctx)');

const lib = koffi.load(library);
const open = lib.func('int32_t idem_client_open(const char *uri, ' +
  '_Out_ idem_client **client, _Inout_ idem_error *err)');
const close = lib.func('void idem_client_close(idem_client *client)');
const idemCall = lib.func('int32_t idem_call(idem_client *client, ' +
  'int32_t method, idem_args *args, _Inout_ idem_answer *answer, ' +
  '_Inout_ idem_error *err)');
const runOnce = lib.func('int32_t idem_run_once(idem_client *client, ' +
  'idem_args *args, idem_run_fn *fn, void *ctx, ' +
  '_Inout_ idem_answer *answer, _Inout_ idem_error *err)');
const runOnceIn = lib.func('int32_t idem_run_once(idem_client *client, ' +
  'idem_args *args, idem_run_fn *fn, void *ctx, void *answer, void *err)');
const begin = lib.func('void idem_answer_init(void *answer, size_t size)');
const beginError = lib.func('void idem_error_init(void *err, size_t size)');
const setResult = lib.func('int32_t idem_run_set_result(idem_run *run, ' +
  'const char *result, size_t result_len, int32_t result_class)');
const fini = lib.func('void idem_answer_fini(_Inout_ idem_answer *answer)');

// What is left out is zero, which is "not given".
const args = (key, more) => ({
  size: koffi.sizeof('idem_args'), timeout_ms: 0, ns: null, ns_len: 0,
  key, key_len: Buffer.byteLength(key), fingerprint: null, fingerprint_len: 0,
  nonce: null, nonce_len: 0, result: null, result_len: 0,
  token: new Uint8Array(16), ttl_ms: 0, lease_ms: 0, wait_ms: 0,
  on_orphan: 0, result_class: 0, ...more,
});
const answer = () => ({
  size: koffi.sizeof('idem_answer'), outcome: 0, state: 0, previous: 0,
  result_class: 0, kept: 0, has_result: 0, attempt: 0,
  token: new Uint8Array(16), lease_ms: 0, lease_left_ms: 0, age_ms: 0,
  ttl_left_ms: 0, result_bytes: 0, result: null, result_len: 0, memory: null,
  memory_bytes: 0, nonce: new Uint8Array(32), nonce_len: 0,
});
const error = () => ({
  size: koffi.sizeof('idem_error'), code: 0, assume: 0, os_error: 0,
  endpoint: '', text: '', primary: '', nonce: new Uint8Array(32), nonce_len: 0,
});

function take(code, said, err) {
  assert.strictEqual(code, 0, err.text);
  const kept = {
    outcome: said.outcome, token: said.token, nonceLen: said.nonce_len,
    result: said.result
      ? Buffer.from(koffi.decode(said.result, 'uint8_t', said.result_len))
        .toString()
      : null,
  };
  fini(said);
  return kept;
}

function call(client, method, of) {
  const said = answer(), err = error();
  return take(idemCall(client, method, of, said, err), said, err);
}

function callLater(client, method, of) {
  const said = answer(), err = error();
  return new Promise((resolve, reject) =>
    idemCall.async(client, method, of, said, err, (failed, code) =>
      failed ? reject(failed) : resolve(take(code, said, err))));
}

function once(client, key, fn) {
  const said = answer(), err = error();
  return take(runOnce(client, args(key), fn, null, said, err), said, err);
}

async function oneHolderAndOneThatWaits(client) {
  const body = { fingerprint: 'body', fingerprint_len: 4 };
  const held = call(client, ACQUIRE, args('js-wait', body));
  assert.strictEqual(held.outcome, ACQUIRED);
  assert.strictEqual(held.nonceLen, 16);
  const waiter = callLater(client, ACQUIRE, args('js-wait', { wait_ms: 30000 }));
  const other = call(client, ACQUIRE, args('js-wait'));
  assert.strictEqual(other.outcome, IN_PROGRESS);
  const done = call(client, COMPLETE, args('js-wait',
    { token: held.token, result: 'paid', result_len: 4 }));
  assert.strictEqual(done.outcome, COMPLETED);
  const heard = await waiter;
  assert.strictEqual(heard.outcome, REPLAY);
  assert.strictEqual(heard.result, 'paid');
  assert.strictEqual(call(client, ACQUIRE, args('js-wait', body)).result, 'paid');
  const mismatch = call(client, ACQUIRE,
    args('js-wait', { fingerprint: 'other', fingerprint_len: 5 }));
  assert.strictEqual(mismatch.outcome, MISMATCH);
}

function functionsEndInEachWay(client) {
  let runs = 0;
  const pay = (run) => {
    runs++;
    assert.strictEqual(setResult(run, 'paid', 4, CLASS_SUCCESS), 0);
    return RUN_DONE;
  };
  assert.strictEqual(once(client, 'js-run', pay).outcome, COMPLETED);
  assert.strictEqual(once(client, 'js-run', pay).outcome, REPLAY);
  assert.strictEqual(runs, 1);
}

// The exception comes out, and the claim is left. The structs are plain memory
// here: koffi 2.12 aborts when it has to decode one while an exception is on
// its way.
function aFunctionThatThrowsLeavesItsClaim(client) {
  const said = Buffer.alloc(koffi.sizeof('idem_answer'));
  const err = Buffer.alloc(koffi.sizeof('idem_error'));
  begin(said, said.length);
  beginError(err, err.length);
  assert.throws(() => runOnceIn(client, args('js-throw'), () => {
    throw new Error('no card');
  }, null, said, err), /no card/);
  const outcome = koffi.decode(said, 'idem_answer').outcome;
  const failed = koffi.decode(err, 'idem_error');
  assert.ok(outcome === LEFT || /its claim is left/.test(failed.text),
    `${outcome} ${failed.text}`);
  const after = call(client, ACQUIRE, args('js-throw'));
  assert.strictEqual(after.outcome, IN_PROGRESS);
}

function errorsSayTheNonce() {
  const client = [null], err = error();
  assert.strictEqual(
    open('idem://127.0.0.1:1/?timeout_ms=100', client, err), 0, err.text);
  const code = idemCall(client[0], ACQUIRE, args('k'), null, err);
  assert.strictEqual(code, E_CONNECT);
  assert.strictEqual(err.code, E_CONNECT);
  assert.ok(err.text.includes('127.0.0.1:1'), err.text);
  assert.strictEqual(err.nonce_len, 16);
  close(client[0]);
}

async function main() {
  const client = [null], err = error();
  assert.strictEqual(
    open(`idem://127.0.0.1:${port}/t`, client, err), 0, err.text);
  await oneHolderAndOneThatWaits(client[0]);
  functionsEndInEachWay(client[0]);
  aFunctionThatThrowsLeavesItsClaim(client[0]);
  errorsSayTheNonce();
  close(client[0]);
  console.log('koffi: acquire, wait, complete, replay, run once');
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
