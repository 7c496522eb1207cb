# SPDX-License-Identifier: Apache-2.0
"""conform_client.py threads|asyncio -- this client behind JSON lines, for
idemconform client (tests/conformance/client): the blocking store with a thread
a call, or the asyncio store with a task a call."""

import asyncio
import json
import os
import sys
import threading
import time

import idemstore
from idemstore import IdemstoreError

printing = threading.Lock()


def say(line):
    with printing:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def unhex(line, name):
    return bytes.fromhex(line[name]) if name in line else None


def named(line, *names):
    return {name: line[name] for name in names if name in line}


def told(answer):
    made = {"outcome": answer.outcome, **answer._asdict()}
    made["class"] = made.pop("result_class", "")
    for name in ("token", "result", "nonce"):
        if isinstance(made.get(name), bytes):
            made[name] = made[name].hex()
    return made


def failed(why):
    return {"error": why.code, "assume": why.assume, "text": why.text}


def acquiring(line):
    return {"fingerprint": unhex(line, "fingerprint"), **named(
        line, "ns", "lease_ms", "ttl_ms", "wait_ms", "on_orphan",
        "timeout_ms")}


def make(store, line):
    """The call: an answer, or what is to be awaited for it."""
    call, key = line["call"], line["key"]
    more = named(line, "ns", "timeout_ms")
    if call in ("acquire", "in_child"):
        return store.acquire(key, **acquiring(line))
    if call == "complete":
        return store.complete(
            key, unhex(line, "token"), unhex(line, "result"),
            result_class=line.get("class", "success"),
            **named(line, "ttl_ms"), **more)
    if call == "release":
        return store.release(key, unhex(line, "token"), **more)
    return store.renew(key, unhex(line, "token"),
                       **named(line, "lease_ms"), **more)


# What `once` says is told in the suite's words.
def run_outcome(line, why):
    if isinstance(why, idemstore.NotRecordedError):
        if why.cause is None:
            return {"outcome": "stale" if "taken over" in why.text
                    else "unknown"}
        return failed(why)
    if isinstance(why, idemstore.InProgressError):
        return {"outcome": "in_progress",
                "lease_left_ms": why.lease_left_ms, "attempt": why.attempt}
    return failed(why)


RAW = {"encode": lambda value: value, "decode": lambda stored: stored}


def once_options(line):
    made = acquiring(line)
    made.pop("timeout_ms", None)
    return {**made, **RAW}


class Threads:
    can = ["together", "run", "fork"]

    def open(self, line):
        self.store = idemstore.Store(line["uri"])

    def answer(self, line):
        try:
            if line["call"] == "run":
                made = {"outcome": self.run(line)}
            else:
                made = told(make(self.store, line))
        except (IdemstoreError, idemstore.NotRunError) as why:
            made = run_outcome(line, why)
        say({"id": line["id"], **made})

    def run(self, line):
        ran = []

        def work():
            ran.append(1)
            time.sleep(line["work_ms"] / 1000)
            return unhex(line, "result") or b""
        self.store.once(line["key"], work, **once_options(line))
        return "completed" if ran else "replay"

    def start(self, line):
        if line["call"] == "in_child":
            with printing:
                pid = os.fork()
                if pid == 0:
                    globals()["printing"] = threading.Lock()
            if pid == 0:
                self.answer(line)
                os._exit(0)
            os.waitpid(pid, 0)
            return
        threading.Thread(target=self.answer, args=(line,),
                         daemon=True).start()


class Tasks(Threads):
    def open(self, line):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.store = idemstore.AsyncStore(line["uri"])

    def answer(self, line):
        """In a child, which has a loop of its own."""
        asyncio.run(self.answer_async(line))

    async def answer_async(self, line):
        try:
            if line["call"] == "run":
                made = {"outcome": await self.run_async(line)}
            else:
                made = told(await make(self.store, line))
        except (IdemstoreError, idemstore.NotRunError) as why:
            made = run_outcome(line, why)
        say({"id": line["id"], **made})

    async def run_async(self, line):
        ran = []

        async def work():
            ran.append(1)
            await asyncio.sleep(line["work_ms"] / 1000)
            return unhex(line, "result") or b""
        await self.store.once(line["key"], work, **once_options(line))
        return "completed" if ran else "replay"

    def start(self, line):
        if line["call"] == "in_child":
            super().start(line)
            return
        asyncio.run_coroutine_threadsafe(self.answer_async(line), self.loop)


def main():
    client = {"threads": Threads, "asyncio": Tasks}[sys.argv[1]]()
    for text in sys.stdin:
        line = json.loads(text)
        if line["call"] != "open":
            client.start(line)
            continue
        reply = {"id": line["id"], "can": client.can}
        try:
            client.open(line)
        except IdemstoreError as why:
            reply.update(failed(why))
        say(reply)


if __name__ == "__main__":
    main()
