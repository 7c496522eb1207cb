#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wire.py play FILE PORT | record PORT -- a session with an idemstored, byte by
byte as it was written with an earlier one.

play sends what the clients of that time sent and holds each answer to what they
were given: the same kinds in the same places and, where a value is no token,
clock or count, the same value. What is appended to arrays and maps is what
later versions may do (proto/README.md). record writes such a session."""
import socket
import struct
import sys
import time

ANY = object()  # a value that differs from run to run; its kind does not
TOKEN = "~token~"

# ------------------------------------------------------------------ MessagePack


def packed(value):
    """As clients write it; TOKEN is the place of a token."""
    if value == TOKEN:
        return TOKEN
    if value is None:
        return "c0"
    if isinstance(value, bool):
        return "c3" if value else "c2"
    if isinstance(value, int):
        for code, form, limit in (("cc", ">B", 1 << 8), ("cd", ">H", 1 << 16),
                                  ("ce", ">I", 1 << 32), ("cf", ">Q", 1 << 64)):
            if value < limit:
                return "%02x" % value if value < 128 else \
                    code + struct.pack(form, value).hex()
    if isinstance(value, str):
        return "%02x" % (0xa0 | len(value)) + value.encode().hex()
    if isinstance(value, bytes):
        return "c4%02x" % len(value) + value.hex()
    if isinstance(value, dict):
        return "%02x" % (0x80 | len(value)) + "".join(
            packed(k) + packed(v) for k, v in value.items())
    return "%02x" % (0x90 | len(value)) + "".join(map(packed, value))


class Short(Exception):
    """There is more to come."""


class Reader:
    """Strict enough to tell a str from a bin."""
    SIZES = {0xc4: ("B", bytes), 0xc5: (">H", bytes), 0xc6: (">I", bytes),
             0xd9: ("B", str), 0xda: (">H", str), 0xdb: (">I", str),
             0xdc: (">H", list), 0xdd: (">I", list), 0xde: (">H", dict),
             0xdf: (">I", dict)}
    NUMBERS = {0xcc: "B", 0xcd: ">H", 0xce: ">I", 0xcf: ">Q"}
    WORDS = {0xc0: None, 0xc2: False, 0xc3: True}

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise Short
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def filled(self, kind, count):
        if kind is list:
            return [self.value() for _ in range(count)]
        if kind is dict:
            return {self.value(): self.value() for _ in range(count)}
        return kind(self.take(count), "utf-8") if kind is str \
            else self.take(count)

    def value(self):
        first = self.take(1)[0]
        if first < 0x80:
            return first
        for low, high, kind in ((0x80, 0x90, dict), (0x90, 0xa0, list),
                                (0xa0, 0xc0, str)):
            if low <= first < high:
                return self.filled(kind, first - low)
        if first in self.WORDS:
            return self.WORDS[first]
        if first in self.NUMBERS:
            return self.number(self.NUMBERS[first])
        if first in self.SIZES:
            form, kind = self.SIZES[first]
            return self.filled(kind, self.number(form))
        sys.exit(f"wire.py: a byte that no version has sent: {first:#x}")


# ---------------------------------------------------------------------- talking


class Line:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(120)
        self.data, self.token = b"", None

    def ask(self, text):
        """The answer's bytes, and what they say."""
        text = text.replace(TOKEN, (self.token or b"\0" * 16).hex())
        self.socket.sendall(bytes.fromhex(text))
        while True:
            try:
                reader = Reader(self.data)
                value = reader.value()
            except Short:
                more = self.socket.recv(65536)
                if not more:
                    sys.exit(f"wire.py: closed after {text}")
                self.data += more
                continue
            raw, self.data = self.data[:reader.at], self.data[reader.at:]
            result = value[3]
            if isinstance(result, list) and result[0] == "acquired":
                self.token = result[1]
            return raw, value


# A number is a clock's or a count's unless it is one of what was asked.
FIXED = {"acquired": (0, 2, 3, 4), "replay": (0, 1, 2), "in_progress": (0, 2),
         "orphaned": (0, 2), "refused": (0,)}
KEPT_KEYS = ("server", "role", "attempt", "result_bytes", "class")


