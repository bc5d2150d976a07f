#!/usr/bin/env python3
"""A disk that cannot make data durable: the process stops, and nothing after it is acknowledged."""
import os
import subprocess
import sys
import tempfile

import lib
from lib import http, same, wait_for

TEXT = {"Content-Type": "text/plain"}
HERE = os.path.dirname(os.path.abspath(__file__))


def start(d, port, flag):
    env = dict(os.environ, LD_PRELOAD=d + "/fail_sync.so", FAIL_SYNC=flag)
    log = open(d + "/log", "ab")
    p = subprocess.Popen([lib.DUNLIN, "start", "--name", "solo", "--dir", d + "/data", "--http",
                          "127.0.0.1:%d" % port], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
    log.close()
    assert wait_for(lambda: lib.ready(port) or p.poll() is not None)
    return p


def test_a_failed_fdatasync_stops_the_process(_):
    with tempfile.TemporaryDirectory(prefix="dunlin-test-") as d:
        subprocess.run(["gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", d + "/fail_sync.so",
                        HERE + "/fail_sync.c", "-ldl"], check=True)
        flag, port = d + "/flag", lib.free_base(1)
        p = start(d, port, flag)
        for i in range(20):
            same(http(port, "PUT", "/buckets/b/keys/%d" % i, TEXT, b"kept").status, 204)
        open(flag, "w").close()
        try:
            status = http(port, "PUT", "/buckets/b/keys/lost", TEXT, b"?").status
        except (OSError, AssertionError):
            status = None  # the connection ended without an answer
        assert status != 204, "a write was acknowledged that is not on stable storage"
        code = p.wait(20)
        assert code != 0, "the process ended as if all were well"
        with open(d + "/log") as f:
            log = f.read()
        assert "durable" in log, log
        os.remove(flag)
        p = start(d, port, flag)
        try:
            for i in range(20):
                same(http(port, "GET", "/buckets/b/keys/%d" % i).body, b"kept")
            same(http(port, "PUT", "/buckets/b/keys/again", TEXT, b"y").status, 204)
        finally:
            p.terminate()
            same(p.wait(30), 0)


def main():
    count = lib.Count()
    for name, function in lib.tests_of(sys.modules[__name__]):
        count.check(name, function, None)
    count.finish()


main()
