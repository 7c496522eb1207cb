# SPDX-License-Identifier: Apache-2.0
"""cluster.py -- as much of a cluster as a StatefulSet needs, played with plain
processes: pods with a volume each, names, probes, hooks, an update that takes
one after the other. A pod that is made anew has another address."""
import os
import re
import signal
import urllib.request

from hosts import Wrong, until

PATH = "/usr/local/bin:/usr/bin:/bin"
PROGRAMS = ("idemstored", "idemctl")
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
    def __init__(self, net, docs, secrets):
        self.net, self.docs, self.secrets = net, docs, secrets
        self.set, = of_kind(docs, "StatefulSet")
        self.namespace = self.set["metadata"]["namespace"]
        name, count = self.set["metadata"]["name"], self.set["spec"]["replicas"]
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


class Pod:
    def __init__(self, cluster, name):
        self.cluster, self.name, self.host = cluster, name, None
        self.is_ready, self.made = False, 0
        self.spec = cluster.set["spec"]["template"]["spec"]
        self.container, = self.spec["containers"]
        security = self.spec["securityContext"]
        self.user = (security["runAsUser"], security["runAsGroup"])
        self.group = security["fsGroup"]
        self.environment = {"PATH": PATH, **{
            one["name"]: self.value_of(one) for one in self.container["env"]}}

    def value_of(self, variable):
        if "value" in variable:
            return variable["value"]
        return {"metadata.name": self.name,
                "metadata.namespace": self.cluster.namespace}[
                    variable["valueFrom"]["fieldRef"]["fieldPath"]]

    def filled_in(self, text):
        return re.sub(r"\$\((\w+)\)", lambda m: self.environment[m[1]], text)

    # ------------------------------------------------------------ its folders

    def files(self, mount, contents, mode):
        """A ConfigMap or a Secret as a folder."""
        folder = self.cluster.net.work / f"{self.name}-{self.made}-{mount}"
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
        folder = self.cluster.net.work / f"volume-{self.name}-{mount}"
        if not folder.exists():
            folder.mkdir()
            (folder / "lost+found").mkdir(mode=0o700)
            os.chown(folder, 0, self.group)
            folder.chmod(0o2770)
        return folder

    def source_of(self, mount):
        for volume in self.spec["volumes"]:
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
        net = self.cluster.net
        self.made += 1
        self.host = net.add(f"{self.name}-{self.made}")
        for program in PROGRAMS:
            self.host.bind(f"{os.environ['BUILD']}/{program}",
                           f"/usr/bin/{program}")
        for mount in self.container["volumeMounts"]:
            self.host.bind(self.source_of(mount["name"]), mount["mountPath"],
                           not mount.get("readOnly"))
        security = self.container["securityContext"]
        self.host.is_confined = security["capabilities"]["drop"] == ["ALL"]
        if security["readOnlyRootFilesystem"]:
            self.host.seal()
        self.cluster.tell_names()
        self.begin()

    def begin(self):
        self.host.start(
            ["/usr/bin/idemstored",
             *map(self.filled_in, self.container["args"])],
            self.environment, self.user)

    def does(self, command):
        return self.host.run(command, self.environment, self.user)

    def probe(self, kind):
        """As the machine's kubelet asks, from beside the pod."""
        asked = self.container[kind]["httpGet"]
        port, = (one["containerPort"] for one in self.container["ports"]
                 if one["name"] == asked["port"])
        url = f"http://{self.host.address}:{port}{asked['path']}"
        try:
            with DIRECT.open(url, timeout=self.container[kind][
                    "timeoutSeconds"]) as said:
                return 200 <= said.status < 400
        except OSError:
            return False

    def wait_until_ready(self):
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            until(f"{self.name}: {kind}", lambda k=kind: self.is_well(k))
        self.is_ready = True
        self.cluster.tell_names()

    def is_well(self, kind):
        if self.host.process.poll() is not None:
            raise Wrong(f"{self.name} has ended with "
                        f"{self.host.process.returncode}")
        return self.probe(kind)

    def delete(self):
        self.is_ready = False
        self.cluster.tell_names()
        hook = self.container.get("lifecycle", {}).get("preStop")
        if hook:
            self.does(hook["exec"]["command"])
        code = self.host.end()
        if code != 0:
            raise Wrong(f"{self.name} ended with {code}")
        self.host = None
        self.cluster.tell_names()

    def crash(self):
        """Its process is killed; the machine starts it anew in its place."""
        self.is_ready = False
        self.host.end(signal.SIGKILL)
        self.begin()
