# SPDX-License-Identifier: Apache-2.0
"""The WSGI middleware around Flask and bare applications."""

import io
import threading

import flask
import pytest

import idemstore
from idemstore import http
from idemstore.memory import MemoryStore
from idemstore.wsgi import IdempotencyMiddleware

KEY = {"Idempotency-Key": "order-17"}


@pytest.fixture(params=["daemon", "memory"])
def kept(request, daemon, ns):
    store = MemoryStore() if request.param == "memory" \
        else idemstore.Store(daemon.uri(ns))
    yield store
    store.close()


class Served:
    """A Flask application whose POST /pay is view()."""

    def __init__(self, store, view, **options):
        self.runs = []
        self.app = flask.Flask("t")

        @self.app.post("/pay")
        def pay():
            self.runs.append(1)
            return view()
        options.setdefault("principal", "none")
        self.app.wsgi_app = IdempotencyMiddleware(
            self.app.wsgi_app, store, **options)

    def post(self, path="/pay", headers=KEY, **more):
        return self.app.test_client().post(path, headers=headers, **more)


def test_the_second_click_hears_the_first_answer(kept):
    def view():
        return {"paid": len(flask.request.get_data())}, 201, {
            "Location": "/1", "Set-Cookie": "a=1"}
    served = Served(kept, view)
    first = served.post(json={"a": 1})
    again = served.post(json={"a": 1})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.data == again.data and len(served.runs) == 1
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Location"] == "/1"
    assert "Set-Cookie" in first.headers
    assert "Set-Cookie" not in again.headers
    assert served.post(json={"a": 2}).status_code == 422
    assert served.post("/pay?x", json={"a": 1}).status_code == 422


def test_two_clicks_at_once_run_once(kept):
    inside, go = threading.Event(), threading.Event()

    def view():
        inside.set()
        go.wait(20)
        return "done"
    served = Served(kept, view)
    first = []
    thread = threading.Thread(target=lambda: first.append(served.post()))
    thread.start()
    inside.wait(20)
    late = served.post()
    go.set()
    thread.join()
    assert (first[0].status_code, late.status_code) == (200, 409)
    assert late.headers["Content-Type"] == "application/problem+json"
    assert len(served.runs) == 1


@pytest.mark.parametrize("headers", [
    {}, {"Idempotency-Key": ""}, {"Idempotency-Key": "a b"},
    {"Idempotency-Key": "k" * 256}])
def test_no_key_and_a_malformed_one_are_400(kept, headers):
    served = Served(kept, lambda: "x")
    assert served.post(headers=headers).status_code == 400
    assert not served.runs


@pytest.mark.parametrize("on_error,runs_made,second", [
    ("complete", 1, 500), ("release", 2, 500), ("leave", 1, 409)])
def test_an_exception_before_the_first_byte(kept, on_error, runs_made,
                                            second):
    def view():
        raise ValueError("boom")
    served = Served(kept, view, on_error=on_error)
    assert served.post().status_code == 500
    assert served.post().status_code == second
    assert len(served.runs) == runs_made


def test_what_stands_in_front_of_a_view_is_not_stored(kept):
    served = Served(kept, lambda: "ok")
    closed = [True]

    @served.app.before_request
    def guard():
        if closed[0]:
            flask.abort(403)
    assert served.post().status_code == 403
    closed[0] = False
    assert served.post().status_code == 200
    assert served.post("/nowhere").status_code == 404
    name = http.store_key("order-17", "POST", b"/nowhere", None)
    assert kept.peek(name).state == "absent"


def test_a_view_may_say_that_nothing_was_done(kept):
    def view():
        idemstore.current_claim().nothing_done = True
        return "the bank is closed", 503
    served = Served(kept, view)
    for _ in range(2):
        assert served.post().status_code == 503
    assert len(served.runs) == 2


def test_a_stream_is_replayed_whole(kept):
    def view():
        def parts():
            yield "one "
            yield "two"
        return flask.Response(parts(), mimetype="text/plain")
    served = Served(kept, view)
    assert served.post().data == served.post().data == b"one two"
    assert len(served.runs) == 1


