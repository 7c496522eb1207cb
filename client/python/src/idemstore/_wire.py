# SPDX-License-Identifier: Apache-2.0
"""Frames: requests as bytes, and bytes as responses. No socket, no clock."""

from __future__ import annotations

import importlib
from typing import Any, Callable, Iterator, List, Optional, Tuple

from . import _msgpack

_lib: Any
try:
    _lib = importlib.import_module("msgpack")
except ImportError:
    _lib = None

# What hello and the errors before it need; the rest is told by hello.
FRAME_BYTES_FIRST = 65536
# A response is a request's largest field and a little more.
FRAME_BYTES_MORE = 4096

packb: Callable[[Any], bytes] = _msgpack.packb
if _lib is not None:
    packb = _lib.packb  # as surrogates can't be in it: see args


class Broken(Exception):
    """What came is no response: the connection can't go on."""


def request_tail(method: str, params: Tuple[Any, ...]) -> bytes:
    """A request without its first three fields' bytes: the same for each
    attempt, whatever its msgid is."""
    return packb((method, params))[1:]


def request(msgid: int, tail: bytes) -> bytes:
    if msgid < 0x80:
        return b"\x94\x00" + bytes((msgid,)) + tail
    return b"\x94\x00" + _msgpack._pack_int(msgid) + tail


def _lib_unpacker(limit: int) -> Any:
    return _lib.Unpacker(
        raw=False, unicode_errors="surrogateescape", strict_map_key=True,
        max_buffer_size=limit + 65536, max_str_len=limit, max_bin_len=limit,
        max_array_len=_msgpack.ITEMS_MAX, max_map_len=_msgpack.ITEMS_MAX,
        max_ext_len=0)


class Responses:
    """(msgid, error or None, result) out of bytes as they arrive."""

    def __init__(self, frame_bytes_max: int = FRAME_BYTES_FIRST,
                 own: bool = False) -> None:
        self._unpacker: Any
        if _lib is not None and not own:
            self._unpacker = _lib_unpacker(frame_bytes_max)
        else:
            self._unpacker = _msgpack.Unpacker(frame_bytes_max)

    def feed(self, data: bytes) -> None:
        try:
            self._unpacker.feed(data)
        except Exception:
            raise Broken("a response over the limit") from None

    def __iter__(self) -> Iterator[Tuple[int, Optional[str], Any]]:
        it = iter(self._unpacker)
        while True:
            try:
                got = next(it)
            except StopIteration:
                return
            except Exception:  # msgpack raises of many kinds
                raise Broken("bytes that are no MessagePack of this wire") \
                    from None
            yield self._check(got)

    @staticmethod
    def _check(got: Any) -> Tuple[int, Optional[str], Any]:
        if type(got) is not list or len(got) != 4 or got[0] != 1 \
                or type(got[0]) is not int or type(got[1]) is not int:
            raise Broken("a message that is no response")
        error = got[2]
        if error is not None:
            if type(error) is bytes:
                error = error.decode("ascii", "replace")
            if type(error) is not str:
                raise Broken("an error that is no text")
        return got[1], error, got[3]


def read_all(data: bytes) -> List[Tuple[int, Optional[str], Any]]:
    """For tests and the handshake: what is whole in these bytes."""
    responses = Responses()
    responses.feed(data)
    return list(responses)
