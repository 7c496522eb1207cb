# SPDX-License-Identifier: Apache-2.0
"""layout.py CC FROZEN CURRENT -- each number, field and function of the frozen
headers is in the current ones, and is the same there."""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

cc, frozen, current = sys.argv[1:4]


def headers_of(folder):
    """All of them: a declaration may move from one to another."""
    return sorted(path for path in Path(folder).glob("idemclient*.h")
                  if not path.name.endswith("_uv.h"))  # those are compiled in


def text_of(folder):
    text = "".join(path.read_text() for path in headers_of(folder))
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def numbers(text):
    errors = re.findall(r"X\(([A-Z_]+), -", text)
    return (["IDEM_E_" + name for name in errors] +
            re.findall(r"\b(IDEM_[A-Z0-9_]+) = ", text) +
            re.findall(r"#define (IDEM_[A-Z0-9_]+) +[0-9]", text))


def fields(text):
    for body, name in re.findall(r"typedef struct \w+ \{(.*?)\} (\w+);", text,
                                 flags=re.S):
        for line in body.split(";"):
            field = re.search(r"(\w+)\s*(\[[^\]]*\]\s*)*$", line.strip())
            if field:
                yield name, field.group(1)


def functions(text):
    found = re.findall(r"IDEM_API ([^;{]*?\b(idem_\w+)\([^;]*\));", text,
                       flags=re.S)
    return {name: " ".join(whole.split()).replace(" )", ")")
            for whole, name in found}


def measured(folder, asked):
    """What a program that is compiled with that folder's headers prints."""
    lines = ["#include <%s>" % path.name for path in headers_of(folder)]
    lines += ["#include <stdio.h>", "int main(void) {"]
    for name in asked["numbers"]:
        lines.append('printf("%s %%lld\\n", (long long)%s);' % (name, name))
    for struct, field in asked["fields"]:
        lines.append(
            'printf("%s.%s at %%zu, %%zu bytes\\n", offsetof(%s, %s), '
            'sizeof(((%s *)0)->%s));' % ((struct, field) * 3))
    lines += ["return 0;", "}"]
    with tempfile.TemporaryDirectory() as work:
        source, program = Path(work, "layout.c"), Path(work, "layout")
        source.write_text("\n".join(lines))
        subprocess.run([cc, "-I", folder, source, "-o", program], check=True)
        said = subprocess.run([program], check=True, capture_output=True,
                              text=True)
        return said.stdout.splitlines()


text = text_of(frozen)
asked = {"numbers": numbers(text), "fields": list(fields(text))}
assert len(asked["numbers"]) > 80 and len(asked["fields"]) > 80
before, now = measured(frozen, asked), measured(current, asked)
bad = ["was: %s\nis:  %s" % pair for pair in zip(before, now)
       if pair[0] != pair[1]]
was, today = functions(text), functions(text_of(current))
assert len(was) > 50
bad += ["was: %s\nis:  %s" % (whole, today.get(name))
        for name, whole in was.items() if today.get(name) != whole]
if bad:
    sys.exit("\n".join(bad))
print(len(asked["numbers"]), "numbers,", len(asked["fields"]), "fields,",
      len(was), "functions")
