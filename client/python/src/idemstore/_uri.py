# SPDX-License-Identifier: Apache-2.0
"""The URI's grammar, part by part. Every refusal names its part, and no part
that may be the secret is ever quoted.

  idem://[:SECRET@]HOST[:PORT][,HOST[:PORT]...][/NAMESPACE][?OPTIONS]
  idems://...                      the same over TLS
  idem+unix://[:SECRET@]/PATH/TO/SOCKET[?OPTIONS]"""

from __future__ import annotations

import os
import re
from typing import Dict, List, NamedTuple, Optional, Tuple

from ._errors import IdemstoreError, fail

PORT = 7117
HOSTS_MAX = 16
SECRET_BYTES_MAX = 256
NS_BYTES_MAX = 64
CLIENT_BYTES_MAX = 128


class Endpoint(NamedTuple):
    """port 0: a Unix socket at the path `host`."""
    host: str
    port: int

    @property
    def name(self) -> str:
        if self.port == 0:
            return "unix:" + self.host
        if ":" in self.host:
            return "[%s]:%d" % (self.host, self.port)
        return "%s:%d" % (self.host, self.port)


# name: (default, least, most)
_NUMBERS: Dict[str, Tuple[int, int, int]] = {
    "timeout_ms": (5000, 1, 86400000),
    "connect_timeout_ms": (1000, 1, 60000),
    "fail_fast_ms": (0, 500, 60000),
    "connect_rounds": (0, 1, 1000),
    "shard_aware": (1, 0, 1),
}
_TEXTS = ("namespace", "secret_file", "client", "ca", "cert", "key", "verify",
          "server_name")


class Uri:
    """All that a URI says, with what it leaves out."""

    def __init__(self) -> None:
        self.endpoints: List[Endpoint] = []
        self.tls = False
        self.secret: Optional[bytes] = None
        self.ns = ""
        self.texts: Dict[str, str] = {}
        self.numbers = {n: row[0] for n, row in _NUMBERS.items()}

    def number(self, name: str) -> int:
        return self.numbers[name]

    def __repr__(self) -> str:
        names = ",".join(e.name for e in self.endpoints)
        return "<Uri %s%s>" % ("idems " if self.tls else "", names)


def _bad(text: str) -> IdemstoreError:
    return fail("URI", "the URI's " + text)


_CODED = re.compile(rb"%(..?|$)", re.S)


def _decode(part: str, what: str, most: int, is_path: bool = False) -> bytes:
    raw = part.encode("utf-8", "surrogateescape")
    for coded in _CODED.findall(raw):
        if not re.fullmatch(rb"[0-9A-Fa-f]{2}", coded):
            raise _bad("%s has a %% without two hex digits; a %% itself is "
                       "written %%25" % what)
    if any(c < 0x21 or c == 0x7F for c in raw):
        raise _hidden(what)
    made = _CODED.sub(lambda m: bytes((int(m.group(1), 16),)), raw)
    if any((c < 0x21 and not (is_path and c == 0x20)) or c == 0x7F
           for c in made):
        raise _hidden(what)
    if len(made) > most:
        raise _bad("%s is over %d bytes long" % (what, most))
    return made


def _hidden(what: str) -> IdemstoreError:
    return _bad("%s has a byte below 0x21, or 0x7f; is there a blank or a "
                "line end in it?" % what)


def _text(part: str, what: str, most: int, is_path: bool = False) -> str:
    return _decode(part, what, most, is_path).decode(
        "utf-8", "surrogateescape")


def _number(text: str, least: int, most: int) -> Optional[int]:
    if not re.fullmatch("[0-9]{1,10}", text) or not least <= int(text) <= most:
        return None
    return int(text)


def endpoint(text: str, default_port: int = 0) -> Endpoint:
    """"host:port". Raises ValueError with what is wrong."""
    host, port_text, has_port = text, "", False
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        has_port = rest.startswith(":")
        port_text = rest[1:]
        if not closed or (rest and not has_port):
            raise ValueError("an IPv6 address stands in brackets, [::1]:7117")
    else:
        host, colon, port_text = text.partition(":")
        has_port = bool(colon)
    if not host or len(host) > 255 \
            or any(c <= " " or c > "~" or c in "@/?#[]%" for c in host):
        raise ValueError(
            "a host is a name, an IPv4 address or [an IPv6 address]")
    port = _number(port_text, 1, 65535) if has_port else default_port
    if not port:
        raise ValueError("a port is a number from 1 to 65535")
    return Endpoint(host, port)


