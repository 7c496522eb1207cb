# SPDX-License-Identifier: Apache-2.0
"""clients.py -- clients that claim fresh keys and complete them while a test
does something to the servers; and what each was told, asked again afterwards.
Every one is an idemctl that reads lines."""
import os
import subprocess
import threading
import time

PATIENCE_S = 120


class Wrong(Exception):
    """What the test found, told to a person."""


def until(what, is_so):
    """Patience is for a machine with other work; what is judged is that it
    comes."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        value = is_so()
        if value:
            return value
        time.sleep(0.1)
    raise Wrong(f"never: {what}")


def idemctl(uri, *command):
    return [f"{os.environ['BUILD']}/idemctl", "--server", uri,
            "--timeout", "600s", "--json", *command]


class Client(threading.Thread):
    """Claims fresh keys and completes each; what it was told is in `done`."""

    def __init__(self, uri, number):
        super().__init__(daemon=True)
        self.number, self.done, self.trouble = number, [], None
        self.is_over = threading.Event()
        self.shell = subprocess.Popen(
            idemctl(uri), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, bufsize=1)

    def ask(self, line, outcome):
        self.shell.stdin.write(line + "\n")
        said = self.shell.stdout.readline()
        if f'"{outcome}"' not in said:
            raise Wrong(f"{line}: {said}")

    def run(self):
        try:
            while not self.is_over.is_set():
                key = f"{self.number}-{len(self.done)}"
                self.ask(f"acquire {key} --lease 1h", "acquired")
                self.ask(f"complete {key} --result of-{key}", "completed")
                self.done.append(key)
        except (Wrong, OSError) as why:
            self.trouble = why

    def end(self):
        self.is_over.set()
        self.join()
        self.shell.stdin.close()
        self.shell.wait()
        if self.trouble:
            raise Wrong(f"a client: {self.trouble}")


def goes_on(clients):
    """Each is answered, from now on."""
    before = [len(one.done) for one in clients]

    def have_all():
        for one in clients:
            if one.trouble:
                raise Wrong(f"a client: {one.trouble}")
        return all(len(one.done) > had + 20
                   for one, had in zip(clients, before))
    until("every client is answered", have_all)


def check_kept(uri, clients):
    """Asked by somebody else, each key has the answer that it was given."""
    keys = [key for one in clients for key in one.done]
    lines = "".join(f"acquire {key} --lease 1s\n" for key in keys)
    said = subprocess.run(idemctl(uri), input=lines, capture_output=True,
                          text=True, check=False).stdout.splitlines()
    if len(said) != len(keys):
        raise Wrong(f"{len(said)} answers of {len(keys)}: {said[-1:]}")
    for key, line in zip(keys, said):
        if '"replay"' not in line or f"of-{key}" not in line:
            raise Wrong(f"{key} was completed, and is {line}")
    return len(keys)
