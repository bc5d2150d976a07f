#!/usr/bin/env python3
"""Disks that rot and disks that fill up, under real nodes."""
import glob
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request

import lib
from lib import Connection, Node, dunlin, encode, http, same, wait_for

TEXT = {"Content-Type": "text/plain"}
KEYS = 3000


def counters(cluster, i):
    with urllib.request.urlopen(cluster.url(i) + "/admin/status", timeout=20) as r:
        return json.load(r)["counters"]


def value(i):
    return (b"%06d" % i) * 40


def put_all(port):
    with Connection(port) as c:
        for at in range(0, KEYS, 50):
            c.send(b"".join(encode("PUT", "/buckets/rot/keys/%d?w=all" % i, TEXT, value(i))
                            for i in range(at, at + 50)))
            for _ in range(50):
                same(c.response().status, 204)


def read_all(port, query):
    """Keys that are not read back as they were written."""
    wrong = []
    with Connection(port) as c:
        for i in range(KEYS):
            c.send(encode("GET", "/buckets/rot/keys/%d%s" % (i, query)))
            r = c.response()
            if (r.status, r.body) != (200, value(i)):
                wrong.append((i, r.status, r.body[:60]))
    return wrong


def flip_bytes(cluster, node, count):
    """Flip single bytes in the middle of the table files of a node that is stopped."""
    files = [f for f in glob.glob("%s/n%d/rocksdb/*.sst" % (cluster.dir, node))
             if os.path.getsize(f) > 100000]
    assert files, "no table file to damage"
    rng = random.Random(7)
    for _ in range(count):
        path = rng.choice(files)
        at = rng.randrange(1000, os.path.getsize(path) // 2)
        with open(path, "r+b") as f:
            f.seek(at)
            byte = f.read(1)
            f.seek(at)
            f.write(bytes([byte[0] ^ 0x40]))


def test_rot_is_found_and_mended_from_the_peers(cluster):
    put_all(cluster.port(1))
    cluster.kill(2)
    cluster.restart(2)  # the log becomes tables
    cluster.kill(2, 15)
    flip_bytes(cluster, 2, 5)
    cluster.restart(2)
    # A quorum without the damaged node's word for it: never a wrong byte, never a false not-found.
    same(read_all(cluster.port(2), "?r=2")[:3], [])
    assert wait_for(lambda: counters(cluster, 2)["corrupt_records"] > 0, 20), "no damage was met"
    assert wait_for(lambda: counters(cluster, 2)["suspect_partitions"] == 0, 60), "not verified"
    done = counters(cluster, 2)
    print("# damaged records met: %d, partitions verified: %d" % (
        done["corrupt_records"], done["verified_partitions"]))
    assert done["verified_partitions"] > 0
    for node in (1, 2, 3):
        same(read_all(cluster.port(node), "?r=3&pr=3")[:3], [], "n%d" % node)
    code, out, err = dunlin("compare", "--all", url=cluster.url(1))
    same(code, 0, out + err)


def put_noise(port, rng):
    with Connection(port) as c:
        for at in range(0, KEYS, 50):
            c.send(b"".join(encode("PUT", "/buckets/noise/keys/%d?w=all" % i, TEXT, rng.randbytes(1000))
                            for i in range(at, at + 50)))
            for _ in range(50):
                same(c.response().status, 204)


def read_noise(port):
    with Connection(port) as c:
        for i in range(KEYS):
            c.send(encode("GET", "/buckets/noise/keys/%d?r=1" % i))
            same(c.response().status, 200, "key %d" % i)


def restart_with_tables(cluster, node):
    cluster.kill(node)
    cluster.restart(node)
    cluster.kill(node, 15)
    cluster.restart(node)


def test_what_only_memory_has_still_is_stored_again(cluster):
    put_noise(cluster.port(1), random.Random(5))
    os.environ["DUNLIN_CACHE_BYTES"] = "1m"  # of blocks: whoever scans reads the disk
    try:
        restart_with_tables(cluster, 2)
        read_noise(cluster.port(2))
        flip_bytes(cluster, 2, 8)
        dunlin("compare", "--all", url=cluster.url(1))  # a scan: now it is met
        assert wait_for(lambda: counters(cluster, 2)["corrupt_records"] > 0, 20), "no damage was met"
        assert wait_for(lambda: counters(cluster, 2)["suspect_partitions"] == 0, 90), "not verified"
        cluster.kill(2)
        cluster.restart(2)
    finally:
        del os.environ["DUNLIN_CACHE_BYTES"]
    # What damage is known still is mended yet; what is vouched for and not there is not.
    assert wait_for(lambda: dunlin("compare", "--all", url=cluster.url(1))[0] == 0, 30), "lost"


def mounted(size_mib):
    """A small file system of our own, or None where that cannot be."""
    d = tempfile.mkdtemp(prefix="dunlin-full-")
    made = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=%dm" % size_mib, "tmpfs", d]).returncode == 0
    if not made:
        os.rmdir(d)
        return None
    return d


def test_a_full_disk_refuses_writes_serves_reads_and_recovers(_):
    d = mounted(192)
    if d is None:
        print("skipped: a file system cannot be mounted here")
        return
    try:
        with Node("--dir", d + "/data") as node:
            same(http(node.port(), "PUT", "/buckets/f/keys/kept", TEXT, b"kept").status, 204)
            with open(d + "/ballast", "wb") as f:
                try:
                    while True:
                        f.write(b"\0" * (1 << 20))
                except OSError:
                    pass
            refused = wait_for(lambda: [r for r in [http(
                node.port(), "PUT", "/buckets/f/keys/no", TEXT, b"x" * 1000)] if r.status == 503], 20)
            assert refused, "a full disk took a write"
            same(refused[0].header("X-Dunlin-Outcome") in ("none", "unknown"), True, refused[0])
            same(http(node.port(), "GET", "/buckets/f/keys/kept").body, b"kept")
            os.remove(d + "/ballast")
            assert wait_for(lambda: http(node.port(), "PUT", "/buckets/f/keys/again", TEXT,
                                         b"y").status == 204, 30), node.read_log()[-2000:]
            same(http(node.port(), "GET", "/buckets/f/keys/kept").body, b"kept")
    finally:
        subprocess.run(["umount", d], check=False)
        os.rmdir(d)


def test_a_disk_that_is_full_at_the_first_start_says_so(_):
    d = mounted(8)
    if d is None:
        print("skipped: a file system cannot be mounted here")
        return
    try:
        with open(d + "/ballast", "wb") as f:
            f.write(b"\0" * (7 << 20))
        code, _, err = dunlin("start", "--dir", d + "/data", "--http", "127.0.0.1:%d" % lib.free_base(1))
        same(code, 1)
        assert "full" in err or "space" in err, err
    finally:
        time.sleep(0.2)
        subprocess.run(["umount", d], check=False)
        os.rmdir(d)


def main():
    count = lib.Count()
    with lib.Cluster() as cluster:
        for name, function in lib.tests_of(sys.modules[__name__]):
            count.check(name, function, cluster)
    count.finish()


if __name__ == "__main__":
    main()
