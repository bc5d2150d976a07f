#!/usr/bin/env python3
"""A cluster with nodes that end and come back: what clients see, and that the replicas agree after."""
import os
import re
import signal
import sys
import tempfile
import time

import lib
from lib import dunlin, http, same

TEXT = {"Content-Type": "text/plain"}


def put(port, key, body, query="", headers=None):
    return http(port, "PUT", "/buckets/c/keys/" + key + query, dict(TEXT, **(headers or {})), body)


def get(port, key, query=""):
    return http(port, "GET", "/buckets/c/keys/" + key + query, {"Accept": "multipart/mixed, */*;q=0.5"})


def sees_down(cluster, at, who):
    return "n%d" % who not in lib.members_up(cluster.port(at))


def all_up(cluster):
    return all(not sees_down(cluster, at, who) for at in (1, 2, 3) for who in (1, 2, 3))


def identical(cluster):
    """Hints are delivered on their own schedule."""
    return lib.wait_for(lambda: dunlin("compare", "--all", url=cluster.url())[0] == 0, 30, 0.5)


def test_one_node_down_stops_nobody(cluster):
    put(cluster.port(1), "before", b"v", "?w=all")
    cluster.kill(3)
    assert lib.wait_for(lambda: sees_down(cluster, 1, 3))
    for i in range(50):
        same(put(cluster.port(1 + i % 2), "down%d" % i, b"%d" % i).status, 204)
    same(get(cluster.port(2), "before").body, b"v")
    r = get(cluster.port(1), "before", "?pr=3")
    same((r.status, r.body), (503, b"PR-value unsatisfied: 2/3\n"))
    r = put(cluster.port(1), "pw", b"v", "?pw=3")
    same((r.status, r.body), (503, b"PW-value unsatisfied: 2/3\n"))
    same(r.header("X-Dunlin-Outcome"), "none")
    assert r.header("Retry-After"), r


def test_a_node_that_comes_back_gets_what_it_missed(cluster):
    cluster.restart(3)
    assert lib.wait_for(lambda: all_up(cluster))
    assert identical(cluster), dunlin("compare", "--all", url=cluster.url())[1]
    for i in range(50):
        same(get(cluster.port(3), "down%d" % i, "?r=all&pr=all").body, b"%d" % i)


def test_a_minority_refuses_writes_and_says_why(cluster):
    cluster.kill(2)
    cluster.kill(3)
    assert lib.wait_for(lambda: sees_down(cluster, 1, 2) and sees_down(cluster, 1, 3))
    r = put(cluster.port(1), "minority", b"v")
    same(r.status, 503)
    assert r.header("X-Dunlin-Outcome") in ("none", "unknown"), r
    same(get(cluster.port(1), "before", "?r=1").body, b"v")
    r = get(cluster.port(1), "before", "?r=2")
    same(r.status, 503)
    assert re.match(rb"R-value unsatisfied: 1/2\n|request timed out\n", r.body), r
    cluster.restart(2)
    cluster.restart(3)
    assert lib.wait_for(lambda: put(cluster.port(1), "again", b"v").status == 204)
    assert identical(cluster), dunlin("compare", "--all", url=cluster.url())[1]


def test_every_acknowledged_write_outlives_a_kill_of_all(cluster):
    for i in range(100):
        same(put(cluster.port(1 + i % 3), "all%d" % i, b"%d" % i).status, 204)
    for i in (1, 2, 3):
        os.kill(cluster.pid(i), signal.SIGKILL)
    assert lib.wait_for(lambda: all(lib.is_free(cluster.port(i)) for i in (1, 2, 3)))
    started = [lib.subprocess.Popen(
        [lib.DUNLIN, "start", "--config", "%s/n%d/dunlin.conf" % (cluster.dir, i)],
        stdin=lib.subprocess.DEVNULL, stderr=open("%s/n%d/log" % (cluster.dir, i), "ab"))
        for i in (1, 2, 3)]
    cluster.restarted += started
    assert lib.wait_for(lambda: all(lib.ready(cluster.port(i)) for i in (1, 2, 3)))
    assert lib.wait_for(lambda: all_up(cluster))
    for i in range(100):
        r = lib.wait_for(lambda: get(cluster.port(1 + i % 3), "all%d" % i))
        same((r.status, r.body), (200, b"%d" % i), "all%d" % i)


