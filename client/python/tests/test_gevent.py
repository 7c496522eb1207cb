# SPDX-License-Identifier: Apache-2.0
"""Under gevent, which has sockets, threads and locks of its own."""

import os
import subprocess
import sys
from pathlib import Path


def test_the_blocking_store_under_gevent():
    here = Path(__file__).resolve().parent
    got = subprocess.run(
        [sys.executable, str(here / "gevent_story.py")], timeout=120,
        capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(here.parent / "src")})
    assert got.returncode == 0 and "all told" in got.stdout, got.stderr
