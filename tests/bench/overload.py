"""Three times as much as three nodes can take: what is still served, lost, and how long it hurts.

In each round: the highest rate (closed loop, 64 connections, half reads), the latency at half of it;
then three times that rate on 1024 connections (open loop), while a client of its own writes 20 values a
second and keeps what was acknowledged; then half the rate again, from one second after the end on.
What was acknowledged is read back from every node at r=2.

  overload.py [--rounds 3] [--seconds 10] [--keys 20000]

Writes build/bench/overload.json; exits 1 if an acknowledged value is gone.
"""
import argparse
import json
import os
import statistics
import sys
import threading
import time

import common
from common import lib, note

TIMES, CONNECTIONS = 3, 1024


class Witness(threading.Thread):
    """One client among all the others: writes, and remembers what was acknowledged."""

    def __init__(self, cluster, name):
        super().__init__(daemon=True)
        self.cluster, self.name, self.over = cluster, name, threading.Event()
        self.acked, self.refused, self.longest = [], {}, 0.0

    def run(self):
        for i in range(10 ** 6):
            if self.over.is_set():
                return
            began = time.monotonic()
            try:
                status = lib.http(self.cluster.port(1 + i % 3), "PUT",
                                  "/buckets/witness/keys/%s-%d" % (self.name, i),
                                  {"Content-Type": "text/plain"}, b"%d" % i).status
            except OSError as e:
                status = type(e).__name__
            if status == 204:
                self.acked.append(i)
            else:
                self.refused[status] = self.refused.get(status, 0) + 1
            self.longest = max(self.longest, time.monotonic() - began)
            time.sleep(max(0.0, 0.05 - (time.monotonic() - began)))

    def lost(self):
        gone = []
        for port in (self.cluster.port(n) for n in (1, 2, 3)):
            for i in self.acked:
                r = lib.http(port, "GET", "/buckets/witness/keys/%s-%d?r=2" % (self.name, i))
                if (r.status, r.body) != (200, b"%d" % i):
                    gone.append((port, i, r.status))
        return gone


def load(cluster, a, **more):
    flags = dict(connections=64, keys=a.keys, duration=a.seconds, read=50, no_load=True)
    flags.update(more)
    r = common.bench(common.urls_of(cluster), common.pids_of(cluster), **flags)
    return {"rate": r["put"]["rate"] + r["get"]["rate"], "errors": r["errors"],
            "p99_ms": max(r["put"]["p99_ms"], r["get"]["p99_ms"])}


def one_round(cluster, a, number):
    most = load(cluster, a, no_load=number > 0)
    half = most["rate"] / 2
    calm = load(cluster, a, rate=int(half))
    witness = Witness(cluster, "round%d" % number)
    witness.start()
    over = load(cluster, a, rate=int(TIMES * most["rate"]), connections=CONNECTIONS)
    after = load(cluster, a, rate=int(half), warm_up=1)
    witness.over.set()
    witness.join()
    lost = witness.lost()
    return {"most": most["rate"], "goodput": over["rate"], "ratio": over["rate"] / most["rate"],
            "errors": over["errors"], "calm_p99_ms": calm["p99_ms"], "after_p99_ms": after["p99_ms"],
            "after_errors": after["errors"], "witness_acked": len(witness.acked),
            "witness_refused": witness.refused, "witness_longest_s": witness.longest,
            "lost": lost}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=int, default=10)
    p.add_argument("--keys", type=int, default=20000)
    a = p.parse_args()
    rounds = []
    with common.pinned(common.SERVER_CORES):
        cluster = lib.Cluster()
    with cluster:
        for i in range(a.rounds):
            note("round %d of %d; the machine was %.0f %% busy" % (
                i + 1, a.rounds, 100 * common.machine_is_busy()))
            rounds.append(one_round(cluster, a, i))
            note(json.dumps(rounds[-1]))
    median = {k: statistics.median(r[k] for r in rounds)
              for k in ("most", "goodput", "ratio", "calm_p99_ms", "after_p99_ms", "witness_longest_s")}
    lost = sum(len(r["lost"]) for r in rounds)
    acked = sum(r["witness_acked"] for r in rounds)
    print("highest rate            %8.0f /s" % median["most"])
    print("goodput at %d x          %8.0f /s, %.2f of it (target >= 0.90)" % (
        TIMES, median["goodput"], median["ratio"]))
    print("p99 at half the rate    %8.1f ms before, %.1f ms from one second after on" % (
        median["calm_p99_ms"], median["after_p99_ms"]))
    print("one client among others %8.1f s at most for an answer" % median["witness_longest_s"])
    print("acknowledged and lost   %8d of %d" % (lost, acked))
    os.makedirs(common.OUT, exist_ok=True)
    with open(os.path.join(common.OUT, "overload.json"), "w") as f:
        json.dump({"median": median, "rounds": rounds}, f, indent=1)
    sys.exit(1 if lost or not acked else 0)


if __name__ == "__main__":
    main()
