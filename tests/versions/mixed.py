#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mixed.py OLD NEW -- a pair of the idemstored in folder OLD becomes one of the
idemstored in NEW, a node at a time, while clients claim and complete: an old
primary with a new replica, a new primary with an old one, two new ones on the
folders of the old. No call fails, nothing is lost, no key is granted twice."""
import json
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
from clients import Client, Wrong, check_kept, goes_on, until  # noqa: E402

SECRET = "a-secret-of-the-test"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Node:
    def __init__(self, work, name, programs, other=None):
        self.work, self.name, self.programs = work, name, programs
        self.port, self.process = free_port(), None
        self.from_ = ["--replicate-from", f"127.0.0.1:{other.port}"] \
            if other else []
        self.uri = f"idem://:{SECRET}@127.0.0.1:{self.port}/"

    def start(self):
        with open(self.work / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "idemstored",
                 "--listen", f"127.0.0.1:{self.port}", "--node", self.name,
                 "--secret-file", self.work / "secret", "--replication", "sync",
                 "--data-dir", self.work / self.name, *self.from_],
                stdout=log, stderr=log)

    def ask(self, *words):
        return subprocess.run(
            [self.programs / "idemctl", "--server", self.uri, "--json", *words],
            capture_output=True, text=True, check=False)

    def replication(self):
        if self.process.poll() is not None:
            raise Wrong(f"{self.name} has ended: {self.process.returncode}")
        said = self.ask("replication")
        return json.loads(said.stdout) if said.returncode == 0 else {}

    def leads(self):
        return self.replication().get("role") == "primary"

    def upgrade(self, programs):
        """A replica: no claim is held up for long."""
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(timeout=120) != 0:
            raise Wrong(f"{self.name} ended with {self.process.returncode}")
        self.programs = programs
        self.start()


def are_in_sync(leader):
    return leader.leads() and leader.replication().get("safe_to_stop")


def story(work, old, new):
    (work / "secret").write_text(SECRET)
    (work / "secret").chmod(0o600)
    a = Node(work, "a", old)
    b = Node(work, "b", old, other=a)
    try:
        a.start()
        b.start()
        until("the old ones are a pair", lambda: are_in_sync(a))
        uri = f"idem://:{SECRET}@127.0.0.1:{a.port},127.0.0.1:{b.port}/"
        clients = [Client(uri, number) for number in range(2)]
        for one in clients:
            one.start()
        goes_on(clients)
        b.upgrade(new)
        until("an old primary and a new replica", lambda: are_in_sync(a))
        goes_on(clients)
        said = a.ask("switchover")
        if said.returncode != 0:
            raise Wrong(f"switchover: {said.stdout}{said.stderr}")
        until("a new primary and an old replica", lambda: are_in_sync(b))
        goes_on(clients)
        a.upgrade(new)
        until("two new ones", lambda: are_in_sync(b))
        goes_on(clients)
        for one in clients:
            one.end()
        return check_kept(uri, clients)
    finally:
        for node in (a, b):
            if node.process:
                node.process.kill()
                node.process.wait()


def main():
    old, new = map(pathlib.Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        try:
            kept = story(work, old, new)
        except (Wrong, OSError, subprocess.TimeoutExpired) as why:
            for log in sorted(work.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text()[-3000:]}")
            sys.exit(f"mixed.py: {why}")
    print(f"{kept} keys over the upgrade: no call failed, 0 lost, 0 double")


main()
