# SPDX-License-Identifier: Apache-2.0
"""The ASGI middleware around Starlette, FastAPI and a bare application: what
is stored, what is not, and what the second click hears."""

import asyncio
import gzip

import fastapi
import httpx
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import (JSONResponse, PlainTextResponse, Response,
                                 StreamingResponse)
from starlette.routing import Route

import idemstore
from idemstore.asgi import IdempotencyMiddleware
from idemstore.memory import AsyncMemoryStore

KEY = {"Idempotency-Key": "order-17"}


@pytest.fixture(params=["daemon", "memory"])
def told(request, daemon, ns):
    """told(handler, story): story(client, store, runs), on a daemon and on
    the double. handler(request, runs) answers POST /pay."""
    def go(handler, story, app=None, wrap=None, **options):
        async def whole():
            runs = []
            store = AsyncMemoryStore() if request.param == "memory" \
                else idemstore.AsyncStore(daemon.uri(ns))

            async def endpoint(one):
                runs.append(one)
                return await handler(one)
            made = app(runs) if app else Starlette(
                routes=[Route("/pay", endpoint, methods=["POST", "GET"])])
            options.setdefault("principal", "none")
            made.add_middleware(IdempotencyMiddleware, store=store, **options)
            served = wrap(made) if wrap else made
            transport = httpx.ASGITransport(served, raise_app_exceptions=False)
            async with httpx.AsyncClient(
                    transport=transport, base_url="http://t") as client:
                await story(client, store, runs)
            await store.close()
        asyncio.run(whole())
    return go


async def paid(request):
    body = await request.body()
    return JSONResponse({"paid": len(body)}, 201,
                        {"Location": "/1", "Set-Cookie": "a=1", "X-Own": "1"})


def test_the_second_click_hears_the_first_answer(told):
    async def story(client, store, runs):
        first = await client.post("/pay", json={"a": 1}, headers=KEY)
        again = await client.post("/pay", json={"a": 1}, headers=KEY)
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.content == again.content and len(runs) == 1
        assert again.headers["Idempotency-Replayed"] == "true"
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Location"] == "/1"
        assert again.headers["Content-Type"] == "application/json"
        assert first.headers["Set-Cookie"] and first.headers["X-Own"]
        assert "Set-Cookie" not in again.headers
        assert "X-Own" not in again.headers
    told(paid, story)


def test_two_clicks_at_once_run_once(told):
    async def slow(request):
        await asyncio.sleep(0.2)
        return PlainTextResponse("done")

    async def story(client, store, runs):
        both = await asyncio.gather(*(
            client.post("/pay", headers=KEY) for _ in range(5)))
        assert sorted(r.status_code for r in both) == [200] + 4 * [409]
        late = next(r for r in both if r.status_code == 409)
        assert late.headers["content-type"] == "application/problem+json"
        assert 1 <= int(late.headers["Retry-After"]) <= 30
        assert len(runs) == 1
    told(slow, story)


def test_other_requests_under_the_key(told):
    async def story(client, store, runs):
        await client.post("/pay", content=b"a", headers=KEY)
        other = await client.post("/pay", content=b"b", headers=KEY)
        assert other.status_code == 422
        other = await client.post("/pay?x=1", content=b"a", headers=KEY)
        assert other.status_code == 422
        assert len(runs) == 1
    told(paid, story)


@pytest.mark.parametrize("headers", [
    {}, {"Idempotency-Key": ""}, {"Idempotency-Key": "a b"},
    {"Idempotency-Key": "k" * 256}, {"Idempotency-Key": '"open'},
    [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]])
def test_no_key_and_a_malformed_one_are_400(told, headers):
    async def story(client, store, runs):
        got = await client.post("/pay", headers=headers)
        assert got.status_code == 400 and not runs
    told(paid, story)


def test_what_is_not_covered_is_let_through(told):
    async def story(client, store, runs):
        assert (await client.get("/pay")).status_code == 201
        assert (await client.post("/pay")).status_code == 201
        await client.post("/pay", headers=KEY)
        await client.post("/pay", headers=KEY)
        assert len(runs) == 3
    told(paid, story, required=False)


def test_each_principal_has_its_own_keys(told):
    def who(scope):
        return dict(scope["headers"]).get(b"x-user", b"").decode()

    async def story(client, store, runs):
        for user in ("ann", "bob", "ann"):
            got = await client.post("/pay", headers={**KEY, "X-User": user})
            assert got.status_code == 201
        assert len(runs) == 2
        assert (await client.post("/pay", headers=KEY)).status_code == 401
        assert len(runs) == 2
    told(paid, story, principal=who)


@pytest.mark.parametrize("status,stored", [
    (200, True), (302, True), (404, True), (409, True), (500, True),
    (503, True), (401, False), (408, False), (413, False), (415, False),
    (429, False), (431, False)])
