# SPDX-License-Identifier: Apache-2.0
"""The rules that each language holds: proto/vectors, beside this checkout."""

import json
from pathlib import Path

import pytest

from idemstore import IdemstoreError, http
from idemstore._answers import InProgress, Mismatch, Orphaned
from idemstore._errors import CODES, MAY_PASS, fail

FOLDER = Path(__file__).resolve().parents[3] / "proto" / "vectors"


def rows(name):
    lines = (FOLDER / name).read_text("utf-8").splitlines()
    made = [json.loads(line) for line in lines]
    assert made
    return pytest.mark.parametrize(
        "row", made, ids=[one["what"] for one in made])


def told(call):
    try:
        return call()
    except IdemstoreError as why:
        return why.code.lower()


def want(row, name):
    return row["error"] if "error" in row else row[name]


def latin(value):
    return None if value is None else value.encode("latin-1")


def unhex(value):
    return None if value is None else bytes.fromhex(value)


@rows("http_keys.jsonl")
def test_the_header(row):
    assert told(lambda: http.key_of(row["value"])) == want(row, "key")


@rows("http_store_keys.jsonl")
def test_the_key_in_the_store(row):
    assert told(lambda: http.store_key(
        row["key"], row["method"], row["target"].encode(),
        row["principal"])) == want(row, "store_key")


@rows("http_fingerprints.jsonl")
def test_the_fingerprint(row):
    assert told(lambda: http.fingerprint(
        row["method"], row["target"].encode(), latin(row["content_type"]),
        unhex(row["body_hex"])).hex()) == want(row, "fingerprint_hex")


@rows("http_packs.jsonl")
def test_what_is_stored(row):
    headers = [(latin(n), latin(v)) for n, v in row["headers"]]
    assert told(lambda: http.pack(
        row["status"], headers, unhex(row["body_hex"]), row.get("keep", ()),
        row.get("result_bytes_max", 1 << 20)).hex()) \
        == want(row, "result_hex")


@rows("http_answers.jsonl")
def test_what_is_read(row):
    def read():
        got = http.unpack(unhex(row["result_hex"]))
        body = None if got.body is None else got.body.hex()
        headers = [[n.decode("latin-1"), v.decode("latin-1")]
                   for n, v in got.headers]
        return got.status, headers, body
    assert told(read) == (row["error"] if "error" in row else (
        row["status"], row["headers"], row["body_hex"]))


TABLE = json.loads((FOLDER / "http_statuses.json").read_text("utf-8"))


def by_rule(status, origin, on_error):
    for rule in TABLE["rules"]:
        if origin not in rule.get("origin", [origin]) \
                or status not in rule.get("status", [status]) \
                or not rule.get("from", status) <= status \
                <= rule.get("to", status):
            continue
        made = rule["fate"]
        return on_error if made == "on_error" else made
    raise AssertionError("no rule")


@pytest.mark.parametrize("origin", TABLE["origins"])
def test_what_becomes_of_a_claim(origin):
    for on_error in TABLE["fates"]:
        for status in range(100, 601):
            assert http.fate(status, origin, on_error) \
                == by_rule(status, origin, on_error)


def test_which_errors_an_open_service_may_pass():
    assert MAY_PASS == set(TABLE["on_unavailable_open"]).intersection(CODES)


def test_what_each_outcome_is():
    made = {"in_progress": InProgress(1500, 1, 1),
            "mismatch": Mismatch("completed"), "orphaned": Orphaned(1, 1)}
    for row in TABLE["answers"]:
        if row["outcome"] in made:
            got = http.from_answer(made[row["outcome"]])
            assert got.status == row["status"]
            assert (b"retry-after" in dict(got.headers)) == row["retry_after"]


def test_what_each_error_is():
    status = {}
    for row in TABLE["errors"]:
        if isinstance(row["errors"], list):
            status.update(dict.fromkeys(row["errors"], row["status"]))
    for code in CODES:
        assert http.from_error(fail(code)).status == status.get(code, 500)
