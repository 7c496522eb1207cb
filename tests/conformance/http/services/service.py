#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""service.py [WRONG] -- a service that does all that idemconform http asks for,
or all but one thing: WRONG is one of the words that this file looks for. It has
nothing of idemstore in it; a dictionary and a lock are its store."""
import re
import sys
import threading
import time

import shop

WRONG = sys.argv[1] if len(sys.argv) > 1 else ""
HOLD_S = 0.2  # what "expires" takes for the longest that a handler takes

STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])+)"')
BARE = re.compile(r'[!#-~]+')


class Record:
    """Of one key: what was asked, and what came of it."""

    def __init__(self, body):
        self.body = body
        self.answer = None
        self.timer = None


class Service(shop.Handler):
    lock = threading.Lock()
    records = {}

    def read_key(self):
        """The key, or None for one that is malformed."""
        values = self.headers.get_all("Idempotency-Key", [])
        if len(values) > 1 and WRONG != "takes-two-headers":
            return None
        value = values[0].strip(" \t") if values else ""
        if match := STRING.fullmatch(value):
            return value if WRONG == "quotes-are-a-part" else re.sub(
                r"\\(.)", r"\1", match[1])
        if WRONG == "takes-any-key":
            return value or "none"
        if not BARE.fullmatch(value):
            return None
        return value

    def order(self, body):
        if WRONG == "fails":
            return self.answer(500, b"{}")
        if "Idempotency-Key" not in self.headers:
            if WRONG in ("no-key-executes", "no-key-404"):
                return (self.answer(*self.sell()) if WRONG == "no-key-executes"
                        else self.answer(404, b"{}"))
            return self.refuse(400, "no Idempotency-Key")
        key = self.read_key()
        if key is None:
            return self.refuse(400, "a malformed Idempotency-Key")
        if WRONG == "body-is-the-key":
            key = body
        if WRONG == "cuts-keys":
            key = key[:128]
        if WRONG != "any-user":
            key = self.headers.get("X-User", ""), key
        if WRONG == "executes-always":
            return self.answer(*self.sell())
        if WRONG == "executes-twice":
            self.sell()
        record, is_new = self.claim(key, body)
        if is_new:
            return self.first(key, record)
        return self.duplicate(key, record, body)

    def claim(self, key, body):
        if WRONG == "checks-then-acts":  # no lock, and some time between
            record = self.records.get(key)
            time.sleep(1)
            if record is None:
                self.records[key] = record = Record(body)
                return record, True
            return record, False
        with self.lock:
            record = self.records.get(key)
            if record is not None:
                return record, (WRONG == "other-body-executes" and
                                body != record.body)
            self.records[key] = record = Record(body)
            return record, True

    def forget(self, key):
        with self.lock:
            self.records.pop(key, None)

    def first(self, key, record):
        if WRONG == "expires-at-work":
            threading.Timer(HOLD_S, self.forget, [key]).start()
        status, body = self.sell()
        if WRONG == "retry-executes":
            self.forget(key)
        if WRONG == "failure-locks" and status >= 500:
            return self.answer(status, body)  # and the key is held for ever
        if status >= 500 and (WRONG == "crash-releases" or b"after" not in body):
            self.forget(key)  # nothing has happened, or so it believes
        record.answer = status, body
        if WRONG == "lost-reply-releases":
            try:
                self.rfile.raw._sock.settimeout(0.01)
                if self.rfile.raw._sock.recv(1) == b"":
                    self.forget(key)
            except OSError:
                pass
        if WRONG == "expires":
            threading.Timer(HOLD_S, self.forget, [key]).start()
        return self.answer(status, body)

    def duplicate(self, key, record, body):
        if body != record.body and not (WRONG == "busy-before-mismatch" and
                                        record.answer is None):
            if WRONG == "other-body-forgets":
                self.forget(key)
            if WRONG == "other-body-replayed":
                return self.answer(*record.answer)
            return self.refuse(422, "another request under this key")
        if record.answer is None:
            if WRONG == "no-409":
                return self.answer(202, b"{}")
            retry = None if WRONG == "no-retry-after" else "1"
            return self.refuse(409, "in progress", {"Retry-After": retry})
        status, text = record.answer
        if WRONG == "another-answer":
            text = b'{"id":%d,"again":true}' % 0
        headers = {"Idempotency-Replayed": "true"}
        if WRONG == "silent-replay":
            headers = {}
        if WRONG == "forgets-the-type":
            headers["Content-Type"] = "text/plain"
        return self.answer(status, text, headers)

    def refuse(self, status, detail, headers=()):
        headers = dict(headers)
        if WRONG == "no-problem":
            headers["Content-Type"] = "text/plain"
        body = shop.problem(status, detail)[1]
        if WRONG == "says-nothing":
            body = b""
        return self.answer(status, body, headers)


shop.serve(Service)
