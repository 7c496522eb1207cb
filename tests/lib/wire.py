# SPDX-License-Identifier: Apache-2.0
"""wire.py -- the wire, for tests that are written in Python: as much of
MessagePack as it needs, one call at a time or many under way, and HTTP over a
socket of any kind."""
import json
import socket
import struct

PATIENCE_S = 120


def pack(value):
    if value is None:
        return b"\xc0"
    if value is True or value is False:
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return struct.pack(">BQ", 0xcf, value)
    if isinstance(value, str):
        value = value.encode()
        return struct.pack(">BH", 0xda, len(value)) + value
    if isinstance(value, bytes):
        return struct.pack(">BI", 0xc6, len(value)) + value
    if isinstance(value, dict):
        return struct.pack(">BH", 0xde, len(value)) + b"".join(
            pack(name) + pack(item) for name, item in value.items())
    return struct.pack(">BH", 0xdc, len(value)) + b"".join(map(pack, value))


SIZED = {0xc4: ">B", 0xc5: ">H", 0xc6: ">I", 0xd9: ">B", 0xda: ">H",
         0xdb: ">I"}
NUMBERS = {0xcc: ">B", 0xcd: ">H", 0xce: ">I", 0xcf: ">Q"}
MANY = {0xdc: ">H", 0xdd: ">I", 0xde: ">H", 0xdf: ">I"}


class Short(Exception):
    """There is not all of it yet."""


def cut(data, at, size):
    if at + size > len(data):
        raise Short
    return data[at:at + size]


def many(data, at, count, is_map):
    items = []
    for _ in range(2 * count if is_map else count):
        item, at = unpack(data, at)
        items.append(item)
    if is_map:
        return dict(zip(items[::2], items[1::2])), at
    return items, at


def unpack(data, at=0):
    """The value at `at`, and where it ends. Text comes as bytes are: str where
    they are UTF-8 and the wire says str."""
    kind = cut(data, at, 1)[0]
    at += 1
    if kind < 0x80:
        return kind, at
    if kind < 0x90:
        return many(data, at, kind & 15, True)
    if kind < 0xa0:
        return many(data, at, kind & 15, False)
    if kind < 0xc0:
        return cut(data, at, kind & 31).decode(), at + (kind & 31)
    if kind in (0xc0, 0xc2, 0xc3):
        return {0xc0: None, 0xc2: False, 0xc3: True}[kind], at
    if kind in NUMBERS:
        size = struct.calcsize(NUMBERS[kind])
        return struct.unpack(NUMBERS[kind], cut(data, at, size))[0], at + size
    if kind in SIZED:
        size = struct.calcsize(SIZED[kind])
        length = struct.unpack(SIZED[kind], cut(data, at, size))[0]
        value = cut(data, at + size, length)
        return value if kind < 0xd9 else value.decode(), at + size + length
    size = struct.calcsize(MANY[kind])
    count = struct.unpack(MANY[kind], cut(data, at, size))[0]
    return many(data, at + size, count, kind >= 0xde)


class Wire:
    """A connection. ask() waits for the answer: ("ok", result) or ("error",
    text); send() and answer() for several under way."""

    def __init__(self, port, secret=None):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.settimeout(PATIENCE_S)
        self.msgid, self.data, self.answers = 0, b"", {}
        if secret:
            self.ask("hello", {"secret": secret})

    def send(self, method, *params):
        self.msgid += 1
        self.sock.sendall(pack([0, self.msgid, method, list(params)]))
        return self.msgid

    def read(self):
        while True:
            try:
                frame, end = unpack(self.data)
                break
            except Short:
                more = self.sock.recv(1 << 16)
                if not more:
                    raise ConnectionError("the server closed it") from None
                self.data += more
        self.data = self.data[end:]
        _, msgid, error, result = frame
        self.answers[msgid] = ("error", error) if error else ("ok", result)

    def answer(self, msgid):
        while msgid not in self.answers:
            self.read()
        return self.answers.pop(msgid)

    def ask(self, method, *params):
        return self.answer(self.send(method, *params))

    def close(self):
        self.sock.close()


def http(place, path, body, bearer=None):
    """POSTs JSON; place: a port, or a unix socket's path. The status and what
    the answer's JSON says."""
    if isinstance(place, int):
        sock = socket.create_connection(("127.0.0.1", place))
    else:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(place)
    sock.settimeout(PATIENCE_S)
    text = json.dumps(body).encode()
    auth = f"Authorization: Bearer {bearer}\r\n" if bearer else ""
    sock.sendall((f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{auth}"
                  "Content-Type: application/json\r\nConnection: close\r\n"
                  f"Content-Length: {len(text)}\r\n\r\n").encode() + text)
    data = b""
    while more := sock.recv(1 << 16):
        data += more
    sock.close()
    head, _, rest = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(rest) if rest else None
