# SPDX-License-Identifier: Apache-2.0
"""A connection to one endpoint: its addresses tried in turns, TLS, hello. It
blocks, up to its deadline; the asyncio client calls it on a thread."""

from __future__ import annotations

import errno
import ipaddress
import os
import selectors
import socket
import ssl
import threading
import time
from typing import Any, Dict, List, Optional, Tuple

from . import _selector, _tls, _uri, _wire
from ._errors import IdemstoreError, fail, said

# The next address of a name is tried after so long, beside the one before.
RACE_S = 0.25
ADDRESSES_MAX = 16


class Dialed:
    """A socket whose server has said hello."""

    def __init__(self, sock: socket.socket, sealer: Optional[_tls.Sealer],
                 hello: _selector.Hello, endpoint: _uri.Endpoint) -> None:
        self.sock = sock
        self.sealer = sealer
        self.hello = hello
        self.endpoint = endpoint


class Dialer:
    """What each connection of a store is made with."""

    def __init__(self, uri: _uri.Uri, client: str) -> None:
        self.uri = uri
        self.client = uri.texts.get("client", client)
        self.context = _tls.context(uri)

    def dial(self, endpoint: _uri.Endpoint, shard: Optional[int],
             until_s: float, good: Dict[str, Any]) -> Dialed:
        """Raises IdemstoreError: CONNECT, TLS, or what the server said."""
        addresses = _addresses(endpoint, until_s)
        if good.get(endpoint.name) in addresses:
            addresses.remove(good[endpoint.name])
            addresses.insert(0, good[endpoint.name])
        why: Optional[IdemstoreError] = None
        while addresses:
            share = (until_s - time.monotonic()) / len(addresses)
            try:
                sock, address = _race(endpoint, addresses, until_s)
            except OSError as error:
                raise why or _cannot(endpoint, _words(error)) from None
            addresses.remove(address)
            last = time.monotonic() + share if addresses else until_s
            try:
                made = self._handshake(sock, endpoint, shard, last)
                good[endpoint.name] = address
                return made
            except IdemstoreError as error:
                sock.close()
                if error.code != "CONNECT":
                    raise
                why = error
            except BaseException:
                sock.close()
                raise
        raise why or _cannot(endpoint, "it has no address")

    def _handshake(self, sock: socket.socket, endpoint: _uri.Endpoint,
                   shard: Optional[int], until_s: float) -> Dialed:
        sealer = None
        if self.context is not None:
            sealer = self._secure(sock, endpoint, until_s)
        asked: Dict[str, Any] = {"client": self.client}
        if shard is not None:
            asked["shard"] = shard
        if self.uri.secret is not None:
            asked["secret"] = _wire_text(self.uri.secret)
        data = _wire.request(0, _wire.request_tail("hello", (asked,)))
        result = _exchange(sock, sealer, endpoint, data, until_s)
        hello = _selector.read_hello(result)
        if hello is None:
            raise fail("CONNECT", "%s says hello in words that this version "
                       "does not know" % endpoint.name, endpoint=endpoint.name)
        return Dialed(sock, sealer, hello, endpoint)

    def _secure(self, sock: socket.socket, endpoint: _uri.Endpoint,
                until_s: float) -> _tls.Sealer:
        assert self.context is not None
        name = self.uri.texts.get("server_name", endpoint.host)
        try:
            sealer = _tls.Sealer(self.context, name)
            came = b""
            while True:
                done = sealer.shake_hands(came)
                _send(sock, sealer.output(), until_s)
                if done:
                    return sealer
                came = _recv(sock, until_s)
                if not came:
                    raise _silent(endpoint, "it closed the connection within "
                                  "the handshake; does it speak TLS?")
        except (ssl.SSLError, ValueError) as why:
            raise _tls.failed(endpoint.name, why) from None
        except OSError as why:
            raise _silent(endpoint, _words(why)) from None


def _wire_text(secret: bytes) -> Any:
    """As a str where it can be one."""
    try:
        return secret.decode("utf-8")
    except UnicodeDecodeError:
        return secret


def _words(error: OSError) -> str:
    if isinstance(error, (socket.timeout, TimeoutError)):
        return "it did not answer in time"
    return error.strerror or str(error) or type(error).__name__


def _cannot(endpoint: _uri.Endpoint, why: str) -> IdemstoreError:
    return fail("CONNECT", "can't connect to %s: %s" % (endpoint.name, why),
                endpoint=endpoint.name)


def _silent(endpoint: _uri.Endpoint, why: str) -> IdemstoreError:
    return fail("CONNECT", "can't talk to %s: %s" % (endpoint.name, why),
                endpoint=endpoint.name)


# ----------------------------------------------------------- names, sockets


def _literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
        return True
    except ValueError:
        return False


def _look_up(endpoint: _uri.Endpoint) -> List[Any]:
    found = socket.getaddrinfo(endpoint.host, endpoint.port,
                               type=socket.SOCK_STREAM)
    return [(row[0], row[4]) for row in found][:ADDRESSES_MAX]


