# SPDX-License-Identifier: Apache-2.0
"""cluster.py -- as much of a cluster as a StatefulSet needs, played with plain
processes: pods with a volume each, of containers that share a network, names,
probes, hooks, an update that takes one after the other. A pod that is made anew
has another address."""
import os
import re
import shutil
import signal
import urllib.request

from hosts import Wrong, until

PATH = "/usr/local/bin:/usr/bin:/bin"
# What an image begins with, and what is in it; {name: where} of this machine's.
IMAGES = {"idemstore": ["/usr/bin/idemstored"],
          "idemstore-agent": ["/usr/bin/idemagent"]}
OTHERS = {"/usr/local/bin/etcd": "etcd"}
# Nobody's proxy stands between us and our own machines.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def of_kind(docs, kind):
    return [one for one in docs if one["kind"] == kind]


def named(docs, kind, name):
    for one in of_kind(docs, kind):
        if one["metadata"]["name"] == name:
            return one
    raise Wrong(f"there is no {kind} {name}")


def selects(selector, labels):
    return bool(selector) and selector.items() <= labels.items()


class Cluster:
    """One StatefulSet of it."""

    def __init__(self, net, docs, secrets, name):
        self.net, self.docs, self.secrets = net, docs, secrets
        self.set = named(docs, "StatefulSet", name)
        self.namespace = self.set["metadata"]["namespace"]
        count = self.set["spec"]["replicas"]
        self.pods = [Pod(self, f"{name}-{i}") for i in range(count)]

    def tell_names(self):
        """What the cluster's DNS says, of pods and of services."""
        for service in of_kind(self.docs, "Service"):
            spec, name = service["spec"], service["metadata"]["name"]
            early = spec.get("publishNotReadyAddresses")
            labels = self.set["spec"]["template"]["metadata"]["labels"]
            there = [pod for pod in self.pods if pod.host and
                     selects(spec["selector"], labels) and
                     (pod.is_ready or early)]
            for suffix in ("", f".{self.namespace}.svc"):
                if there:
                    self.net.know(name + suffix, *(p.host for p in there))
                if self.set["spec"]["serviceName"] == name:
                    for pod in there:
                        self.net.know(f"{pod.name}.{name}{suffix}", pod.host)

    def start(self):
        """All at once, as podManagementPolicy says."""
        if self.set["spec"].get("podManagementPolicy") != "Parallel":
            raise Wrong("the pods would be started one after the other")
        for pod in self.pods:
            pod.make()

    def wait_until_ready(self):
        for pod in self.pods:
            pod.wait_until_ready()

    def update(self, has_settled):
        """The last first, as RollingUpdate does; has_settled(pod) stands for
        minReadySeconds."""
        for pod in reversed(self.pods):
            pod.delete()
            pod.make()
            pod.wait_until_ready()
            until(f"{pod.name} has settled", lambda p=pod: has_settled(p))


class Container:
    """One of a pod's: a root of its own in the pod's network."""

    def __init__(self, pod, spec):
        self.pod, self.spec, self.host = pod, spec, None
        self.environment = {"PATH": PATH, **{
            one["name"]: pod.value_of(one) for one in spec["env"]}}

    def filled_in(self, text):
        return re.sub(r"\$\((\w+)\)", lambda m: self.environment[m[1]], text)

    def command(self):
        begins = self.spec.get("command") or \
            IMAGES[self.spec["image"].split(":")[0]]
        return [*begins, *map(self.filled_in, self.spec["args"])]

    def make(self, beside):
        pod = self.pod
        self.host = pod.cluster.net.add(
            f"{pod.name}-{pod.made}-{self.spec['name']}", beside)
        begins = self.command()[0]
        if begins in OTHERS:
            self.host.bind(shutil.which(OTHERS[begins]), begins)
        else:
            for program in (begins, "/usr/bin/idemctl"):
                self.host.bind(
                    f"{os.environ['BUILD']}/{os.path.basename(program)}", program)
        for mount in self.spec["volumeMounts"]:
            self.host.bind(pod.source_of(mount["name"]), mount["mountPath"],
                           not mount.get("readOnly"))
        security = self.spec["securityContext"]
        self.host.is_confined = security["capabilities"]["drop"] == ["ALL"]
        if security["readOnlyRootFilesystem"]:
            self.host.seal()

    def begin(self):
        self.host.start(self.command(), self.environment, self.pod.user)

    def does(self, command):
        return self.host.run(command, self.environment, self.pod.user)

    def probe(self, kind):
        """As the machine's kubelet asks: from beside the pod, or within."""
        probe = self.spec.get(kind)
        if not probe:
            return True
        if "exec" in probe:
            return self.does(probe["exec"]["command"]).returncode == 0
        asked = probe["httpGet"]
        port, = (one["containerPort"] for one in self.spec["ports"]
                 if one["name"] == asked["port"])
        url = f"http://{self.host.address}:{port}{asked['path']}"
        try:
            with DIRECT.open(url, timeout=probe["timeoutSeconds"]) as said:
                return 200 <= said.status < 400
        except OSError:
            return False

    def is_well(self, kind):
        if self.host.process.poll() is not None:
            raise Wrong(f"{self.host.name} has ended with "
                        f"{self.host.process.returncode}")
        return self.probe(kind)

    def stop(self):
        hook = self.spec.get("lifecycle", {}).get("preStop")
        if hook:
            self.does(hook["exec"]["command"])
        self.host.process.send_signal(signal.SIGTERM)

    def end(self):
        code = self.host.ended()
        # etcd ends by the very signal.
        if code != 0 and not (code == -signal.SIGTERM and
                              self.command()[0] in OTHERS):
            raise Wrong(f"{self.host.name} ended with {code}")
        self.host = None


