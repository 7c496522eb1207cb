# SPDX-License-Identifier: Apache-2.0
"""gunicorn --preload --workers 4 points_flask:app"""

from flask import Flask, request

import ledger
from idemstore import Store
from idemstore.wsgi import IdempotencyMiddleware

app = Flask(__name__)


def user_of(environ):
    return environ.get("HTTP_X_USER")


app.wsgi_app = IdempotencyMiddleware(
    app.wsgi_app, store=Store(ledger.STORE),
    principal=user_of if ledger.USERS else "none",
    lease_ms=ledger.LEASE_MS)


@app.post("/match")
def match():
    asked = request.get_json()
    rehearse = request.headers.get("X-Rehearse", "")
    ledger.pause(rehearse)
    status, told = ledger.play(asked["user"], asked["cost"], rehearse)
    return told, status


@app.get("/matches")
def matches():
    return {"played": ledger.played()}
