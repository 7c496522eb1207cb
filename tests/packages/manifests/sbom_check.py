#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sbom_check.py OUT -- holds the release's bill of materials to the published
schema of CycloneDX, and what it says to the files that are there."""
import hashlib
import json
import pathlib
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

out = pathlib.Path(sys.argv[1])
path, = out.glob("*.cdx.json")
wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(path.read_text())
if wrong:
    sys.exit(f"sbom_check.py: {path.name}: {wrong}")
said = json.loads(path.read_text())
files = {one["name"]: one["hashes"][0]["content"]
         for one in said["components"] if one["type"] == "file"}
there = {one.name: hashlib.sha256(one.read_bytes()).hexdigest()
         for one in out.iterdir() if one != path and one.name != "SHA256SUMS"}
if files != there:
    sys.exit(f"sbom_check.py: it says {files}, there is {there}")
libraries = {one["name"] for one in said["components"]
             if one["type"] == "library"}
if not {"libuv1", "openssl", "libsodium"} <= libraries:
    sys.exit(f"sbom_check.py: a library is missing: {libraries}")
print(f"  a bill of {len(said['components'])} components, by CycloneDX's schema")
