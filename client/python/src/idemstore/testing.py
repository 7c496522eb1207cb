# SPDX-License-Identifier: Apache-2.0
"""For the tests of whoever uses idemstore: the real daemon, on a port of its
own. It ends with the test's process, however that ends."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from typing import IO, Any, List, Optional

_PORT = re.compile(rb"listening on 127\.0\.0\.1:([0-9]+)")
_PR_SET_PDEATHSIG = 1
_libc: Any = None


def find_daemon() -> str:
    """IDEMSTORED in the environment, or idemstored on the PATH."""
    path = os.environ.get("IDEMSTORED") or shutil.which("idemstored")
    if not path or not os.access(path, os.X_OK):
        raise RuntimeError("there is no idemstored: install it, or set "
                           "IDEMSTORED to its path")
    return path


def _die_with_parent() -> None:
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Daemon:
    """A running idemstored. args: further flags.

        with Daemon("--threads", "2") as daemon:
            store = idemstore.Store(daemon.uri("shop"))"""

    def __init__(self, *args: str, port: int = 0,
                 path: Optional[str] = None) -> None:
        global _libc
        if _libc is None and os.name == "posix":
            try:
                _libc = ctypes.CDLL(None)
                _libc.prctl
            except (OSError, AttributeError):
                _libc = None
        self._path = path or find_daemon()
        self._args = list(args)
        self._log: Optional[IO[bytes]] = None
        self._process: "Optional[subprocess.Popen[bytes]]" = None
        self.port = port
        self.start()

    def start(self) -> None:
        """Starts it, again at the same port once it had one."""
        self._log = tempfile.TemporaryFile()
        command: List[str] = [
            self._path, "--listen", "127.0.0.1:%d" % self.port, *self._args]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log,
            stderr=subprocess.STDOUT, preexec_fn=_die_with_parent)
        until_s = time.monotonic() + 60
        while True:
            found = _PORT.search(self.log())
            if found:
                self.port = int(found.group(1))
                return
            if self._process.poll() is not None or time.monotonic() > until_s:
                self.kill()
                raise RuntimeError("idemstored did not start: %s"
                                   % self.log().decode("utf-8", "replace"))
            time.sleep(0.01)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def address(self) -> str:
        return "127.0.0.1:%d" % self.port

    def uri(self, ns: str = "", **options: object) -> str:
        query = "&".join("%s=%s" % one for one in options.items())
        return "idem://%s/%s%s" % (self.address, ns,
                                   "?" + query if query else "")

    def log(self) -> bytes:
        if self._log is None:
            return b""
        return os.pread(self._log.fileno(), 1 << 20, 0)

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL when it takes too long."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(number)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        self._process = None

    def close(self) -> None:
        self.kill()
        if self._log is not None:
            self._log.close()
            self._log = None

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(self, *why: object) -> None:
        self.close()
