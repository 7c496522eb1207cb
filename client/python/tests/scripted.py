# SPDX-License-Identifier: Apache-2.0
"""A server that does what a test says: for what a real one does rarely."""

import socket
import threading

from idemstore import _msgpack

TOKEN = bytes(8) + (7).to_bytes(8, "big")
CLOSE = object()    # a handler's answer: close the connection
SILENT = object()   # say nothing


def hello(role="primary", epoch=1, shards=1):
    return {"server": "scripted", "version": "0.1.0", "protocol": 1,
            "role": role, "epoch": epoch, "shards": shards, "shard": 0,
            "hash_key": bytes(16),
            "limits": {"result_bytes_max": 1 << 20,
                       "frame_bytes_max": 1 << 21, "pending_max": 64}}


class Refused(Exception):
    """Raised by a handler: the error that is answered."""


class Scripted:
    """handler(method, params, nth): the result; raises Refused; CLOSE,
    SILENT. nth: which request of that method this is, from 1. asked: what
    came, as (method, params)."""

    def __init__(self, handler, hello_says=None):
        self.handler = handler
        self.hello_says = hello_says or hello()
        self.asked = []
        self.connections = 0
        self._open = []
        self._counts = {}
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.address = "127.0.0.1:%d" % self.port
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def uri(self, *others, **options):
        hosts = ",".join((self.address, *(o.address for o in others)))
        query = "&".join("%s=%s" % one for one in options.items())
        return "idem://%s/t%s" % (hosts, "?" + query if query else "")

    def of(self, method):
        return [params for name, params in self.asked if name == method]

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            threading.Thread(target=self._serve, args=(sock,),
                             daemon=True).start()

    def _serve(self, sock):
        unpacker = _msgpack.Unpacker(1 << 22)
        try:
            while True:
                data = sock.recv(65536)
                if not data:
                    break
                unpacker.feed(data)
                for _, msgid, method, params in unpacker:
                    if not self._answer(sock, msgid, method, params):
                        sock.shutdown(socket.SHUT_RDWR)
                        return
        except OSError:
            pass

    def _answer(self, sock, msgid, method, params):
        with self._lock:
            self.asked.append((method, params))
            self._counts[method] = nth = self._counts.get(method, 0) + 1
        error = result = None
        try:
            if method == "hello":
                result = self.hello_says
            if method == "ping":
                result = "pong"
            told = self.handler(method, params, nth)
            if told is CLOSE:
                return False
            if told is SILENT:
                return True
            if told is not None:
                result = told
        except Refused as why:
            error = str(why)
        reply = [1, msgid, error, result if error is None else None]
        sock.sendall(_msgpack.packb(reply))
        return True


def granted(params):
    return ["acquired", TOKEN, 1, "none", params[4]]
