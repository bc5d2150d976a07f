#!/usr/bin/env python3
"""Sessions: X-Dunlin-At-Least over real sockets and processes."""
import sys

import lib
from lib import Connection, encode, http, same, wait_for

TEXT = {"Content-Type": "text/plain"}
NODES = (1, 2, 3)


def put(port, key, body, context=None, query=""):
    headers = dict(TEXT, **({"X-Riak-Vclock": context} if context else {}))
    r = http(port, "PUT", "/buckets/s/keys/%s%s" % (key, query), headers, body)
    same(r.status, 204, "%r" % r)
    return r.header("X-Riak-Vclock")


def get(port, key, context, query="?r=1"):
    return http(port, "GET", "/buckets/s/keys/%s%s" % (key, query), {"X-Dunlin-At-Least": context})


def test_each_node_answers_what_a_client_wrote_at_another(cluster):
    for i in range(60):
        context = put(cluster.port(1 + i % 3), "own", b"%d" % i, i and context, "?w=1")
        r = get(cluster.port(1 + (i + 1) % 3), "own", context)
        same((r.status, r.body), (200, b"%d" % i))
        context = r.header("X-Riak-Vclock")


def test_a_context_of_another_key_is_400(cluster):
    context = put(cluster.port(), "a", b"v")
    r = get(cluster.port(), "b", context)
    same((r.status, r.body), (400, b"the context was not given out for this key by this cluster\n"))


def test_what_is_no_context_is_400(cluster):
    for text, why in (("not base64!", b"X-Dunlin-At-Least must be a context in base64\n"),
                      ("QUJD", b"the context was not given out for this key by this cluster\n"),
                      ("A" * 11000, b"X-Dunlin-At-Least is longer than any context given out\n")):
        r = get(cluster.port(), "a", text)
        same((r.status, r.body), (400, why), text[:20])
    context = put(cluster.port(), "a", b"v")
    with Connection(cluster.port()) as c:
        c.send(encode("GET", "/buckets/s/keys/a", {"X-Dunlin-At-Least": [context, context]}))
        r = c.response()
    same((r.status, r.body), (400, b"X-Dunlin-At-Least must be sent once\n"))


def test_an_empty_one_is_none_and_a_write_takes_none(cluster):
    put(cluster.port(), "e", b"v")
    same(get(cluster.port(), "e", "", "").status, 200)
    r = http(cluster.port(), "PUT", "/buckets/s/keys/e", dict(TEXT, **{"X-Dunlin-At-Least": "!"}), b"w")
    same(r.status, 204)


def test_what_no_reachable_replica_has_seen_is_503(cluster):
    cluster.kill(2)
    cluster.kill(3)
    assert wait_for(lambda: lib.members_up(cluster.port(1)) == {"n1"})
    context = put(cluster.port(1), "alone", b"on n1 only", None, "?w=1")
    cluster.kill(1)
    cluster.restart(2)
    cluster.restart(3)
    assert wait_for(lambda: lib.members_up(cluster.port(2)) == {"n2", "n3"})
    r = get(cluster.port(2), "alone", context)
    same(r.status, 503, "%r" % r)
    assert r.body.startswith(b"no replica that answers has seen what X-Dunlin-At-Least names\n"), r.body
    same(r.header("Retry-After"), "1")
    same(http(cluster.port(2), "GET", "/buckets/s/keys/alone?r=1").status, 404)
    cluster.restart(1)
    assert wait_for(lambda: get(cluster.port(2), "alone", context).status == 200)


def main():
    count = lib.Count()
    with lib.Cluster() as cluster:
        for name, function in lib.tests_of(sys.modules[__name__]):
            count.check(name, function, cluster)
    count.finish()


main()