def test_which_answers_are_stored(told, status, stored):
    async def handler(request):
        return Response(b"x", status)

    async def story(client, store, runs):
        for _ in range(2):
            got = await client.post("/pay", headers=KEY)
            assert got.status_code == status
        assert len(runs) == (1 if stored else 2)
    told(handler, story)


def test_a_handler_may_say_that_nothing_was_done(told):
    async def handler(request):
        idemstore.current_claim().nothing_done = True
        return Response(b"the bank is closed", 503)

    async def story(client, store, runs):
        for _ in range(2):
            assert (await client.post("/pay", headers=KEY)
                    ).status_code == 503
        assert len(runs) == 2
    told(handler, story)


@pytest.mark.parametrize("on_error,runs_made,second", [
    ("complete", 1, 500), ("release", 2, 500), ("leave", 1, 409)])
def test_an_exception_before_the_first_byte(told, on_error, runs_made, second):
    async def handler(request):
        raise ValueError("boom")

    async def story(client, store, runs):
        assert (await client.post("/pay", headers=KEY)).status_code == 500
        again = await client.post("/pay", headers=KEY)
        assert again.status_code == second and len(runs) == runs_made
        assert b"boom" not in again.content
    told(handler, story, on_error=on_error)


def test_an_exception_after_the_first_byte_is_stored_as_500(told):
    async def handler(request):
        async def parts():
            yield b"half"
            raise ValueError("boom")
        return StreamingResponse(parts())

    async def story(client, store, runs):
        await client.post("/pay", headers=KEY)
        again = await client.post("/pay", headers=KEY)
        assert again.status_code == 500 and len(runs) == 1
    told(handler, story)


def test_a_stream_is_sent_as_it_comes_and_replayed_whole(told):
    sent, go = [], []

    async def handler(request):
        async def parts():
            for part in (b"one ", b"two ", b"three"):
                sent.append(part)
                yield part
                await asyncio.sleep(0)
        return StreamingResponse(parts(), media_type="text/plain")

    async def story(client, store, runs):
        first = await client.post("/pay", headers=KEY)
        again = await client.post("/pay", headers=KEY)
        assert first.content == again.content == b"one two three"
        assert len(runs) == 1
    told(handler, story)
    assert not go


def test_the_first_part_leaves_before_the_last_is_made(daemon, ns):
    """On the bare interface, where it can be seen."""
    order = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200,
                    "headers": []})
        for n in range(3):
            order.append("made %d" % n)
            await send({"type": "http.response.body", "body": b"%d" % n,
                        "more_body": n < 2})

    async def whole():
        async with idemstore.AsyncStore(daemon.uri(ns)) as store:
            wrapped = IdempotencyMiddleware(app, store, principal="none")
            await drive(wrapped, order)
            assert (await store.stats())["records"] > 0
    asyncio.run(whole())
    assert order == ["made 0", "sent b'0'", "made 1", "sent b'1'", "made 2",
                     "sent b'2'"]


def test_a_promised_length_is_whole_only_once_it_is_stored(daemon, ns):
    """Its receiver does not wait for the end: it may ask again at once."""
    order = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200,
                    "headers": [(b"Content-Length", b"3")]})
        for part in (b"0", b"12", b""):
            order.append("made %r" % part)
            await send({"type": "http.response.body", "body": part,
                        "more_body": part != b""})

    async def whole():
        async with idemstore.AsyncStore(daemon.uri(ns)) as store:
            await drive(IdempotencyMiddleware(app, store, principal="none"),
                        order)
            await drive(IdempotencyMiddleware(app, store, principal="none"),
                        order)
    asyncio.run(whole())
    assert order == ["made b'0'", "sent b'0'", "made b'12'", "made b''",
                     "sent b'12'", "sent b'012'"]


async def drive(app, order, leaves=False, key=b"k"):
    """One POST on the bare interface."""
    scope = {"type": "http", "method": "POST", "path": "/x",
             "raw_path": b"/x", "query_string": b"",
             "headers": [(b"idempotency-key", key)]}
    told = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        if told:
            return told.pop()
        return {"type": "http.disconnect"}

    async def send(message):
        if leaves:
            raise OSError("the client is gone")
        if message.get("body"):
            order.append("sent %r" % message["body"])
    await app(scope, receive, send)


def test_a_client_that_leaves_does_not_stop_the_handler(daemon, ns):
    async def handler(request):
        async def parts():
            for _ in range(5):
                yield b"x"
                await asyncio.sleep(0.01)
        return StreamingResponse(parts())
    app = Starlette(routes=[Route("/x", handler, methods=["POST"])])

    async def whole():
        async with idemstore.AsyncStore(daemon.uri(ns)) as store:
            wrapped = IdempotencyMiddleware(app, store, principal="none")
            await drive(wrapped, [], leaves=True)
            heard = []
            await drive(wrapped, heard)
            assert heard == ["sent b'xxxxx'"]
    asyncio.run(whole())


