#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pods.py DOCS -- the manifests of one node or of a pair (rendered, as JSON),
played with plain processes while clients claim and complete: an update of all
pods, then the crash of the one that leads. No call fails but where the docs say
so, nothing that was acknowledged is lost, no key is granted twice."""
import json
import os
import pathlib
import subprocess
import sys
import threading

from cluster import Cluster, of_kind
from hosts import Wrong, sh, story, until

SECRET = "a-secret-of-the-test-and-long-enough"
CLIENTS = 3


def idemctl(uri, *command):
    return [f"{os.environ['BUILD']}/idemctl", "--server", uri,
            "--timeout", "600s", "--json", *command]


class Client(threading.Thread):
    """Claims fresh keys and completes each; what it was told is in `done`."""

    def __init__(self, uri, number):
        super().__init__(daemon=True)
        self.number, self.done, self.trouble = number, [], None
        self.is_over = threading.Event()
        self.shell = subprocess.Popen(
            idemctl(uri), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, bufsize=1)

    def ask(self, line, outcome):
        self.shell.stdin.write(line + "\n")
        said = self.shell.stdout.readline()
        if f'"{outcome}"' not in said:
            raise Wrong(f"{line}: {said}")

    def run(self):
        try:
            while not self.is_over.is_set():
                key = f"{self.number}-{len(self.done)}"
                self.ask(f"acquire {key} --lease 1h", "acquired")
                self.ask(f"complete {key} --result of-{key}", "completed")
                self.done.append(key)
        except (Wrong, OSError) as why:
            self.trouble = why

    def end(self):
        self.is_over.set()
        self.join()
        self.shell.stdin.close()
        self.shell.wait()
        if self.trouble:
            raise Wrong(f"a client: {self.trouble}")


def goes_on(clients):
    """Each is answered, from now on."""
    before = [len(one.done) for one in clients]

    def have_all():
        for one in clients:
            if one.trouble:
                raise Wrong(f"a client: {one.trouble}")
        return all(len(one.done) > had + 20
                   for one, had in zip(clients, before))
    until("every client is answered", have_all)


def check_kept(uri, clients):
    """Asked by somebody else, each key has the answer that it was given."""
    keys = [key for one in clients for key in one.done]
    lines = "".join(f"acquire {key} --lease 1s\n" for key in keys)
    said = subprocess.run(idemctl(uri), input=lines, capture_output=True,
                          text=True, check=False).stdout.splitlines()
    if len(said) != len(keys):
        raise Wrong(f"{len(said)} answers of {len(keys)}: {said[-1:]}")
    for key, line in zip(keys, said):
        if '"replay"' not in line or f"of-{key}" not in line:
            raise Wrong(f"{key} was completed, and is {line}")
    return len(keys)


def replication(pod):
    said = pod.does(["/usr/bin/idemctl", "--json", "replication"])
    return json.loads(said.stdout) if said.returncode == 0 else {}


def leads(pod):
    return replication(pod).get("role") == "primary"


def have_joined(cluster):
    """One leads, and may be stopped: the other has all of it."""
    return any(leads(pod) and replication(pod).get("safe_to_stop")
               for pod in cluster.pods)


def crash_of_a_pair(cluster):
    leader, = (pod for pod in cluster.pods if leads(pod))
    other, = (pod for pod in cluster.pods if pod is not leader)
    leader.crash()
    # Who takes over is an operator's decision: docs/kubernetes.md.
    said = other.does(["/usr/bin/idemctl", "promote"])
    if said.returncode != 0 or not leads(other):
        raise Wrong(f"{other.name} is not promoted: {said.stdout}{said.stderr}")
    until("the one that crashed has joined", lambda: have_joined(cluster))


def tell(net):
    docs = json.loads(pathlib.Path(sys.argv[1]).read_text())
    cluster = Cluster(net, docs, {"idemstore": {"secret": SECRET}})
    is_pair = len(cluster.pods) == 2
    sh("mount", "--bind", net.work / "layers/hosts", "/etc/hosts")
    cluster.start()
    if is_pair:
        until("they are a pair", lambda: have_joined(cluster))
    service = next(one for one in of_kind(docs, "Service")
                   if one["spec"].get("clusterIP") != "None")
    uri = f"idem://:{SECRET}@{service['metadata']['name']}." \
          f"{cluster.namespace}.svc:{service['spec']['ports'][0]['port']}/"
    clients = [Client(uri, number) for number in range(CLIENTS)]
    for one in clients:
        one.start()
    goes_on(clients)
    cluster.update(lambda pod: not is_pair or have_joined(cluster))
    goes_on(clients)
    print(f"  {len(cluster.pods)} updated, each with another address")
    if is_pair:
        crash_of_a_pair(cluster)
    else:
        cluster.pods[0].crash()
    goes_on(clients)
    for one in clients:
        one.end()
    kept = check_kept(uri, clients)
    print(f"  a crash; {kept} keys under all of it: no call failed, 0 lost, "
          "0 double")


if __name__ == "__main__":
    story(tell)
