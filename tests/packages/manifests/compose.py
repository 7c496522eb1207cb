#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compose.py PROJECT -- a compose project (rendered, as JSON) played with plain
processes: the programs of this machine in the place of the images, everything
else as the project says it: commands, variables, mounts, secrets, users, checks
of health and their order. Then a click comes many times."""
import concurrent.futures
import json
import os
import pathlib
import signal
import sys
import urllib.error
import urllib.request

from hosts import Wrong, story, until

# What an image brings: its user, and what stands before the command.
IMAGES = {"idemstore": ((65532, 65532), ["/usr/bin/idemstored"]),
          "node": ((0, 0), []), "nginx": ((0, 0), [])}
PATH = "/opt/node:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What a service has from here that its image would have.
PROGRAMS = ("idemstored", "idemctl")


def brought_by(service):
    return IMAGES[service["image"].split(":")[0]]


def volume(net, name, owner):
    path = net.work / "volumes" / name
    if not path.exists():
        path.mkdir(parents=True)
        os.chown(path, *owner)
    return path


def furnish(net, project, name):
    service, host = project["services"][name], net.add(name)
    net.know(name, host)
    user, _ = brought_by(service)
    for program in PROGRAMS:
        host.bind(f"{os.environ['BUILD']}/{program}", f"/usr/bin/{program}")
    host.bind(os.environ["NODE_FOLDER"], "/opt/node")
    for mount in service.get("volumes") or []:
        source = mount["source"] if mount["type"] == "bind" else \
            volume(net, mount["source"], user)
        host.bind(source, mount["target"], not mount.get("read_only"))
    for secret in service.get("secrets") or []:
        host.bind(project["secrets"][secret["source"]]["file"],
                  secret["target"], writable=False)
    for target in service.get("tmpfs") or []:
        host.scratch(target)
    host.is_confined = service.get("cap_drop") == ["ALL"]
    if service.get("read_only"):
        host.seal()
    return host


def environment(service):
    return {"PATH": PATH, **(service.get("environment") or {})}


def begin(net, project, name):
    service, host = project["services"][name], net.hosts[name]
    user, before = brought_by(service)
    host.start([*before, *service["command"]], environment(service), user)
    check = service.get("healthcheck")
    if not check:
        return
    kind, *command = check["test"]
    if kind != "CMD":
        raise Wrong(f"{name}: a check of health by a shell: {check}")
    until(f"{name} is healthy: {' '.join(command)}",
          lambda: host.run(command, environment(service), user).returncode == 0)


def in_order(services):
    """Each after what it depends on; it has to be healthy by then."""
    done = []
    while len(done) < len(services):
        ready = [name for name, one in services.items() if name not in done
                 and all(other in done for other in one.get("depends_on") or {})]
        if not ready:
            raise Wrong("the services wait for each other")
        done += ready
    for one in services.values():
        for other, how in (one.get("depends_on") or {}).items():
            if how["condition"] != "service_healthy" or \
                    not services[other].get("healthcheck"):
                raise Wrong(f"{other} may not be there yet: {how}")
    return done


def click(url, key=None):
    """(status, replayed, body) of one POST /match."""
    asked = urllib.request.Request(
        url + "/match", data=b'{"user":"ada","cost":10}',
        headers={"content-type": "application/json",
                 **({"idempotency-key": key} if key else {})})
    try:
        said = urllib.request.urlopen(asked, timeout=120)
    except urllib.error.HTTPError as refused:
        said = refused
    with said:
        return (said.status, said.headers.get("idempotency-replayed") == "true",
                json.loads(said.read() or b"null"))


def played(url):
    with urllib.request.urlopen(url + "/matches", timeout=120) as said:
        return json.loads(said.read())["played"]


def clicks(url):
    """Twenty at once: one of them takes points."""
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        said = list(pool.map(lambda _: click(url, "order-1"), range(20)))
    first = [body for status, again, body in said if status == 200 and not again]
    if len(first) != 1 or played(url) != 1 or \
            {status for status, *_ in said} - {200, 409}:
        raise Wrong(f"not one of twenty: {played(url)} played, {said}")
    # One after the other, over both: whoever is asked says the same.
    for _ in range(4):
        if click(url, "order-1") != (200, True, first[0]):
            raise Wrong("a retry does not hear the first one's answer")
    for number in (2, 3, 4, 5):
        click(url, f"order-{number}")
    return first[0]


def tell(net):
    # Nobody's proxy stands between us and our own machines.
    urllib.request.install_opener(
        urllib.request.build_opener(urllib.request.ProxyHandler({})))
    project = json.loads(pathlib.Path(sys.argv[1]).read_text())
    services = project["services"]
    order = in_order(services)
    for name in order:
        furnish(net, project, name)
    for name in order:
        begin(net, project, name)
    for name, one in services.items():
        for port in one.get("ports") or []:
            if port.get("host_ip") != "127.0.0.1":
                raise Wrong(f"{name} is open to everybody: {port}")
    url = published(net, services, "front")
    until("nginx answers", lambda: answers(url))
    first = clicks(url)
    print("  twenty clicks, two backends, nginx: one took points")
    check_console(published(net, services, "store"),
                  pathlib.Path(project["secrets"]["store"]["file"]).read_text())
    store = net.hosts["store"]
    for number, how in ((signal.SIGKILL, "killed"), (signal.SIGTERM, "ended")):
        store.end(number)
        begin(net, project, "store")
        said = until(f"a replay after the store was {how}",
                     lambda: repeated(url))
        if said != (200, True, first) or played(url) != 5:
            raise Wrong(f"the store was {how}: {said}, {played(url)} played")
    print("  the store was killed, and ended: what it knew is there")
    status, *_ = click(url)
    if status != 400:
        raise Wrong(f"without a key: {status}")


def published(net, services, name):
    port, = services[name]["ports"]
    return f"http://{net.hosts[name].address}:{port['target']}"


def asked(url, secret=None):
    """(status, body), as a browser asks that came by way of localhost."""
    request = urllib.request.Request(url, headers={
        "host": "localhost:7118",
        **({"authorization": f"Bearer {secret}"} if secret else {})})
    try:
        said = urllib.request.urlopen(request, timeout=120)
    except urllib.error.HTTPError as refused:
        said = refused
    with said:
        return said.status, said.read().decode()


def check_console(url, secret):
    """The page is anybody's; what it shows is for who has the secret."""
    status, page = asked(url + "/")
    if status != 200 or "<title>idemstore" not in page:
        raise Wrong(f"no console: {status} {page[:300]}")
    if asked(url + "/metrics")[0] != 401:
        raise Wrong("figures without the secret")
    status, figures = asked(url + "/metrics", secret.strip())
    if status != 200 or 'method="acquire"' not in figures:
        raise Wrong(f"no figures: {status} {figures[:300]}")
    print("  the console is there, its figures for who has the secret")


def answers(url):
    try:
        return played(url) == 0
    except (OSError, ValueError):
        return False


def repeated(url):
    """A backend may find its connection broken once."""
    said = click(url, "order-1")
    return said if said[0] == 200 else None


if __name__ == "__main__":
    story(tell)
