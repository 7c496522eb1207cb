#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sbom.py VERSION OUT -- says what is in the files of OUT, as CycloneDX 1.6
(https://cyclonedx.org) in OUT/idemstore-VERSION.cdx.json: the files, with their
hashes; the Debian packages whose libraries the programs load, as this machine
has them (in the image they are inside; a deb depends on them); the headers that
are compiled in. The packages for Node, Python and Java bring nothing along."""
import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

# Whose code the programs load or are compiled with: packaging/debian/control.
CONTROL = Path(__file__).with_name("debian") / "control"
KINDS = {".deb": "a Debian package", ".tar": "a container image",
         ".gz": "the source", ".tgz": "the package for Node",
         ".jar": "for Java", ".pom": "for Java", ".whl": "for Python"}
CHART = "idemstore-chart-"  # what Helm takes, by npm's suffix


def asked(*command):
    return subprocess.run(command, check=True, capture_output=True,
                          text=True).stdout.strip()


def libraries():
    """The packages behind the -dev packages that we are built with."""
    text = CONTROL.read_text()
    for dev in sorted(set(re.findall(r"^ (lib\S+-dev),?$", text, re.M))):
        name, version = asked("dpkg-query", "-W", "-f",
                              "${source:Package} ${source:Version}", dev).split()
        yield dev, name, version


def purl(version, path):
    if path.name.startswith(CHART):
        return f"pkg:helm/idemstore@{version}"
    names = {".tgz": f"pkg:npm/%40idemstore/client@{version}",
             ".whl": f"pkg:pypi/idemstore@{version}"}
    if path.suffix in (".jar", ".pom"):
        return f"pkg:maven/io.idemstore/" \
               f"{path.name.removesuffix(f'-{version}{path.suffix}')}@{version}"
    if path.suffix == ".deb":
        name, _, rest = path.name.partition("_")
        return f"pkg:deb/debian/{name}@{version}?arch=" \
               f"{rest.split('_')[1].removesuffix('.deb')}"
    return names.get(path.suffix, f"pkg:generic/idemstore@{version}")


def file_component(version, path):
    return {"type": "file", "bom-ref": path.name, "name": path.name,
            "version": version, "purl": purl(version, path),
            "description": "a chart for Helm" if path.name.startswith(CHART)
            else KINDS[path.suffix],
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(
                path.read_bytes()).hexdigest()}],
            "licenses": [{"license": {"id": "Apache-2.0"}}]}


def main():
    version, out = sys.argv[1], Path(sys.argv[2])
    files = sorted(path for path in out.iterdir() if path.suffix in KINDS)
    components = [file_component(version, path) for path in files]
    loaded = [{"type": "library", "bom-ref": dev, "name": name,
               "version": number, "purl": f"pkg:deb/debian/{name}@{number}"
               "?arch=source", "description": f"by way of {dev}"}
              for dev, name, number in libraries()]
    when = datetime.datetime.fromtimestamp(
        int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    native = [path.name for path in files if path.suffix in (".deb", ".tar")]
    said = {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {
            "timestamp": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "application", "bom-ref": "idemstore",
                          "name": "idemstore", "version": version,
                          "licenses": [{"license": {"id": "Apache-2.0"}}]}},
        "components": components + loaded,
        "dependencies": [{"ref": "idemstore",
                          "dependsOn": [path.name for path in files]}] +
                        [{"ref": name, "dependsOn": [one["bom-ref"] for one in
                                                     loaded]}
                         for name in native]}
    said["serialNumber"] = uuid.uuid5(
        uuid.NAMESPACE_OID, json.dumps(said, sort_keys=True)).urn
    (out / f"idemstore-{version}.cdx.json").write_text(
        json.dumps(said, indent=1, sort_keys=True) + "\n")


main()