def test_a_stopped_process_is_gone_around(cluster):
    assert lib.wait_for(lambda: all_up(cluster))
    pid = cluster.pid(3)
    os.kill(pid, signal.SIGSTOP)
    try:
        for i in range(10):
            begun = time.monotonic()
            same(put(cluster.port(1), "stop%d" % i, b"v").status, 204)
            assert time.monotonic() - begun < 5
    finally:
        os.kill(pid, signal.SIGCONT)
    assert identical(cluster), dunlin("compare", "--all", url=cluster.url())[1]


def test_a_node_with_another_key_gets_nowhere(cluster):
    with tempfile.TemporaryDirectory() as d:
        with open(d + "/key", "w") as f:
            f.write("ab" * 32 + "\n")
        os.chmod(d + "/key", 0o600)
        base = lib.free_base(1)
        p = lib.subprocess.Popen(
            [lib.DUNLIN, "start", "--dir", d + "/data", "--http", "127.0.0.1:%d" % base, "--peer",
             "127.0.0.1:%d" % (base + 1), "--key-file", d + "/key", "--expect", "2", "--join",
             "127.0.0.1:%d" % (cluster.port(1) + 1)], stderr=open(d + "/log", "wb"))
        assert lib.wait_for(lambda: not lib.is_free(base))
        time.sleep(1)
        r = http(base, "GET", "/ready")
        same(r.status, 503)
        assert len(r.body) > 5, r
        same(http(base, "PUT", "/buckets/b/keys/k", TEXT, b"v").status, 503)
        p.terminate()
        same(p.wait(20), 0)
    same(http(cluster.port(1), "GET", "/ready").status, 200)


def test_a_bad_key_file_is_refused(_):
    with tempfile.TemporaryDirectory() as d:
        for text, wanted in ((b"", "one or two keys"), (b"abcd\n", "one or two keys"),
                             (b"zz" * 32, "one or two keys"), (b"ab" * 33, "one or two keys")):
            with open(d + "/key", "wb") as f:
                f.write(text)
            code, _, err = dunlin("start", "--dir", d + "/data", "--key-file", d + "/key")
            same(code, 1)
            assert wanted in err and "ab" * 16 not in err, err
        code, _, err = dunlin("start", "--dir", d + "/data", "--key-file", d + "/nosuch")
        same(code, 1)
        assert "No such file" in err, err


def test_many_restarts_leave_every_value_readable(_):
    """The engine gets a few files more at each start, until not all of them are open at once."""
    with lib.Node() as n:
        for i in range(40):
            same(put(n.port(), "start%d" % i, b"%d" % i).status, 204)
            same(n.stop(), 0)
            n.start()
            for k in (0, i // 2, i):
                r = get(n.port(), "start%d" % k)
                same((r.status, r.body), (200, b"%d" % k), "key %d after start %d" % (k, i + 1))


def test_right_after_a_start_no_request_waits_for_its_whole_timeout(_):
    """A peer counts as up only when answers can come back: else they are lost, and waited for."""
    with lib.Cluster() as own:
        put(own.port(1), "kept", b"v", "?w=all")
        own.stop()
        for _round in range(8):
            started = [lib.subprocess.Popen(
                [lib.DUNLIN, "start", "--config", "%s/n%d/dunlin.conf" % (own.dir, i)],
                stdin=lib.subprocess.DEVNULL, stderr=lib.subprocess.DEVNULL) for i in (1, 2, 3)]
            try:
                for i in (1, 2, 3):
                    assert lib.wait_for(lambda: lib.ready(own.port(i)), step=0.002)
                    for _try in range(4):
                        begun = time.monotonic()
                        get(own.port(i), "kept", "?timeout=3000")
                        assert time.monotonic() - begun < 2, "n%d waited" % i
            finally:
                for p in started:
                    p.terminate()
                for p in started:
                    p.wait(30)


def test_the_cluster_stops_cleanly_and_keeps_everything(cluster):
    same(put(cluster.port(1), "kept", b"v", "?w=all").status, 204)
    for p in cluster.restarted:
        if p.poll() is None:
            p.terminate()
            same(p.wait(30), 0)
    cluster.stop()
    with lib.Cluster(dir=cluster.dir, base=cluster.base) as again:
        same(get(again.port(2), "kept").body, b"v")
        same(again.stop(), 0)
    for i in (1, 2, 3):
        with open("%s/n%d/log" % (cluster.dir, i)) as f:
            assert "level=error" not in f.read(), "n%d logged an error" % i


def main():
    count = lib.Count()
    with lib.Cluster() as cluster:
        for name, function in lib.tests_of(sys.modules[__name__]):
            count.check(name, function, cluster)
    count.finish()


main()
