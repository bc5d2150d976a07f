#!/usr/bin/env python3
"""Counters (/buckets/B/counters/K), over real sockets."""
import base64
import concurrent.futures
import hashlib
import json
import random
import sys

import lib
from lib import http, same

TEXT = {"Content-Type": "text/plain"}
NO_NUMBER = (b"the body of an increment must be a decimal number of 64 bits, with a sign or without, "
             b"and nothing else\n")


def path(key, query="", bucket="n"):
    return "/buckets/%s/counters/%s%s" % (bucket, key, query)


def add(port, key, number, query="", headers=None, bucket="n"):
    body = number if isinstance(number, bytes) else b"%d" % number
    return http(port, "POST", path(key, query, bucket), headers, body)


def get(port, key, query="?r=all", headers=None, bucket="n"):
    return http(port, "GET", path(key, query, bucket), headers)


def plain(port, method, key, headers=None, body=None, query="", bucket="n"):
    return http(port, method, "/buckets/%s/keys/%s%s" % (bucket, key, query), headers, body)


def set_props(port, bucket, **props):
    r = http(port, "PUT", "/buckets/%s/props" % bucket, {"Content-Type": "application/json"},
             json.dumps({"props": props}).encode())
    same(r.status, 204, "props of " + bucket)


def md5(body):
    return base64.b64encode(hashlib.md5(body).digest()).decode()


# The body of an increment, and what a counter that stood at 10 stands at then; None: 400, and it is still 10.
BODIES = [
    (b"1", 11), (b"-1", 9), (b"+5", 15), (b"0", 10), (b"-0", 10), (b"007", 17), (b"-20", -10),
    (b"0000000000000000001", 11), (b"9223372036854775797", 9223372036854775807),
    (b"-9223372036854775808", -9223372036854775798),
    (b"", None), (b"1.5", None), (b"0x10", None), (b"1e3", None), (b"-", None), (b"+", None), (b"--1", None),
    (b"+-1", None), (b" 1", None), (b"1 ", None), (b"1\n", None), (b"1 2", None), (b"\t", None), (b"one", None),
    (b"1,000", None), (b"9223372036854775808", None), (b"-9223372036854775809", None),
    (b"00000000000000000001", None), (b"99999999999999999999", None), (b"1" * 100, None), (b"1" * 100000, None),
    (b"\xd9\xa1", None), (b"1\x00", None), (b"\x00", None), (b'{"increment":1}', None), (b"null", None),
]

