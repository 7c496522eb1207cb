# SPDX-License-Identifier: Apache-2.0
"""Attributes of the current span: outcome and attempt, never the key."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import \
    InMemorySpanExporter

import idemstore


def test_a_span_around_a_call(store):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("t")
    for _ in range(2):
        with tracer.start_as_current_span("work"):
            store.once("the-key-of-a-user", lambda: 1)
    with idemstore.Store("idem://127.0.0.1:1?connect_rounds=1") as away:
        with tracer.start_as_current_span("work"):
            with pytest.raises(idemstore.IdemstoreError):
                away.acquire("the-key-of-a-user")
    spans = exporter.get_finished_spans()
    assert [dict(one.attributes) for one in spans] == [
        {"idemstore.outcome": "acquired", "idemstore.attempt": 1},
        {"idemstore.outcome": "replay"},
        {"idemstore.outcome": "error", "idemstore.error": "CONNECT"}]
    assert "the-key" not in str([one.to_json() for one in spans])


def test_without_a_span_nothing_happens(store):
    assert store.once("k", lambda: 1) == 1
