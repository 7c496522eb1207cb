# SPDX-License-Identifier: Apache-2.0
"""story_ctypes.py LIBRARY PORT -- libidemclient from Python without a
compiler: the structs as a binding's author writes them down, by hand."""
import ctypes
import sys
import threading
from ctypes import (CFUNCTYPE, POINTER, byref, c_char, c_char_p, c_int32,
                    c_size_t, c_uint8, c_uint32, c_uint64, c_void_p, sizeof)

ACQUIRED, REPLAY, IN_PROGRESS, MISMATCH = 201, 202, 203, 204
COMPLETED, LEFT, CLASS_SUCCESS = 206, 214, 501
RUN_DONE = 0x444F4E45
E_ARGUMENT, E_CONNECT = -101, -104


class Args(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32), ("timeout_ms", c_uint32),
        ("ns", c_char_p), ("ns_len", c_size_t),
        ("key", c_char_p), ("key_len", c_size_t),
        ("fingerprint", c_char_p), ("fingerprint_len", c_size_t),
        ("nonce", c_char_p), ("nonce_len", c_size_t),
        ("result", c_char_p), ("result_len", c_size_t),
        ("token", c_uint8 * 16), ("ttl_ms", c_uint64),
        ("lease_ms", c_uint32), ("wait_ms", c_uint32),
        ("on_orphan", c_int32), ("result_class", c_int32)]


class Answer(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32), ("outcome", c_int32), ("state", c_int32),
        ("previous", c_int32), ("result_class", c_int32), ("kept", c_int32),
        ("has_result", c_int32), ("attempt", c_uint32),
        ("token", c_uint8 * 16), ("lease_ms", c_uint64),
        ("lease_left_ms", c_uint64), ("age_ms", c_uint64),
        ("ttl_left_ms", c_uint64), ("result_bytes", c_uint64),
        ("result", c_void_p), ("result_len", c_size_t),
        ("memory", c_void_p), ("memory_bytes", c_size_t),
        ("nonce", c_uint8 * 32), ("nonce_len", c_uint32)]


class Error(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32), ("code", c_int32), ("assume", c_int32),
        ("os_error", c_int32), ("endpoint", c_char * 288),
        ("text", c_char * 512), ("primary", c_char * 288),
        ("nonce", c_uint8 * 32), ("nonce_len", c_uint32)]


lib = ctypes.CDLL(sys.argv[1])
RunFn = CFUNCTYPE(c_int32, c_void_p, c_void_p)
lib.idem_run_set_result.argtypes = [c_void_p, c_char_p, c_size_t, c_int32]
lib.idem_run_once.argtypes = [c_void_p, POINTER(Args), RunFn, c_void_p,
                              POINTER(Answer), POINTER(Error)]
lib.idem_call.argtypes = [c_void_p, c_int32, POINTER(Args), POINTER(Answer),
                          POINTER(Error)]
for name in ("args", "answer", "error"):
    getattr(lib, "idem_%s_init" % name).argtypes = [c_void_p, c_size_t]
lib.idem_answer_fini.argtypes = [POINTER(Answer)]
lib.idem_client_open.argtypes = [c_char_p, POINTER(c_void_p), POINTER(Error)]
lib.idem_client_close.argtypes = [c_void_p]


def begun(kind, name):
    made = kind()
    getattr(lib, "idem_%s_init" % name)(byref(made), sizeof(made))
    assert made.size == sizeof(made)
    return made


def args_of(key):
    args = begun(Args, "args")
    args.key, args.key_len = key, len(key)
    return args


def open_client(uri):
    client, err = c_void_p(), begun(Error, "error")
    assert lib.idem_client_open(uri, byref(client), byref(err)) == 0, err.text
    return client


def call(client, method, args):
    answer, err = begun(Answer, "answer"), begun(Error, "error")
    code = lib.idem_call(client, {"acquire": 101, "complete": 102}[method],
                         byref(args), byref(answer), byref(err))
    assert code == 0, err.text
    said = ctypes.string_at(answer.result, answer.result_len) \
        if answer.result else None
    kept = {"outcome": answer.outcome, "result": said,
            "token": bytes(answer.token), "attempt": answer.attempt,
            "nonce": bytes(answer.nonce)[:answer.nonce_len]}
    lib.idem_answer_fini(byref(answer))
    return kept


def run_once(client, key, function):
    answer, err = begun(Answer, "answer"), begun(Error, "error")
    code = lib.idem_run_once(client, byref(args_of(key)), RunFn(function),
                             None, byref(answer), byref(err))
    # ctypes returns what stands in a register when the function raised: 0 or
    # something that is no end at all. Either leaves the claim.
    if code == E_ARGUMENT:
        assert b"its claim is left" in err.text, err.text
        return LEFT
    assert code == 0, err.text
    outcome = answer.outcome
    lib.idem_answer_fini(byref(answer))
    return outcome


def one_holder_and_one_that_waits(client):
    args = args_of(b"py-wait")
    args.fingerprint, args.fingerprint_len = b"body", 4
    held = call(client, "acquire", args)
    assert held["outcome"] == ACQUIRED and held["attempt"] == 1, held
    assert len(held["nonce"]) == 16
    heard = []

    def wait():
        too = args_of(b"py-wait")
        too.wait_ms = 30000
        heard.append(call(client, "acquire", too))
    waiter = threading.Thread(target=wait)
    waiter.start()
    assert call(client, "acquire", args)["outcome"] == IN_PROGRESS
    args.token = (c_uint8 * 16)(*held["token"])
    args.result, args.result_len = b"paid", 4
    assert call(client, "complete", args)["outcome"] == COMPLETED
    waiter.join()
    assert heard[0]["outcome"] == REPLAY and heard[0]["result"] == b"paid"
    assert call(client, "acquire", args)["result"] == b"paid"
    args.fingerprint, args.fingerprint_len = b"other", 5
    assert call(client, "acquire", args)["outcome"] == MISMATCH


def functions_end_in_each_way(client):
    runs = []

    def pay(run, _):
        runs.append(1)
        assert lib.idem_run_set_result(run, b"paid", 4, CLASS_SUCCESS) == 0
        return RUN_DONE
    assert run_once(client, b"py-run", pay) == COMPLETED
    assert run_once(client, b"py-run", pay) == REPLAY
    assert len(runs) == 1


def a_function_that_raises_leaves_its_claim(client):
    sys.unraisablehook = lambda _: None  # ctypes prints it

    def fail(_run, _):
        raise RuntimeError("no card")
    assert run_once(client, b"py-raise", fail) == LEFT
    after = call(client, "acquire", args_of(b"py-raise"))
    assert after["outcome"] == IN_PROGRESS, "it is not recorded as done"


def errors_say_the_nonce():
    client = open_client(b"idem://127.0.0.1:1/?timeout_ms=100")
    err, args = begun(Error, "error"), args_of(b"k")
    code = lib.idem_call(client, 101, byref(args), None, byref(err))
    assert code == err.code == E_CONNECT and err.text, err.text
    assert err.nonce_len == 16
    lib.idem_client_close(client)


store = open_client(b"idem://127.0.0.1:%d/t" % int(sys.argv[2]))
one_holder_and_one_that_waits(store)
functions_end_in_each_way(store)
a_function_that_raises_leaves_its_claim(store)
errors_say_the_nonce()
lib.idem_client_close(store)
print("ctypes: acquire, wait, complete, replay, run once")
