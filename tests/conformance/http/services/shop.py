# SPDX-License-Identifier: Apache-2.0
"""shop.py -- what both services of this folder sell: POST /orders has an effect,
GET /count says how many effects there were. A handler can be told to be slow
(X-Rehearse: sleep-MS), to fail before its effect (fail) or after it (crash)."""
import ctypes
import itertools
import json
import re
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY_BYTES_MAX = 65536


class Shop:
    """The side effect. It can't be taken back."""

    def __init__(self):
        self.lock = threading.Lock()
        self.effects = 0
        self.ids = itertools.count(1)

    def sell(self, rehearse):
        if match := re.fullmatch(r"sleep-(\d+)", rehearse):
            time.sleep(int(match[1]) / 1000)
        if rehearse == "fail":
            return 500, b'{"error":"the handler failed"}'
        with self.lock:
            self.effects += 1
            order = next(self.ids)
        if rehearse == "crash":
            return 500, b'{"error":"the handler failed after its effect"}'
        return 200, b'{"id":%d}' % order


def problem(status, detail):
    return status, json.dumps({"status": status, "detail": detail}).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    shop = Shop()

    def log_message(self, *args):
        pass

    def answer(self, status, body, headers=()):
        self.send_response(status)
        is_error = status in (400, 409, 422)
        named = {"Content-Type": "application/problem+json" if is_error
                 else "application/json", **dict(headers)}
        for name, value in named.items():
            if value is not None:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200, b"%d" % self.shop.effects)

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > BODY_BYTES_MAX:
            self.close_connection = True
            return self.answer(413, b"")
        body = self.rfile.read(length)
        try:
            self.order(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def sell(self):
        return self.shop.sell(self.headers.get("X-Rehearse", ""))


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def serve(handler):
    """On a free port of loopback, until it is killed, or its parent is gone."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    server = Server(("127.0.0.1", 0), handler)
    print("listening on 127.0.0.1:%d" % server.server_port, flush=True)
    server.serve_forever()
