# SPDX-License-Identifier: Apache-2.0
"""The client's half of TLS, as bytes in and bytes out: the same object serves
a blocking socket and an event loop, and the two directions of a connection
meet only under its owner's lock (an SSL is not for two threads)."""

from __future__ import annotations

import ssl
from typing import Optional

from . import _uri
from ._errors import IdemstoreError, fail


def context(uri: _uri.Uri) -> Optional[ssl.SSLContext]:
    """None without idems://. Raises IdemstoreError, code TLS."""
    if not uri.tls:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    verify = uri.texts.get("verify", "full")
    made.check_hostname = verify == "full"
    made.verify_mode = ssl.CERT_NONE if verify == "none" else ssl.CERT_REQUIRED
    try:
        if "ca" in uri.texts:
            made.load_verify_locations(uri.texts["ca"])
        elif verify != "none":
            made.load_default_certs()
    except (OSError, ssl.SSLError) as why:
        raise fail("TLS", "the URI's ca can't be used: %s" % _reason(why)) \
            from None
    if "cert" in uri.texts:
        try:
            made.load_cert_chain(uri.texts["cert"], uri.texts.get("key"))
        except (OSError, ssl.SSLError) as why:
            raise fail("TLS", "the URI's cert or key can't be used: %s"
                       % _reason(why)) from None
    return made


def _reason(why: BaseException) -> str:
    if isinstance(why, ssl.SSLCertVerificationError):
        return why.verify_message
    if isinstance(why, ssl.SSLError):
        return (why.reason or "it failed").replace("_", " ").lower()
    if isinstance(why, OSError) and why.strerror:
        return why.strerror
    return type(why).__name__


def failed(endpoint: str, why: BaseException) -> IdemstoreError:
    return fail("TLS", "no TLS connection to %s: %s"
                % (endpoint, _reason(why)), endpoint=endpoint)


class Sealer:
    """One connection's TLS. seal() and open() may not run at once."""

    def __init__(self, made: ssl.SSLContext, server_name: str) -> None:
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._ssl = made.wrap_bio(self._in, self._out,
                                  server_hostname=server_name)

    def shake_hands(self, came: bytes) -> bool:
        """Feeds what came; True once it is done. Raises ssl.SSLError."""
        if came:
            self._in.write(came)
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def output(self) -> bytes:
        """What is to be sent."""
        return self._out.read()

    def seal(self, data: bytes) -> bytes:
        self._ssl.write(data)
        return self._out.read()

    def open(self, came: bytes) -> bytes:
        """What the bytes say; b"" while they say nothing whole. Raises
        EOFError at the other side's end, ssl.SSLError."""
        self._in.write(came)
        parts = []
        try:
            while True:
                part = self._ssl.read(65536)
                if not part:
                    break
                parts.append(part)
        except ssl.SSLWantReadError:
            return b"".join(parts)
        except ssl.SSLZeroReturnError:
            pass
        if parts:
            return b"".join(parts)
        raise EOFError
