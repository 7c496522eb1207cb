# SPDX-License-Identifier: Apache-2.0
"""uvicorn --workers 4 points_fastapi:app"""

import asyncio

from fastapi import Body, FastAPI, Header
from fastapi.responses import JSONResponse

import ledger
from idemstore import AsyncStore
from idemstore.asgi import IdempotencyMiddleware

app = FastAPI()


def user_of(scope):
    return dict(scope["headers"]).get(b"x-user", b"").decode("latin-1")


app.add_middleware(
    IdempotencyMiddleware, store=AsyncStore(ledger.STORE),
    principal=user_of if ledger.USERS else "none",
    lease_ms=ledger.LEASE_MS)


@app.post("/match")
async def match(user: str = Body(), cost: int = Body(),
                x_rehearse: str = Header("")):
    await asyncio.sleep(ledger.pause_ms(x_rehearse) / 1000)
    status, told = ledger.play(user, cost, x_rehearse)
    return JSONResponse(told, status)


@app.get("/matches")
def matches():
    return {"played": ledger.played()}
