#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""schemas.py DOCS -- holds what a kustomize base renders to Kubernetes' own
published schemas, strictly, at the oldest and the newest version; what may only
be left open on purpose to the words "restricted" of the pod security standards;
and each name in it to something that is there."""
import json
import sys

import kubernetes_validate

VERSIONS = ("1.27", "1.37")


def die(why):
    sys.exit(f"schemas.py: {why}")


def check_schemas(docs):
    for version in VERSIONS:
        for one in docs:
            if one["kind"] == "ServiceMonitor":
                continue  # not of Kubernetes itself: monitor.mjs
            try:
                kubernetes_validate.validate(one, version, strict=True)
            except kubernetes_validate.ValidationError as wrong:
                die(f"{one['kind']} {one['metadata']['name']}, Kubernetes "
                    f"{version}: {wrong.message} at {list(wrong.path)}")


def templates(docs):
    return [(one, one["spec"]["template"]) for one in docs
            if one["kind"] in ("StatefulSet", "Job")]


def check_restricted(owner, spec):
    pod, name = spec["securityContext"], owner["metadata"]["name"]
    if not pod["runAsNonRoot"] or pod["runAsUser"] == 0 or \
            pod["seccompProfile"]["type"] != "RuntimeDefault":
        die(f"{name}: its pod is not restricted: {pod}")
    for one in spec["containers"]:
        own = one["securityContext"]
        if own["allowPrivilegeEscalation"] or not own["readOnlyRootFilesystem"] \
                or own["capabilities"] != {"drop": ["ALL"]}:
            die(f"{name}: {one['name']} is not restricted: {own}")
        if "memory" not in one["resources"]["limits"]:
            die(f"{name}: {one['name']} has no limit of memory")
        if one["image"].endswith(":latest") or ":" not in one["image"]:
            die(f"{name}: which {one['image']}?")


def wanted(docs):
    """(kind, name) of whatever something else names."""
    for owner, template in templates(docs):
        spec = template["spec"]
        yield "ServiceAccount", spec["serviceAccountName"]
        for volume in spec.get("volumes", []):
            if "configMap" in volume:
                yield "ConfigMap", volume["configMap"]["name"]
        if owner["kind"] == "StatefulSet":
            yield "Service", owner["spec"]["serviceName"]
    for one in docs:
        if one["kind"] == "RoleBinding":
            yield one["roleRef"]["kind"], one["roleRef"]["name"]
            for subject in one["subjects"]:
                yield subject["kind"], subject["name"]


def selectors(docs):
    """(name, labels) of whatever selects pods of ours."""
    for one in docs:
        spec, name = one.get("spec", {}), one["metadata"]["name"]
        if one["kind"] == "Service":
            yield name, spec["selector"]
        elif one["kind"] == "NetworkPolicy":
            yield name, spec["podSelector"]["matchLabels"]
            for rule in spec["ingress"] + spec["egress"]:
                for peer in rule.get("from", []) + rule.get("to", []):
                    if "namespaceSelector" not in peer:
                        yield name, peer["podSelector"]["matchLabels"]
        elif one["kind"] in ("StatefulSet", "PodDisruptionBudget"):
            yield name, spec["selector"]["matchLabels"]


def selected(docs, name, selector):
    """The pods of one StatefulSet: a policy that takes in more is too wide."""
    found = [template for owner, template in templates(docs)
             if owner["kind"] == "StatefulSet" and
             selector.items() <= template["metadata"]["labels"].items()]
    if len(found) != 1:
        die(f"{name} selects {len(found)} kinds of nodes: {selector}")
    return found[0]


def check_names(docs):
    there = {(one["kind"], one["metadata"]["name"]) for one in docs}
    for name in wanted(docs):
        if name not in there:
            die(f"there is no {name[0]} {name[1]}")
    for name, selector in selectors(docs):
        selected(docs, name, selector)
    for one in docs:
        if one["kind"] == "Service":
            nodes = selected(docs, one["metadata"]["name"],
                             one["spec"]["selector"])
            ports = {port["name"] for port in
                     nodes["spec"]["containers"][0]["ports"]}
            for port in one["spec"]["ports"]:
                if port["targetPort"] not in ports:
                    die(f"{one['metadata']['name']}: no port {port}")
    for _, template in templates(docs):
        volumes = {one["name"] for one in template["spec"].get("volumes", [])}
        claims = {claim["metadata"]["name"] for owner, _ in templates(docs)
                  for claim in owner["spec"].get("volumeClaimTemplates", [])}
        for one in template["spec"]["containers"]:
            for mount in one["volumeMounts"]:
                if mount["name"] not in volumes | claims:
                    die(f"{one['name']}: nothing brings {mount}")


def check_secret(docs):
    """The job makes the one that the nodes wait for, and can do no more."""
    job, = (t for o, t in templates(docs) if o["kind"] == "Job")
    nodes, = (t for o, t in templates(docs) if o["kind"] == "StatefulSet" and
              o["metadata"]["name"] == "idemstore")
    made = {e["name"]: e["value"] for e in job["spec"]["containers"][0]["env"]}
    secret, = (v["secret"] for v in nodes["spec"]["volumes"] if "secret" in v)
    if secret["secretName"] != made["NAME"] or secret["defaultMode"] != 0o440:
        die(f"the nodes wait for {secret}, the job makes {made}")
    role, = (one for one in docs if one["kind"] == "Role")
    if role["rules"] != [{"apiGroups": [""], "resources": ["secrets"],
                          "verbs": ["create"]}]:
        die(f"the job may do more than it has to: {role['rules']}")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        docs = json.load(file)
    check_schemas(docs)
    for owner, template in templates(docs):
        check_restricted(owner, template["spec"])
    check_names(docs)
    check_secret(docs)
    print(f"  {len(docs)} objects: good by the schemas of Kubernetes "
          f"{' and '.join(VERSIONS)}")


main()