# What a counter that stood at 10 is asked, and how it is answered.
ROWS = [
    ("GET", "", None, None, 200, b"10"),
    ("GET", "?r=1", None, None, 200, b"10"),
    ("GET", "?r=all&pr=all&node_confirms=3&notfound_ok=false&basic_quorum=true", None, None, 200, b"10"),
    ("GET", "?consistency=primary", None, None, 200, b"10"),
    ("GET", "", {"Accept": "text/html"}, None, 200, b"10"),
    ("GET", "", {"Accept": "application/json"}, None, 200, b"10"),
    ("GET", "", {"If-None-Match": "*"}, None, 200, b"10"),
    ("GET", "?returnvalue=true&vtag=x&unknown=1", None, None, 200, b"10"),
    ("HEAD", "", None, None, 200, b""),
    ("GET", "?r=0", None, None, 400, b"r query parameter must be at least 1\n"),
    ("GET", "?r=4", None, None, 400,
     b"Specified w/dw/pw/node_confirms values invalid for bucket n value of 3\n"),
    ("GET", "?pr=x", None, None, 400,
     b"pr query parameter must be an integer or one of the following words: 'one', 'quorum' or 'all'\n"),
    ("GET", "?basic_quorum=x", None, None, 400, b"basic_quorum query parameter must be true or false\n"),
    ("GET", "?notfound_ok=x", None, None, 400, b"notfound_ok query parameter must be true or false\n"),
    ("GET", "?timeout=x", None, None, 400, b'Bad timeout value "x"\n'),
    ("GET", "", {"X-Dunlin-At-Least": "?"}, None, 400, b"X-Dunlin-At-Least must be a context in base64\n"),
    ("POST", "", None, b"5", 204, b""),
    ("POST", "?returnvalue=true", None, b"5", 200, b"15"),
    ("POST", "?returnvalue=false", None, b"5", 204, b""),
    ("POST", "?returnvalue=True", None, b"5", 204, b""),
    ("POST", "?returnbody=true", None, b"5", 204, b""),
    ("POST", "?returnvalue=true&w=all&dw=all&pw=all&node_confirms=3", None, b"5", 200, b"15"),
    ("POST", "?w=1&dw=1&returnvalue=true", None, b"-5", 200, b"5"),
    ("POST", "", {"Content-Type": "application/json"}, b"5", 204, b""),
    ("POST", "", {"Content-Type": "nonsense"}, b"5", 204, b""),
    ("POST", "", {"X-Riak-Vclock": "nonsense"}, b"5", 204, b""),
    ("POST", "", {"If-Modified-Since": "Sun, 06 Nov 1994 08:49:37 GMT"}, b"5", 204, b""),
    ("POST", "", {"Content-MD5": md5(b"5")}, b"5", 204, b""),
    ("POST", "", {"Content-MD5": md5(b"6")}, b"5", 400,
     b"Content-MD5 is not the MD5 of the body in base64\n"),
    ("POST", "?w=0", None, b"5", 400, b"w query parameter must be at least 1\n"),
    ("POST", "?w=4", None, b"5", 400,
     b"Specified w/dw/pw/node_confirms values invalid for bucket n value of 3\n"),
    ("POST", "?pw=9", None, b"5", 400,
     b"Specified w/dw/pw/node_confirms values invalid for bucket n value of 3\n"),
    ("POST", "?dw=x", None, b"5", 400,
     b"dw query parameter must be an integer or one of the following words: 'one', 'quorum' or 'all'\n"),
    ("POST", "?timeout=-1", None, b"5", 400, b'Bad timeout value "-1"\n'),
    ("POST", "?trace=x", None, b"5", 400, b"trace query parameter must be 1 or 0\n"),
    ("POST", "", {"X-Dunlin-TTL": "0"}, b"5", 400,
     b"X-Dunlin-TTL must be a number of seconds from 1 to 3155760000\n"),
    ("POST", "", {"If-Match": "*"}, b"5", 400, b"an increment takes no conditions\n"),
    ("POST", "", {"If-None-Match": "*"}, b"5", 400,
     b"an increment takes no conditions\n"),
    ("POST", "", {"If-Unmodified-Since": "Wed, 06 Nov 2199 08:49:37 GMT"}, b"5", 400,
     b"an increment takes no conditions\n"),
    ("PUT", "", TEXT, b"5", 405, b"a counter takes GET, HEAD and POST\n"),
    ("DELETE", "", None, None, 405, b"a counter takes GET, HEAD and POST\n"),
    ("PATCH", "", None, b"5", 501, None),
    ("POST", "", {"Origin": "http://elsewhere.example"}, b"5", 403,
     b"a write from a page of another site (Origin, Referer)\n"),
]


def check_row(cluster, row, key, node):
    method, query, headers, body, status, text = row
    port = cluster.port(node)
    same(add(cluster.port(), key, 10, "?w=all").status, 204)
    r = http(port, method, path(key, query), headers, body)
    same(r.status, status, "%r" % r)
    if text is not None:
        same(r.body, text)
    if status in (200, 204):
        same(r.header("Content-Type"), "text/plain")
        same((r.header("X-Riak-Vclock"), r.header("ETag"), r.header("X-Dunlin-Outcome")), (None, None, None))
    elif method in ("POST", "PUT", "DELETE"):
        same(r.header("X-Dunlin-Outcome"), "none")
    if status == 405:
        same(r.header("Allow"), "GET, HEAD, POST")
    grown = int(body) if method == "POST" and status in (200, 204) else 0
    same(get(port, key).body, b"%d" % (10 + grown))


def check_body(cluster, body, wanted, key, node):
    port = cluster.port(node)
    same(add(cluster.port(), key, 10, "?w=all").status, 204)
    r = add(port, key, body, "?returnvalue=true")
    if wanted is None:
        same((r.status, r.body, r.header("X-Dunlin-Outcome")), (400, NO_NUMBER, "none"))
        wanted = 10
    else:
        same((r.status, r.body), (200, b"%d" % wanted))
    same(get(port, key).body, b"%d" % wanted)


def test_a_counter_that_nobody_counted_is_not_found(port):
    r = get(port, "none")
    same((r.status, r.body), (404, b"not found\n"))
    same(http(port, "HEAD", path("none")).status, 404)


def test_the_first_increment_makes_it(port, cluster):
    same(add(port, "first", 0).status, 204)
    same(get(cluster.port(2), "first").body, b"0")
    same(add(cluster.port(3), "first", -7, "?returnvalue=true").body, b"-7")


