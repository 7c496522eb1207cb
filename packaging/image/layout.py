#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""layout.py NAME SOURCE ROOT OUT -- completes ROOT, which has the programs of the
image NAME under usr/bin, and writes it as an OCI archive: one layer, its
configuration, its manifest. See https://github.com/opencontainers/image-spec.

What is in it beside the programs: the libraries that they load, with their
copyright files, the loader, TLS roots, time zones, and what names a user and
orders a lookup. No shell."""
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

USER = 65532  # nobody's, and no name is needed to run as another
ROOTS = "etc/ssl/certs/ca-certificates.crt"
FILES = {
    "etc/passwd": "root:x:0:0:root:/:/none\n"
                  f"idemstore:x:{USER}:{USER}:idemstore:/:/none\n",
    "etc/group": f"root:x:0:\nidemstore:x:{USER}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
# Group 0 may write there, too: some clusters give each container a user of
# their own choice, and that group.
DATA = "var/lib/idemstore"
MODES = {DATA: 0o770, "tmp": 0o1777, "run": 0o1777}

# What the images differ in, beside the programs that build puts there.
IMAGES = {
    "idemstore": {
        "does": "One key, one execution: the store that backends ask before "
                "what must happen only once",
        "config": {
            "Entrypoint": ["/usr/bin/idemstored"],
            "Cmd": ["--listen", "0.0.0.0:7117",
                    "--data-dir", "/" + DATA, "--fsync", "everysec",
                    "--secret-file", "/run/secrets/idemstore"],
            "ExposedPorts": {"7117/tcp": {}},
            "Volumes": {"/" + DATA: {}}},
    },
    "idemstore-agent": {
        "does": "Failover by itself: beside each node of idemstore it decides, "
                "with others of its kind and etcd, which one leads",
        "config": {"Entrypoint": ["/usr/bin/idemagent"], "Cmd": []},
    },
}


def refuse(why):
    sys.exit(f"packaging/image: {why}")


# --------------------------------------------------------------- what is in it


def libraries(program):
    """(path as it is asked for, file) of each that it loads."""
    said = subprocess.run(["ldd", program], check=True, capture_output=True,
                          text=True).stdout
    if "not found" in said:
        refuse(f"{program} lacks a library:\n{said}")
    for line in said.splitlines():
        found = re.search(r"(?:=> )?(/\S+) \(0x", line)
        if found:
            yield found[1]


def add_file(root, name, source):
    to = root / name
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(Path(source).read_bytes())
    to.chmod(os.stat(source).st_mode)


def notice(library):
    """The copyright file of the package that the library is from."""
    for path in (library, "/usr" + library):
        said = subprocess.run(["dpkg", "-S", path], capture_output=True,
                              text=True).stdout
        if said:
            package = said.split(":")[0]
            return f"usr/share/doc/{package}/copyright"
    return refuse(f"{library} is of no package: whose is it?")


def complete(name, root, source):
    for program in sorted((root / "usr/bin").iterdir()):
        for library in libraries(program):
            # /lib is a link to /usr/lib on Debian; here there is no /usr/lib.
            add_file(root, library.lstrip("/"), library)
            add_file(root, notice(library), "/" + notice(library))
    if not Path("/" + ROOTS).exists():
        refuse(f"/{ROOTS} is not here: install ca-certificates")
    add_file(root, ROOTS, "/" + ROOTS)
    for zone in sorted(Path("/usr/share/zoneinfo").rglob("*")):
        if zone.is_file() and zone.read_bytes()[:4] == b"TZif" \
                and zone.relative_to("/usr/share/zoneinfo").parts[0] \
                not in ("posix", "right"):
            add_file(root, str(zone).lstrip("/"), zone)
    for path, text in FILES.items():
        (root / path).write_text(text)
    add_file(root, f"usr/share/doc/{name}/LICENSE", source / "LICENSE")
    for folder in MODES:
        if folder != DATA or "Volumes" in IMAGES[name]["config"]:
            (root / folder).mkdir(parents=True)


# ------------------------------------------------------------------- its bytes


def layer(root, epoch):
    """The tree as tar: sorted, of one date, each content once."""
    made, seen = io.BytesIO(), {}
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) \
            as tar:
        for path in sorted(root.rglob("*")):
            name = str(path.relative_to(root))
            entry = tar.gettarinfo(path, name)
            entry.mtime, entry.uname, entry.gname = epoch, "", ""
            entry.mode = MODES.get(name, 0o755 if path.is_dir() else
                                   entry.mode & 0o755)
            entry.uid = USER if name == DATA else 0
            entry.gid = 0
            if path.is_dir():
                tar.addfile(entry)
                continue
            content = path.read_bytes()
            first = seen.setdefault(content, name)
            if first != name:
                entry.type, entry.linkname, entry.size = \
                    tarfile.LNKTYPE, first, 0
                tar.addfile(entry)
            else:
                tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def packed(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def configuration(name, version, architecture, created, layer_digest):
    return {
        "architecture": architecture, "os": "linux", "created": created,
        "config": {
            **IMAGES[name]["config"],
            "User": str(USER),
            "Env": ["PATH=/usr/bin"],
            "StopSignal": "SIGTERM",
            "WorkingDir": "/",
            "Labels": {
                "org.opencontainers.image.title": name,
                "org.opencontainers.image.description": IMAGES[name]["does"],
                "org.opencontainers.image.version": version,
                "org.opencontainers.image.licenses": "Apache-2.0",
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
        "history": [{"created": created, "created_by":
                     "packaging/image/build"}],
    }


def blob(kind, content, blobs):
    blobs["blobs/" + digest(content).replace(":", "/")] = content
    return {"mediaType": "application/vnd.oci.image." + kind,
            "digest": digest(content), "size": len(content)}


def image(name, root, version, architecture, epoch):
    """{name: content} of the OCI layout."""
    created = subprocess.run(
        ["date", "-u", "-d", f"@{epoch}", "+%Y-%m-%dT%H:%M:%SZ"], check=True,
        capture_output=True, text=True).stdout.strip()
    tar, blobs = layer(root, epoch), {}
    squeezed = gzip.compress(tar, compresslevel=9, mtime=0)
    config = packed(configuration(name, version, architecture, created,
                                  digest(tar)))
    manifest = packed({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob("config.v1+json", config, blobs),
        "layers": [blob("layer.v1.tar+gzip", squeezed, blobs)],
    })
    entry = blob("manifest.v1+json", manifest, blobs)
    entry["platform"] = {"architecture": architecture, "os": "linux"}
    entry["annotations"] = {"org.opencontainers.image.ref.name": version}
    blobs["index.json"] = packed({"schemaVersion": 2, "manifests": [entry]})
    blobs["oci-layout"] = packed({"imageLayoutVersion": "1.0.0"})
    return blobs


def write(path, files, epoch):
    with tarfile.open(path, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(files[name]), epoch
            tar.addfile(entry, io.BytesIO(files[name]))


def main():
    name, *folders = sys.argv[1:]
    source, root, out = map(Path, folders)
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    version = re.search(r"^project\(idemstore VERSION ([0-9.]+)",
                        (source / "CMakeLists.txt").read_text(), re.M)[1]
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, capture_output=True,
        text=True).stdout.strip()
    complete(name, root, source)
    path = out / f"{name}-{version}-{architecture}.tar"
    write(path, image(name, root, version, architecture, epoch), epoch)
    print(path)


main()
