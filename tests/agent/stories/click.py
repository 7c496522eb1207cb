# SPDX-License-Identifier: Apache-2.0
"""Clicks twice on everything, from threads: see double_click.c."""

import os
import sys
import threading
import time

import idemstore

THREADS = 8
WAIT_MS = 60000
lock = threading.Lock()
runs, troubles, ended = {}, [], threading.Event()
clicks = [0, 0]  # begun, answered


def click_on(store, thing):
    def work():
        with lock:
            runs[thing] = runs.get(thing, 0) + 1
        return "did %d" % thing

    try:
        told = store.once("thing-%d" % thing, work, wait_ms=WAIT_MS)
        if told != "did %d" % thing:
            troubles.append("thing-%d: %r" % (thing, told))
    except Exception as why:  # whatever it is, it must not be
        troubles.append("thing-%d: %r" % (thing, why))


def click_away(store):
    while not ended.is_set() and not troubles:
        with lock:
            thing = clicks[0] // 2  # two after each other: two threads
            clicks[0] += 1
        click_on(store, thing)
        with lock:
            clicks[1] += 1
            if clicks[1] % 50 == 0:
                print("done", clicks[1], flush=True)
        time.sleep(0.002)  # the store is what is tried, not the machine


with idemstore.Store(os.environ["STORES"]) as store:
    threads = [threading.Thread(target=click_away, args=(store,))
               for _ in range(THREADS)]
    for one in threads:
        one.start()
    reader = threading.Thread(target=lambda: (sys.stdin.read(), ended.set()),
                              daemon=True)
    reader.start()
    for one in threads:
        one.join()
    things = clicks[0] // 2
    for thing in range(things):  # later on nothing of it is run again
        click_on(store, thing)
wrong = [thing for thing in range(things) if runs.get(thing) != 1]
print("%d things, not run once: %s, troubles: %s" % (things, wrong[:5],
                                                     troubles[:5]))
sys.exit(1 if wrong or troubles or not things else 0)
