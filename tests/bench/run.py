"""`make bench`: Dunlin beside its ceiling, in one run, and beside Redis where that is installed.

Three nodes, N = 3, W = 2, R = 2, 100-byte values, 64 connections over all nodes, no pipelining; servers
on one core, the generator on the other. In each round every system is measured in turn; what is
printed are medians over the rounds, and the ratio to the ceiling is the median of the rounds' ratios.
CPU time per operation is user + system of all server processes. p50 and p99 are at half the highest
rate, in an open loop.

  run.py [--rounds 3] [--seconds 5] [--keys 100000] [--quick]

Writes build/bench/bench.json.
"""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import time

import common
from common import note

CONNECTIONS, VALUE_BYTES = 64, 100
KINDS = ("put", "get")

# Of the first stage: (what, kind, key, bound, whether less is better).
TARGETS = [
    ("quorum put: CPU per operation, us", "put", "cpu_us", 80, True),
    ("quorum put: throughput / ceiling", "put", "ceiling_ratio", 0.11, False),
    ("quorum get: CPU per operation, us", "get", "cpu_us", 25, True),
    ("quorum get: throughput / ceiling", "get", "ceiling_ratio", 0.36, False),
    ("put: p99 at half the highest rate, ms", "put", "p99_ms", 10, True),
    ("get: p99 at half the highest rate, ms", "get", "p99_ms", 5, True),
    ("put: p99.9 without one of three, over with", "put", "p999_killed_ratio", 5, True),
    ("get: p99.9 without one of three, over with", "get", "p999_killed_ratio", 5, True),
    ("memory of an idle node, MiB", "memory", "idle_mib", 64, True),
    ("start of a node with these keys, s", "start", "seconds", 60, True),
    ("simulator: virtual s per CPU s, 5 nodes", "sim", "ratio", 200, False),
]


def point(result, kind):
    return {"rate": result[kind]["rate"], "p50_ms": result[kind]["p50_ms"],
            "p99_ms": result[kind]["p99_ms"], "p999_ms": result[kind]["p999_ms"],
            "cpu_us": result["servers_us_per_op"],
            "generator_us": result["generator_us_per_op"]}


def measure(urls, pids, kind, a, **more):
    """One measurement over HTTP. Dunlin's puts write every key first, to have the contexts."""
    flags = dict(connections=CONNECTIONS, keys=a.keys, value_bytes=VALUE_BYTES, duration=a.seconds,
                 read=100 if kind == "get" else 0, w=2, r=2)
    flags.update(more)
    return point(common.bench(urls, pids, **flags), kind)


def one_round(a, cluster, redis_there):
    found = {}
    with common.Ceiling() as c:
        found["ceiling"] = {k: measure(c.urls(), c.pids(), k, a, no_load=True, blind=True)
                            for k in KINDS}
    urls, pids = common.urls_of(cluster), common.pids_of(cluster)
    found["dunlin"] = {"put": measure(urls, pids, "put", a),
                       "get": measure(urls, pids, "get", a, no_load=True)}
    if redis_there:
        with common.Redis() as r:
            for kind, what in (("put", "set"), ("get", "get")):
                if kind == "get":  # keys that are not there would be cheaper
                    common.redis_load(r, "set", CONNECTIONS, a.keys, VALUE_BYTES, a.seconds)
                found.setdefault("redis", {})[kind] = point(
                    common.redis_load(r, what, CONNECTIONS, a.keys, VALUE_BYTES, a.seconds), kind)
    return found


def median_of(rounds, system, kind):
    points = [r[system][kind] for r in rounds]
    return {name: statistics.median(p[name] for p in points) for name in points[0]}


def summary(rounds):
    result = {}
    for kind in KINDS:
        result[kind] = median_of(rounds, "dunlin", kind)
        result[kind]["p50_closed_ms"] = result[kind].pop("p50_ms")
        result[kind]["p99_closed_ms"] = result[kind].pop("p99_ms")
        result[kind].pop("p999_ms")
        for key, name in (("ceiling_ratio", "rate"), ("ceiling_cpu_ratio", "cpu_us")):
            result[kind][key] = statistics.median(
                r["dunlin"][kind][name] / r["ceiling"][kind][name] for r in rounds)
        ceiling = median_of(rounds, "ceiling", kind)
        result[kind].update(ceiling_rate=ceiling["rate"], ceiling_cpu_us=ceiling["cpu_us"])
    return result


def at_half_rate(a, cluster, result):
    """The latencies that a user sees, at half of what the cluster can do: medians over the rounds."""
    urls, pids = common.urls_of(cluster), common.pids_of(cluster)
    for kind in KINDS:
        rate = max(1, int(result[kind]["rate"] / 2))
        points = [measure(urls, pids, kind, a, rate=rate, no_load=kind == "get")
                  for _ in range(a.rounds)]
        result[kind]["half_rate"] = rate
        for name, to in (("p50_ms", "p50_ms"), ("p99_ms", "p99_ms"), ("p999_ms", "p999_ms"),
                         ("cpu_us", "half_rate_cpu_us")):
            result[kind][to] = statistics.median(p[name] for p in points)


