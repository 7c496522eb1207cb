// SPDX-License-Identifier: Apache-2.0
// Attributes of the current span: outcome and attempt, never the key.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { context, trace } = require('@opentelemetry/api');
const { AsyncLocalStorageContextManager } =
  require('@opentelemetry/context-async-hooks');
const { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } =
  require('@opentelemetry/sdk-trace-base');
const idemstore = require('../src/index.js');
const { MemoryStore } = require('../src/memory.js');

test('a span around a call', async () => {
  context.setGlobalContextManager(
    new AsyncLocalStorageContextManager().enable());
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter)] });
  trace.setGlobalTracerProvider(provider);
  const tracer = trace.getTracer('t');
  const within = (work) => tracer.startActiveSpan('work', async (span) => {
    try {
      return await work();
    } finally {
      span.end();
    }
  });
  const store = new MemoryStore();
  await store.once('the-key-of-a-user', () => 1); // without a span
  for (let n = 0; n < 2; n++) {
    await within(() => store.once('the-key-of-another', () => 1));
  }
  const away = new idemstore.Store('idem://127.0.0.1:9?connect_rounds=1');
  await within(() => assert.rejects(away.acquire('the-key-of-a-user')));
  await store.close();
  await away.close();
  assert.deepEqual(exporter.getFinishedSpans().map((one) => one.attributes), [
    { 'idemstore.outcome': 'acquired', 'idemstore.attempt': 1 },
    { 'idemstore.outcome': 'replay' },
    { 'idemstore.outcome': 'error', 'idemstore.error': 'CONNECT' }]);
  assert.doesNotMatch(JSON.stringify(exporter.getFinishedSpans().map(
    ({ name, attributes, events, status }) =>
      ({ name, attributes, events, status }))), /the-key/);
});
