#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""secret.py DOCS WORK -- runs the script of the job that makes the secret, as
it stands in the rendered ConfigMap, against an API server of our own: made when
absent, left alone when there, and an error when it may not."""
import http.server
import json
import os
import pathlib
import ssl
import subprocess
import sys
import threading

docs = json.loads(pathlib.Path(sys.argv[1]).read_text())
work = pathlib.Path(sys.argv[2]) / "account"
NAMESPACE, TOKEN = "shop", "token-of-the-job"


class Api(http.server.BaseHTTPRequestHandler):
    """POST of secrets in one namespace, for the one who has the token."""
    secrets, may = {}, True

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        name = body["metadata"]["name"]
        if self.headers["authorization"] != f"Bearer {TOKEN}":
            code = 401
        elif not Api.may or \
                self.path != f"/api/v1/namespaces/{NAMESPACE}/secrets":
            code = 403
        elif name in Api.secrets:
            code = 409
        else:
            Api.secrets[name], code = body, 201
        self.send_response(code)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(work / "ca.crt", work / "key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def run(port, account):
    script, = (one["data"]["make-secret.sh"] for one in docs
               if one["kind"] == "ConfigMap" and "make-secret.sh" in one["data"])
    (work / "script").write_text(script)
    env = {one["name"]: one["value"] for doc in docs if doc["kind"] == "Job"
           for one in doc["spec"]["template"]["spec"]["containers"][0]["env"]}
    done = subprocess.run(
        ["sh", work / "script"], capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "ACCOUNT": str(account),
             "SERVER": f"https://localhost:{port}", **env})
    return done.returncode, done.stdout + done.stderr


def expect(so, what):
    if not so:
        sys.exit(f"secret.py: {what}")


def certificate(path):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=api",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", path / "key",
         "-out", path / "ca.crt"], check=True, capture_output=True)
    (path / "namespace").write_text(NAMESPACE)
    (path / "token").write_text(TOKEN)


def main():
    stranger = work / "stranger"
    stranger.mkdir(parents=True)
    certificate(work)
    certificate(stranger)
    port = serve()
    code, said = run(port, stranger)
    expect(code != 0 and not Api.secrets, f"it trusts anybody: {said}")
    Api.may = False
    code, said = run(port, work)
    expect(code != 0 and "403" in said, f"it was refused: {code} {said}")
    Api.may = True
    code, said = run(port, work)
    expect(code == 0 and "made" in said, f"not made: {code} {said}")
    first = dict(Api.secrets)
    line = first["idemstore"]["stringData"]["secret"]
    expect(len(line) >= 32 and line.isalnum(), f"a poor secret: {line}")
    code, said = run(port, work)
    expect(code == 0 and Api.secrets == first, f"not left alone: {said}")
    Api.secrets.clear()
    run(port, work)
    expect(Api.secrets["idemstore"]["stringData"]["secret"] != line,
           "the same secret twice")
    expect(line not in said, "it says the secret")
    print("  the secret is made when it is absent, and stays when it is there")


main()