def same(was, now, where="answer", result=False):
    """Why not; None: it is."""
    if type(was) is not type(now):
        return f"{where} was {was!r}, and is {now!r}"
    if isinstance(was, list):
        fixed = FIXED.get(was[0]) if result and was else None
        if len(now) < len(was):
            return f"{where} was {was!r}, and is {now!r}"
        for i, (a, b) in enumerate(zip(was, now)):
            free = fixed is not None and i not in fixed
            why = type(a) is not type(b) and f"{where}[{i}]: {a!r}, {b!r}" \
                if free else same(a, b, f"{where}[{i}]", i == 3 and not result)
            if why:
                return why
    elif isinstance(was, dict):
        for key, value in was.items():
            if key not in now:
                return f"{where} has no {key} any more"
            why = same(value, now[key], f"{where}.{key}") \
                if key in KEPT_KEYS or isinstance(value, dict) else \
                type(value) is not type(now[key]) and f"{where}.{key} changed"
            if why:
                return why
    elif was != now:
        return f"{where} was {was!r}, and is {now!r}"
    return None


def play(path, port):
    line, count, asked = Line(port), 0, None
    with open(path, encoding="ascii") as file:
        for text in file:
            word, _, rest = text.strip().partition(" ")
            if word == ">":
                asked = line.ask(rest)[1]
            elif word == "<":
                was = Reader(bytes.fromhex(rest)).value()
                if was[2] is not None:
                    # A sentence may be another one; its first word may not.
                    was[2], asked[2] = (str(e).split()[0] for e in
                                        (was[2], asked[2]))
                why = same(was, asked)
                if why:
                    sys.exit(f"wire.py: {path}: {why}")
                count += 1
            elif word == "sleep":
                time.sleep(float(rest))
    if count < 20:
        sys.exit(f"wire.py: {path} has {count} answers")
    print(f"{count} answers, as they were")


ACQUIRE = ("acquire", "wire", "k", b"f", b"n", 30000, 60000)
SESSION = [
    ("hello", {"client": "fixture"}), ("ping",), ("replication",),
    ("peek", "wire", "k"), ACQUIRE, ACQUIRE, ("peek", "wire", "k"),
    ("acquire", "wire", "k", b"f", b"m", 30000, 60000),
    ("acquire", "wire", "k", b"g", b"m", 30000, 60000),
    ("acquire", "wire", "k", b"f", b"m", 30000, 60000, {"wait_ms": 20}),
    ("renew", "wire", "k", TOKEN, 30000),
    ("complete", "wire", "k", b"\0" * 16, b"late", None),
    ("complete", "wire", "k", TOKEN, b"paid", None),
    ("complete", "wire", "k", TOKEN, b"paid", None),
    ("acquire", "wire", "k", b"f", b"o", 30000, 60000),
    ("peek", "wire", "k"), ("release", "wire", "k", TOKEN),
    ("renew", "wire", "none", b"\0" * 16, 1000),
    ("release", "wire", "none", b"\0" * 16),
    ("acquire", "wire", "r", None, None, 30000, 60000),
    ("release", "wire", "r", TOKEN), ("peek", "wire", "r"),
    ("acquire", "wire", "r", None, None, 30000, 60000),
    ("complete", "wire", "r", TOKEN, None, 60000, {"class": "error"}),
    ("acquire", "wire", "r", None, None, 30000, 60000),
    ("acquire", "wire", "u", b"f", None, 30000, 60000),
    ("release", "wire", "u", TOKEN, {"unbind": True}), ("peek", "wire", "u"),
    ("acquire", "wire", "o", None, None, 50, 60000), 0.3, ("peek", "wire", "o"),
    ("acquire", "wire", "o", None, None, 50, 60000, {"on_orphan": "report"}),
    ("acquire", "wire", "o", None, None, 30000, 60000),
    ("no_such",), ("acquire", "wire"), ("peek", "wire", b"k" * 200 + b"k" * 50),
    ("acquire", "wire", "k", b"f", b"n", 0, 60000), ("promote",), ("detach",),
]


def record(port):
    line = Line(port)
    print("# A session as it was; see tests/versions/wire.py.")
    for number, one in enumerate(SESSION):
        if isinstance(one, float):
            print(f"sleep {one}")
            time.sleep(one)
            continue
        text = packed([0, number, one[0], list(one[1:])])
        text = text.replace(TOKEN, "c410" + TOKEN)
        print(f"> {text}\n< {line.ask(text)[0].hex()}")


if sys.argv[1] == "play":
    play(sys.argv[2], int(sys.argv[3]))
else:
    record(int(sys.argv[2]))
