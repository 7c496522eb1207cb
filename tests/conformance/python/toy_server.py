#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A toy: a dict and a lock. No lease runs out, no nonce is looked at, nothing
is refused; idemconform server --tier core says which promises that breaks."""
import socketserver
import sys
import threading
import time

import wire

RECORDS, LOCK, COUNT = {}, threading.Lock(), [0]


def shown(r, age):
    out = {"age_ms": age, "attempt": r["attempt"],
           "ttl_left_ms": max(int(r["ttl"]) - age, 0)}
    if r["state"] == "completed":
        size = None if r["result"] is None else len(r["result"])
        return [r["state"], {**out, "result_bytes": size, "class": r["class"]}]
    if r["state"] == "in_progress":
        out["lease_left_ms"] = max(int(r["lease"]) - age, 0)
    return [r["state"], out]


def call(method, p):
    method = method if isinstance(method, str) else method.decode()
    if method in ("ping", "hello"):
        return "pong" if method == "ping" else {"server": "toy"}
    ns, key, p2, p3, p4, p5 = ([x.encode() if isinstance(x, str) else x
                                for x in p] + [None] * 4)[:6]
    r, now = RECORDS.get((ns, key)), time.monotonic()
    age = int((now - r["at"]) * 1000) if r else 0
    if method == "peek":
        return shown(r, age) if r else ["absent"]
    if method == "acquire":
        if r and r["fp"] and p2 and r["fp"] != p2:
            return ["mismatch", r["state"]]
        if r and r["state"] == "completed":
            return ["replay", r["result"], r["class"], age,
                    max(int(r["ttl"]) - age, 0)]
        if r and r["state"] == "in_progress":
            return ["in_progress", max(int(r["lease"]) - age, 0), r["attempt"],
                    age]
        COUNT[0] += 1
        token, attempt = COUNT[0].to_bytes(16, "big"), r["attempt"] + 1 if r else 1
        RECORDS[ns, key] = {"state": "in_progress", "token": token, "at": now,
                            "fp": p2 or r and r["fp"], "attempt": attempt,
                            "lease": p4, "ttl": p5}
        return ["acquired", token, attempt, "released" if r else "none", int(p4)]
    if not r or r["token"] != p2 or r["state"] == "released":
        return ["stale", r["state"]] if r else ["unknown"]
    if method == "complete" and r["state"] == "completed":
        return ["completed", r["result"] is not None]
    if r["state"] == "completed":
        return ["stale", "completed"]
    if method == "complete":
        r.update({"state": "completed", "at": now, "result": p3,
                  "class": (p5 or {}).get("class", "success")})
        return ["completed", p3 is not None]
    r.update({"at": now, **({"state": "released"} if method == "release"
                            else {"lease": p3})})
    return ["released"] if method == "release" else ["renewed", int(p3)]


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        data = b""
        while got := self.request.recv(65536):
            data += got
            for msgid, method, params, at in self.frames(data):
                with LOCK:
                    self.request.sendall(
                        wire.pack([1, msgid, None, call(method, params)]))
                data = data[at:]

    @staticmethod
    def frames(data):
        while data:
            try:
                (_, msgid, method, params), at = wire.unpack(data)
            except wire.Short:
                return
            yield msgid, method, params, at
            data = data[at:]


host, port = sys.argv[sys.argv.index("--listen") + 1].split(":")
socketserver.ThreadingTCPServer.daemon_threads = True
socketserver.ThreadingTCPServer((host, int(port)), Handler).serve_forever()
