# SPDX-License-Identifier: Apache-2.0
"""hosts.py -- machines of our own for what a manifest describes: each has a
network namespace, an address on one bridge, and a root that is this machine's
with a layer over it, read-only where it is to be. Nothing of it outlives the
namespaces that it was made in:

    unshare --mount --net --pid --fork --kill-child --mount-proc python3 ..."""
import os
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "lib"))
from clients import PATIENCE_S, Wrong, until  # noqa: E402,F401

# A program without rights, and with no way to them.
CONFINED = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]


def sh(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Wrong(f"{' '.join(map(str, command))}: {done.stderr}")
    return done.stdout


class Net:
    """One bridge, and the names that are known on it."""

    def __init__(self, work):
        self.work, self.names, self.hosts = Path(work), {}, {}
        sh("mount", "--make-rprivate", "/")
        (self.work / "layers").mkdir()
        sh("mount", "-t", "tmpfs", "none", self.work / "layers")
        (self.work / "layers/hosts").write_text("127.0.0.1 localhost\n")
        sh("mount", "-t", "tmpfs", "none", "/run")
        Path("/run/netns").mkdir()
        sh("ip", "link", "set", "lo", "up")
        sh("ip", "link", "add", "bridge", "type", "bridge")
        sh("ip", "address", "add", "10.7.0.1/24", "dev", "bridge")
        sh("ip", "link", "set", "bridge", "up")

    def know(self, name, *hosts):
        """From now on the name is these hosts'."""
        self.names[name] = [host.address for host in hosts]
        lines = ["127.0.0.1 localhost", *(f"{address} {known}"
                 for known, all_of in self.names.items() for address in all_of)]
        # In place: each root has this very file.
        (self.work / "layers/hosts").write_text("\n".join(lines) + "\n")

    def add(self, name, beside=None):
        """beside: a machine whose network it shares."""
        host = Host(self, name, len(self.hosts) + 2, beside)
        self.hosts[name] = host
        return host


class Host:
    """A machine. What is mounted into it is done before it is sealed."""

    def __init__(self, net, name, number, beside=None):
        self.net, self.name = net, name
        self.address = beside.address if beside else f"10.7.0.{number}"
        self.wired = beside.wired if beside else name
        self.process, self.log = None, net.work / f"{name}.log"
        self.is_confined = False
        layers = net.work / "layers" / name
        self.root = layers / "root"
        for folder in ("up", "work", "root"):
            (layers / folder).mkdir(parents=True)
        sh("mount", "-t", "overlay", "overlay", "-o",
           f"lowerdir=/,upperdir={layers}/up,workdir={layers}/work", self.root)
        for folder in ("proc", "dev"):
            sh("mount", "--rbind", f"/{folder}", self.root / folder)
        self.bind(net.work / "layers/hosts", "/etc/hosts")
        if not beside:
            self.wire(number)

    def wire(self, number):
        name, plug = self.name, f"plug{number}"
        sh("ip", "netns", "add", name)
        sh("ip", "link", "add", plug, "type", "veth", "peer", "name", "eth0",
           "netns", name)
        sh("ip", "link", "set", plug, "master", "bridge", "up")
        sh("ip", "-n", name, "address", "add", f"{self.address}/24",
           "dev", "eth0")
        for link in ("eth0", "lo"):
            sh("ip", "-n", name, "link", "set", link, "up")

    def inside(self, path):
        return self.root / str(path).lstrip("/")

    def bind(self, source, target, writable=True):
        source, to = Path(source), self.inside(target)
        if source.is_dir():
            to.mkdir(parents=True, exist_ok=True)
        elif not to.exists():
            to.parent.mkdir(parents=True, exist_ok=True)
            to.touch()
        sh("mount", "--bind", source, to)
        if not writable:
            sh("mount", "-o", "remount,bind,ro", to)

    def scratch(self, target):
        self.inside(target).mkdir(parents=True, exist_ok=True)
        sh("mount", "-t", "tmpfs", "-o", "mode=1777", "none",
           self.inside(target))

    def seal(self):
        sh("mount", "-o", "remount,ro", self.root)

    def entered(self, command, user):
        return ["nsenter", f"--net=/run/netns/{self.wired}", "/usr/sbin/chroot",
                str(self.root), "/usr/bin/setpriv", f"--reuid={user[0]}",
                f"--regid={user[1]}", f"--groups={user[1]}",
                *(CONFINED if self.is_confined else []), *command]

    def start(self, command, env, user=(0, 0)):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.entered(command, user), env=env, cwd="/",
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def run(self, command, env, user=(0, 0), patience_s=PATIENCE_S):
        """What a probe or a hook does."""
        try:
            return subprocess.run(self.entered(command, user), env=env, cwd="/",
                                  capture_output=True, text=True,
                                  timeout=patience_s)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 124, "", "late")

    def end(self, number=signal.SIGTERM):
        """The signal, and its code once it has ended."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self):
        code = self.process.wait(timeout=PATIENCE_S)
        self.process = None
        return code

    def said(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def story(tell):
    """Runs it; what every machine has said comes with a failure."""
    work = Path(os.environ["WORK"])
    net = Net(work)
    try:
        tell(net)
    except BaseException as why:
        for host in net.hosts.values():
            print(f"--- {host.name} has said:\n{host.said()[-4000:]}")
        print(f"FAILED: {why}")
        raise SystemExit(1) from (None if isinstance(why, Wrong) else why)
    finally:
        for host in net.hosts.values():
            if host.process:
                host.process.kill()
