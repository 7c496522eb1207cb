# SPDX-License-Identifier: Apache-2.0
"""The store in memory is held to the server's own stories, to the
millisecond."""

import asyncio
import re
import threading
import time

import pytest

import idemstore
import stories
from idemstore._calls import Asks
from idemstore._memory import Machine
from idemstore.memory import AsyncMemoryStore, MemoryStore

NAMES = ["acquire.md", "complete.md", "release.md", "renew.md", "expiry.md",
         "fingerprints.md", "tokens.md", "waiting.md"]
FIELDS = {"lease": "lease_ms", "lease_left": "lease_left_ms",
          "age": "age_ms", "ttl_left": "ttl_left_ms", "class": "result_class",
          "ttl": "ttl_ms"}


class Teller:
    """Tells one story to a Machine, on a clock of its own."""

    def __init__(self):
        self.machine = Machine()
        self.asks = Asks("")
        self.tokens = {}
        self.now = 0
        self.waiting = []  # (actor, ask, end)
        self.owed = []     # (at, actor, answer)

    def named(self, words):
        made = {}
        for word in words:
            name, _, value = word.partition("=")
            made[name] = stories.value_of(value)
        return made

    def token(self, word):
        if not isinstance(word, str):
            raise stories.Unusual("no token, or one of other bytes")
        found = re.fullmatch(r"(\$\w+)([+-]\d+)?", word)
        if not found:
            raise stories.Unusual(word)
        token = int.from_bytes(self.tokens[found.group(1)], "big")
        return (token + int(found.group(2) or 0)).to_bytes(16, "big")

    def ask(self, words):
        method = words[0]
        ns, key = (stories.value_of(one) for one in words[1:3])
        ns, key = (x.encode() if isinstance(x, str) else x for x in (ns, key))
        if not key or len(key) > 512 or len(ns) > 64:
            raise stories.Unusual(method)
        named = self.named(words[3:])
        if method == "peek":
            return self.asks.peek(key, ns, None)
        if method == "acquire":
            return self.acquire(ns, key, named)
        token = self.token(named.get("token"))
        if method == "complete":
            result = named.get("result")
            result = result.encode() if isinstance(result, str) else result
            ttl = named.get("ttl")
            return self.asks.complete(
                key, token, result, int(ttl) if ttl else None,
                named.get("class", "success"), ns, None)
        if method == "release":
            return self.asks.release(key, token,
                                     named.get("unbind") == "true", ns, None)
        return self.asks.renew(key, token, int(named["lease"]), ns, None)

    def acquire(self, ns, key, named):
        def raw(name):
            value = named.get(name)
            return value.encode() if isinstance(value, str) else value
        made = self.asks.acquire(
            key, raw("fp"), raw("nonce") or None, int(named["lease"]),
            int(named["ttl"]), int(named.get("wait", 0)),
            named.get("on_orphan", "takeover"), ns, None)
        if raw("nonce") is None:  # ours always has one; a story may not
            made.params = (*made.params[:3], None, *made.params[4:])
        return made

    def settle(self):
        """Answers whoever waits and may be answered now."""
        moved = True
        while moved:
            moved = False
            for row in list(self.waiting):
                actor, ask, end = row
                queue = self.machine.queue(ask)
                answer = self.machine.do(ask, self.now, queue[0] is ask)
                if answer.outcome == "in_progress" and self.now < end:
                    continue
                self.waiting.remove(row)
                queue.remove(ask)
                self.owed.append((self.now, actor, answer))
                moved = True

    def go_to(self, at):
        while True:
            ends = [end for _, _, end in self.waiting]
            ends += [c for c in (self.machine.next_change(a, self.now)
                                 for _, a, _ in self.waiting) if c]
            nexts = [e for e in ends if self.now < e <= at]
            if not nexts:
                break
            self.now = min(nexts)
            self.settle()
        self.now = at

    def tell(self, line):
        at, actor, asked, told, is_owed = stories.line_of(line)
        self.go_to(at)
        if is_owed:
            for row in self.owed:
                if row[1] == actor and row[0] == at:
                    self.owed.remove(row)
                    return self.compare(row[2], told, line)
            raise AssertionError("nothing is owed: %s; %r" % (line, self.owed))
        ask = self.ask(asked)
        if told == ["parked"]:
            queue = self.machine.queue(ask)
            first = self.machine.do(ask, self.now, not queue)
            assert first.outcome == "in_progress", line
            queue.append(ask)
            self.waiting.append((actor, ask, self.now + ask.wait_ms))
            return None
        answer = self.machine.do(ask, self.now, not self.machine.queue(ask))
        self.settle()
        return self.compare(answer, told, line)

    def compare(self, answer, told, line):
        outcome = answer.state if answer.outcome == "record" \
            else answer.outcome
        assert outcome == told[0], line
        for word in told[1:]:
            name, _, value = word.partition("=")
            if name == "token":
                self.meet(answer.token, value, line)
                continue
            if name not in FIELDS and not hasattr(answer, name):
                raise stories.Unusual(line)
            got = getattr(answer, FIELDS.get(name, name))
            self.same(got, value, line)

    def meet(self, token, value, line):
        name, grown, before = value.partition(">")
        if grown:
            assert token > self.tokens[before], line
        if name in self.tokens:
            assert token == self.tokens[name], line
        self.tokens[name] = token

    @staticmethod
    def same(got, value, line):
        want = stories.value_of(value)
        if isinstance(got, bool):
            got = str(got).lower()
        elif got is None:
            got = None if want is None else "none"
        elif isinstance(got, bytes):
            want = want.encode() if isinstance(want, str) else want
        else:
            got = str(got)
        assert got == want, "%s: %r" % (line, got)


ALL = [row for row in stories.read_all(NAMES)
       if not any("=" in w or w.startswith("tcp") for w in row[1])]


@pytest.mark.parametrize("title,about,body", ALL,
                         ids=[row[0] for row in ALL])
def test_story(title, about, body):
    teller = Teller()
    try:
        for line in body.strip().splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                teller.tell(line)
    except stories.Unusual as why:
        pytest.skip("about the wire: %s" % why)
    assert not teller.owed


def test_most_stories_are_told():
    assert len(ALL) > 60


def test_once_without_a_daemon():
    store = MemoryStore()
    runs = []
    for _ in range(2):
        assert store.once("k", lambda: runs.append(1)) is None
    assert runs == [1]
    store.close()


def test_a_clock_of_the_tests_own_lets_a_lease_end():
    now = [0]
    store = MemoryStore(clock_ms=lambda: now[0])
    store.acquire("k", lease_ms=30000)
    now[0] = 30000
    assert store.acquire("k").previous == "orphaned"


def test_waiting_threads_and_tasks_are_answered():
    store = MemoryStore()
    claim = store.acquire("k")
    got = []
    waiter = threading.Thread(
        target=lambda: got.append(store.acquire("k", wait_ms=20000)))
    waiter.start()
    time.sleep(0.05)
    store.complete("k", claim.token, b"x")
    waiter.join(20)
    assert got[0].result == b"x"

    async def tasks():
        other = AsyncMemoryStore()
        runs = []

        async def work():
            runs.append(1)
            await asyncio.sleep(0.05)
            return 3
        assert await asyncio.gather(*(
            other.once("k", work, wait_ms=20000) for _ in range(5))) \
            == [3] * 5
        assert runs == [1]
        with pytest.raises(idemstore.MismatchError):
            await other.once("f", work, fingerprint=b"a")
            await other.once("f", work, fingerprint=b"b")
        await other.close()
    asyncio.run(tasks())
