# SPDX-License-Identifier: Apache-2.0
"""Bytes: what is sent, and what a server may not do to its client."""

import os
import random
import time
import tracemalloc

import pytest

from idemstore import _msgpack, _siphash, _wire
from idemstore._wire import Broken, Responses

BOTH = [False, True]  # msgpack's unpacker, where it is there, and our own


def test_siphash_is_the_papers():
    assert _siphash.Hash(bytes(range(16))).of(bytes(range(15))) \
        == 0xA129CA6149BE45E5


def test_both_packers_send_the_same_bytes():
    params = ("shop", "order-17", b"\xaa" * 8, b"\xbb" * 4, 30000, 86400000,
              {"wait_ms": 5000})
    for value in (params, [0, 127, 128, 255, 256, 65535, 65536, 1 << 40],
                  ["x" * n for n in (0, 31, 32, 255, 256, 65536)],
                  [b"x" * n for n in (0, 255, 256, 65536)],
                  [True, False, None], {"a": list(range(20))}):
        assert _msgpack.packb(value) == _wire.packb(value)


@pytest.mark.parametrize("own", BOTH)
def test_responses_are_read_at_every_split(own):
    data = b"".join(_msgpack.packb(one) for one in (
        [1, 1, None, ["replay", b"x" * 300, "success", 1, 70000]],
        [1, 70000, "LIMIT retry_ms=4", None],
        [1, 3, None, {"a": [1, {"b": None}]}]))
    want = None
    for at in range(len(data)):
        responses = Responses(own=own)
        got = []
        for part in (data[:at], data[at:]):
            responses.feed(part)
            got += list(responses)
        want = want or got
        assert got == want and len(got) == 3
    responses = Responses(own=own)
    got = []
    for byte in data:
        responses.feed(bytes((byte,)))
        got += list(responses)
    assert got == want


@pytest.mark.parametrize("own", BOTH)
@pytest.mark.parametrize("data", [
    b"\x94\x01\x01\xc0\xdd\x0f\xff\xff\xff",      # a count nobody has
    b"\x94\x01\x01\xc0\xdf\x0f\xff\xff\xff",
    b"\x94\x01\x01\xc0\xc6\x7f\xff\xff\xff",      # 2 GiB announced
    b"\x94\x01\x01\xc0\xdb\x7f\xff\xff\xff",
    b"\x94\x01\x01\xc0" + b"\x91" * 2000,         # deep
    b"\x94\x01\x01\xc0\xc7\xff\x01",              # ext
    b"\x94\x01\x01\xc0\xc1",
    b"\x94\x02\x01\xc0\xc0",                      # no response
    b"\x93\x02\xa1a\x90",                         # a notification
    b"\x94\x01\x01\x92\x01\x02\xc0",              # an error that is an array
    b"HTTP/1.1 400 Bad Request\r\n",
    b"\x15\x03\x01\x00\x02\x02\x46",
])
def test_what_is_no_response_breaks_and_costs_no_memory(own, data):
    tracemalloc.start()
    try:
        with pytest.raises(Broken):
            responses = Responses(own=own)
            responses.feed(data)
            list(responses)
            raise Broken  # all of it was taken for the start of a message
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("own", BOTH)
def test_noise_breaks_or_waits_and_nothing_else(own):
    seed = int.from_bytes(os.urandom(4), "big")
    noise = random.Random(seed)
    for _ in range(3000):
        data = bytes(noise.randrange(256) for _ in range(40))
        responses = Responses(own=own)
        try:
            responses.feed(b"\x94\x01\x01\xc0" + data)
            list(responses)
        except Broken:
            pass
        except Exception as why:
            raise AssertionError("seed %d: %r" % (seed, why)) from why


def test_a_long_message_in_small_pieces_is_not_read_anew_for_each():
    message = _msgpack.packb([1, 1, None, ["replay", bytes(1 << 20)]])
    unpacker = _msgpack.Unpacker(1 << 22)
    got, started = [], time.process_time()
    for at in range(0, len(message), 64):
        unpacker.feed(message[at:at + 64])
        got += list(unpacker)
    assert got[0][3][1] == bytes(1 << 20)
    assert time.process_time() - started < 5  # anew: 16,384 times 1 MiB
