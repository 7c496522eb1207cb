# SPDX-License-Identifier: Apache-2.0
"""MessagePack as far as proto/README.md needs it: pack(value) gives bytes,
unpack(bytes, at) gives (value, behind) or raises Short while more is to come.
Nothing is reserved for what is merely announced."""
import struct


class Short(Exception):
    """The value is not whole yet."""


class Broken(Exception):
    """Bytes that are no value of ours."""


def pack(value):
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        if value < 128:
            return bytes([value])
        for code, form, top in ((0xcc, ">B", 8), (0xcd, ">H", 16),
                                (0xce, ">I", 32), (0xcf, ">Q", 64)):
            if value < 1 << top:
                return bytes([code]) + struct.pack(form, value)
    if isinstance(value, str):
        return head(value.encode(), 0xa0, 31, (0xd9, 0xda, 0xdb))
    if isinstance(value, (bytes, bytearray)):
        return head(bytes(value), None, 0, (0xc4, 0xc5, 0xc6))
    if isinstance(value, (list, tuple)):
        return (bytes([0x90 | len(value)]) if len(value) < 16 else
                b"\xdc" + struct.pack(">H", len(value))) + \
            b"".join(map(pack, value))
    return bytes([0x80 | len(value)]) + b"".join(
        pack(k) + pack(v) for k, v in value.items())


def head(data, short, short_max, codes):
    if short is not None and len(data) <= short_max:
        return bytes([short | len(data)]) + data
    for code, form, top in zip(codes, (">B", ">H", ">I"), (8, 16, 32)):
        if len(data) < 1 << top:
            return bytes([code]) + struct.pack(form, len(data)) + data
    raise Broken("too long")


NUMBERS = {0xcc: ">B", 0xcd: ">H", 0xce: ">I", 0xcf: ">Q", 0xd0: ">b",
           0xd1: ">h", 0xd2: ">i", 0xd3: ">q", 0xca: ">f", 0xcb: ">d"}
LENGTHS = {0xd9: ">B", 0xda: ">H", 0xdb: ">I", 0xc4: ">B", 0xc5: ">H",
           0xc6: ">I", 0xdc: ">H", 0xdd: ">I", 0xde: ">H", 0xdf: ">I"}


def take(data, at, form):
    size = struct.calcsize(form)
    if at + size > len(data):
        raise Short()
    return struct.unpack_from(form, data, at)[0], at + size


def unpack(data, at=0, depth=0, limit=2 << 20):
    if at >= len(data):
        raise Short()
    code, at = data[at], at + 1
    if code < 0x80:
        return code, at
    if code >= 0xe0:
        return code - 256, at
    if code in (0xc0, 0xc2, 0xc3):
        return {0xc0: None, 0xc2: False, 0xc3: True}[code], at
    if code in NUMBERS:
        return take(data, at, NUMBERS[code])
    if code < 0xc0:
        count = code & (0x1f if code >= 0xa0 else 0x0f)
    elif code in LENGTHS:
        count, at = take(data, at, LENGTHS[code])
    else:
        raise Broken("a type that is not used")
    if 0xa0 <= code < 0xc0 or 0xc4 <= code <= 0xc6 or 0xd9 <= code <= 0xdb:
        return take_bytes(data, at, count, code, limit)
    return take_items(data, at, count, (code, depth, limit))


def take_bytes(data, at, count, code, limit):
    if count > limit:
        raise Broken("over the limit")
    if at + count > len(data):
        raise Short()
    chunk = bytes(data[at:at + count])
    is_text = code < 0xc4 or code > 0xc6
    return chunk.decode("utf-8", "surrogateescape") if is_text else chunk, \
        at + count


def take_items(data, at, count, state):
    code, depth, limit = state
    if count > 64 or depth == 8:
        raise Broken("over the limit of containers")
    is_map = code in (0xde, 0xdf) or 0x80 <= code < 0x90
    items = []
    for _ in range(count * 2 if is_map else count):
        item, at = unpack(data, at, depth + 1, limit)
        items.append(item)
    if is_map:
        return dict(zip(items[::2], items[1::2])), at
    return items, at
