#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wrong.py MODE TABLE IDEMCONFORM COMMAND... -- each row of the table is a
wrong client or server: the cases that are meant for it must fail, and each
case of the mode must stand in a row. A row's name follows COMMAND as --wrong
NAME; in server mode the whole is the --start command.

A machine with other work makes a hammer slow, and then nobody can tell it from
a patient client. So who was not caught beside the others is tried again alone,
some times; one that is never caught is a fault."""
import concurrent.futures
import shlex
import subprocess
import sys
import tempfile

AT_A_TIME, PATIENCE_S, MORE_TRIES = 6, 900, 6


def rows(table):
    with open(table, encoding="ascii") as lines:
        words = [line.split("#")[0].split() for line in lines]
    return [(row[0], row[1:]) for row in words if row]


def command(mode, words):
    if mode == "server":
        return ["--start", shlex.join(words)]
    return ["--", *words]


def judge(mode, suite, words, row):
    """None, or why the row does not hold."""
    name, cases = row
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as expected:
        expected.write("\n".join(cases) + "\n")
        expected.flush()
        done = subprocess.run(
            [suite, mode, "--quiet", "--only", ",".join(cases),
             "--expected-failures", expected.name,
             *command(mode, [*words, "--wrong", name])],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            timeout=PATIENCE_S, check=False)
    return None if done.returncode == 0 else f"{name}: {done.stdout}"


def main():
    mode, table, suite, *words = sys.argv[1:]
    listed = subprocess.run([suite, mode, "--list"], stdout=subprocess.PIPE,
                            text=True, check=True).stdout
    ids = {line.split()[0] for line in listed.splitlines()}
    every = [(name, sorted(ids) if cases == ["*"] else cases)
             for name, cases in rows(table)]
    missing = ids - {case for _, cases in every for case in cases}
    def fault(row):
        return judge(mode, suite, words, row)

    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        told = list(pool.map(fault, every))
    bad = [why for row, why in zip(every, told)
           if why and all(fault(row) for _ in range(MORE_TRIES))]
    bad += [f"{case}: no wrong {mode} is caught by it" for case in
            sorted(missing)]
    print("\n".join(bad))
    print(f"{len(every)} wrong ones for {len(ids)} cases, {len(bad)} faults")
    return 1 if bad or not every else 0


sys.exit(main())
