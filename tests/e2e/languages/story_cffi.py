# SPDX-License-Identifier: Apache-2.0
"""story_cffi.py LIBRARY INCLUDE CC PORT -- libidemclient from Python by cffi,
which reads the header itself: nothing in it needs a compiler or glue."""
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import cffi

library, include, cc, port = sys.argv[1:5]


def declarations():
    """The header as the preprocessor leaves it, without the C library's."""
    with tempfile.TemporaryDirectory() as empty:
        for name in ("stddef.h", "stdint.h"):
            Path(empty, name).touch()
        said = subprocess.run(
            [cc, "-E", "-P", "-nostdinc", "-I", empty, "-I", include,
             "-D__attribute__(x)=", "-include", include + "/idemclient.h",
             "-x", "c", "/dev/null"],
            check=True, capture_output=True, text=True)
        return said.stdout


ffi = cffi.FFI()
ffi.cdef(declarations())
lib = ffi.dlopen(library)


def begun(name):
    made = ffi.new("idem_%s *" % name)
    getattr(lib, "idem_%s_init" % name)(made, ffi.sizeof(made[0]))
    assert made.size == ffi.sizeof(made[0])
    return made


def args_of(key, **more):
    args = begun("args")
    texts = [ffi.from_buffer(key)]  # borrowed: they live as long as args
    args.key, args.key_len = texts[0], len(key)
    for name, value in more.items():
        if name == "token":
            args.token.bytes = value
        elif isinstance(value, bytes):
            texts.append(ffi.from_buffer(value))
            setattr(args, name, texts[-1])
            setattr(args, name + "_len", len(value))
        else:
            setattr(args, name, value)
    return args, texts


class Answer:
    def __init__(self, client, method, args):
        self.raw, err = begun("answer"), begun("error")
        code = lib.idem_call(client, method, args[0], self.raw, err)
        assert code == 0, ffi.string(err.text)
        self.outcome = self.raw.outcome
        self.token = bytes(ffi.buffer(self.raw.token.bytes))
        self.result = bytes(ffi.buffer(self.raw.result, self.raw.result_len)) \
            if self.raw.result else None
        self.nonce_len = self.raw.nonce_len
        lib.idem_answer_fini(self.raw)


def run_once(client, key, function):
    answer, err = begun("answer"), begun("error")
    args = args_of(key)
    code = lib.idem_run_once(client, args[0],
                             ffi.callback("idem_run_fn", function),
                             ffi.NULL, answer, err)
    assert code == 0, ffi.string(err.text)
    outcome = answer.outcome
    lib.idem_answer_fini(answer)
    return outcome


def one_holder_and_one_that_waits(client):
    held = Answer(client, lib.IDEM_ACQUIRE,
                  args_of(b"cffi-wait", fingerprint=b"body"))
    assert held.outcome == lib.IDEM_ACQUIRED and held.nonce_len == 16
    heard = []
    waiter = threading.Thread(target=lambda: heard.append(
        Answer(client, lib.IDEM_ACQUIRE, args_of(b"cffi-wait",
                                                 wait_ms=30000))))
    waiter.start()
    assert Answer(client, lib.IDEM_ACQUIRE,
                  args_of(b"cffi-wait")).outcome == lib.IDEM_IN_PROGRESS
    done = Answer(client, lib.IDEM_COMPLETE,
                  args_of(b"cffi-wait", token=held.token, result=b"paid"))
    assert done.outcome == lib.IDEM_COMPLETED
    waiter.join()
    assert heard[0].outcome == lib.IDEM_REPLAY and heard[0].result == b"paid"
    later = Answer(client, lib.IDEM_ACQUIRE, args_of(b"cffi-wait"))
    assert later.outcome == lib.IDEM_REPLAY and later.result == b"paid"


def functions_end_in_each_way(client):
    runs = []

    def pay(run, _):
        runs.append(1)
        assert lib.idem_run_set_result(run, b"paid", 4,
                                       lib.IDEM_CLASS_SUCCESS) == 0
        return lib.IDEM_RUN_DONE
    assert run_once(client, b"cffi-run", pay) == lib.IDEM_COMPLETED
    assert run_once(client, b"cffi-run", pay) == lib.IDEM_REPLAY
    assert len(runs) == 1


def a_function_that_raises_leaves_its_claim(client):
    def fail(_run, _):
        raise RuntimeError("no card")
    kept, sys.stderr = sys.stderr, open("/dev/null", "w")  # cffi prints it
    assert run_once(client, b"cffi-raise", fail) == lib.IDEM_LEFT
    sys.stderr = kept
    assert Answer(client, lib.IDEM_ACQUIRE,
                  args_of(b"cffi-raise")).outcome == lib.IDEM_IN_PROGRESS


opened, failure = ffi.new("idem_client **"), begun("error")
uri = b"idem://127.0.0.1:%d/t" % int(port)
assert lib.idem_client_open(uri, opened, failure) == 0, failure.text
one_holder_and_one_that_waits(opened[0])
functions_end_in_each_way(opened[0])
a_function_that_raises_leaves_its_claim(opened[0])
lib.idem_client_close(opened[0])
print("cffi: acquire, wait, complete, replay, run once")
