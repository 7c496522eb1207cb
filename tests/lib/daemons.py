# SPDX-License-Identifier: Apache-2.0
"""daemons.py -- idemstored as a process of a test that is written in Python."""
import atexit
import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from wire import Wire

PATIENCE_S = 120


class Wrong(Exception):
    """What the test found, told to a person."""


def check(is_so, what):
    if not is_so:
        raise Wrong(what)


def until(what, is_so):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        value = is_so()
        if value:
            return value
        time.sleep(0.05)
    raise Wrong(f"never: {what}")


def new_folder():
    """It is gone when the test ends."""
    folder = tempfile.mkdtemp(prefix="idem-test-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Daemon:
    """Started with these flags, by the words around it; port is where it
    listens, http its unix socket."""

    def __init__(self, *flags, stderr=None, threads=2, port=0, around=()):
        self.folder = new_folder()
        self.http = os.path.join(self.folder, "http")
        self.errors = stderr or open(os.path.join(self.folder, "err"), "wb")
        self.process = subprocess.Popen(
            [*around, f"{os.environ['BUILD']}/idemstored", "--listen",
             f"127.0.0.1:{port}", "--http", f"unix:{self.http}", "--threads",
             str(threads), *flags],
            stdout=subprocess.PIPE, stderr=self.errors,
            preexec_fn=die_with_parent)
        self.port = 0
        for line in self.process.stdout:
            found = re.match(rb"listening on 127.0.0.1:(\d+)", line)
            if found:
                self.port = int(found.group(1))
            if line.startswith(b"http on"):
                break
        check(self.port, f"it does not start: {self.said()}")

    def said(self):
        try:
            with open(os.path.join(self.folder, "err"), errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def wire(self, secret=None):
        return Wire(self.port, secret)

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=PATIENCE_S)

    def stop(self):
        """Ends it; its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=PATIENCE_S)
