# SPDX-License-Identifier: Apache-2.0
"""The part of MessagePack that the wire has, for where `msgpack` is not
installed. It believes no count before its bytes are there: at most 64 items a
container, 8 containers in each other, and a limit of bytes for a whole
message, checked as soon as a header announces more."""

from __future__ import annotations

import struct
from typing import Any, Iterator, List, Optional, Tuple

ITEMS_MAX = 64
DEPTH_MAX = 8


class Malformed(ValueError):
    """Bytes that the wire has no use for."""


class More(Exception):
    """The message is not whole yet. args[0]: it has so many bytes at
    least."""


def _pack_int(value: int) -> bytes:
    if value < 0:
        raise Malformed("a negative number")
    if value < 0x80:
        return bytes((value,))
    if value < 0x100:
        return b"\xcc" + bytes((value,))
    if value < 0x10000:
        return b"\xcd" + value.to_bytes(2, "big")
    if value < 0x100000000:
        return b"\xce" + value.to_bytes(4, "big")
    return b"\xcf" + value.to_bytes(8, "big")


def _pack_head(size: int, fixed: int, fixed_max: int, first: int,
               narrowest: int) -> bytes:
    """A header that counts; narrowest: in how many bytes, 1 or 2."""
    if size <= fixed_max:
        return bytes((fixed | size,))
    if size < 0x100 and narrowest == 1:
        return bytes((first, size))
    step = 1 if narrowest == 1 else 0
    if size < 0x10000:
        return bytes((first + step,)) + size.to_bytes(2, "big")
    return bytes((first + step + 1,)) + size.to_bytes(4, "big")


def _pack_into(out: List[bytes], value: Any) -> None:
    if value is None:
        out.append(b"\xc0")
    elif value is True:
        out.append(b"\xc3")
    elif value is False:
        out.append(b"\xc2")
    elif isinstance(value, int):
        out.append(_pack_int(value))
    elif isinstance(value, str):
        raw = value.encode("utf-8", "surrogateescape")
        out.append(_pack_head(len(raw), 0xA0, 31, 0xD9, 1))
        out.append(raw)
    elif isinstance(value, bytes):
        out.append(_pack_head(len(value), 0xC4, -1, 0xC4, 1))
        out.append(value)
    elif isinstance(value, (list, tuple)):
        out.append(_pack_head(len(value), 0x90, 15, 0xDC, 2))
        for item in value:
            _pack_into(out, item)
    elif isinstance(value, dict):
        out.append(_pack_head(len(value), 0x80, 15, 0xDE, 2))
        for key, item in value.items():
            _pack_into(out, key)
            _pack_into(out, item)
    else:
        raise Malformed("no wire form for a %s" % type(value).__name__)


def packb(value: Any) -> bytes:
    out: List[bytes] = []
    _pack_into(out, value)
    return b"".join(out)


# first byte: (struct format, bytes) of what follows
_NUMBERS = {
    0xCA: (">f", 4), 0xCB: (">d", 8), 0xCC: (">B", 1), 0xCD: (">H", 2),
    0xCE: (">I", 4), 0xCF: (">Q", 8), 0xD0: (">b", 1), 0xD1: (">h", 2),
    0xD2: (">i", 4), 0xD3: (">q", 8),
}
# first byte: bytes of the length that follows
_BYTES = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_WORDS = {0xC0: None, 0xC2: False, 0xC3: True}


class _Cursor:
    """Reads one value from the front of some bytes."""

    def __init__(self, data: bytes, at: int, limit: int) -> None:
        self.data = data
        self.at = at
        self.start = at
        self.limit = limit

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end - self.start > self.limit:
            raise Malformed("a message over the limit of %d bytes"
                            % self.limit)
        if end > len(self.data):
            raise More(end - self.start)
        taken = self.data[self.at:end]
        self.at = end
        return taken

    def value(self, depth: int) -> Any:
        first = self.take(1)[0]
        if first < 0x80:
            return first
        if first >= 0xE0:
            return first - 0x100
        if first < 0x90:
            return self.map(first & 15, depth)
        if first < 0xA0:
            return self.array(first & 15, depth)
        if first < 0xC0:
            return self.text(first & 31)
        if first in _WORDS:
            return _WORDS[first]
        if first in _NUMBERS:
            form, size = _NUMBERS[first]
            return struct.unpack(form, self.take(size))[0]
        if first in _BYTES:
            size = int.from_bytes(self.take(_BYTES[first]), "big")
            return self.take(size) if first < 0xC7 else self.text(size)
        if first in (0xDC, 0xDD):
            return self.array(self.count(first - 0xDC), depth)
        if first in (0xDE, 0xDF):
            return self.map(self.count(first - 0xDE), depth)
        raise Malformed("an ext type or the byte 0xc1")

    def count(self, wide: int) -> int:
        return int.from_bytes(self.take(4 if wide else 2), "big")

    def text(self, size: int) -> str:
        return self.take(size).decode("utf-8", "surrogateescape")

    def _check(self, count: int, depth: int) -> None:
        if count > ITEMS_MAX or depth >= DEPTH_MAX:
            raise Malformed("a container over the limits of the wire")

    def array(self, count: int, depth: int) -> List[Any]:
        self._check(count, depth)
        return [self.value(depth + 1) for _ in range(count)]

    def map(self, count: int, depth: int) -> Any:
        self._check(count, depth)
        made = {}
        for _ in range(count):
            name = self.value(depth + 1)
            if not isinstance(name, (str, bytes)):
                raise Malformed("a map key that is no text")
            made[name] = self.value(depth + 1)
        return made


def unpack_front(data: bytes, at: int, limit: int) -> Tuple[Any, int]:
    """The value that begins there, and where it ends. Raises Malformed, and
    More when it is not whole."""
    cursor = _Cursor(data, at, limit)
    return cursor.value(0), cursor.at


class Unpacker:
    """Messages out of bytes that come in pieces."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = bytearray()
        self._need = 1  # don't look before so many bytes are there

    def feed(self, data: bytes) -> None:
        self._kept += data

    def __iter__(self) -> Iterator[Any]:
        while len(self._kept) >= self._need:
            got = self._next()
            if got is None:
                return
            yield got[0]

    def _next(self) -> Optional[Tuple[Any]]:
        data = bytes(self._kept)
        try:
            value, end = unpack_front(data, 0, self._limit)
        except More as more:
            # A long message in small pieces is not read anew for each.
            self._need = int(more.args[0])
            return None
        del self._kept[:end]
        self._need = 1
        return (value,)
