#!/usr/bin/env python3
"""Clients that are slow, silent, gone, or take nothing: each is ended, memory is bounded, and others are served meanwhile."""
import re
import socket
import struct
import sys
import time

import lib
from lib import Connection, Node, encode, http, same, wait_for

TEXT = {"Content-Type": "text/plain"}
LATE = b"the request did not arrive in time\n"
LARGE = 8 << 20
DROPPED = 3000


def metric(port, name):
    """-1: it is not told, or the node is full."""
    found = re.search(rb"^dunlin_%s (\d+)$" % name.encode(), http(port, "GET", "/metrics").body, re.M)
    return int(found[1]) if found else -1


def resident_kib(node):
    with open("/proc/%d/status" % node.process.pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+) kB", f.read())[1])


def files_of(node):
    return len(lib.os.listdir("/proc/%d/fd" % node.process.pid))


def prepare(port):
    for i in range(30):
        same(http(port, "PUT", "/buckets/canary/keys/%d" % i, TEXT, b"canary %d" % i).status, 204)


def check_canaries(port):
    for i in range(30):
        same(http(port, "GET", "/buckets/canary/keys/%d" % i).body, b"canary %d" % i)
    same(http(port, "PUT", "/buckets/canary/keys/0", TEXT, b"x").status, 204)


def small_reader(port):
    """A connection whose own side holds little of what it does not read."""
    c = Connection.__new__(Connection)
    c.data, c.socket = b"", socket.socket()
    c.socket.settimeout(20)
    c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    c.socket.connect(("127.0.0.1", port))
    return c



def drip(port, data):
    """A byte at a time, until something is answered; the answer."""
    with Connection(port) as c:
        c.socket.settimeout(0.1)
        for b in data:
            try:
                c.send(bytes([b]))
                if c.more():
                    break
            except TimeoutError:
                pass
            except OSError:
                break
        c.socket.settimeout(20)
        r = c.response()
        assert r is not None and c.ended(), "not ended by an answer"
        return r


