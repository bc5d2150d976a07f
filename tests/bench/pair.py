"""One setting beside another, in turn, on a machine that others use too: CPU time per operation.

  pair.py DUNLIN_RECORD_CACHE_BYTES=0 DUNLIN_RECORD_CACHE_BYTES=32m [--rounds 3] [--seconds 4] [--keys 100000]

Each argument is a setting: variables of the environment (NAME=value,NAME=value); DUNLIN=path is another
binary. In each round every setting has a cluster of three to itself, in an order that turns round; puts,
then gets, as in `make bench`, of keys that were all written before. Printed are all rounds and the medians.
"""
import argparse
import os
import statistics
import time

import common
import lib


def measure(setting, a):
    variables = dict(v.split("=", 1) for v in setting.split(","))
    common.DUNLIN = lib.DUNLIN = os.path.abspath(variables.pop("DUNLIN", BINARY))
    os.environ.update(variables)
    try:
        with common.dunlin_cluster() as cluster:
            urls, pids = common.urls_of(cluster), common.pids_of(cluster)
            time.sleep(2)
            found = {"idle": [max(map(common.rss_mib, pids))]}
            for kind in ("put", "get"):
                r = common.bench(urls, pids, connections=64, keys=a.keys, value_bytes=100,
                                 duration=a.seconds, w=2, r=2, no_load=kind == "get",
                                 read=100 if kind == "get" else 0)
                found[kind] = [r["servers_us_per_op"], r[kind]["rate"]]
            found["full"] = [max(map(common.rss_mib, pids))]
            return found
    finally:
        for name in variables:
            del os.environ[name]


def row(name, f):
    print("%-44s put %5.1f us %6.0f/s  get %5.1f us %6.0f/s  MiB idle %.0f, full %.0f" % (
        name, *f["put"], *f["get"], *f["idle"], *f["full"]), flush=True)


BINARY = lib.DUNLIN


def main():
    p = argparse.ArgumentParser()
    p.add_argument("settings", nargs="+")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=int, default=4)
    p.add_argument("--keys", type=int, default=100000)
    a = p.parse_args()
    found = {s: [] for s in a.settings}
    for i in range(a.rounds):
        for s in a.settings if i % 2 == 0 else a.settings[::-1]:
            found[s].append(measure(s, a))
            row(s, found[s][-1])
    print("medians of %d rounds:" % a.rounds)
    for s in a.settings:
        row(s, {k: [statistics.median(f[k][n] for f in found[s]) for n in range(len(found[s][0][k]))]
                for k in found[s][0]})


if __name__ == "__main__":
    main()
