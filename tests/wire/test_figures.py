#!/usr/bin/env python3
"""The figures that a node tells of the others and of itself are real: real processes.

A node is stopped (SIGSTOP): what is sent to it piles up, and it falls behind; it goes on, and has caught up.
It is killed: the same with copies that stand in. `dunlin status` says what /metrics says. Disk use grows with
what is stored.

    tests/wire/test_figures.py
"""
import json
import os
import re
import signal
import sys
import time

import lib
from lib import dunlin, http, same, wait_for

TEXT = {"Content-Type": "text/plain"}


def put(cluster, node, key, value=b"v"):
    return http(cluster.port(node), "PUT", "/buckets/b/keys/%s" % key, TEXT, value)


def figures(cluster, i):
    """{name: value}, and {(name, peer): value} of what is told of the others."""
    found = {}
    for line in http(cluster.port(i), "GET", "/metrics").body.decode().splitlines():
        m = re.fullmatch(r'dunlin_(\w+)(?:\{peer="(\w+)",id="\w+"\})? (\S+)', line)
        if m:
            found[(m[1], m[2]) if m[2] else m[1]] = float(m[3])
    return found


def lag(cluster, i, of):
    return figures(cluster, i)["peer_lag_seconds", "n%d" % of]


def most_lag(cluster, of, nodes):
    return max(lag(cluster, i, of) for i in nodes)


def members(cluster, i):
    s = json.loads(http(cluster.port(i), "GET", "/admin/status").body)
    return {m["name"]: m for m in s["members"]}


def grows(what, least):
    """Is it more than `least` some time, and more still a while later?"""
    first = wait_for(lambda: what() > least and what())
    assert first, what()
    return wait_for(lambda: what() > first + 1)


def test_a_node_that_stands_still_falls_behind_and_catches_up():
    with lib.Cluster(3) as cluster:
        same(lag(cluster, 1, 3), 0)
        same(put(cluster, 1, "k").status, 204)
        same(lag(cluster, 1, 3), 0)
        cluster.kill(3, signal.SIGSTOP)
        try:
            same(put(cluster, 1, "k2").status, 204)
            assert grows(lambda: lag(cluster, 1, 3), 0.5), "its lag does not grow"
            same(lag(cluster, 1, 2), 0)
            assert members(cluster, 1)["n3"]["lag_ms"] > 1500, members(cluster, 1)
            code, out, _ = dunlin("status", url=cluster.url(1))
            behind = re.search(r"n3 .* (\d+\.\d) s ", out)
            assert behind and float(behind[1]) > 1.5, out
        finally:
            cluster.kill(3, signal.SIGCONT)
        assert wait_for(lambda: lag(cluster, 1, 3) == 0), "it stays behind"
        same(http(cluster.port(3), "GET", "/buckets/b/keys/k2?r=1").status, 200)


def test_a_node_that_is_killed_falls_behind_what_stands_in_for_it():
    with lib.Cluster(5) as cluster:
        cluster.kill(4)
        others = [1, 2, 3, 5]
        for i in range(40):
            same(put(cluster, 1, "key%d" % i).status, 204)
        assert grows(lambda: most_lag(cluster, 4, others), 0.2), "its lag does not grow"
        assert sum(figures(cluster, i)["stand_ins"] for i in others) > 0, "nobody stands in"
        cluster.restart(4)
        assert wait_for(lambda: most_lag(cluster, 4, others) == 0), "it stays behind"
        same(sum(figures(cluster, i)["stand_ins"] + figures(cluster, i)["hints"] for i in others), 0)


def test_what_a_node_does_not_take_waits_in_its_queue():
    """Its kernel takes some megabytes; the rest waits, until it is believed down or goes on."""
    with lib.Cluster(3) as cluster:
        deepest = {"bytes": 0, "messages": 0}
        cluster.kill(2, signal.SIGSTOP)
        try:
            for i in range(40):
                put(cluster, 1, "large%d" % i, b"x" * 2000000)
                f = figures(cluster, 1)
                for what in deepest:
                    deepest[what] = max(deepest[what], f["peer_queue_" + what, "n2"])
                same(f["peer_queue_bytes", "n3"] < 64 << 20, True)
                if deepest["bytes"] > 2000000 and deepest["messages"] > 0:
                    break
        finally:
            cluster.kill(2, signal.SIGCONT)
        assert deepest["bytes"] > 2000000 and deepest["messages"] > 0, deepest
        assert wait_for(lambda: figures(cluster, 1)["peer_queue_bytes", "n2"] < 1000)


def test_disk_use_grows_with_what_is_stored():
    with lib.Cluster(1) as cluster:
        before = figures(cluster, 1)["store_bytes"]  # with room for a log, which is taken beforehand
        for i in range(60):
            same(put(cluster, 1, "large%d" % i, os.urandom(1000000)).status, 204)
        after = figures(cluster, 1)
        grown = after["store_bytes"] - before
        assert grown > 20000000, (before, grown)
        same(after["store_read_only"], 0)
        free = os.statvfs(cluster.dir)
        assert abs(after["store_free_bytes"] - free.f_bavail * free.f_frsize) < 1 << 30
        disk = json.loads(http(cluster.port(1), "GET", "/admin/status").body)["disk"]
        assert abs(disk["bytes"] - after["store_bytes"]) < 1 << 20 and not disk["read_only"], disk
        code, out, _ = dunlin("status", url=cluster.url(1))
        same(code, 0, out)
        assert re.search(r"(?m)^disk +[1-9]\d*\.\d MiB used, \d+\.\d MiB free$", out), out
        assert re.search(r"(?m)^clock +0 ms off", out) and re.search(r"(?m)^budget +32\.0 MiB", out), out


if __name__ == "__main__":
    count = lib.Count()
    for name, function in lib.tests_of(sys.modules[__name__]):
        count.check(name, function)
    count.finish()