class Pod:
    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name
        self.is_ready, self.made = False, 0
        self.spec = cluster.set["spec"]["template"]["spec"]
        security = self.spec["securityContext"]
        self.user = (security["runAsUser"], security["runAsGroup"])
        self.group = security["fsGroup"]
        self.containers = [Container(self, one)
                           for one in self.spec["containers"]]

    @property
    def host(self):
        return self.containers[0].host

    def value_of(self, variable):
        if "value" in variable:
            return variable["value"]
        return {"metadata.name": self.name,
                "metadata.namespace": self.cluster.namespace}[
                    variable["valueFrom"]["fieldRef"]["fieldPath"]]

    # ------------------------------------------------------------ its folders

    def files(self, mount, contents, mode):
        """A ConfigMap or a Secret as a folder."""
        folder = self.cluster.net.work / f"{self.name}-{self.made}-{mount}"
        if folder.exists():
            return folder
        folder.mkdir()
        for name, text in contents.items():
            path = folder / name
            path.write_text(text)
            os.chown(path, 0, self.group)
            path.chmod(mode)
        os.chown(folder, 0, self.group)
        folder.chmod(0o750)
        return folder

    def claimed(self, mount):
        claims = self.cluster.set["spec"]["volumeClaimTemplates"]
        if mount not in [one["metadata"]["name"] for one in claims]:
            raise Wrong(f"nothing brings the volume {mount}")
        # In memory: what is played is the death of processes, and a machine's
        # one disk is no three.
        folder = self.cluster.net.work / f"layers/volume-{self.name}-{mount}"
        if not folder.exists():
            folder.mkdir()
            (folder / "lost+found").mkdir(mode=0o700)
            os.chown(folder, 0, self.group)
            folder.chmod(0o2770)
        return folder

    def source_of(self, mount):
        for volume in self.spec.get("volumes", []):
            if volume["name"] == mount and "configMap" in volume:
                map_ = named(self.cluster.docs, "ConfigMap",
                             volume["configMap"]["name"])
                return self.files(mount, map_["data"], 0o644)
            if volume["name"] == mount and "secret" in volume:
                secret = volume["secret"]
                return self.files(mount, self.cluster.secrets[
                    secret["secretName"]], secret["defaultMode"])
        return self.claimed(mount)

    # --------------------------------------------------------------- its life

    def make(self):
        self.made += 1
        beside = None
        for one in self.containers:
            one.make(beside)
            beside = self.host
        self.cluster.tell_names()
        for one in self.containers:
            one.begin()

    def does(self, command):
        return self.containers[0].does(command)

    def wait_until_ready(self):
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            until(f"{self.name}: {kind}", lambda k=kind: self.is_well(k))
        self.is_ready = True
        self.cluster.tell_names()

    def is_well(self, kind):
        return all(one.is_well(kind) for one in self.containers)

    def delete(self):
        self.is_ready = False
        self.cluster.tell_names()
        for one in self.containers:
            one.stop()
        for one in reversed(self.containers):
            one.end()
        self.cluster.tell_names()

    def crash(self):
        """The first one's process is killed; the machine starts it anew in its
        place."""
        self.is_ready = False
        self.host.end(signal.SIGKILL)
        self.containers[0].begin()
