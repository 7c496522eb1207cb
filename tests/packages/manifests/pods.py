#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pods.py DOCS -- the manifests of one node, of a pair or of three with agents
and an etcd (rendered, as JSON), played with plain processes while clients claim
and complete: an update of all pods, etcd's among them, then the crash of the one
that leads. No call fails but where the docs say so, nothing that was
acknowledged is lost, no key is granted twice."""
import json
import pathlib
import sys
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "lib"))
from clients import Client, Wrong, check_kept, goes_on, until  # noqa: E402
from cluster import DIRECT, Cluster, of_kind, selects  # noqa: E402
from hosts import sh, story  # noqa: E402

SECRET = "a-secret-of-the-test-and-long-enough"
CLIENTS = 3


def replication(pod):
    said = pod.does(["/usr/bin/idemctl", "--json", "replication"])
    return json.loads(said.stdout) if said.returncode == 0 else {}


def leads(pod):
    return replication(pod).get("role") == "primary"


def have_joined(cluster):
    """One leads, and may be stopped: the others have all of it."""
    count = len(cluster.pods)
    return count == 1 or any(
        leads(pod) and replication(pod).get("safe_to_stop") and
        (count == 2 or in_sync(pod) == count) for pod in cluster.pods)


def in_sync(pod):
    """How many the agent beside it has on record."""
    said = pod.does(["/usr/bin/idemctl", "agent", "status", "127.0.0.1:7119"])
    if said.returncode != 0:
        return 0
    record = json.loads(said.stdout)["record"]
    return len(record["in_sync"]) if record["primary"]["node"] == pod.name else 0


def crash_of_three(cluster):
    leader, = (pod for pod in cluster.pods if leads(pod))
    leader.crash()
    leader.wait_until_ready()
    # Nobody has said who takes over.
    until("all are in sync again", lambda: have_joined(cluster))


def crash_of_one(cluster):
    cluster.pods[0].crash()
    cluster.pods[0].wait_until_ready()


def crash_of_a_pair(cluster):
    leader, = (pod for pod in cluster.pods if leads(pod))
    other, = (pod for pod in cluster.pods if pod is not leader)
    leader.crash()
    until("it is back, and lives", lambda: leader.is_well("livenessProbe"))
    if leader.is_well("readinessProbe"):
        raise Wrong("it is called ready, and neither leads nor follows")
    # Who takes over is an operator's decision: docs/kubernetes.md.
    said = other.does(["/usr/bin/idemctl", "promote"])
    if said.returncode != 0 or not leads(other):
        raise Wrong(f"{other.name} is not promoted: {said.stdout}{said.stderr}")
    leader.wait_until_ready()
    until("the one that crashed has joined", lambda: have_joined(cluster))


def check_scraped(cluster, docs):
    """As Prometheus asks each node."""
    monitor, = of_kind(docs, "ServiceMonitor")
    asked, = monitor["spec"]["endpoints"]
    service, = (one for one in of_kind(docs, "Service")
                if selects(monitor["spec"]["selector"]["matchLabels"],
                           one["metadata"]["labels"]))
    port, = (one["port"] for one in service["spec"]["ports"]
             if one["name"] == asked["port"])
    named_ = asked["authorization"]["credentials"]
    secret = cluster.secrets[named_["name"]][named_["key"]]
    for pod in cluster.pods:
        request = urllib.request.Request(
            f"http://{pod.host.address}:{port}{asked['path']}",
            headers={"Authorization": f"Bearer {secret}"})
        with DIRECT.open(request, timeout=120) as said:
            text = said.read().decode()
        if "idemstore_build_info" not in text:
            raise Wrong(f"{pod.name}: no metrics: {text[:500]}")


CRASHES = {1: crash_of_one, 2: crash_of_a_pair, 3: crash_of_three}


def tell(net):
    docs = json.loads(pathlib.Path(sys.argv[1]).read_text())
    sets = {one["metadata"]["name"]: Cluster(
        net, docs, {"idemstore": {"secret": SECRET}}, one["metadata"]["name"])
        for one in of_kind(docs, "StatefulSet")}
    cluster, etcd = sets["idemstore"], sets.get("idemstore-etcd")
    sh("mount", "--bind", net.work / "layers/hosts", "/etc/hosts")
    for one in sets.values():
        one.start()
    for one in sets.values():
        one.wait_until_ready()
    until("all have joined", lambda: have_joined(cluster))
    service = next(one for one in of_kind(docs, "Service")
                   if one["spec"].get("clusterIP") != "None")
    uri = f"idem://:{SECRET}@{service['metadata']['name']}." \
          f"{cluster.namespace}.svc:{service['spec']['ports'][0]['port']}/"
    clients = [Client(uri, number) for number in range(CLIENTS)]
    for one in clients:
        one.start()
    goes_on(clients)
    check_scraped(cluster, docs)
    cluster.update(lambda pod: have_joined(cluster))
    goes_on(clients)
    print(f"  {len(cluster.pods)} updated, each with another address")
    if etcd:
        etcd.update(lambda pod: pod.is_ready)
        goes_on(clients)
        until("the agents have etcd again", lambda: have_joined(cluster))
        print(f"  {len(etcd.pods)} of etcd updated, each with another address")
    CRASHES[len(cluster.pods)](cluster)
    goes_on(clients)
    for one in clients:
        one.end()
    kept = check_kept(uri, clients)
    print(f"  a crash; {kept} keys under all of it: no call failed, 0 lost, "
          "0 double")


if __name__ == "__main__":
    story(tell)
