# SPDX-License-Identifier: Apache-2.0
"""What must happen once: points are taken for a match. A file stands for the
service's own database; its rows count what was executed, by whichever process.

POINTS_USERS=yes: whoever is in front of this service authenticates, and says
who it is in X-User.

The header X-Rehearse makes a handler slow or makes it fail: sleep-MS, fail
(nothing was done), crash (an exception after the points were taken)."""

import os
import time

import idemstore

FILE = os.environ.get("POINTS_FILE", "points.log")
STORE = os.environ.get("IDEMSTORE_URI", "idem://127.0.0.1:7117/points")
USERS = os.environ.get("POINTS_USERS") == "yes"
LEASE_MS = int(os.environ.get("POINTS_LEASE_MS", "30000"))


class Crash(Exception):
    """After the effect."""


def take(user, cost):
    """One row, with the fencing token of the claim that it was taken under."""
    claim = idemstore.current_claim()
    row = "%s %d %s\n" % (user, cost, claim.token.hex())
    handle = os.open(FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, row.encode())
    finally:
        os.close(handle)


def played():
    try:
        with open(FILE, "rb") as file:
            return sum(1 for _ in file)
    except FileNotFoundError:
        return 0


def pause_ms(rehearse):
    if rehearse.startswith("sleep-"):
        return min(int(rehearse[6:]), 60000)
    return 0


def play(user, cost, rehearse=""):
    """(status, what is answered), after the points are taken."""
    if rehearse == "fail":
        idemstore.current_claim().nothing_done = True
        return 503, {"error": "no opponent was found, and nothing was taken"}
    take(user, cost)
    if rehearse == "crash":
        raise Crash
    return 200, {"user": user, "cost": cost,
                 "id": idemstore.current_claim().token.hex()}


def pause(rehearse):
    time.sleep(pause_ms(rehearse) / 1000)
