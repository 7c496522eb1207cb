#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""chart.py BASE CHART -- the chart says what the kustomize base says (both
rendered, as JSON). May differ: how a pod notices changed settings (a name there,
an annotation here), the order in lists that have none, comments in settings."""
import json
import re
import sys


def die(why):
    sys.exit(f"chart.py: {why}")


def settings(text):
    """The lines that hold, without the spaces that do not."""
    lines = [line for line in text.splitlines()
             if line.strip() and not line.startswith("#")]
    return re.sub(r"\s+", "", "\n".join(lines))


def without_hash(value):
    if isinstance(value, dict):
        return {key: without_hash(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_hash(one) for one in value]
    if isinstance(value, str):
        return re.sub(r"^(idemstore-(nodes|agents))-[a-z0-9]{10}$", r"\1", value)
    return value


def plain(doc):
    doc = without_hash(doc)
    doc["metadata"].setdefault("namespace", "shop")
    for subject in doc.get("subjects", []):
        subject.setdefault("namespace", "shop")
    if doc["kind"] == "ConfigMap":
        doc["data"] = {key: text if key.endswith(".sh") else settings(text)
                       for key, text in doc["data"].items()}
    if doc["kind"] == "NetworkPolicy":
        for way in ("ingress", "egress"):
            doc["spec"][way].sort(key=json.dumps)
    if doc["kind"] == "StatefulSet":
        template = doc["spec"]["template"]
        notes = template["metadata"].pop("annotations", {})
        if set(notes) - {"checksum/settings"}:
            die(f"annotations: {notes}")
        template["spec"].get("volumes", []).sort(key=lambda one: one["name"])
    return doc


def by_name(path):
    with open(path, encoding="utf-8") as file:
        docs = [plain(one) for one in json.load(file)]
    return {(one["kind"], one["metadata"]["name"]): one for one in docs}


def differences(base, chart, where=""):
    if isinstance(base, dict) and isinstance(chart, dict):
        for key in sorted({*base, *chart}):
            yield from differences(base.get(key), chart.get(key),
                                   f"{where}.{key}")
    elif isinstance(base, list) and isinstance(chart, list) and \
            len(base) == len(chart):
        for number, pair in enumerate(zip(base, chart)):
            yield from differences(*pair, f"{where}[{number}]")
    elif base != chart:
        yield f"{where}: the base has {base}, the chart {chart}"


def main():
    base, chart = map(by_name, sys.argv[1:])
    if base.keys() != chart.keys():
        die(f"in one of them alone: {sorted(base.keys() ^ chart.keys())}")
    for name, doc in base.items():
        for told in differences(doc, chart[name]):
            die(f"{' '.join(name)}{told}")
    print(f"  the chart's {len(chart)} objects are the base's")


main()
