#!/usr/bin/env python3
"""Starts that must not succeed, or must not let two clusters touch: each says why, and loses nothing."""
import os
import shutil
import sys
import tempfile

import lib
from lib import Cluster, dunlin, http, members_up, same, wait_for

TEXT = {"Content-Type": "text/plain"}


def refused(*flags):
    """What a start that must fail says; its exit code is 1."""
    base = lib.free_base(1)
    code, _, err = dunlin("start", "--http", "127.0.0.1:%d" % base, *flags)
    same(code, 1, err)
    return err


def stopped_copy(cluster, i):
    """A copy of node i's data, made while it is down."""
    d = tempfile.mkdtemp(prefix="dunlin-copy-")
    shutil.copytree("%s/n%d" % (cluster.dir, i), d + "/data")
    return d


def test_a_newer_format_is_refused_and_left_alone(_):
    with tempfile.TemporaryDirectory() as d:
        os.mkdir(d + "/data")
        with open(d + "/data/FORMAT", "w") as f:
            f.write("dunlin 99\n")
        err = refused("--dir", d + "/data")
        assert "99" in err and "newer" in err, err
        same(os.listdir(d + "/data"), ["FORMAT"])


def test_a_directory_that_is_not_ours_is_refused(_):
    with tempfile.TemporaryDirectory() as d:
        os.makedirs(d + "/data/rocksdb")
        with open(d + "/data/rocksdb/CURRENT", "w") as f:
            f.write("MANIFEST-000004\n")
        err = refused("--dir", d + "/data")
        assert "FORMAT" in err, err


def test_a_directory_in_use_is_refused(cluster):
    err = refused("--dir", cluster.dir + "/n1")
    assert "in use" in err or "another process" in err, err


def test_a_node_of_another_cluster_is_kept_out(cluster):
    """The same cluster key, the same addresses, but data of another cluster."""
    same(http(cluster.port(1), "PUT", "/buckets/b/keys/k", TEXT, b"ours").status, 204)
    with Cluster(3) as other:
        same(http(other.port(1), "PUT", "/buckets/b/keys/k", TEXT, b"theirs").status, 204)
        other.kill(2, 15)
        foreign = stopped_copy(other, 2)
    cluster.kill(2, 15)
    shutil.move(cluster.dir + "/n2", cluster.dir + "/n2.own")
    shutil.copytree(foreign + "/data", cluster.dir + "/n2")
    shutil.copy(cluster.dir + "/n2.own/dunlin.conf", cluster.dir + "/n2/dunlin.conf")
    log = open(cluster.dir + "/n2/log", "wb")
    import subprocess
    p = subprocess.Popen([lib.DUNLIN, "start", "--config", cluster.dir + "/n2/dunlin.conf"],
                         stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        def says():
            logs = ""
            for i in (1, 2, 3):
                with open("%s/n%d/log" % (cluster.dir, i)) as f:
                    logs += f.read()
            return "cluster" in logs and "another" in logs or "other cluster" in logs
        assert wait_for(says, 20), "nobody says why they do not talk"
        same(http(cluster.port(1), "GET", "/buckets/b/keys/k?r=2").body, b"ours")
        assert "n2" not in members_up(cluster.port(1))
    finally:
        p.terminate()
        p.wait(30)
        log.close()
        shutil.rmtree(foreign)
    shutil.rmtree(cluster.dir + "/n2")
    shutil.move(cluster.dir + "/n2.own", cluster.dir + "/n2")
    cluster.restart(2)
    assert wait_for(lambda: "n2" in members_up(cluster.port(1)), 20)
    same(http(cluster.port(2), "GET", "/buckets/b/keys/k?r=3").body, b"ours")


def test_expect_must_be_more_than_half_of_the_list(_):
    base = lib.free_base(1)
    with tempfile.TemporaryDirectory() as d:
        with open(d + "/key", "w") as f:
            f.write("ab" * 32 + "\n")
        join = ",".join("127.0.0.1:%d" % (base + 1 + 10 * i) for i in range(5))
        code, _, err = dunlin("start", "--dir", d + "/data", "--http", "127.0.0.1:%d" % base, "--peer",
                              "127.0.0.1:%d" % (base + 1), "--join", join, "--expect", "2",
                              "--key-file", d + "/key")
        same(code, 2, err)
        assert "expect" in err and "half" in err, err


def main():
    count = lib.Count()
    with Cluster(3) as cluster:
        for name, function in lib.tests_of(sys.modules[__name__]):
            count.check(name, function, cluster)
    count.finish()


main()
