#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A client under test, written from the client's chapter of proto/README.md
alone; and, with --wrong NAME, one that breaks one of its rules, so that each
case is seen to fail. wrong_clients.txt says which case is meant for which."""
import argparse
import json
import os
import random
import socket
import sys
import threading
import time

import wire

WRONG = set()
SILENT_S, PING_S, CONNECT_S = 0.25, 0.5, 1.0
PAUSE_S, PAUSE_MAX_S = 0.02, 0.25
EPOCH_S = 10.0
REFUSED = {"PROTOCOL", "UNKNOWN_METHOD", "BAD_REQUEST", "TOO_LARGE", "LIMIT",
           "NO_MEMORY", "DENIED", "NOT_PRIMARY", "SHUTTING_DOWN"}
FIELDS = {"acquired": 5, "replay": 5, "in_progress": 4, "mismatch": 2,
          "orphaned": 3, "completed": 2, "released": 1, "renewed": 2,
          "stale": 2, "unknown": 1}


def wrong(name):
    return name in WRONG


class Lost(Exception):
    """The connection ended, was left, or never was."""


class Failed(Exception):
    def __init__(self, code, assume):
        super().__init__(code)
        self.code, self.assume = code, assume


class Conn:
    """One connection: frames out, replies to whoever asked."""

    def __init__(self, address, client, until):
        host, _, port = address.rpartition(":")
        if wrong("ipv6-by-colon"):
            host, port = address.split(":")[:2]
        self.address, self.dead, self.waiting = address, False, {}
        self.order, self.next_id, self.heard = [], 0, time.monotonic()
        self.lock = threading.Condition()
        self.limits = {}
        left = max(min(CONNECT_S, until - time.monotonic()), 0.05)
        try:
            self.sock = socket.create_connection((host.strip("[]"),
                                                  int(port)), left)
        except (OSError, ValueError, OverflowError) as why:
            if wrong("follows-anything"):
                os._exit(1)
            raise Lost(str(why)) from why
        self.sock.settimeout(None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self.read, daemon=True).start()
        self.hello(client, left)

    def hello(self, client, left):
        options = {"client": "plain"}
        if client.secret and not wrong("secret-late"):
            options["secret"] = client.secret
        try:
            error, hello = self.ask("hello", [options], time.monotonic() +
                                    (99 if wrong("no-ping") else left))
        except Lost:
            self.close()
            raise
        if error and wrong("secret-again"):
            self.close()
            raise Lost(error)
        if error:
            self.close()
            raise Failed(error.split(" ")[0], "refused")
        self.learn(hello)

    def learn(self, hello):
        self.epoch = hello.get("epoch", 0)
        self.leads = hello.get("role") != "replica"
        self.limits = hello.get("limits", {})

    def hello_again(self, until):
        """It was a replica, and takes changes now."""
        if wrong("msgids-anew"):
            self.next_id = 0
        error, hello = self.ask("hello", [], until)
        if error is None:
            self.learn(hello)

    def close(self):
        with self.lock:
            self.dead = True
            self.lock.notify_all()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def read(self):
        data = bytearray()
        while True:
            try:
                got = self.sock.recv(65536)
            except OSError:
                got = b""
            if not got:
                break
            data += got
            try:
                while data:
                    reply, behind = self.take(data)
                    del data[:behind]
                    self.deliver(reply)
            except wire.Short:
                if wrong("whole-frames"):
                    del data[:]
            except (wire.Broken, TypeError, ValueError, IndexError):
                if wrong("dies-of-garbage"):
                    os._exit(1)
                break
        if not wrong("hangs-after-restart"):
            self.close()

    def take(self, data):
        if wrong("reserves") and b"\xc6\xff\xff" in data:
            self.kept = bytearray(int.from_bytes(b"\xff\xff\xff\xf0", "big"))
        if wrong("reserves") and b"\xdd\xff\xff" in data:
            self.kept = bytearray(3 << 30)
        if wrong("dies-of-depth") and data.count(b"\x91") > 10:
            os._exit(1)
        reply, behind = wire.unpack(data)
        if not isinstance(reply, list) or len(reply) != 4 or reply[0] != 1:
            raise wire.Broken("no response")
        return reply, behind

    def deliver(self, reply):
        with self.lock:
            self.heard = time.monotonic()
            msgid = reply[1]
            if wrong("by-order") and self.order:
                msgid = self.order.pop(0)
            if msgid in self.waiting:
                self.waiting[msgid] = reply
            self.lock.notify_all()

    def send(self, method, params):
        with self.lock:
            self.next_id += 1
            msgid = self.next_id
            if method != "ping":
                self.waiting[msgid] = None
            if method in FIELDS or method == "acquire":
                self.order.append(msgid)
            try:
                self.sock.sendall(wire.pack([0, msgid, method, params]))
            except OSError as why:
                if not wrong("hangs-after-restart"):
                    self.dead = True
                    raise Lost(str(why)) from why
            return msgid

    def ask(self, method, params, until):
        """(error, result), or Lost, or TimeoutError at the deadline."""
        full = self.limits.get("pending_max", 1 << 30)
        with self.lock:
            while len(self.waiting) >= full and not wrong("pending-ignored"):
                if self.dead or time.monotonic() > until:
                    raise Lost("no room")
                self.lock.wait(0.05)
        msgid = self.send(method, params)
        if method == "acquire" and wrong("twice"):
            self.send(method, params)
        try:
            return self.hear(msgid, method, until)
        finally:
            with self.lock:
                self.waiting.pop(msgid, None)
                self.lock.notify_all()

    def hear(self, msgid, method, until):
        began = time.monotonic()
        pinged = None
        while True:
            with self.lock:
                if self.waiting[msgid] is None and not self.dead:
                    self.lock.wait(0.05)
                reply = self.waiting[msgid]
                now = time.monotonic()
                silent = now - max(self.heard, began)
                if reply is not None:
                    return reply[2], reply[3]
                if self.dead:
                    raise Lost("the connection ended")
            if now > until and not wrong("no-deadline"):
                if method == "hello":
                    raise Lost("no answer to hello")
                raise TimeoutError()
            if method in ("hello", "ping") or wrong("no-ping") or \
                    wrong("hangs-after-restart"):
                continue
            if wrong("leaves-waiting") and now - began > 1:
                self.close()
            if pinged and self.heard > pinged:
                pinged = None
            if pinged and now - pinged > PING_S:
                self.close()
            elif not pinged and silent > SILENT_S:
                pinged = now
                try:
                    self.send("ping", [])
                except Lost:
                    self.close()


class Client:
    def __init__(self, hosts, secret, timeout_s):
        self.hosts, self.secret, self.timeout_s = hosts, secret, timeout_s
        self.conn, self.at, self.epoch, self.epoch_at = None, 0, 0, 0.0
        self.named, self.lock, self.pid = None, threading.Lock(), os.getpid()
        self.random = random.Random(7 if wrong("fork-nonce") else None)
        self.tokens = {}

    def nonce(self):
        if wrong("nonce-fixed"):
            return b"\1" * 16
        if wrong("nonce-none"):
            return None
        if wrong("fork-nonce"):
            return self.random.randbytes(16)
        return os.urandom(16)

    def connected(self, until):
        """The connection to the primary, made if need be."""
        with self.lock:
            if self.pid != os.getpid() and not wrong("fork-conn"):
                self.conn, self.pid = None, os.getpid()
            if self.conn and not self.conn.dead:
                return self.conn
            address = self.named or self.hosts[self.at % len(self.hosts)]
            try:
                self.conn = Conn(address, self, until)
            except Lost:
                self.conn = None
                self.next_host()
                raise
            return self.believe(self.conn)

    def believe(self, conn):
        old = conn.epoch < self.epoch
        if wrong("higher-epoch"):
            old = self.epoch and conn.epoch > self.epoch
        if old and time.monotonic() - self.epoch_at < EPOCH_S and \
                not wrong("lower-epoch"):
            conn.close()
            self.conn = None
            self.next_host()
            raise Lost("a primary of a lower epoch")
        self.epoch, self.epoch_at = conn.epoch, time.monotonic()
        return conn

    def next_host(self):
        self.named = None
        if not wrong("first-host-only"):
            self.at += 1

    def leave(self, conn, where=None):
        with self.lock:
            if self.conn is conn:
                self.conn = None
                if where is None:
                    self.next_host()
                else:
                    self.named = where
        conn.close()

    def call(self, method, params, until, wait_ms=0):
        began, state = time.monotonic(), Attempt()
        while True:
            if wait_ms and not wrong("wait-whole"):
                spent = int((time.monotonic() - began) * 1000)
                params[-1]["wait_ms"] = max(wait_ms - spent, 0)
            if time.monotonic() > until and not wrong("no-deadline"):
                raise state.failure()
            conn = None
            try:
                conn = self.connected(until)
                state.sent = True
                answer = self.once(conn, method, params, until, state)
                if answer is not None:
                    return answer
            except TimeoutError:
                raise Failed("TIMEOUT", "unchanged" if wrong("lost-unchanged")
                             else "unknown") from None
            except Lost:
                if conn:
                    state.unknown, state.last = True, None
                    self.leave(conn)
                if wrong("no-retry"):
                    raise Failed("LOST", "unknown") from None
            state.pause(until)
            self.spoil(method, params)

    def spoil(self, method, params):
        if method == "acquire" and wrong("nonce-new"):
            params[3] = os.urandom(16)
        if method == "complete" and wrong("other-token"):
            params[2] = self.tokens.get(params[1], params[2])
        if method == "complete" and wrong("result-forgotten"):
            params[3] = None
        if method in ("release", "renew") and wrong("token-forgotten"):
            params[2] = bytes(16)

    def once(self, conn, method, params, until, state):
        """The answer, or None: ask again."""
        error, result = conn.ask(method, params, until)
        if error is None:
            if not conn.leads and not wrong("promotion-unseen"):
                conn.hello_again(until)
                self.believe(conn)
            return check(result)
        code, _, text = error.partition(" ")
        state.last = code
        if code == "NOT_PRIMARY":
            state.follow(self, conn, text)
        elif code in ("SHUTTING_DOWN", "UNREPLICATED"):
            if wrong("tells-" + code):
                raise Failed(code, "refused")
            state.unknown |= code == "UNREPLICATED"
            if code == "SHUTTING_DOWN":
                self.leave(conn)
        elif code == "DENIED" and wrong("denied-again"):
            pass
        elif code in REFUSED:
            raise Failed(code, "unknown" if wrong("refused-unknown")
                         else "refused")
        elif wrong("new-code-again"):
            pass
        else:
            raise Failed(code, "refused" if wrong("new-code-refused")
                         else "unknown")
        return None


class Attempt:
    """What became of a call's attempts so far."""

    def __init__(self):
        self.sent, self.unknown, self.last, self.count = False, False, None, 0
        self.follows = 0

    def failure(self):
        if self.unknown and not wrong("unreplicated-refused"):
            return Failed(self.last or "LOST", "unknown")
        if self.last:
            return Failed(self.last, "refused")
        return Failed("CONNECT", "unknown" if wrong("unsent-unknown")
                      else "unchanged")

    def follow(self, client, conn, text):
        host, _, port = text.rpartition(":")
        legal = host and port.isdigit() and 0 < int(port) < 65536
        if wrong("not-primary-told"):
            raise Failed("NOT_PRIMARY", "refused")
        if wrong("loops"):
            client.leave(conn, text if legal else None)
            self.follows = -1
        elif legal and self.follows < 8 and text != conn.address:
            self.follows += 1
            client.leave(conn, text)
        elif wrong("follows-anything") and text:
            client.leave(conn, text)
        else:
            client.leave(conn)

    def pause(self, until):
        self.count += 1
        if wrong("hammers") or self.follows < 0 or self.count == 1:
            return
        bound = min(PAUSE_S * 2 ** min(self.count, 10), PAUSE_MAX_S)
        left = max(until - time.monotonic(), 0)
        time.sleep(min(random.uniform(0, bound), left))


