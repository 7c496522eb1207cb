# SPDX-License-Identifier: Apache-2.0
"""Reads the stories of tests/conformance."""

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "tests" / "conformance"


class Unusual(Exception):
    """A story about bytes, connections or the daemon."""


def read_all(names):
    for name in names:
        text = (FOLDER / name).read_text("utf-8")
        for part in re.split(r"(?m)^(?=## )", text)[1:]:
            title = part.splitlines()[0][3:]
            for about, body in re.findall(
                    r"```story([^\n]*)\n(.*?)```", part, re.S):
                yield "%s: %s" % (name, title), about.split(), body


def words_of(text):
    """`"some text"`, `x*512`, `h"00ff"`, word."""
    return [one.replace("\\", "") if one.startswith('"') else one
            for one in re.findall(
                r'[a-z_]+="(?:[^"\\]|\\.)*"|[a-z_]*=?h"[0-9a-f]*"'
                r'|"(?:[^"\\]|\\.)*"|\S+', text)]


def value_of(word):
    if word == "nil":
        return None
    if word.startswith('h"'):
        return bytes.fromhex(word[2:-1])
    if word.startswith('"'):
        return word[1:-1].encode()
    repeated = re.fullmatch(r"(.)\*(\d+)", word)
    if repeated:
        return (repeated.group(1) * int(repeated.group(2))).encode()
    return word


def line_of(line):
    """(at, actor, words before the arrow, words behind it, is owed)."""
    line = line.strip()
    found = re.match(r"at (\d+)\s+(-> )?([A-Z])\s+(.*)", line)
    if not found:
        raise Unusual(line)
    at, owed, actor, rest = found.groups()
    if owed:
        return int(at), actor, [], words_of(rest), True
    asked, arrow, told = rest.partition("->")
    if not arrow:
        raise Unusual(line)
    return int(at), actor, words_of(asked), words_of(told), False


