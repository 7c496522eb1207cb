#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""recipe.py REDIS_SOCKET HOLD_MS -- the well-known recipe to the letter: SET key
body NX EX 7, compare, 409 or 422, no key 400. The seven seconds are HOLD_MS here.
The answer is stored nowhere, and nothing is ever taken back."""
import socket
import sys

import shop

REDIS, HOLD_MS = sys.argv[1], sys.argv[2]


def redis(*words):
    """One command on a connection of its own: nil is None."""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(REDIS)
        wire.sendall(b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        with wire.makefile("rb") as reply:
            line = reply.readline()
            if line[:1] != b"$":
                return line[1:].strip()
            length = int(line[1:])
            return None if length < 0 else reply.read(length)


class Recipe(shop.Handler):
    def order(self, body):
        key = self.headers.get("Idempotency-Key", "").encode("latin-1")
        if not key:
            return self.answer(*shop.problem(400, "no Idempotency-Key"))
        if redis(b"SET", key, body, b"NX", b"PX", HOLD_MS.encode()) == b"OK":
            return self.answer(*self.sell())
        if redis(b"GET", key) not in (body, None):
            return self.answer(*shop.problem(422, "another body"))
        return self.answer(*shop.problem(409, "in progress"))


shop.serve(Recipe)
