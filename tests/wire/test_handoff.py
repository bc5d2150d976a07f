#!/usr/bin/env python3
"""What is kept for nodes that are away, and nodes that leave: real processes.

A node stands still under load and goes on: hints alone make all replicas the same. Stand-in copies have a
bound, and what a client sees past it. A node is drained. A node is stopped by SIGTERM: all that had
reached it is answered, and no acknowledged write is lost.

    tests/wire/test_handoff.py [--seconds 60]      how long the node stands still; 4 if not given
"""
import json
import os
import signal
import sys
import threading
import time

import lib
from lib import Connection, dunlin, encode, http, same, wait_for

TEXT = {"Content-Type": "text/plain"}
SECONDS = float(sys.argv[sys.argv.index("--seconds") + 1]) if "--seconds" in sys.argv else 4.0


def counters(cluster, i):
    return json.loads(http(cluster.port(i), "GET", "/admin/status").body)["counters"]


def kept(cluster, i):
    c = counters(cluster, i)
    return c["hints"] + c["stand_ins"]


def nothing_waits(cluster):
    return all(kept(cluster, i) == 0 for i in range(1, cluster.nodes + 1))


def all_up(cluster):
    return all(len(lib.members_up(cluster.port(i))) == cluster.nodes for i in range(1, cluster.nodes + 1))


def put(cluster, node, key, query="", value=b"v"):
    return http(cluster.port(node), "PUT", "/buckets/b/keys/%s%s" % (key, query), TEXT, value)


def writers(cluster, nodes, prefix, until):
    """Threads that write key after key, and what was acknowledged, by thread."""
    acked = [[] for _ in range(4)]

    def write(t):
        node, i = nodes[t % len(nodes)], 0
        while not until.is_set():
            key = "%s-%d-%d" % (prefix, t, i)
            try:
                if put(cluster, node, key, value=key.encode()).status == 204:
                    acked[t].append(key)
            except (OSError, AssertionError):
                pass  # it is unknown whether it was stored: not acknowledged
            node, i = nodes[(t + i) % len(nodes)], i + 1

    threads = [threading.Thread(target=write, args=(t,)) for t in range(4)]
    for t in threads:
        t.start()
    return threads, acked


def missing(cluster, node, acked, query="?r=2"):
    gone = []
    with Connection(cluster.port(node)) as c:
        for key in (k for keys in acked for k in keys):
            c.send(encode("GET", "/buckets/b/keys/%s%s" % (key, query)))
            r = c.response()
            if r is None or (r.status, r.body) != (200, key.encode()):
                gone.append((key, r))
    return gone


# ---- hints ---------------------------------------------------------------------------------------

def test_a_node_that_stood_still_is_brought_up_to_date_by_hints_alone():
    with lib.Cluster(3) as cluster:
        end, pid = threading.Event(), cluster.pid(3)
        os.kill(pid, signal.SIGSTOP)
        try:
            threads, acked = writers(cluster, [1, 2], "still", end)
            time.sleep(SECONDS)
            end.set()
            for t in threads:
                t.join(90)
            count = sum(map(len, acked))
            assert count > 10, count
            assert wait_for(lambda: kept(cluster, 1) + kept(cluster, 2) > 0, 5)
        finally:
            os.kill(pid, signal.SIGCONT)
        begun = time.monotonic()
        assert wait_for(lambda: all_up(cluster), 30)
        assert wait_for(lambda: nothing_waits(cluster), 60), [counters(cluster, i) for i in (1, 2, 3)]
        took = time.monotonic() - begun
        code, out, err = dunlin("compare", "--all", url=cluster.url(1))
        same(code, 0, out + err)
        dropped = [counters(cluster, i)["hints_dropped"] for i in (1, 2, 3)]
        same(dropped, [0, 0, 0])
        print("# %d writes in %.0f s, the same everywhere %.1f s after it went on" % (count, SECONDS, took))
        assert took < 10 + SECONDS, took


# ---- room ------------------------------------------------------------------------------------------

def test_past_their_room_nodes_refuse_to_stand_in_and_clients_are_told():
    os.environ["DUNLIN_STAND_INS_MAX"] = "3"
    try:
        cluster = lib.Cluster(5)
    finally:
        del os.environ["DUNLIN_STAND_INS_MAX"]
    with cluster:
        cluster.kill(5)
        assert wait_for(lambda: all(len(lib.members_up(cluster.port(i))) == 4 for i in (1, 2, 3, 4)))
        full, stored = [], 0
        for i in range(150):
            r = put(cluster, 1 + i % 4, "room%d" % i, "?w=3")
            if r.status == 204:
                stored += 1
                continue
            same(r.status, 503, r)
            same(r.header("Retry-After"), "1")
            full.append((r.header("X-Dunlin-Outcome"), r.body.decode().split("\n")[0]))
        assert stored > 10 and len(full) > 10, (stored, full)
        texts = set(full)
        assert texts <= {("none", "no room here to stand in for the nodes that are away; try another node"),
                         ("unknown", "Too Many write failures to satisfy W/DW")}, texts
        for i in range(1, 5):
            assert counters(cluster, i)["stand_ins"] <= 3 + 2  # what was on its way to the disk
        assert sum(counters(cluster, i)["stand_ins_refused"] for i in range(1, 5)) > 0
        # A quorum needs no stand-in copy: it goes on.
        same(put(cluster, 1, "room-quorum").status, 204)
        assert "stand-in copies (" in dunlin("status", url=cluster.url(1))[1]
        cluster.restart(5)
        assert wait_for(lambda: all_up(cluster))
        assert wait_for(lambda: nothing_waits(cluster), 40)
        for i in range(20):
            same(put(cluster, 1 + i % 5, "again%d" % i, "?w=3").status, 204)