def test_an_exception_within_a_stream_is_stored_as_500(kept):
    def view():
        def parts():
            yield "one "
            raise ValueError("boom")
        return flask.Response(parts(), mimetype="text/plain")
    served = Served(kept, view)
    with pytest.raises(ValueError):
        served.post().data
    assert served.post().status_code == 500
    assert len(served.runs) == 1


# --------------------------------------------------- on the bare interface


def environ_of(body=b"", **more):
    made = {"REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/x",
            "QUERY_STRING": "", "HTTP_IDEMPOTENCY_KEY": "k",
            "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    made.update(more)
    return made


class Called:
    def __init__(self, app, environ):
        self.status = None
        self.order = []
        self.body = app(environ, self.start)

    def start(self, status, headers, exc_info=None):
        self.status, self.headers = status, headers
        self.order.append("started")

    def all(self):
        made = b"".join(self.body)
        self.close()
        return made

    def close(self):
        close = getattr(self.body, "close", None)
        if close:
            close()


def streaming(order, count=3):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])

        def parts():
            for n in range(count):
                order.append("made %d" % n)
                yield b"%d" % n
        return parts()
    return app


def test_parts_leave_one_late_and_the_last_after_the_store_knows(kept):
    order = []
    app = IdempotencyMiddleware(streaming(order), kept, principal="none")
    called = Called(app, environ_of())
    it = iter(called.body)
    assert next(it) == b"0" and order == ["made 0", "made 1"]
    assert next(it) == b"1"
    name = http.store_key("k", "POST", b"/x", None)
    assert kept.peek(name).state == "in_progress"
    assert next(it) == b"2"
    assert kept.peek(name).state == "completed"
    assert list(it) == []
    called.close()


def test_a_client_that_leaves_does_not_stop_the_handler(kept):
    order = []
    app = IdempotencyMiddleware(streaming(order, 5), kept, principal="none")
    called = Called(app, environ_of())
    next(iter(called.body))
    called.close()
    assert len(order) == 5
    assert Called(app, environ_of()).all() == b"01234"
    assert len(order) == 5


def test_what_is_written_by_hand_is_captured(kept):
    def app(environ, start_response):
        write = start_response("200 OK", [])
        write(b"one ")
        return [b"two"]
    made = IdempotencyMiddleware(app, kept, principal="none")
    assert Called(made, environ_of()).all() == b"one two"
    assert Called(made, environ_of()).all() == b"one two"


def test_a_chunked_body_is_compared_after_its_transfer_coding(kept):
    bodies = []

    def app(environ, start_response):
        size = int(environ["CONTENT_LENGTH"])
        bodies.append(environ["wsgi.input"].read(size))
        start_response("200 OK", [])
        return [b"x"]
    made = IdempotencyMiddleware(app, kept, principal="none")
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "",
               "wsgi.input_terminated": True}
    Called(made, environ_of(b"same", **chunked)).all()
    assert Called(made, environ_of(b"same")).all() == b"x"
    assert Called(made, environ_of(b"else")).status.startswith("422")
    assert bodies == [b"same"]


def test_a_body_that_was_read_before_is_told(kept):
    made = IdempotencyMiddleware(streaming([]), kept, principal="none")
    called = Called(made, environ_of(b"", CONTENT_LENGTH="4"))
    assert called.status.startswith("500")
    assert b"unreadable" in called.all()


def test_the_raw_target_is_compared_where_the_server_tells(kept):
    made = IdempotencyMiddleware(streaming([]), kept, principal="none")
    Called(made, environ_of(RAW_URI="http://h/a%2Fb?q=1")).all()
    name = http.store_key("k", "POST", b"/a%2Fb", None)
    assert kept.peek(name).state == "completed"


@pytest.mark.parametrize("mode,status", [("closed", "503"), ("open", "200")])
def test_a_store_that_is_away(mode, status):
    with idemstore.Store("idem://127.0.0.1:1?timeout_ms=200") as store:
        made = IdempotencyMiddleware(streaming([]), store, principal="none",
                                     on_unavailable=mode)
        called = Called(made, environ_of())
        called.all()
        assert called.status.startswith(status)
        assert made.health.passed == (mode == "open")
