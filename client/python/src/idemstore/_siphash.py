# SPDX-License-Identifier: Apache-2.0
"""SipHash-2-4, which names the shard that owns a key."""

from __future__ import annotations

import struct
from typing import Tuple

_M = 0xFFFFFFFFFFFFFFFF
# A word times this is the word twice, side by side: a rotation is then one
# shift and one mask.
_D = 0x10000000000000001


def _rounds(v0: int, v1: int, v2: int, v3: int,
            count: int) -> Tuple[int, int, int, int]:
    for _ in range(count):
        v0 = (v0 + v1) & _M
        v1 = ((v1 * _D >> 51) & _M) ^ v0
        v0 = (v0 * _D >> 32) & _M
        v2 = (v2 + v3) & _M
        v3 = ((v3 * _D >> 48) & _M) ^ v2
        v0 = (v0 + v3) & _M
        v3 = ((v3 * _D >> 43) & _M) ^ v0
        v2 = (v2 + v1) & _M
        v1 = ((v1 * _D >> 47) & _M) ^ v2
        v2 = (v2 * _D >> 32) & _M
    return v0, v1, v2, v3


class Hash:
    """The hash under one 16-byte key."""

    def __init__(self, key: bytes) -> None:
        k0, k1 = struct.unpack("<QQ", key)
        self._start = (k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D,
                       k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573)

    def of(self, text: bytes) -> int:
        """64 bits."""
        v0, v1, v2, v3 = self._start
        size = len(text)
        tail = text + b"\0" * (7 - size % 8) + bytes((size & 255,))
        for word in struct.unpack("<%dQ" % (len(tail) // 8), tail):
            v3 ^= word
            v0, v1, v2, v3 = _rounds(v0, v1, v2, v3, 2)
            v0 ^= word
        v0, v1, v2, v3 = _rounds(v0, v1, v2 ^ 255, v3, 4)
        return v0 ^ v1 ^ v2 ^ v3


def owner_text(ns: bytes, key: bytes) -> bytes:
    """What is hashed: a byte of the namespace's length, it, the key."""
    return bytes((len(ns),)) + ns + key