def check(result):
    """Only what is an answer is one."""
    if not isinstance(result, list) or not result:
        raise Failed("GARBLED", "unknown")
    outcome = result[0]
    if outcome not in FIELDS and wrong("any-outcome"):
        return result
    least = FIELDS.get(outcome, 99)
    if wrong("short-answers"):
        result = result + [b"\0" * 16] + [0] * 5
    if len(result) < least or (wrong("exact-fields") and len(result) > least):
        raise Failed("GARBLED", "unknown")
    if outcome == "acquired" and not wrong("any-token") and \
            (not isinstance(result[1], bytes) or len(result[1]) != 16):
        raise Failed("GARBLED", "unknown")
    if wrong("outcomes-as-errors") and outcome in (
            "mismatch", "in_progress", "stale", "unknown"):
        raise Failed(outcome.upper(), "refused")
    return result


# ---------------------------------------------------------------- lines

ANSWERS = {
    "acquired": ("token", "attempt", "previous", "lease_ms"),
    "replay": ("result", "class"), "in_progress": ("lease_left_ms", "attempt"),
    "mismatch": ("state",), "orphaned": (None, "attempt"),
    "completed": ("kept",), "renewed": ("lease_ms",), "stale": ("state",),
    "released": (), "unknown": ()}


def told(result, line):
    out = {"outcome": result[0]}
    for name, value in zip(ANSWERS.get(result[0], ()), result[1:]):
        if isinstance(value, bytes) and name in ("token", "result"):
            value = value.hex()
        if value is None and wrong("nil-is-empty"):
            value = ""
        if value == "" and wrong("empty-is-nil"):
            value = None
        if name:
            out[name] = value
    if result[0] == "renewed" and wrong("lease-as-asked"):
        out["lease_ms"] = line["lease_ms"]
    return out