def test_a_request_that_is_cancelled_is_answered_to_its_retry(daemon, ns):
    inside = []

    async def handler(request):
        inside.append(1)
        await asyncio.sleep(0.2)
        return PlainTextResponse("done")
    app = Starlette(routes=[Route("/x", handler, methods=["POST"])])

    async def whole(detached, outcome):
        async with idemstore.AsyncStore(daemon.uri(ns)) as store:
            wrapped = IdempotencyMiddleware(
                app, store, principal="none", detached=detached,
                lease_ms=3000, wait_ms=60000)
            key = b"k%d" % detached
            task = asyncio.ensure_future(drive(wrapped, [], key=key))
            while not inside:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            heard = []
            await drive(wrapped, heard, key=key)
            assert heard == ["sent b'done'"]
            assert len(inside) == outcome
    asyncio.run(whole(True, 1))
    inside.clear()
    asyncio.run(whole(False, 2))  # it was left, and taken over as orphaned


def test_background_tasks_run_after_the_answer_is_stored(told):
    seen = []

    async def handler(request):
        async def later():
            seen.append(idemstore.current_claim().lease.ended)
            raise ValueError("in the background")
        return PlainTextResponse("ok", background=BackgroundTask(later))

    async def story(client, store, runs):
        for _ in range(2):
            got = await client.post("/pay", headers=KEY)
            assert got.content == b"ok"
        assert len(seen) == len(runs) == 1
    told(handler, story)


def test_an_answer_over_the_limit_is_replayed_without_its_body(told):
    async def handler(request):
        return Response(bytes((1 << 20) + 1), 201, media_type="image/png")

    async def story(client, store, runs):
        first = await client.post("/pay", headers=KEY)
        again = await client.post("/pay", headers=KEY)
        assert len(first.content) == (1 << 20) + 1
        assert (again.status_code, again.content) == (201, b"")
        assert again.headers["Idempotency-Replayed"] == "true; body=dropped"
        assert again.headers["Content-Type"] == "image/png"
        assert len(runs) == 1
    told(handler, story)


def test_an_event_stream_is_not_captured(told):
    async def handler(request):
        async def parts():
            yield b"data: 1\n\n"
        return StreamingResponse(parts(), media_type="text/event-stream")

    async def story(client, store, runs):
        await client.post("/pay", headers=KEY)
        again = await client.post("/pay", headers=KEY)
        assert again.headers["Idempotency-Replayed"] == "true; body=dropped"
        assert len(runs) == 1
    told(handler, story)


def test_compression_outside_encodes_each_answer_for_its_client(told):
    async def handler(request):
        assert "accept-encoding" not in request.headers
        return PlainTextResponse("x" * 5000)

    async def story(client, store, runs):
        one = await client.post("/pay", headers={
            **KEY, "Accept-Encoding": "gzip"})
        two = await client.post("/pay", headers={
            **KEY, "Accept-Encoding": "identity"})
        three = await client.post("/pay", headers={
            **KEY, "Accept-Encoding": "gzip"})
        assert one.headers["Content-Encoding"] == "gzip"
        assert "Content-Encoding" not in two.headers
        assert three.headers["Content-Encoding"] == "gzip"
        assert one.text == two.text == three.text == "x" * 5000
        assert len(runs) == 1
    told(handler, story, wrap=GZipMiddleware)


def test_compression_inside_is_not_stored_for_everybody(told):
    def app(runs):
        async def handler(request):
            runs.append(1)
            return PlainTextResponse("x" * 5000)
        made = Starlette(routes=[Route("/pay", handler, methods=["POST"])])
        made.add_middleware(GZipMiddleware)
        return made

    async def story(client, store, runs):
        for encoding in ("gzip", "identity"):
            got = await client.post("/pay", headers={
                **KEY, "Accept-Encoding": encoding})
            assert got.text == "x" * 5000
        assert len(runs) == 1
    told(None, story, app=app)


def test_a_compressed_request_is_compared_as_it_came(told):
    async def story(client, store, runs):
        same = gzip.compress(b"x", mtime=0)
        other = gzip.compress(b"x", 1, mtime=9)
        for body, status in ((same, 201), (same, 201), (other, 422)):
            got = await client.post("/pay", content=body, headers={
                **KEY, "Content-Encoding": "gzip"})
            assert got.status_code == status
    told(paid, story)


def test_multipart_is_off_unless_it_is_asked_for(told):
    async def story(client, store, runs):
        got = await client.post("/pay", files={"f": b"x"}, headers=KEY)
        assert got.status_code == 415 and not runs
    told(paid, story)


