# SPDX-License-Identifier: Apache-2.0
"""The suite that services and clients in any language are held to."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from test_servers import SERVERS, Service

SUITE = Path(os.environ.get("IDEMSTORE_BUILD", "/nowhere"), "idemconform")
if not SUITE.exists():
    pytest.skip("no build of idemconform beside it", allow_module_level=True)


def told(command, env=None):
    got = subprocess.run(command, capture_output=True, text=True, timeout=570,
                         env=env)
    said = got.stdout + got.stderr
    assert got.returncode == 0, said
    assert not re.search(r"(?m)^(failed|not judged|skipped) ", said), said
    print(said)
    return said


def others():
    """Each other Python from 3.9 on that is here: on the PATH, or pyenv's."""
    root = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    for minor in range(9, 15):
        if minor == sys.version_info[1]:
            continue
        found = [shutil.which("python3.%d" % minor)]
        found += sorted(Path(root).glob("versions/3.%d.*/bin/python" % minor))
        for one in filter(None, found):
            if subprocess.run([str(one), "-c", ""],
                              capture_output=True).returncode == 0:
                yield pytest.param(str(one), id="3.%d" % minor)
                break


@pytest.mark.parametrize("python", list(others()))
def test_with_other_versions_and_no_dependency(python):
    """Without msgpack: our own reader of bytes, on hostile ones, too."""
    here = Path(__file__).resolve().parent
    env = {**os.environ, "PYTHONPATH": str(here.parent / "src")}
    told([python, str(here / "use_package.py")], env)
    for kind in ("threads", "asyncio"):
        told([str(SUITE), "client", "--jobs", "6", "--tier",
              "core,limits,hostile", "--", python, "-W", "ignore",
              str(here / "conform_client.py"), kind], env)


@pytest.mark.parametrize("kind", ["threads", "asyncio"])
def test_client(kind):
    told([str(SUITE), "client", "--jobs", "6", "--", sys.executable,
          str(Path(__file__).with_name("conform_client.py")), kind])


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