# ---- draining ----------------------------------------------------------------------------------------

def test_a_node_is_drained():
    with lib.Cluster(5) as cluster:
        cluster.kill(5)
        assert wait_for(lambda: all(len(lib.members_up(cluster.port(i))) == 4 for i in (1, 2, 3, 4)))
        for i in range(200):
            same(put(cluster, 1 + i % 4, "drain%d" % i, "?w=3").status, 204)
        who = max(range(1, 5), key=lambda i: counters(cluster, i)["stand_ins"])
        assert counters(cluster, who)["stand_ins"] > 0
        code, out, err = dunlin("drain", "--timeout", "2", url=cluster.url(who))
        same(code, 1, out + err)
        assert out.startswith("NOT drained: ") and out.endswith("away: n5\n"), out
        assert "stand-in copies" in err, err
        r = put(cluster, who, "drained")
        same((r.status, r.header("Retry-After"), r.header("X-Dunlin-Outcome"), r.body),
             (503, "1", "none", b"this node is being drained; ask another one\n"))
        same(http(cluster.port(who), "GET", "/ready").status, 503)
        same(http(cluster.port(who), "GET", "/buckets/b/keys/drain1").status, 503)
        same(http(cluster.port(who), "GET", "/ping").status, 200)
        # It is still a replica, and the others go on, whoever they would have handed a write to.
        others = [i for i in range(1, 5) if i != who]
        for i in range(100):
            same(put(cluster, others[i % 3], "during%d" % i).status, 204)
        cluster.restart(5)
        code, out, err = dunlin("drain", "--timeout", "60", url=cluster.url(who))
        same((code, out), (0, "drained: nothing is left here for others\n"), err)
        same(kept(cluster, who), 0)
        document = json.loads(dunlin("drain", "--json", url=cluster.url(who))[1])
        same((document["done"], document["away"]), (True, []))
        same(dunlin("drain", "--cancel", url=cluster.url(who))[0], 0)
        assert lib.ready(cluster.port(who))
        same(put(cluster, who, "undrained").status, 204)
        same(http(cluster.port(who), "PUT", "/admin/drain", TEXT, b"").status, 405)


# ---- SIGTERM -------------------------------------------------------------------------------------------

def stand_still(cluster, i):
    pid = cluster.pid(i)
    os.kill(pid, signal.SIGSTOP)
    return pid


def test_what_has_reached_a_node_when_it_is_told_to_stop_is_answered():
    with lib.Cluster(3) as cluster:
        old = [Connection(cluster.port(1)) for _ in range(10)]
        for c in old:
            c.send(encode("GET", "/ping"))
            same(c.response().status, 200)
        pid = stand_still(cluster, 1)
        # Of these nothing is known to the process: connections in the kernel's queue, bytes in sockets.
        new = [Connection(cluster.port(1)) for _ in range(30)]
        keys = []
        for n, c in enumerate(old + new):
            mine = ["stop-%d-%d" % (n, i) for i in range(3)]
            c.send(b"".join(encode("PUT", "/buckets/b/keys/" + k, TEXT, k.encode()) for k in mine))
            keys.append(mine)
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)
        for c, mine in zip(old + new, keys):
            answers = [c.response() for _ in mine]
            same([r and r.status for r in answers], [204, 204, 204])
            same([r.header("Connection") for r in answers], [None, None, "close"])
            assert c.ended()
            c.close()
        assert wait_for(lambda: not os.path.exists("/proc/%d" % pid), 20)
        same(missing(cluster, 2, keys), [])
        cluster.restart(1)
        assert wait_for(lambda: lib.ready(cluster.port(1)))
        same(missing(cluster, 1, keys, "?r=1&pr=1"), [])


def test_rolling_restarts_under_load_lose_nothing():
    with lib.Cluster(5) as cluster:
        end = threading.Event()
        threads, acked = writers(cluster, [1, 2, 3, 4, 5], "rolling", end)
        for i in (2, 3, 4):
            time.sleep(0.5)
            pid = cluster.pid(i)
            begun = time.monotonic()
            cluster.kill(i, signal.SIGTERM)
            assert time.monotonic() - begun < 10, "n%d took its time to stop" % i
            cluster.restart(i)
            assert wait_for(lambda: lib.ready(cluster.port(i)))
        end.set()
        for t in threads:
            t.join(90)
        assert sum(map(len, acked)) > 50
        assert wait_for(lambda: all_up(cluster))
        for i in (1, 4):
            same(missing(cluster, i, acked), [])
        assert wait_for(lambda: nothing_waits(cluster), 60)
        code, out, err = dunlin("compare", "--all", url=cluster.url(1))
        same(code, 0, out + err)


def main():
    count = lib.Count()
    for name, function in lib.tests_of(sys.modules[__name__]):
        count.check(name, function)
    count.finish()


if __name__ == "__main__":
    main()
