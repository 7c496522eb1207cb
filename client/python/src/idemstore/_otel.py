# SPDX-License-Identifier: Apache-2.0
"""Attributes of the current OpenTelemetry span: outcome and attempt, never
the key. Where opentelemetry is not installed this costs one comparison."""

from __future__ import annotations

import importlib
from typing import Any

_trace: Any
try:
    _trace = importlib.import_module("opentelemetry.trace")
except ImportError:
    _trace = None


def note(answer: Any) -> None:
    """The answer to an acquire."""
    if _trace is None:
        return
    span = _trace.get_current_span()
    if not span.is_recording():
        return
    span.set_attribute("idemstore.outcome", answer.outcome)
    attempt = getattr(answer, "attempt", None)
    if attempt is not None:
        span.set_attribute("idemstore.attempt", attempt)


def note_error(code: str) -> None:
    if _trace is None:
        return
    span = _trace.get_current_span()
    if span.is_recording():
        span.set_attribute("idemstore.outcome", "error")
        span.set_attribute("idemstore.error", code)