def test_a_deleted_counter_is_not_found_and_counts_anew(port, cluster):
    add(port, "gone", 5, "?w=all")
    same(plain(cluster.port(2), "DELETE", "gone", query="?w=all").status, 204)
    r = get(port, "gone")
    same((r.status, r.body), (404, b"not found\n"))
    same(add(port, "gone", 3, "?returnvalue=true").body, b"3")
    same(get(cluster.port(3), "gone").body, b"3")
    same(plain(port, "GET", "gone").status, 200)


def test_a_plain_value_is_no_counter_and_stays_beside_one(port):
    plain(port, "PUT", "plain", TEXT, b"41")
    r = get(port, "plain")
    same((r.status, r.body), (404, b"not found\n"))
    same(add(port, "plain", 1, "?returnvalue=true").body, b"1")
    same(add(port, "plain", 1, "?returnvalue=true").body, b"2")
    r = plain(port, "GET", "plain", {"Accept": "multipart/mixed"})
    same((r.status, r.body.count(b"Etag:"), b"\r\n\r\n41\r\n" in r.body), (300, 2, True))


def test_as_an_object_it_has_a_type_of_its_own_and_can_be_put_back(port):
    add(port, "raw", 7)
    r = plain(port, "GET", "raw")
    same((r.status, r.header("Content-Type")), (200, "application/x-dunlin-counter"))
    saved, kind = r.body, {"Content-Type": "application/x-dunlin-counter"}
    plain(port, "DELETE", "raw")
    same(plain(port, "PUT", "raw2", kind, saved).status, 204)
    same(get(port, "raw2").body, b"7")
    same(add(port, "raw2", 1, "?returnvalue=true").body, b"8")
    same(plain(port, "PUT", "raw3", kind, b"not one").status, 204)
    same(get(port, "raw3").status, 404)


def test_a_bucket_without_siblings_counts_nothing(port, cluster):
    text = b"Counters require bucket property 'allow_mult=true'\n"
    add(port, "k", 5, bucket="single")
    for props in ({"allow_mult": False}, {"allow_mult": True, "last_write_wins": True}):
        set_props(port, "single", **props)
        r = add(port, "k", 1, bucket="single")
        same((r.status, r.body, r.header("X-Dunlin-Outcome")), (409, text, "none"))
    same(get(port, "k", bucket="single").body, b"5")
    set_props(port, "single", last_write_wins=False)
    same(add(port, "k", 1, "?returnvalue=true", bucket="single").body, b"6")


def test_only_the_default_type_has_them(port):
    for p in ("/types/default/buckets/n/counters/k", "/riak/n/counters/k", "/buckets/n/counters",
              "/buckets/n/counters/k/x", "/types/default/buckets/n/datatypes/k"):
        same(http(port, "GET", p).status, 404, p)
        same(http(port, "POST", p, None, b"1").status, 404, p)


def test_names_are_decoded_as_those_of_objects_are(port):
    same(add(port, "a%20b%2Fc", 3).status, 204)
    same(get(port, "a+b%2fc").body, b"3")
    same(plain(port, "GET", "a%20b%2Fc").status, 200)
    same(add(port, "k" * 4097, 3).status, 400)


def test_the_ends_of_64_bits(port, cluster):
    same(add(port, "range", 2**63 - 1, "?returnvalue=true").body, b"9223372036854775807")
    r = add(port, "range", 1)
    same((r.status, r.body, r.header("X-Dunlin-Outcome")),
         (409, b"the increment would take the counter out of 64 bits\n", "none"))
    same(add(cluster.port(2), "range", -2**63, "?returnvalue=true").body, b"-1")
    same(add(cluster.port(3), "range", -2**63).status, 409)
    same(get(port, "range").body, b"-1")


def test_a_write_once_bucket_counts_once_and_require_context_asks_for_none(port):
    set_props(port, "counted-once", write_once=True)
    same(add(port, "k", 5, bucket="counted-once").status, 204)
    r = add(port, "k", 5, bucket="counted-once")
    same((r.status, r.body), (409, b"the bucket is write_once, and the key is there\n"))
    same(get(port, "k", bucket="counted-once").body, b"5")
    set_props(port, "contexts", require_context=True)
    same(add(port, "k", 5, bucket="contexts").status, 204)
    same(add(port, "k", 5, "?returnvalue=true", bucket="contexts").body, b"10")


def test_a_life_is_that_of_the_last_increment(port):
    same(add(port, "brief", 5, headers={"X-Dunlin-TTL": "1"}).status, 204)
    same(get(port, "brief").body, b"5")
    assert lib.wait_for(lambda: get(port, "brief").status == 404, 10)
    same(add(port, "brief", 2, "?returnvalue=true").body, b"2")
    set_props(port, "brief", ttl=1)
    same(add(port, "k", 2, bucket="brief").status, 204)
    assert lib.wait_for(lambda: get(port, "k", bucket="brief").status == 404, 10)