def hexed(line, name):
    return bytes.fromhex(line[name]) if line.get(name) is not None else None


def acquire(client, line, until):
    params = [line.get("ns", ""), line["key"],
              None if wrong("no-fingerprint") else hexed(line, "fingerprint"),
              client.nonce(), line["lease_ms"], line["ttl_ms"]]
    options = {}
    wait = 0 if wrong("no-wait") else line.get("wait_ms", 0)
    if wait:
        options["wait_ms"] = wait
    if line.get("on_orphan") and not wrong("no-options"):
        options["on_orphan"] = line["on_orphan"]
    if options:
        params.append(options)
    result = client.call("acquire", params, until + wait / 1000, wait)
    if result[0] == "acquired":
        client.tokens[line["key"]] = result[1]
    return result


def complete(client, line, until):
    result, token = hexed(line, "result"), hexed(line, "token")
    limit = client.connected(until).limits.get("result_bytes_max", 1 << 20)
    if result is not None and len(result) > limit:
        if wrong("large-refused"):
            raise Failed("TOO_LARGE", "unchanged")
        result = None
    params = [line.get("ns", ""), line["key"],
              bytes(16) if wrong("no-token") else token,
              None if wrong("no-result") else result, line.get("ttl_ms")]
    if line.get("class"):
        params.append({"class": line["class"]})
    return client.call("complete", params, until)


