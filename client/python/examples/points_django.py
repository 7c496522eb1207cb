# SPDX-License-Identifier: Apache-2.0
"""gunicorn --preload --workers 4 points_django:application"""

import json

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path

import ledger
from idemstore import Store
from idemstore.wsgi import IdempotencyMiddleware

settings.configure(
    ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="an example's",
    MIDDLEWARE=["django.middleware.gzip.GZipMiddleware",
                "idemstore.django.TellsWhenViewsBegin"])


def user_of(environ):
    return environ.get("HTTP_X_USER")


def match(request):
    asked = json.loads(request.body)
    rehearse = request.headers.get("X-Rehearse", "")
    ledger.pause(rehearse)
    status, told = ledger.play(asked["user"], asked["cost"], rehearse)
    return JsonResponse(told, status=status)


def matches(request):
    return JsonResponse({"played": ledger.played()})


urlpatterns = [path("match", match), path("matches", matches)]

application = IdempotencyMiddleware(
    get_wsgi_application(), store=Store(ledger.STORE),
    principal=user_of if ledger.USERS else "none",
    lease_ms=ledger.LEASE_MS)