def _endpoints(uri: Uri, hosts: str) -> None:
    for count, one in enumerate(hosts.split(","), 1):
        if count > HOSTS_MAX:
            raise fail("URI", "the URI names more than %d hosts" % HOSTS_MAX)
        try:
            uri.endpoints.append(endpoint(one, PORT))
        except ValueError as why:
            raise _bad("host number %d: %s" % (count, why)) from None


def _userinfo(uri: Uri, authority: str, whole: str) -> str:
    info, at, rest = authority.rpartition("@")
    if not at:
        if authority.startswith(":") and "@" in whole:
            raise _bad("secret has a / or a ? in it: write %2F, %3F")
        return authority
    if not info.startswith(":"):
        raise fail("URI", "the URI has a user name, there are none: write "
                          ":SECRET@ before the host")
    uri.secret = _decode(info[1:], "secret", SECRET_BYTES_MAX)
    return rest


def _read_secret(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            line = file.readline(SECRET_BYTES_MAX + 3)
    except OSError as why:
        raise _bad("secret_file %s can't be read: %s"
                   % (path[:200], why.strerror)) from None
    secret = re.split(rb"[\r\n]", line)[0]
    if not 1 <= len(secret) <= SECRET_BYTES_MAX:
        raise fail("URI", "the first line of secret_file must have 1 to %d "
                          "bytes" % SECRET_BYTES_MAX)
    if any(c < 0x20 or c == 0x7F for c in secret):
        raise _hidden("secret_file, in its first line,")
    return secret


def _option(uri: Uri, name: str, value: str) -> None:
    if name in _NUMBERS:
        _, least, most = _NUMBERS[name]
        number = _number(value, least, most)
        if number is None:
            raise _bad("%s is a number from %d to %d" % (name, least, most))
        uri.numbers[name] = number
    elif name == "namespace":
        uri.ns = _text(value, "namespace", NS_BYTES_MAX)
    elif name == "client":
        uri.texts[name] = _text(value, name, CLIENT_BYTES_MAX)
    elif name == "verify":
        if value not in ("full", "ca", "none"):
            raise _bad("verify is full, ca or none")
        uri.texts[name] = value
    elif name in _TEXTS:
        uri.texts[name] = _text(value, name, 4095, is_path=True)
    else:
        raise fail("URI", "the URI has an unknown option, %s; there are %s"
                   % (name[:40], ", ".join((*_NUMBERS, *_TEXTS))))


def _options(uri: Uri, query: str) -> None:
    for one in filter(None, query.split("&")):
        name, has_value, value = one.partition("=")
        if any(c < "!" or c == "\x7f" for c in name):
            raise _hidden("option name")
        if not has_value:
            raise _bad("option %s has no =value" % name[:40])
        _option(uri, name, value)


def _unix(uri: Uri, rest: str) -> None:
    authority, slash, path = rest.partition("/")
    if not slash:
        raise fail("URI", "the URI names no socket: idem+unix:///path/to/it")
    if _userinfo(uri, authority, rest):
        raise _bad("socket path must begin with a slash: "
                   "idem+unix:///path/to/it")
    path = _text("/" + path, "socket path", 107, is_path=True)
    if path == "/":
        raise fail("URI", "the URI names no socket: idem+unix:///path/to/it")
    uri.endpoints.append(Endpoint(path, 0))


def _secret(uri: Uri, secret: Optional[str]) -> None:
    """The URI's own comes first, then the argument, then secret_file, then
    the environment."""
    if uri.secret is not None:
        return
    if secret is None and "secret_file" in uri.texts:
        uri.secret = _read_secret(uri.texts["secret_file"])
        return
    if secret is None:
        secret = os.environ.get("IDEMSTORE_SECRET") or None
    if secret is not None:
        uri.secret = secret.encode("utf-8", "surrogateescape")
        if not 1 <= len(uri.secret) <= SECRET_BYTES_MAX:
            raise fail("URI", "the secret must have 1 to %d bytes"
                       % SECRET_BYTES_MAX)


def parse(text: str, secret: Optional[str] = None) -> Uri:
    """Raises IdemstoreError with code URI."""
    uri = Uri()
    scheme, sep, rest = text.partition("://")
    if not sep or scheme not in ("idem", "idems", "idem+unix"):
        raise _bad("scheme is idem://, idems:// or idem+unix://")
    uri.tls = scheme == "idems"
    rest, _, query = rest.partition("?")
    if scheme == "idem+unix":
        _unix(uri, rest)
    else:
        authority, _, ns = rest.partition("/")
        _endpoints(uri, _userinfo(uri, authority, rest + query))
        uri.ns = _text(ns, "namespace", NS_BYTES_MAX)
    _options(uri, query)
    _secret(uri, secret)
    return uri