def _addresses(endpoint: _uri.Endpoint, until_s: float) -> List[Any]:
    """(family, address) of each; a name is looked up by a thread, which a
    resolver that hangs may keep beyond the deadline."""
    if endpoint.port == 0:
        return [(socket.AF_UNIX, endpoint.host)]
    if _literal(endpoint.host):
        return _look_up(endpoint)
    told: List[Any] = []

    def ask() -> None:
        try:
            told.append(_look_up(endpoint))
        except OSError as error:
            told.append(error)

    asker = threading.Thread(target=ask, daemon=True, name="idemstore-lookup")
    asker.start()
    asker.join(max(until_s - time.monotonic(), 0.0))
    if told and not isinstance(told[0], OSError):
        return list(told[0])
    why = _words(told[0]) if told else "the resolver did not answer in time"
    raise fail("CONNECT", "the host of %s is not known: %s; check the name"
               % (endpoint.name, why), endpoint=endpoint.name)


def _begin(address: Any) -> Tuple[socket.socket, bool]:
    family, where = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = sock.connect_ex(where)
    except BaseException:
        sock.close()
        raise
    if code not in (0, errno.EINPROGRESS):
        sock.close()
        raise OSError(code, os.strerror(code))
    return sock, code == 0


def _race(endpoint: _uri.Endpoint, addresses: List[Any],
          until_s: float) -> Tuple[socket.socket, Any]:
    """The first that connects; a further one begins each 250 ms, or sooner
    where the time is short. Raises OSError."""
    waiting: Dict[socket.socket, Any] = {}
    to_begin = list(addresses)
    error: OSError = socket.timeout("it did not answer in time")
    step_s = min(RACE_S,
                 max(until_s - time.monotonic(), 0.0) / (len(to_begin) + 1))
    with selectors.DefaultSelector() as selector:
        try:
            while to_begin or waiting:
                if to_begin:
                    address = to_begin.pop(0)
                    try:
                        sock, done = _begin(address)
                    except OSError as why:
                        error = why
                        continue
                    if done:
                        return sock, address
                    waiting[sock] = address
                    selector.register(sock, selectors.EVENT_WRITE)
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    break
                wait_s = min(left_s, step_s) if to_begin else left_s
                for ready, _ in selector.select(wait_s):
                    sock = ready.fileobj  # type: ignore[assignment]
                    selector.unregister(sock)
                    address = waiting.pop(sock)
                    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if code == 0:
                        return sock, address
                    sock.close()
                    error = OSError(code, os.strerror(code))
        finally:
            for loser in waiting:
                loser.close()
    raise error


def _timed(sock: socket.socket, until_s: float) -> None:
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise socket.timeout("it did not answer in time")
    sock.settimeout(left_s)


def _send(sock: socket.socket, data: bytes, until_s: float) -> None:
    if data:
        _timed(sock, until_s)
        sock.sendall(data)


def _recv(sock: socket.socket, until_s: float) -> bytes:
    _timed(sock, until_s)
    return sock.recv(65536)


# ---------------------------------------------------------------- handshake


def _stranger(endpoint: _uri.Endpoint, first: bytes) -> IdemstoreError:
    kind = ""
    if first.startswith(b"HTTP/"):
        kind = ", but HTTP"
    elif first[:1] in b"-+:$" and b"\r\n" in first:
        kind = ", but Redis'"
    elif first[:1] == b"\x15":
        kind = ", but TLS: write idems://"
    return fail("CONNECT", "something listens at %s and does not speak "
                "idemstore's protocol%s; check the port"
                % (endpoint.name, kind), endpoint=endpoint.name)


def _hear(sock: socket.socket, sealer: Optional[_tls.Sealer],
          endpoint: _uri.Endpoint, until_s: float) -> Any:
    responses = _wire.Responses()
    first = b""
    while True:
        came = _recv(sock, until_s)
        if not came:
            raise _silent(endpoint, "it closed the connection before it said "
                          "a word; is that idemstored, or another program?")
        if sealer is not None:
            try:
                came = sealer.open(came)
            except EOFError:
                raise _silent(endpoint, "it closed the connection; does it "
                              "want a client certificate?") from None
        first = first or came
        try:
            responses.feed(came)
            for _, error, result in responses:
                if error is not None:
                    raise said(endpoint.name, error)
                return result
        except _wire.Broken:
            raise _stranger(endpoint, first) from None


def _exchange(sock: socket.socket, sealer: Optional[_tls.Sealer],
              endpoint: _uri.Endpoint, data: bytes, until_s: float) -> Any:
    """The answer to hello."""
    if sealer is not None:
        data = sealer.seal(data)
    try:
        try:
            _send(sock, data, until_s)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it may have said why before it closed
        return _hear(sock, sealer, endpoint, until_s)
    except ssl.SSLError as why:
        raise _tls.failed(endpoint.name, why) from None
    except (socket.timeout, TimeoutError):
        raise _silent(endpoint, "it takes connections and says nothing; is "
                      "that idemstored, or another program?") from None
    except ConnectionResetError:
        raise _silent(endpoint, "it closed the connection before it said a "
                      "word; is that idemstored, or another program?") \
            from None
    except OSError as why:
        raise _silent(endpoint, _words(why)) from None
