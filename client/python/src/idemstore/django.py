# SPDX-License-Identifier: Apache-2.0
"""For Django behind idemstore.wsgi: what answers in front of a view (a path
that leads nowhere, another middleware's refusal) is told from what the view
answers, and not stored. Add "idemstore.django.TellsWhenViewsBegin" to
MIDDLEWARE, last."""

from __future__ import annotations

from typing import Any, Callable

from . import _lease, wsgi


class TellsWhenViewsBegin:
    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        wsgi.django_tells()

    def __call__(self, request: Any) -> Any:
        return self._get_response(request)

    def process_view(self, request: Any, view: Any, args: Any,
                     named: Any) -> None:
        claim = _lease.current_claim()
        if claim is not None:
            claim.began = True
