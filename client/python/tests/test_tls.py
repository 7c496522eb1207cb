# SPDX-License-Identifier: Apache-2.0
"""idems://: the client's half of TLS, against a proxy that ends it before a
real daemon."""

import asyncio
import datetime
import ipaddress
import os
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import idemstore
from idemstore import IdemstoreError

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


def name_of(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    def __init__(self, folder, name):
        self.folder = folder
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.cert = self._sign(name, self.key, [], None)
        self.file = str(folder / (name + ".pem"))
        self._write(self.file, self.cert.public_bytes(
            serialization.Encoding.PEM))

    @staticmethod
    def _write(path, data):
        with open(path, "wb") as file:
            file.write(data)

    def _sign(self, name, key, alt, issuer, ends=NOW + DAY):
        made = (x509.CertificateBuilder().subject_name(name_of(name))
                .issuer_name(name_of(self.name)).public_key(key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(NOW - DAY - DAY).not_valid_after(ends)
                .add_extension(x509.BasicConstraints(issuer is None, None),
                               True))
        if alt:
            made = made.add_extension(x509.SubjectAlternativeName(alt), False)
        return made.sign(issuer or self.key, hashes.SHA256())

    def issue(self, name, *alt, ends=NOW + DAY):
        """(certificate's file, key's file)."""
        key = ec.generate_private_key(ec.SECP256R1())
        cert = self._sign(name, key, list(alt), self.key, ends)
        files = [str(self.folder / (name + end)) for end in (".crt", ".key")]
        self._write(files[0], cert.public_bytes(serialization.Encoding.PEM))
        self._write(files[1], key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        return files


class Proxy:
    """Ends TLS and hands on what it says."""

    def __init__(self, port, cert, key, ca=None, least=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        if least:
            self.context.maximum_version = least
        if ca:
            self.context.load_verify_locations(ca)
            self.context.verify_mode = ssl.CERT_REQUIRED
        self.to = port
        self.handshakes = 0
        self.open = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(sock)
            threading.Thread(target=self._serve, args=(sock,),
                             daemon=True).start()

    def _serve(self, raw):
        try:
            raw.settimeout(30)
            sock = self.context.wrap_socket(raw, server_side=True)
            self.open.append(sock)
            self.handshakes += 1
            onward = socket.create_connection(("127.0.0.1", self.to))
            self.open.append(onward)
        except OSError:
            raw.close()
            return
        # An SSL object is not for two threads: one looks both ways.
        sock.setblocking(False)
        onward.setblocking(False)
        try:
            self._pump(sock, onward)
        except (OSError, ValueError):
            pass
        sock.close()
        onward.close()

    @staticmethod
    def _pump(sock, onward):
        import select
        while True:
            select.select([sock, onward], [], [], 1)
            for one, other in ((sock, onward), (onward, sock)):
                try:
                    data = one.recv(65536)
                except (ssl.SSLWantReadError, BlockingIOError):
                    continue
                if not data:
                    return
                while data:
                    try:
                        data = data[other.send(data):]
                    except (ssl.SSLWantWriteError, BlockingIOError):
                        select.select([], [other], [], 1)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for one in self.open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "authority")


@pytest.fixture
def proxied(daemon):
    made = []

    def make(*args, **options):
        made.append(Proxy(daemon.port, *args, **options))
        return made[-1]
    yield make
    for one in made:
        one.close()


LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


def uri_of(proxy, ns, **options):
    return "idems://127.0.0.1:%d/%s?%s" % (proxy.port, ns, "&".join(
        "%s=%s" % one for one in {"timeout_ms": 10000, **options}.items()))


def code_of(uri):
    with idemstore.Store(uri) as store:
        with pytest.raises(IdemstoreError) as told:
            store.acquire("k")
    async def story():
        async with idemstore.AsyncStore(uri) as one:
            with pytest.raises(IdemstoreError) as other:
                await one.acquire("k")
            assert other.value.code == told.value.code
    asyncio.run(story())
    return told.value


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_threads_and_tasks_over_tls(authority, proxied, ns, version):
    proxy = proxied(*authority.issue("server", LOOPBACK), least=version)
    uri = uri_of(proxy, ns, ca=authority.file)
    large = os.urandom(1 << 20)
    with idemstore.Store(uri) as store:
        wrong = []

        def work(me):
            for n in range(30):
                key = "%d-%d" % (me, n)
                claim = store.acquire(key)
                store.complete(key, claim.token, key.encode() * 100)
                if store.acquire(key).result != key.encode() * 100:
                    wrong.append(key)
        threads = [threading.Thread(target=work, args=(n,))
                   for n in range(6)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(60)
        assert not wrong
        claim = store.acquire("large")
        assert store.complete("large", claim.token, large).kept
        assert store.acquire("large").result == large

    async def story():
        async with idemstore.AsyncStore(uri) as one:
            assert (await one.acquire("large")).result == large

            async def job(n):
                claim = await one.acquire("j%d" % n)
                await one.complete("j%d" % n, claim.token, b"x" * n)
                return (await one.acquire("j%d" % n)).result == b"x" * n
            assert all(await asyncio.gather(*(job(n) for n in range(60))))
    asyncio.run(story())
    assert proxy.handshakes >= 2


def test_a_name_that_is_not_the_certificates(authority, proxied, ns):
    proxy = proxied(*authority.issue("server", x509.DNSName("db.example")))
    ca = authority.file
    why = code_of(uri_of(proxy, ns, ca=ca))
    assert (why.code, why.assume) == ("TLS", "unchanged")
    for options in ({"server_name": "db.example"}, {"verify": "ca"},
                    {"verify": "none"}):
        with idemstore.Store(uri_of(proxy, ns, ca=ca, **options)) as store:
            store.ping()


def test_an_authority_that_is_not_ours(authority, proxied, ns, tmp_path):
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other", "authority")
    proxy = proxied(*other.issue("server", LOOPBACK))
    for verify in ("full", "ca"):
        why = code_of(uri_of(proxy, ns, ca=authority.file, verify=verify))
        assert why.code == "TLS"
    with idemstore.Store(uri_of(proxy, ns, verify="none")) as store:
        store.ping()


def test_a_certificate_that_is_over(authority, proxied, ns):
    proxy = proxied(*authority.issue("server", LOOPBACK, ends=NOW - DAY))
    why = code_of(uri_of(proxy, ns, ca=authority.file))
    assert why.code == "TLS" and "expired" in why.text


def test_a_client_certificate(authority, proxied, ns):
    proxy = proxied(*authority.issue("server", LOOPBACK), ca=authority.file)
    cert, key = authority.issue("client")
    uri = uri_of(proxy, ns, ca=authority.file, cert=cert, key=key)
    with idemstore.Store(uri) as store:
        store.ping()
    # With TLS 1.3 it is told at the first read only.
    why = code_of(uri_of(proxy, ns, ca=authority.file, timeout_ms=5000))
    assert why.code in ("TLS", "CONNECT")


def test_it_never_falls_back_to_plain(daemon, ns):
    why = code_of("idems://%s/%s?timeout_ms=5000" % (daemon.address, ns))
    assert (why.code, why.assume) in (("TLS", "unchanged"),
                                      ("CONNECT", "unchanged"))


def test_a_failure_is_told_at_once_and_retried_at_a_pace(authority, proxied,
                                                         ns):
    proxy = proxied(*authority.issue("server", x509.DNSName("db.example")))
    with idemstore.Store(uri_of(proxy, ns, ca=authority.file)) as store:
        for _ in range(8):
            with pytest.raises(IdemstoreError):
                store.acquire("k")
        assert len(proxy.open) < 30


@pytest.mark.parametrize("options,words", [
    ({"ca": "/nowhere/ca.pem"}, "ca"),
    ({"cert": "/nowhere/cert.pem"}, "cert")])
def test_files_that_are_not_there_are_told_at_the_start(options, words):
    query = "&".join("%s=%s" % one for one in options.items())
    with pytest.raises(IdemstoreError) as told:
        idemstore.Store("idems://h/?" + query)
    assert told.value.code == "TLS" and words in told.value.text
