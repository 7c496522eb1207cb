# SPDX-License-Identifier: Apache-2.0
"""A Celery worker with a prefork pool of four, as it runs."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
SRC = HERE.parent / "src"


@pytest.fixture
def worker(daemon, ns, tmp_path):
    env = {"IDEMSTORE_URI": daemon.uri(ns), "TASKS_FOLDER": str(tmp_path)}
    log = open(tmp_path / "log", "wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker",
         "--pool", "prefork", "--concurrency", "4", "--loglevel", "INFO",
         "--without-gossip", "--without-mingle", "--without-heartbeat"],
        cwd=HERE, stdout=log, stderr=log, preexec_fn=_die_with_parent,
        env={**os.environ, **env, "PYTHONPATH": "%s:%s" % (SRC, HERE)})
    os.environ.update(env)
    sys.modules.pop("celery_tasks", None)
    import celery_tasks
    yield celery_tasks, tmp_path
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    log.close()
    celery_tasks.store.close()
    for name in env:
        os.environ.pop(name)


def _die_with_parent():
    import ctypes
    ctypes.CDLL(None).prctl(1, 9)


def until(folder, told, within_s=90):
    end_s = time.monotonic() + within_s
    while True:
        rows = folder / "rows"
        lines = rows.read_text().splitlines() if rows.exists() else []
        if told(lines):
            return lines
        assert time.monotonic() < end_s, \
            "%s\n%s" % (lines, (folder / "log").read_text())
        time.sleep(0.05)


def test_a_worker_as_it_runs(worker):
    tasks, folder = worker

    def lines_of(order):
        return lambda lines: [one for one in lines
                              if one.split()[1] == order]
    # Sent three times, at once: charged once; each has its result.
    sent = [tasks.charge.delay("o%d" % n, 5, "slow")
            for n in range(8) for _ in range(3)]
    got = [one.get(timeout=90) for one in sent]
    assert got == [{"order": "o%d" % n, "amount": 5}
                   for n in range(8) for _ in range(3)]
    rows = until(folder, lambda lines: len(lines) >= 8)
    assert sorted(rows) == ["charged o%d 1 none" % n for n in range(8)]
    # It fails cleanly twice: sent again, and then done.
    assert tasks.charge.delay("f", 1, "fail").get(timeout=90)
    rows = until(folder, lines_of("f"))
    assert lines_of("f")(rows) == ["failed f", "failed f",
                                   "charged f 3 released"]
    # Its worker is killed: given back, and taken over after the lease.
    assert tasks.charge.delay("d", 1, "die").get(timeout=90)
    rows = until(folder, lines_of("d"))
    assert lines_of("d")(rows) == ["died d", "charged d 2 orphaned"]
    # Another work under the same key is no work.
    tasks.charge.delay("f", 2)
    until(folder, lambda _: "used with another fingerprint"
          in (folder / "log").read_text())
    rows = until(folder, lines_of("f"))
    assert len(lines_of("f")(rows)) == 3


def test_a_store_that_is_away_is_waited_for():
    """Called directly: the task asks to be sent again, unacknowledged."""
    from celery import Celery
    from celery.exceptions import Retry

    import idemstore
    from idemstore.celery import once_task
    app = Celery("t", broker="memory://")
    with idemstore.Store("idem://127.0.0.1:1?timeout_ms=100") as store:
        @once_task(app, store, key=lambda order: order)
        def charge(order):
            raise AssertionError("it ran")
        assert charge.acks_late and charge.reject_on_worker_lost
        with app.connection_for_write() as connection:
            assert connection
            charge.push_request(id="1", args=("a",), kwargs={},
                                called_directly=False, is_eager=False,
                                delivery_info={}, retries=0)
            try:
                with pytest.raises(Retry) as told:
                    charge.run("a")
                assert 1 < told.value.when <= 30
            finally:
                charge.pop_request()
