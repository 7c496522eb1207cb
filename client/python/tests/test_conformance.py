# SPDX-License-Identifier: Apache-2.0
"""The suite that services and clients in any language are held to."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from test_servers import SERVERS, Service

SUITE = Path(os.environ.get("IDEMSTORE_BUILD", "/nowhere"), "idemconform")
if not SUITE.exists():
    pytest.skip("no build of idemconform beside it", allow_module_level=True)


def told(command):
    got = subprocess.run(command, capture_output=True, text=True, timeout=570)
    said = got.stdout + got.stderr
    assert got.returncode == 0, said
    assert not re.search(r"(?m)^(failed|not judged|skipped) ", said), said
    print(said)
    return said


@pytest.mark.parametrize("kind", ["threads", "asyncio"])
def test_client(kind):
    told([str(SUITE), "client", "--jobs", "6", "--", sys.executable,
          str(Path(__file__).with_name("under_test.py")), kind])


@pytest.mark.parametrize("name", ["flask", "django", "fastapi workers"])
def test_http(name, daemon, ns, tmp_path):
    service = Service([sys.executable, *SERVERS[name]], daemon.uri(ns),
                      tmp_path, POINTS_LEASE_MS="3000", POINTS_USERS="yes")
    try:
        url = "http://127.0.0.1:%d" % service.port
        told([str(SUITE), "http", url + "/match", "--yes", "--hold", "3s",
              "--body", '{"user":"conform","cost":{n}}',
              "--count", url + "/matches", "--count-pointer", "/played",
              "--slow", "X-Rehearse: sleep-{ms}",
              "--fail", "X-Rehearse: fail", "--crash", "X-Rehearse: crash",
              "--header", "X-User: ann", "--other-user", "X-User: bob"])
    finally:
        service.close()
