# SPDX-License-Identifier: Apache-2.0
"""What the worker of test_celery runs; the store is opened before its pool
forks."""

import os
import signal
import time
from pathlib import Path

import celery

import idemstore
from idemstore.celery import once_task

FOLDER = Path(os.environ["TASKS_FOLDER"])
for _name in ("in", "done", "control"):
    (FOLDER / _name).mkdir(exist_ok=True)

app = celery.Celery("tasks", broker="filesystem://", backend="file://%s"
                    % (FOLDER / "done"))
app.conf.update(
    broker_transport_options={
        "data_folder_in": str(FOLDER / "in"),
        "data_folder_out": str(FOLDER / "in"),
        "control_folder": str(FOLDER / "control")},
    worker_prefetch_multiplier=1, task_track_started=False,
    broker_connection_retry_on_startup=True)
store = idemstore.Store(os.environ["IDEMSTORE_URI"])
store.ping()


def note(text):
    handle = os.open(str(FOLDER / "rows"),
                     os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, (text + "\n").encode())
    os.close(handle)


@once_task(app, store, key=lambda order, *more: order,
           fingerprint=lambda order, amount=0, *more:
           idemstore.fingerprint(str(amount)),
           once={"lease_ms": 1000})
def charge(order, amount=0, how=""):
    claim = idemstore.current_claim()
    if how == "fail" and claim.attempt < 3:
        note("failed %s" % order)
        raise ValueError("the bank says no")
    if how == "die" and claim.attempt == 1:
        note("died %s" % order)
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "slow":
        time.sleep(0.5)
    note("charged %s %d %s" % (order, claim.attempt, claim.previous))
    return {"order": order, "amount": amount}