def with_one_killed(a, cluster, result):
    """The same open loop over two nodes, before and while the third is dead: medians over the rounds."""
    urls, pids = common.urls_of(cluster)[:2], common.pids_of(cluster)[:2]
    found = {kind: [] for kind in KINDS}
    for _ in range(a.rounds):
        for kind in KINDS:
            rate = max(1, int(result[kind]["rate"] / 3))
            flags = dict(rate=rate, no_load=True)
            before = measure(urls, pids, kind, a, **flags)["p999_ms"]
            cluster.kill(3)
            killed = measure(urls, pids, kind, a, **flags)["p999_ms"]
            began = time.monotonic()
            with common.pinned(common.SERVER_CORES):
                cluster.restart(3)
            result["start"] = {"seconds": time.monotonic() - began, "keys": a.keys}
            found[kind].append(killed / before)
    for kind in KINDS:
        result[kind]["p999_killed_ratio"] = statistics.median(found[kind])


def simulator():
    """Virtual seconds per CPU second, of five nodes and all faults."""
    out = subprocess.run([os.path.join(os.path.dirname(common.DUNLIN), "dunlin-sim"), "--seeds", "20",
                          "--time", "60s"], capture_output=True, text=True, check=True).stdout
    return {"ratio": float(re.search(r"ratio=(\d+)", out)[1])}


# ---- printing ------------------------------------------------------------------------------------

def row(name, put, get):
    return "%-26s %9.0f %8.2f %8.1f  %9.0f %8.2f %8.1f" % (
        name, put["rate"], put["p99_ms"], put["cpu_us"], get["rate"], get["p99_ms"], get["cpu_us"])


def print_table(rounds, result):
    print("%-26s %9s %8s %8s  %9s %8s %8s" % ("closed loop", "puts/s", "p99 ms", "CPU us", "gets/s",
                                              "p99 ms", "CPU us"))
    names = {"ceiling": "ceiling", "dunlin": "dunlin", "redis": "redis, SET+WAIT 1 / GET"}
    for system in names:
        if system in rounds[0]:
            print(row(names[system], *(median_of(rounds, system, k) for k in KINDS)))
    for kind in KINDS:
        p = result[kind]
        print("%s at half the rate (%d/s, open loop): p50 %.2f  p99 %.2f  p99.9 %.2f ms  CPU %.1f us" % (
            kind, p["half_rate"], p["p50_ms"], p["p99_ms"], p["p999_ms"], p["half_rate_cpu_us"]))
    m = result["memory"]
    print("memory of an idle node %.1f MiB; %.0f bytes more a key after %d keys" % (
        m["idle_mib"], m["bytes_per_key"], m["keys"]))


def print_targets(result):
    print()
    for what, kind, key, bound, less in TARGETS:
        value = result[kind][key]
        met = value <= bound if less else value >= bound
        print("%-6s %-40s %8.3g  (%s %g)" % ("met" if met else "MISSED", what, value,
                                             "<=" if less else ">=", bound))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=int, default=5)
    p.add_argument("--keys", type=int, default=100000)
    p.add_argument("--quick", action="store_true", help="one short round with few keys")
    a = p.parse_args()
    if a.quick:
        a.rounds, a.seconds, a.keys = 1, 3, 10000
    redis_there = shutil.which("redis-server") is not None
    busy = common.machine_is_busy()
    note("servers on core %s, load on core %s, data on %s, others use %.0f %% of the machine%s" % (
        sorted(common.SERVER_CORES), sorted(common.LOAD_CORES), common.filesystem(common.ROOT),
        100 * busy, ": the figures below are noisy" if busy > 0.1 else ""))
    if common.SERVER_CORES == common.LOAD_CORES:
        note("one core: the load and the servers share it, so only CPU figures mean anything")
    common.ceiling_tool()
    if redis_there:
        common.redis_tool()
    with common.dunlin_cluster() as cluster:
        time.sleep(2)
        idle = [common.rss_mib(pid) for pid in common.pids_of(cluster)]
        rounds = []
        for i in range(a.rounds):
            note("round %d of %d" % (i + 1, a.rounds))
            rounds.append(one_round(a, cluster, redis_there))
        full = [common.rss_mib(pid) for pid in common.pids_of(cluster)]
        result = summary(rounds)
        note("at half the highest rate")
        at_half_rate(a, cluster, result)
        note("with one of three nodes killed")
        with_one_killed(a, cluster, result)
    result["memory"] = {"idle_mib": statistics.median(idle), "keys": a.keys,
                        "bytes_per_key": (statistics.median(full) - statistics.median(idle))
                        * 1048576 / a.keys}
    result["sim"] = simulator()
    result["rounds"] = rounds
    result["setting"] = {"seconds": a.seconds, "keys": a.keys, "connections": CONNECTIONS,
                         "value_bytes": VALUE_BYTES, "filesystem": common.filesystem(common.ROOT),
                         "busy_before": busy}
    print_table(rounds, result)
    print_targets(result)
    path = os.path.join(common.OUT, "bench.json")
    with open(path, "w") as f:
        json.dump(result, f, indent=1)
    note("written:", os.path.relpath(path, common.ROOT))


if __name__ == "__main__":
    main()