def test_a_body_over_the_limit_is_refused(told):
    async def story(client, store, runs):
        got = await client.post("/pay", content=b"x" * 101, headers=KEY)
        assert got.status_code == 413 and not runs
    told(paid, story, body_bytes_max=100)


def test_a_result_of_somebody_else_is_a_500_that_says_so(told):
    async def story(client, store, runs):
        name = idemstore.http.store_key("order-17", "POST", b"/pay", None)
        claim = await store.acquire(name)
        await store.complete(name, claim.token, b"not HTTP")
        got = await client.post("/pay", headers=KEY)
        assert got.status_code == 500 and not runs
        assert got.json()["outcome"] == "not_http"
    told(paid, story)


def make_fastapi(runs):
    app = fastapi.FastAPI()

    def guard(x_token: str = fastapi.Header("")):
        if x_token == "bad":
            raise fastapi.HTTPException(403)

    @app.post("/pay", dependencies=[fastapi.Depends(guard)])
    async def pay(amount: int = fastapi.Body(embed=True)):
        runs.append(amount)
        if amount > 100:
            raise fastapi.HTTPException(422, "too much")
        return {"paid": amount}

    @app.post("/sync")
    def sync(amount: int = fastapi.Body(embed=True)):
        runs.append(idemstore.current_claim().token)
        return {"paid": amount}
    return app


@pytest.mark.parametrize("path", ["/pay", "/sync"])
def test_fastapi_validation_is_not_the_handlers_answer(told, path):
    async def story(client, store, runs):
        wrong = await client.post(path, json={"amount": "x"}, headers=KEY)
        assert wrong.status_code == 422 and not runs
        for _ in range(2):
            right = await client.post(path, json={"amount": 5}, headers=KEY)
            assert right.json() == {"paid": 5}
        assert len(runs) == 1
    told(None, story, app=make_fastapi)


def test_fastapi_a_dependency_and_no_route_answer_before_the_handler(told):
    async def story(client, store, runs):
        got = await client.post("/pay", json={"amount": 5}, headers={
            **KEY, "X-Token": "bad"})
        assert got.status_code == 403
        got = await client.post("/pay", json={"amount": 5}, headers=KEY)
        assert got.status_code == 200
        for path in ("/nowhere", "/pay/1"):
            got = await client.post(path, headers={"Idempotency-Key": "n"})
            assert got.status_code == 404
            name = idemstore.http.store_key("n", "POST", path.encode(), None)
            assert (await store.peek(name)).state == "absent"
    told(None, story, app=make_fastapi)


def test_fastapi_the_handlers_own_422_is_stored(told):
    async def story(client, store, runs):
        for _ in range(2):
            got = await client.post("/pay", json={"amount": 500}, headers=KEY)
            assert got.status_code == 422
        assert runs == [500]
    told(None, story, app=make_fastapi)


@pytest.mark.parametrize("mode,status", [("closed", 503), ("open", 201)])
def test_a_store_that_is_away(mode, status):
    async def whole():
        store = idemstore.AsyncStore("idem://127.0.0.1:1?timeout_ms=200")
        app = Starlette(routes=[Route("/pay", paid, methods=["POST"])])
        wrapped = IdempotencyMiddleware(app, store, principal="none",
                                        on_unavailable=mode)
        transport = httpx.ASGITransport(wrapped)
        async with httpx.AsyncClient(
                transport=transport, base_url="http://t") as client:
            got = await client.post("/pay", headers=KEY)
            assert got.status_code == status
            assert wrapped.health.passed == (mode == "open")
            if mode == "closed":
                assert got.headers["Retry-After"] == "1"
        await store.close()
    asyncio.run(whole())


def test_an_open_middleware_passes_no_refusal():
    from scripted import Refused, Scripted

    def denied(method, params, nth):
        if method == "acquire":
            raise Refused("DENIED no")

    async def whole(server):
        store = idemstore.AsyncStore(server.uri())
        app = Starlette(routes=[Route("/pay", paid, methods=["POST"])])
        wrapped = IdempotencyMiddleware(app, store, principal="none",
                                        on_unavailable="open")
        transport = httpx.ASGITransport(wrapped)
        async with httpx.AsyncClient(
                transport=transport, base_url="http://t") as client:
            got = await client.post("/pay", headers=KEY)
            assert got.status_code == 500
        await store.close()
    with Scripted(denied) as server:
        asyncio.run(whole(server))


@pytest.mark.parametrize("options", [
    {}, {"principal": "nobody"}, {"principal": "none", "methods": ["GET"]},
    {"principal": "none", "on_error": "store"},
    {"principal": "none", "on_unavailable": "maybe"}])
def test_what_does_not_fit_is_refused_at_the_start(options):
    with pytest.raises((idemstore.IdemstoreError, TypeError)):
        IdempotencyMiddleware(None, AsyncMemoryStore(), **options)
