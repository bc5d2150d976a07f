#!/usr/bin/env python3
"""HTTP as a transport, over real sockets: connections, their order, their ends, and what is refused."""
import re
import socket
import sys
import time

import lib
from lib import Connection, Node, encode, http, same

TEXT = {"Content-Type": "text/plain"}
DATE = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT"


def test_a_connection_serves_many_requests(port):
    with Connection(port) as c:
        for i in range(100):
            c.send(encode("PUT", "/buckets/k/keys/%d" % i, TEXT, b"%d" % i))
            same(c.response().status, 204)
        for i in range(100):
            c.send(encode("GET", "/buckets/k/keys/%d" % i))
            same(c.response().body, b"%d" % i)


def test_pipelined_requests_are_answered_in_order(port):
    with Connection(port) as c:
        n = 300
        c.send(b"".join(encode("PUT", "/buckets/p/keys/%d" % i, TEXT, b"%d" % i) +
                        encode("GET", "/buckets/p/keys/%d" % i) for i in range(n)))
        for i in range(n):
            same(c.response().status, 204, "put %d" % i)
            same(c.response().body, b"%d" % i, "get %d" % i)


def test_what_follows_a_chunked_body_is_the_next_request(port):
    chunked = dict(TEXT, **{"Transfer-Encoding": "chunked"})
    body = b"3\r\nabc\r\n10;ext=1\r\n0123456789abcdef\r\n0\r\nTrailer: x\r\n\r\n"
    for step in (0, 1, 7):
        keys = ["/buckets/p/keys/chunked-%d-%d" % (step, i) for i in range(3)]
        with Connection(port) as c:
            c.send(b"".join(encode("PUT", k, chunked, body) + encode("GET", k + "?r=all") +
                            encode("DELETE", k) for k in keys), step)
            for _ in keys:
                same(c.response().status, 204)
                same(c.response().body, b"abc0123456789abcdef")
                same(c.response().status, 204)


def test_pipelined_requests_before_a_half_close_are_answered(port):
    with Connection(port) as c:
        c.send(encode("GET", "/ping") * 200)
        c.socket.shutdown(socket.SHUT_WR)
        for _ in range(200):
            same(c.response().body, b"OK")
        assert c.ended()


def test_a_request_before_a_half_close_is_answered(port):
    with Connection(port) as c:
        c.send(encode("PUT", "/buckets/h/keys/k", TEXT, b"v"))
        c.socket.shutdown(socket.SHUT_WR)
        same(c.response().status, 204)
        assert c.ended()


def test_a_request_that_is_cut_short_changes_nothing(port):
    with Connection(port) as c:
        c.send(encode("PUT", "/buckets/h/keys/cut", dict(TEXT, **{"Content-Length": "10"}), b"v"))
    time.sleep(0.05)
    same(http(port, "GET", "/buckets/h/keys/cut").status, 404)


def test_Connection_close_closes(port):
    with Connection(port) as c:
        c.send(encode("GET", "/ping", {"Connection": "close"}))
        r = c.response()
        same((r.status, r.header("Connection")), (200, "close"))
        assert c.ended()


def test_HTTP_1_0_closes_unless_it_asks_not_to(port):
    with Connection(port) as c:
        c.send(encode("GET", "/ping", version="1.0"))
        same(c.response().body, b"OK")
        assert c.ended()
    with Connection(port) as c:
        for _ in range(2):
            c.send(encode("GET", "/ping", {"Connection": "keep-alive"}, version="1.0"))
            r = c.response()
            same((r.body, r.header("Connection")), (b"OK", "keep-alive"))


def test_a_client_that_expects_100_is_told_to_go_on(port):
    with Connection(port) as c:
        head = encode("PUT", "/buckets/e/keys/k", dict(TEXT, Expect="100-continue",
                                                     **{"Content-Length": "5"}))
        c.send(head)
        same(c.response().status, 100)
        c.send(b"12345")
        same(c.response().status, 204)
        c.send(encode("GET", "/buckets/e/keys/k"))
        same(c.response().body, b"12345")


def test_a_client_that_expects_100_is_refused_before_it_sends(port):
    for path, headers, status in (("/buckets/e/keys/k", {"Content-Length": "5"}, 400),
                                  ("/buckets/e/keys/k", dict(TEXT, **{"Content-Length": "9000000"}), 413)):
        with Connection(port) as c:
            c.send(encode("PUT", path, dict(headers, Expect="100-continue")))
            same(c.response().status, status)
            assert c.ended()


