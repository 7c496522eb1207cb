#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wrong_server.py --daemon PATH --wrong NAME --listen HOST:PORT [FLAG...] --
the daemon, with one promise broken: it stands in front of a real one, hands
the bytes on, and spoils requests or answers on their way.
wrong_servers.txt says which cases are meant for which."""
import signal
import socket
import subprocess
import sys
import threading
import time

import wire

LOCK = threading.RLock()
PENDING = {}  # (relay, msgid): (method, params)
FIRST, LATEST = {}, {}  # of a key: the first token, the one in force
OVER = set()  # (relay, msgid) that were answered already


def as_bytes(value):
    return value.encode("utf-8", "surrogateescape") \
        if isinstance(value, str) else value


def key_of(params):
    return as_bytes(params[0]), as_bytes(params[1])


# ---------------------------------------------------------------- requests

def without_option(name):
    def spoil(method, params):
        if method == "acquire" and len(params) > 6 and params[6]:
            params[6].pop(name, None)
    return spoil


def without_param(method_meant, index):
    def spoil(method, params):
        if method == method_meant and len(params) > index:
            params[index] = None
    return spoil


def real_token(method, params):
    if method in ("complete", "release", "renew") and len(params) > 2 and \
            params[2] == FIRST.get(key_of(params)):
        params[2] = LATEST[key_of(params)]


def no_unbind(method, params):
    if method == "release" and len(params) > 3:
        del params[3:]


REQUESTS = {
    "nonce-ignored": without_param("acquire", 3),
    "fingerprint-ignored": without_param("acquire", 2),
    "wait-ignored": without_option("wait_ms"),
    "report-ignored": without_option("on_orphan"),
    "class-ignored": lambda m, p: p.__delitem__(slice(5, None))
    if m == "complete" else None,
    "ttl-ignored": without_param("complete", 4),
    "result-ignored": without_param("complete", 3),
    "unbind-ignored": no_unbind,
    "tokens-do-not-grow": real_token,
}

# ---------------------------------------------------------------- answers


def first_token(relay, call, reply):
    result = reply[3]
    if call[0] == "acquire" and result and result[0] == "acquired":
        LATEST[key_of(call[1])] = result[1]
        result[1] = FIRST.setdefault(key_of(call[1]), result[1])
    return [reply]


def twice(relay, call, reply):
    return [reply, reply] if waits(call) else [reply]


def waits(call):
    return call[0] == "acquire" and len(call[1]) > 6 and call[1][6] and \
        call[1][6].get("wait_ms")


def to_all(relay, call, reply):
    result = reply[3]
    if waits(call) and result and result[0] == "acquired":
        for (other, msgid), theirs in list(PENDING.items()):
            if waits(theirs) and key_of(theirs[1]) == key_of(call[1]):
                OVER.add((other, msgid))
                other.say([1, msgid, None, result])
    return [reply]


def mismatch_late(relay, call, reply):
    if waits(call) and reply[3] and reply[3][0] == "mismatch":
        threading.Timer(call[1][6]["wait_ms"] / 1000, relay.say,
                        [reply]).start()
        return []
    return [reply]


def changed(outcome, index, change):
    def spoil(relay, call, reply):
        result = reply[3]
        if isinstance(result, list) and result[0] == outcome and \
                len(result) > index:
            result[index] = change(result[index])
        return [reply]
    return spoil


def lie(value):
    if isinstance(value, str):
        return value[::-1] + "?"
    if isinstance(value, dict):
        return []
    return [lie(value[0]), *value[1:]] if value else value


def lies(relay, call, reply):
    if reply[2]:
        return [[1, reply[1], "WRONG " + reply[2], None]]
    return [[1, reply[1], None, lie(reply[3])]]


def errors_as_arrays(relay, call, reply):
    if reply[2]:
        reply[2] = reply[2].split(" ", 1)
    return [reply]


ANSWERS = {
    "tokens-do-not-grow": first_token,
    "answers-a-wait-twice": twice,
    "releases-to-all": to_all,
    "mismatch-late": mismatch_late,
    "replay-re-encoded": changed(
        "replay", 1, lambda v: v and v.replace(b" ", b"") + b" "),
    "attempt-fixed": changed("acquired", 2, lambda v: 1),
    "previous-fixed": changed("acquired", 3, lambda v: "none"),
    "kept-always": changed("completed", 1, lambda v: True),
    "stale-is-done": changed("stale", 0, lambda v: "released"),
    "unknown-is-stale": changed("unknown", 0, lambda v: "stale"),
    "lease-doubled": changed("renewed", 1, lambda v: v * 2),
    "errors-as-arrays": errors_as_arrays,
    "lies": lies,
}

# ---------------------------------------------------------------- the way


class Relay:
    def __init__(self, client, upstream, wrong):
        self.client, self.wrong = client, wrong
        self.daemon = socket.create_connection(upstream)
        for sock in (self.client, self.daemon):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self.run, daemon=True,
                         args=(client, self.daemon, self.request)).start()
        threading.Thread(target=self.run, daemon=True,
                         args=(self.daemon, client, self.reply)).start()

    def say(self, frame):
        try:
            self.client.sendall(wire.pack(frame))
        except OSError:
            pass

    def run(self, source, sink, spoil):
        data = b""
        try:
            while got := source.recv(65536):
                data = spoil(data + got, sink)
            if self.wrong == "lies" and source is self.daemon:
                return
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def frames(self, data, kind):
        """Whole frames of that kind, and what is left."""
        out = []
        try:
            while data[:1] == b"\x94":
                frame, at = wire.unpack(data)
                if frame[0] != kind or not isinstance(frame[3], (
                        list if kind == 0 else object)):
                    raise wire.Broken()
                out.append((frame, data[:at]))
                data = data[at:]
        except wire.Short:
            return out, data, True
        except (wire.Broken, TypeError, IndexError, KeyError):
            pass
        return out, data, False

    def request(self, data, sink):
        frames, rest, short = self.frames(data, 0)
        for frame, as_sent in frames:
            with LOCK:
                PENDING[self, frame[1]] = frame[2], [*frame[3]]
            before = repr(frame)
            if self.wrong in REQUESTS and frame[3]:
                REQUESTS[self.wrong](frame[2], frame[3])
            sink.sendall(as_sent if repr(frame) == before
                         else wire.pack(frame))
        # Half a frame goes on as well: the daemon has a say about those.
        sink.sendall(rest)
        return b""

    def reply(self, data, sink):
        frames, rest, short = self.frames(data, 1)
        for frame, as_sent in frames:
            with LOCK:
                call = PENDING.pop((self, frame[1]), ("", []))
                if (self, frame[1]) in OVER:
                    continue
                if self.wrong in ANSWERS:
                    for one in ANSWERS[self.wrong](self, call, frame):
                        self.say(one)
                else:
                    sink.sendall(as_sent)
        if short:
            return rest
        sink.sendall(rest if self.wrong != "lies" else b"\x94")
        return b""


def start(path, host, flags):
    with socket.socket() as free:
        free.bind((host, 0))
        upstream = free.getsockname()
    daemon = subprocess.Popen([path, "--listen", "%s:%d" % upstream, *flags])
    for _ in range(3000):
        try:
            socket.create_connection(upstream).close()
            return daemon, upstream
        except OSError:
            time.sleep(0.01)
    sys.exit("the daemon does not start")


def main():
    words = sys.argv[1:]
    told = {}
    for name in ("--daemon", "--wrong", "--listen"):
        at = words.index(name)
        told[name] = words[at + 1]
        del words[at:at + 2]
    host, port = told["--listen"].split(":")
    daemon, upstream = start(told["--daemon"], host, words)

    def stop(*_):
        daemon.terminate()
        sys.exit(daemon.wait())

    signal.signal(signal.SIGTERM, stop)
    time.sleep(0.05)  # the look at whether it is there is forgotten
    with socket.create_server((host, int(port))) as listener:
        while True:
            client, _ = listener.accept()
            Relay(client, upstream, told["--wrong"])


main()