def test_an_increment_can_be_traced(port):
    r = add(port, "traced", 5, "?trace=1")
    same(r.status, 204)
    trace = json.loads(http(port, "GET", "/admin/trace/" + r.header("X-Dunlin-Trace")).body)
    assert "takes the increment" in json.dumps(trace), trace


def test_chunked_and_awaited_bodies_are_numbers_too(port):
    same(http(port, "POST", path("chunked"), {"Transfer-Encoding": "chunked"}, b"1\r\n4\r\n1\r\n2\r\n0\r\n\r\n").status, 204)
    same(get(port, "chunked").body, b"42")
    with lib.Connection(port) as c:
        c.send(lib.encode("POST", path("chunked"), {"Expect": "100-continue", "Content-Length": "2"}))
        same(c.response().status, 100)
        c.send(b"-2")
        same(c.response().status, 204)
    same(get(port, "chunked").body, b"40")


def test_they_are_counted_in_stats(port):
    before = json.loads(http(port, "GET", "/stats").body)
    for i in range(5):
        add(port, "stats", 1)
    for i in range(3):
        get(port, "stats")
    now = json.loads(http(port, "GET", "/stats").body)
    grown = [now[n] - before[n] for n in ("node_puts_counter_total", "node_puts_total", "node_gets_counter_total",
                                          "node_gets_total")]
    same(grown, [5, 5, 3, 3])


def test_increments_of_many_connections_at_once_add_up(port, cluster):
    deltas = [[random.randint(-50, 100) for _ in range(40)] for _ in range(24)]

    def count(i):
        with lib.Connection(cluster.port(1 + i % 3)) as c:
            for d in deltas[i]:
                c.send(lib.encode("POST", path("crowd%d" % (i % 2)), None, b"%d" % d))
                same(c.response().status, 204)

    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        list(pool.map(count, range(24)))
    for k in (0, 1):
        wanted = sum(sum(d) for d in deltas[k::2])
        for node in (1, 2, 3):
            same(get(cluster.port(node), "crowd%d" % k).body, b"%d" % wanted)


def test_pipelined_increments_add_up(port, cluster):
    with lib.Connection(port) as c:
        c.send(b"".join(lib.encode("POST", path("pipe"), None, b"1") for _ in range(200)))
        same([c.response().status for _ in range(200)], [204] * 200)
    same(get(cluster.port(2), "pipe").body, b"200")


def test_nodes_that_are_killed_lose_and_double_nothing(port, cluster):
    acked, unknown = 0, 0
    for round, node in enumerate((2, 3, 1, 2)):
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            def some(i):
                done = open_ = 0
                for n in range(15):
                    at = 1 + (i + n) % 3
                    try:
                        r = add(cluster.port(at), "killed", 1)
                    except ConnectionRefusedError:
                        continue
                    except (OSError, AssertionError):
                        open_ += 1
                        continue
                    done += r.status == 204
                    open_ += r.status != 204 and r.header("X-Dunlin-Outcome") != "none"
                return done, open_
            tasks = [pool.submit(some, i) for i in range(6)]
            cluster.kill(node)
            for t in tasks:
                done, open_ = t.result()
                acked, unknown = acked + done, unknown + open_
        cluster.restart(node)
        assert lib.wait_for(lambda: all(len(lib.members_up(cluster.port(i))) == 3 for i in (1, 2, 3)))
    assert acked > 100, (acked, unknown)
    assert lib.wait_for(lambda: get(port, "killed").status == 200)
    for node in (1, 2, 3):
        number = int(get(cluster.port(node), "killed").body)
        assert acked <= number <= acked + unknown, (number, acked, unknown)


def main():
    count = lib.Count()
    with lib.Cluster() as cluster:
        port = cluster.port()
        for serial, row in enumerate(ROWS):
            what = "%s %s with %r is %d" % (row[0], row[1], row[2] or row[3], row[4])
            count.check(what, check_row, cluster, row, "row%d" % serial, 1 + serial % 3)
        for serial, (body, wanted) in enumerate(BODIES):
            what = "an increment by %r makes 10 %s" % (body[:30], "400" if wanted is None else wanted)
            count.check(what, check_body, cluster, body, wanted, "body%d" % serial, 1 + serial % 3)
        for name, function in lib.tests_of(sys.modules[__name__]):
            wants = function.__code__.co_argcount
            count.check(name, function, *(port, cluster)[:wants])
    count.finish()


main()
