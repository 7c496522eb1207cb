# SPDX-License-Identifier: Apache-2.0
"""The example services as they run: gunicorn that forks after it loaded the
application, uvicorn with workers; clicked twice, by many, and at once. And the
same click at a service in C: one store, whatever it is written in."""

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SRC = Path(__file__).resolve().parents[1] / "src"
BUILD = os.environ.get("IDEMSTORE_BUILD")
BODY = b'{"user":"ann","cost":10}'

GUNICORN = ["-m", "gunicorn", "--bind", "127.0.0.1:0", "--workers", "4",
            "--log-level", "info"]
UVICORN = ["-m", "uvicorn", "--host", "127.0.0.1", "--port", "0"]
SERVERS = {
    "flask": GUNICORN + ["--preload", "points_flask:app"],
    "flask threads": GUNICORN + ["--preload", "--threads", "4",
                                 "points_flask:app"],
    "flask gevent": GUNICORN + ["-k", "gevent", "points_flask:app"],
    "django": GUNICORN + ["--preload", "points_django:application"],
    "fastapi": UVICORN + ["--loop", "asyncio", "points_fastapi:app"],
    "fastapi uvloop": UVICORN + ["--loop", "uvloop", "points_fastapi:app"],
    "fastapi workers": UVICORN + ["--workers", "4", "points_fastapi:app"],
    "fastapi gunicorn": GUNICORN + [
        "--preload", "-k", "asgi", "points_fastapi:app"],
}
PORT = re.compile(rb"127\.0\.0\.1:([0-9]+)")


class Service:
    def __init__(self, command, uri, folder, **env):
        self.file = folder / "points.log"
        self.log = open(folder / "service.log", "wb+")
        self.process = subprocess.Popen(
            command, cwd=EXAMPLES, stdout=self.log, stderr=self.log,
            preexec_fn=_die_with_parent, env={
                **os.environ, "IDEMSTORE_URI": uri,
                "POINTS_FILE": str(self.file), "PYTHONPATH": str(SRC),
                "PYTHONUNBUFFERED": "1", **env})
        self.port = self._port()

    def said(self):
        return os.pread(self.log.fileno(), 1 << 20, 0)

    def _port(self):
        until_s = time.monotonic() + 60
        while time.monotonic() < until_s:
            found = PORT.search(self.said())
            if found:
                try:
                    port = int(found.group(1))
                    urllib.request.urlopen(
                        "http://127.0.0.1:%d/matches" % port, timeout=20)
                    return port
                except urllib.error.HTTPError:
                    return port
                except OSError:
                    pass
            assert self.process.poll() is None, self.said().decode()
            time.sleep(0.05)
        raise AssertionError(self.said().decode())

    def click(self, key, body=BODY, rehearse=None):
        """(status, headers, body)."""
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        if rehearse:
            headers["X-Rehearse"] = rehearse
        asked = urllib.request.Request(
            "http://127.0.0.1:%d/match" % self.port, body, headers)
        try:
            with urllib.request.urlopen(asked, timeout=60) as got:
                return got.status, got.headers, got.read()
        except urllib.error.HTTPError as got:
            return got.code, got.headers, got.read()

    def rows(self):
        return self.file.read_bytes().count(b"\n") \
            if self.file.exists() else 0

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def _die_with_parent():
    import ctypes
    ctypes.CDLL(None).prctl(1, 9)


@pytest.fixture(params=SERVERS)
def service(request, daemon, ns, tmp_path):
    made = Service([sys.executable, *SERVERS[request.param]],
                   daemon.uri(ns), tmp_path)
    yield made
    made.close()


def all_at_once(works):
    told = [None] * len(works)

    def do(n):
        told[n] = works[n]()
    threads = [threading.Thread(target=do, args=(n,))
               for n in range(len(works))]
    for one in threads:
        one.start()
    for one in threads:
        one.join(120)
    return told


def test_a_service_as_it_runs(service):
    # A double click.
    first, again = service.click("double"), service.click("double")
    assert (first[0], again[0]) == (200, 200), service.said().decode()
    assert first[2] == again[2]
    assert "Idempotency-Replayed" not in first[1]
    assert again[1]["Idempotency-Replayed"] == "true"
    assert service.rows() == 1
    # Many at once, over all workers: one grant per key.
    keys = ["k%d" % n for n in range(40)]
    told = all_at_once([
        lambda k=k: service.click(k, rehearse="sleep-20")
        for k in keys for _ in range(3)])
    assert {status for status, _, _ in told} <= {200, 409}
    assert service.rows() == 41
    # Each replays what it did, on whichever worker.
    ids = {k: json.loads(service.click(k)[2])["id"] for k in keys}
    assert len(set(ids.values())) == 40 and service.rows() == 41
    # Nothing was done: a retry begins anew. An exception: it does not.
    assert service.click("f", rehearse="fail")[0] == 503
    assert service.click("f")[0] == 200
    assert service.click("c", rehearse="crash")[0] == 500
    assert service.click("c")[0] == 500
    assert service.rows() == 43
    assert service.click("double", b'{"user":"bob","cost":1}')[0] == 422
    # Malformed for the handler: never its answer.
    assert service.click("", BODY)[0] == 400


def test_one_click_at_a_service_in_c_and_one_in_python(daemon, ns, tmp_path):
    program = Path(BUILD or "/nowhere", "examples", "points_service")
    if not program.exists():
        pytest.skip("no build of the C examples beside it")
    (tmp_path / "c").mkdir()
    in_c = Service([str(program), "--store", daemon.uri(ns), "--ledger",
                    str(tmp_path / "c.ledger"), "--rehearse"],
                   daemon.uri(ns), tmp_path / "c")
    in_python = Service([sys.executable, *SERVERS["flask"]], daemon.uri(ns),
                        tmp_path)
    try:
        first, again = in_c.click("a"), in_python.click("a")
        assert first[0] == again[0] == 200
        assert first[2] == again[2] and in_python.rows() == 0
        assert again[1]["Idempotency-Replayed"] == "true"
        assert again[1]["Content-Type"] == first[1]["Content-Type"]
        first, again = in_python.click("b"), in_c.click("b")
        assert first[0] == again[0] == 200
        assert first[2] == again[2] and in_python.rows() == 1
        assert again[1]["Idempotency-Replayed"].startswith("true")
        # And at the same time.
        told = all_at_once([lambda s=s: s.click("c", rehearse="sleep-300")
                            for s in (in_c, in_python)])
        assert sorted(status for status, _, _ in told) == [200, 409]
    finally:
        in_c.close()
        in_python.close()