def test_who_drips_a_request_is_ended_with_408(_):
    head = b"PUT /buckets/slow/keys/k HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\n"
    with Node("--request-timeout-ms", "600") as n:
        prepare(n.port())
        for what, data in (("request line", b"GET /" + b"a" * 200),
                           ("empty lines", b"\r\n" + b"GET /ping HTTP/1.1\r\n" + b"A: b\r\n" * 40),
                           ("fields", b"GET /ping HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 40),
                           ("body", head + b"Content-Length: 200\r\n\r\n" + b"x" * 199),
                           ("chunks", head + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 40),
                           ("trailers", head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * 40)):
            r = drip(n.port(), data)
            same((r.status, r.body, r.header("Connection")), (408, LATE, "close"), what)
        same(http(n.port(), "GET", "/buckets/slow/keys/k").status, 404)
        same(metric(n.port(), "http_timeouts_total"), 6)
        check_canaries(n.port())


def test_a_hundred_drips_hold_nobody_up(_):
    with Node("--request-timeout-ms", "60000") as n:
        prepare(n.port())
        slow = [Connection(n.port()) for _ in range(100)]
        for i in range(40):
            for c in slow:
                c.send(b"GET /buckets/canary/keys/1 HTTP/1.1\r\nHost: x\r\n\r\n"[i:i + 1])
            same(http(n.port(), "GET", "/buckets/canary/keys/%d" % (i % 30)).body, b"canary %d" % (i % 30))
        for c in slow:
            c.send(b"GET /buckets/canary/keys/1 HTTP/1.1\r\nHost: x\r\n\r\n"[40:])
        for c in slow:
            same(c.response().body, b"canary 1")
            c.close()


def test_a_silent_connection_is_closed_without_a_word(_):
    with Node("--idle-timeout-ms", "400") as n:
        with Connection(n.port()) as never, Connection(n.port()) as once:
            once.send(encode("GET", "/ping"))
            same(once.response().body, b"OK")
            assert never.ended() and once.ended()
        assert wait_for(lambda: metric(n.port(), "http_connections") == 1, 10)


def test_who_takes_nothing_of_its_answers_is_given_up(_):
    with Node("--idle-timeout-ms", "700") as n:
        prepare(n.port())
        same(http(n.port(), "PUT", "/buckets/large/keys/k", TEXT, b"x" * LARGE).status, 204)
        held = [small_reader(n.port()) for _ in range(4)]
        for c in held:
            c.send(encode("GET", "/buckets/large/keys/k") * 4)
        assert wait_for(lambda: metric(n.port(), "http_connections_given_up_total") == 4, 30)
        assert wait_for(lambda: metric(n.port(), "http_connections") == 1, 10)
        for c in held:
            c.close()
        same(len(http(n.port(), "GET", "/buckets/large/keys/k").body), LARGE)
        check_canaries(n.port())


def test_who_takes_nothing_of_a_listing_is_given_up(_):
    with Node("--idle-timeout-ms", "700") as n:
        with Connection(n.port(), 60) as c:
            for i in range(0, 3000, 50):
                c.send(b"".join(encode("PUT", "/buckets/long/keys/%04d%s" % (k, "k" * 4000), TEXT, b"") for k in range(i,
                                                                                                                       i + 50)))
                for _k in range(50):
                    same(c.response().status, 204)
        with small_reader(n.port()) as c:
            c.send(encode("GET", "/buckets/long/keys?keys=stream"))
            assert wait_for(lambda: metric(n.port(), "http_connections_given_up_total") == 1, 30)
            assert wait_for(lambda: metric(n.port(), "http_requests_in_flight") == 1, 10)  # /metrics itself
        with Connection(n.port(), 60) as c:
            c.send(encode("GET", "/buckets/long/keys?keys=stream"))
            r = c.response()
        same((r.whole, r.body.count(b"kkkk\"")), (True, 3000))


def test_what_nobody_takes_is_bounded_for_all_together(_):
    with Node("--pool-bytes", "64m") as n:
        prepare(n.port())
        same(http(n.port(), "PUT", "/buckets/large/keys/k", TEXT, b"x" * LARGE).status, 204)
        before, most = resident_kib(n), 0
        held = []
        for _round in range(40):
            held.append(small_reader(n.port()))
            held[-1].send(encode("GET", "/buckets/large/keys/k") * 20)
            same(http(n.port(), "GET", "/buckets/canary/keys/3").body, b"canary 3")
            most = max(most, resident_kib(n))
            time.sleep(0.03)
        print("# 40 clients that ask for 6.4 GB: resident memory %+d KiB at most" % (most - before))
        assert most - before < 400 << 10, most - before
        assert metric(n.port(), "http_connections_given_up_total") > 20
        for c in held:
            c.close()
        check_canaries(n.port())


def test_bodies_that_nobody_ends_are_bounded_for_all_together(_):
    with Node("--pool-bytes", "64m") as n:
        prepare(n.port())
        before = resident_kib(n)
        held = [Connection(n.port()) for _ in range(40)]
        for i, c in enumerate(held):
            try:
                c.send(encode("PUT", "/buckets/bodies/keys/%d" % i,
                              dict(TEXT, **{"Content-Length": str(LARGE)})) + b"x" * (LARGE - 1))
            except OSError:
                pass  # it was given up
            time.sleep(0.03)
        most = resident_kib(n)
        print("# 40 bodies of 8 MiB without their last byte: resident memory %+d KiB" % (most - before))
        assert most - before < 300 << 10, most - before
        assert metric(n.port(), "http_connections_given_up_total") > 20
        check_canaries(n.port())
        for c in held:
            c.close()
        same(http(n.port(), "GET", "/buckets/bodies/keys?keys=true").body, b'{"keys":[]}')


def test_a_half_closed_connection_is_answered_what_it_asked_and_ended(_):
    head = b"PUT /buckets/half/keys/k HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\n"
    with Node() as n:
        prepare(n.port())
        for what, data, answers in (("nothing", b"", 0), ("half a line", b"GET /pi", 0),
                                    ("half a head", b"GET /ping HTTP/1.1\r\nHost: x\r\n", 0),
                                    ("half a body", head + b"Content-Length: 9\r\n\r\nhalf", 0),
                                    ("half a chunk", head + b"Transfer-Encoding: chunked\r\n\r\n9\r\nhalf", 0),
                                    ("one and a half", encode("GET", "/ping") + b"GET /pi", 1),
                                    ("three", encode("GET", "/ping") * 3, 3),
                                    ("a listing", encode("GET", "/buckets/canary/keys?keys=stream"), 1)):
            with Connection(n.port()) as c:
                c.send(data)
                c.socket.shutdown(socket.SHUT_WR)
                for _i in range(answers):
                    same(c.response().status, 200, what)
                assert c.ended(), what
        same(http(n.port(), "GET", "/buckets/half/keys/k").status, 404)
        assert wait_for(lambda: metric(n.port(), "http_connections") == 1, 10)
        check_canaries(n.port())


def test_thousands_that_go_away_in_the_midst_leave_nothing_behind(_):
    """A third is reset, a third closed, a third half-closed first; at each of them somewhere else in its request."""
    head = b"PUT /buckets/gone/keys/%d HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\n"
    with Node() as n:
        prepare(n.port())
        same(http(n.port(), "PUT", "/buckets/large/keys/k", TEXT, b"x" * LARGE).status, 204)
        kinds = (b"", b"G", b"GET /ping HTTP/1.1\r\nHost", head + b"\r\n", head + b"Content-Length: 100\r\n\r\nhalf",
                 head + b"Transfer-Encoding: chunked\r\n\r\nff\r\nhalf", encode("GET", "/buckets/large/keys/k"),
                 encode("GET", "/buckets/canary/keys?keys=stream"),
                 encode("GET", "/ping") * 30, head + b"Content-Length: 4\r\n\r\nfull", b"\x00\xff\r\n\r\n")
        before, files = resident_kib(n), files_of(n)
        for i in range(DROPPED):
            data = kinds[i % len(kinds)]
            c = Connection(n.port())
            try:
                c.send(data % i if b"%d" in data else data)
                if i % 3 == 0:
                    c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if i % 3 == 1:
                    c.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # one too many was refused, or it was answered and closed
            c.close()
        assert wait_for(lambda: metric(n.port(), "http_connections") == 1, 20), "connections stay"
        assert wait_for(lambda: metric(n.port(), "http_requests_in_flight") == 1, 20)
        assert wait_for(lambda: files_of(n) <= files + 1, 10), (files_of(n), files)
        grown = resident_kib(n) - before
        print("# %d connections dropped: resident memory %+d KiB, %d accepted" % (DROPPED, grown,
                                                                                  metric(n.port(),
                                                                                         "http_connections_accepted_total")))
        assert grown < 100 << 10, grown
        check_canaries(n.port())
        for i in range(DROPPED):
            if kinds[i % len(kinds)].endswith(b"half"):
                same(http(n.port(), "GET", "/buckets/gone/keys/%d" % i).status, 404)
                break


def main():
    count = lib.Count()
    for name, function in lib.tests_of(sys.modules[__name__]):
        count.check(name, function, None)
    count.finish()


main()