def run(client, line, until):
    held = acquire(client, line, until)
    if held[0] != "acquired":
        return held
    over, token = threading.Event(), held[1].hex()
    mine = dict(line, token=token)

    def renew():
        while not over.wait(line["lease_ms"] / 3000):
            if wrong("no-renewal"):
                return
            try:
                answer = client.call("renew", params_of(mine, "renew"),
                                     time.monotonic() + 5)
            except Failed:
                return
            if answer[0] != "renewed":
                over.answer = answer
                return

    threading.Thread(target=renew, daemon=True).start()
    time.sleep(line["work_ms"] / 1000)
    over.set()
    if wrong("stale-unrecorded") and hasattr(over, "answer"):
        return over.answer
    return complete(client, mine, time.monotonic() + 5)


def params_of(line, method):
    token = bytes(16) if wrong("no-token") else hexed(line, "token")
    params = [line.get("ns", ""), line["key"], token]
    return params + ([line["lease_ms"]] if method == "renew" else [])


def answer(client, line):
    out = {"id": line["id"]}
    call = line["call"]
    until = time.monotonic() + line.get("timeout_ms",
                                        client.timeout_s * 1000) / 1000
    try:
        if call in ("acquire", "in_child"):
            result = acquire(client, line, until)
        elif call == "complete":
            result = complete(client, line, until)
        elif call == "run":
            result = run(client, line, until)
        else:
            result = client.call(call, params_of(line, call), until)
        out.update(told(result, line))
    except Failed as why:
        out.update({"error": why.code, "assume": why.assume})
    except Lost:
        out.update({"error": "LOST", "assume": "unknown"})
    sys.stdout.write(json.dumps(out) + "\n")
    sys.stdout.flush()


def in_child(client, line):
    pid = os.fork()
    if pid == 0:
        client.lock = threading.Lock()
        answer(client, line)
        os._exit(0)
    os.waitpid(pid, 0)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--wrong", action="append", default=[])
    WRONG.update(options.parse_args().wrong)
    client = None
    for text in sys.stdin:
        line = json.loads(text)
        if line["call"] == "open":
            client = Client(line["hosts"], line.get("secret"),
                            line["timeout_ms"] / 1000)
            print(json.dumps({"id": line["id"],
                              "can": ["together", "run", "fork"]}), flush=True)
        elif line["call"] == "in_child":
            in_child(client, line)
        else:
            threading.Thread(target=answer, args=(client, line),
                             daemon=True).start()


main()
