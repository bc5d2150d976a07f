"""A bucket of a million keys is listed while others read: what that costs them, and in memory.

Three nodes. Every key is written once; then reads at a fixed rate (open loop, half of what the cluster
can), without and with a client that lists the bucket as a stream, again and again, through node 1. In
each round both are measured in turn.

  listing.py [--rounds 3] [--seconds 10] [--keys 1000000]

Writes build/bench/listing.json; exits 1 if a listing is not exact.
"""
import argparse
import json
import os
import statistics
import sys
import threading

import common
from common import lib, note


class Lister(threading.Thread):
    """Lists the bucket until told to stop; counts names without keeping them."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.over, self.whole, self.names = port, threading.Event(), [], 0

    def one(self):
        with lib.Connection(self.port, timeout=60) as c:
            c.send(lib.encode("GET", "/buckets/bench/keys?keys=stream"))
            count, tail = 0, b""
            while not self.over.is_set():
                got = c.socket.recv(1 << 18)
                if not got:
                    raise RuntimeError("the listing broke off")
                text = tail + got
                cut = text.rfind(b"\n") + 1
                # Names of the generator have no quotes in them: two quotes a name, two for "keys".
                for line in text[:cut].splitlines():
                    if line.startswith(b"{"):
                        count += (line.count(b'"') - 2) // 2
                tail = text[cut:]
                if tail == b"" and text.endswith(b"0\r\n\r\n"):
                    return count
        return None

    def run(self):
        while not self.over.is_set():
            count = self.one()
            if count is not None:
                self.whole.append(count)


def reads(cluster, a, **more):
    r = common.bench(common.urls_of(cluster), common.pids_of(cluster), connections=64, keys=a.keys,
                     duration=a.seconds, read=100, no_load=True, **more)
    return r["get"]["rate"], r["get"]["p99_ms"]


def resident(cluster):
    return [common.rss_mib(p) for p in common.pids_of(cluster)]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=int, default=10)
    p.add_argument("--keys", type=int, default=1000000)
    a = p.parse_args()
    with common.pinned(common.SERVER_CORES):
        cluster = lib.Cluster()
    with cluster:
        note("writing %d keys" % a.keys)
        common.bench(common.urls_of(cluster), [], connections=64, keys=a.keys, duration=1, read=100,
                     pipeline=8)
        most, _ = reads(cluster, a)
        rounds, counts = [], []
        for i in range(a.rounds):
            note("round %d of %d; the machine was %.0f %% busy" % (
                i + 1, a.rounds, 100 * common.machine_is_busy()))
            _, without = reads(cluster, a, rate=int(most / 2))
            before = resident(cluster)
            lister = Lister(cluster.port(1))
            lister.start()
            _, beside = reads(cluster, a, rate=int(most / 2))
            after = resident(cluster)
            while not lister.whole and lister.is_alive():
                lister.join(1)
            lister.over.set()
            lister.join(60)
            counts += lister.whole
            rounds.append({"without_ms": without, "beside_ms": beside, "ratio": beside / without,
                           "listed": lister.whole, "more_mib": max(y - x for x, y in zip(before, after))})
            note(json.dumps(rounds[-1]))
    ratio = statistics.median(r["ratio"] for r in rounds)
    more = max(r["more_mib"] for r in rounds)
    print("reads at %.0f /s, p99: %.2f ms without, %.2f ms beside a listing; ratio %.2f (median of %d)" % (
        most / 2, statistics.median(r["without_ms"] for r in rounds),
        statistics.median(r["beside_ms"] for r in rounds), ratio, len(rounds)))
    print("%d whole listings, names in each: %s; a node grew by %.1f MiB at most" % (
        len(counts), sorted(set(counts)), more))
    os.makedirs(common.OUT, exist_ok=True)
    with open(os.path.join(common.OUT, "listing.json"), "w") as f:
        json.dump({"ratio": ratio, "rounds": rounds}, f, indent=1)
    sys.exit(0 if counts and set(counts) == {a.keys} else 1)


if __name__ == "__main__":
    main()