def test_a_refused_body_does_not_cost_the_client_its_answer(port):
    """A body that nobody reads must not reset the connection before the answer is read."""
    with Connection(port) as c:
        c.send(encode("PUT", "/buckets/e/keys/k", dict(TEXT, **{"Content-Length": "9000000"})))
        try:
            c.send(b"x" * 2000000)
        except OSError:
            pass
        time.sleep(0.1)
        same(c.response().status, 413)


BAD = [
    ("a bare line feed", b"GET /ping HTTP/1.1\nHost: x\n\n", 400),
    ("a folded header line", b"GET /ping HTTP/1.1\r\nHost: x\r\n y\r\n\r\n", 400),
    ("no host", b"GET /ping HTTP/1.1\r\n\r\n", 400),
    ("two hosts", b"GET /ping HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    ("a length that is no number", b"PUT /ping HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n", 400),
    ("a length beyond all numbers",
     b"PUT /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", (400, 413)),
    ("a NUL in a header", b"GET /ping HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n", 400),
    ("HTTP/2", b"GET /ping HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", (400, 501)),
    ("a target that is too long", b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    ("a header line that is too long",
     b"GET /ping HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 20000 + b"\r\n\r\n", 431),
    ("too many headers", b"GET /ping HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 600 + b"\r\n", 431),
    ("a header block that is too long",
     b"GET /ping HTTP/1.1\r\nHost: x\r\n" + (b"A: " + b"b" * 8000 + b"\r\n") * 9 + b"\r\n", 431),
    ("an expectation that nobody knows", b"GET /ping HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n", 417),
]


def check_bad(port, data, status, step):
    with Connection(port) as c:
        c.send(data, step)
        r = c.response()
        assert r is not None, "closed without an answer"
        assert r.status in (status if isinstance(status, tuple) else (status,)), r
        same(r.header("Connection"), "close")
        assert r.header("Content-Type"), r
        c.socket.shutdown(socket.SHUT_WR)
        assert c.ended()


def test_requests_of_two_clients_do_not_wait_for_each_other(port):
    with Connection(port) as slow:
        slow.send(encode("PUT", "/buckets/s/keys/slow", dict(TEXT, **{"Content-Length": "3"}), b"v"))
        same(http(port, "GET", "/ping").status, 200)
        slow.send(b"al")
        same(slow.response().status, 204)


def test_a_reader_that_is_slow_gets_everything(port):
    body = b"0123456789abcdef" * 65536
    http(port, "PUT", "/buckets/s/keys/big", TEXT, body)
    with Connection(port) as c:
        c.send(encode("GET", "/buckets/s/keys/big") * 20)
        time.sleep(0.3)
        for _ in range(20):
            same(c.response().body == body, True)


def test_metrics_are_as_Prometheus_reads_them(port):
    http(port, "PUT", "/buckets/m/keys/k", TEXT, b"v")
    r = http(port, "GET", "/metrics")
    same(r.status, 200)
    assert r.header("Content-Type").startswith("text/plain; version=0.0.4"), r
    typed, seen, values = {}, set(), {}
    for line in r.body.decode().splitlines():
        if line.startswith("#"):
            _, what, name, rest = line.split(" ", 3)
            assert what in ("HELP", "TYPE") and rest, line
            if what == "TYPE":
                assert name not in typed, "twice: " + name
                assert rest in ("counter", "gauge", "histogram"), line
                typed[name] = rest
            continue
        m = re.fullmatch(r'(dunlin_[a-z0-9_]+)(\{[^{}]*\})? ([0-9.e+]+)', line)
        assert m, "not a sample: " + line
        base = re.sub("_(bucket|sum|count)$", "", m[1]) if m[1] not in typed else m[1]
        assert base in typed, "no TYPE for " + m[1]
        assert typed[base] != "counter" or base.endswith("_total"), line
        assert (m[1], m[2]) not in seen, "twice: " + line
        seen.add((m[1], m[2]))
        values[m[1] + (m[2] or "")] = float(m[3])
    assert values["dunlin_client_puts_total"] >= 1
    assert values['dunlin_http_requests_total{method="put",status="2xx"}'] >= 1
    assert values['dunlin_request_seconds_count{op="put"}'] >= 1
    assert values["dunlin_store_sync_seconds_count"] >= 1
    assert values["dunlin_process_resident_bytes"] > 1e6
    buckets = [v for k, v in values.items() if k.startswith('dunlin_request_seconds_bucket{op="put"')]
    same(buckets, sorted(buckets), "histogram buckets rise")


def test_slow_and_silent_clients_are_ended(_):
    with Node("--request-timeout-ms", "300", "--idle-timeout-ms", "800") as n:
        with Connection(n.port()) as c:
            c.send(b"GET /ping HTTP/1.1\r\nHo")
            begun = time.monotonic()
            r = c.response()
            same((r.status, r.header("Connection")), (408, "close"))
            assert 0.25 < time.monotonic() - begun < 0.75
        with Connection(n.port()) as c:
            c.send(encode("PUT", "/buckets/b/keys/k", dict(TEXT, **{"Content-Length": "3"}), b"v"))
            same(c.response().status, 408)
        with Connection(n.port()) as c:
            begun = time.monotonic()
            assert c.ended()
            assert 0.7 < time.monotonic() - begun < 1.5
        with Connection(n.port()) as c:
            for _ in range(8):  # each request begins anew
                time.sleep(0.2)
                c.send(encode("GET", "/ping"))
                same(c.response().status, 200)
        assert b"dunlin_http_timeouts_total 2\n" in http(n.port(), "GET", "/metrics").body


def test_a_trickle_of_bytes_does_not_hold_a_request_open(_):
    with Node("--request-timeout-ms", "300") as n, Connection(n.port()) as c:
        begun = time.monotonic()
        c.socket.settimeout(0.02)
        for b in b"GET /ping HTTP/1.1\r\nHost: " + b"x" * 100:
            try:
                c.send(bytes([b]))
                if c.more():
                    break
            except TimeoutError:
                pass
            except OSError:
                break
        c.socket.settimeout(20)
        same(c.response().status, 408)
        assert time.monotonic() - begun < 1.2


def test_a_connection_too_many_is_told_so(_):
    with Node("--connections-max", "3") as n:
        time.sleep(0.05)
        held = [Connection(n.port()) for _ in range(3)]
        for c in held:
            c.send(encode("GET", "/ping"))
            same(c.response().status, 200)
        with Connection(n.port()) as c:
            r = c.response()
            same((r.status, r.header("Retry-After"), r.body), (503, "1", b"too many connections\n"))
            assert re.fullmatch(DATE, r.header("Date") or ""), r
            same((r.header("Connection"), r.header("Content-Type")), ("close", "text/plain; charset=utf-8"))
            assert c.ended()
        held.pop().close()
        assert lib.wait_for(lambda: http(n.port(), "GET", "/ping").status == 200, 2)
        for c in held:
            c.close()


def test_a_smaller_limit_on_values_is_kept(_):
    with Node("--value-bytes-max", "1k") as n:
        same(http(n.port(), "PUT", "/buckets/b/keys/k", TEXT, b"x" * 1024).status, 204)
        same(http(n.port(), "PUT", "/buckets/b/keys/k", TEXT, b"x" * 1025).status, 413)


def test_what_was_accepted_is_answered_before_a_stop(_):
    with Node() as n:
        with Connection(n.port()) as busy, Connection(n.port()) as idle:
            busy.send(encode("PUT", "/buckets/b/keys/k", dict(TEXT, **{"Content-Length": "3"}), b"v"))
            time.sleep(0.1)
            n.process.terminate()
            assert idle.ended()
            time.sleep(0.2)
            busy.send(b"al")
            r = busy.response()
            same((r.status, r.header("Connection")), (204, "close"))
            assert busy.ended()
        same(n.process.wait(20), 0)
        assert 'msg="stopped"' in n.read_log(), n.read_log()


def main():
    count = lib.Count()
    with lib.Cluster() as cluster:
        port = cluster.port()
        for name, data, status in BAD:
            count.check(name + " is refused", check_bad, port, data, status, 0)
            count.check(name + " is refused, byte by byte", check_bad, port, data, status,
                        1 if len(data) < 1000 else 501)
        for name, function in lib.tests_of(sys.modules[__name__]):
            count.check(name, function, port)
    count.finish()


main()
