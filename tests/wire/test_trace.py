#!/usr/bin/env python3
"""One request explained: what a node tells of a request with ?trace=1, over real sockets."""
import json
import re
import sys

import lib
from lib import dunlin, http, same

TEXT = {"Content-Type": "text/plain"}
ID = re.compile(r"^[0-9a-f]{16}$")


def ask(port, method, key, query="?trace=1", body=None, headers=None):
    return http(port, method, "/buckets/t/keys/%s%s" % (key, query), dict(TEXT, **(headers or {})), body)


def told(port, answer_or_id):
    """The trace of an answer, once the request is over."""
    id = answer_or_id if isinstance(answer_or_id, str) else answer_or_id.header("X-Dunlin-Trace")

    def ended():
        r = http(port, "GET", "/admin/trace/" + id)
        same((r.status, r.header("Content-Type")), (200, "application/json"))
        document = json.loads(r.body)
        return document if document["ended"] else None
    document = lib.wait_for(ended, 10)
    assert document, "the trace does not end"
    check(document)
    return document


def check(document):
    """What is true of every trace."""
    steps = document["steps"]
    same((steps[0]["step"], steps[0]["us"], steps[-1]["step"]), ("admitted", 0, "ended"))
    same([s["us"] for s in steps], sorted(s["us"] for s in steps), "time")
    same(document["steps_dropped"], 0)
    replies = [s for s in steps if s["step"] == "replied"]
    same(len(replies), 1, "replies")
    asked = {(s["name"], s["for"]) for s in steps if s["step"] == "asked"}
    for s in steps:
        assert s["text"] and s["name"], s
        if s["step"] == "answered":
            assert (s["name"], s["for"]) in asked, s
    quorums = [s for s in steps if s["step"] == "quorum"]
    for s in quorums:
        same(len(s["by"]), s["got"], s)
    if quorums and replies[0]["error"] in (None, "NOT_FOUND"):
        same(replies[0]["got"], quorums[-1]["got"])
        assert replies[0]["got"] >= replies[0]["need"], replies


def steps_of(document, kind):
    return [s for s in document["steps"] if s["step"] == kind]


def places(cluster, key, at=1):
    r = http(cluster.port(at), "GET", "/admin/ring?bucket=t&key=" + key)
    return [p["name"] for p in json.loads(r.body)["preference"]]


def key_where(cluster, what):
    """A key whose preference list is as wanted."""
    for i in range(2000):
        if what(places(cluster, "k%d" % i)):
            return "k%d" % i
    raise AssertionError("no such key")


def sees_down(cluster, at, who):
    return "n%d" % who not in lib.members_up(cluster.port(at))


# ---- five nodes -----------------------------------------------------------------------------------

def test_the_header_comes_with_a_trace_and_only_then(cluster):
    p = cluster.port()
    ids = set()
    for method, key, body in (("PUT", "h", b"v"), ("GET", "h", None), ("HEAD", "h", None), ("POST", "h", b"v"),
                              ("DELETE", "h", None), ("GET", "nothing", None)):
        same(ask(p, method, key, "", body).header("X-Dunlin-Trace"), None, method)
        same(ask(p, method, key, "?trace=0", body).header("X-Dunlin-Trace"), None, method)
        for yes in ("1", "true", "TRUE"):
            r = ask(p, method, key, "?trace=" + yes, body)
            assert ID.match(r.header("X-Dunlin-Trace") or ""), (method, r)
            ids.add(r.header("X-Dunlin-Trace"))
    same(len(ids), 18, "different ids")
    r = http(p, "POST", "/buckets/t/keys?trace=1", TEXT, b"v")
    same((r.status, bool(ID.match(r.header("X-Dunlin-Trace")))), (201, True))


def test_a_write_tells_of_its_replicas(cluster):
    key = key_where(cluster, lambda p: p[0] == "n1")
    r = ask(cluster.port(), "PUT", key, "?trace=1&w=3", b"hello")
    same(r.status, 204)
    d = told(cluster.port(), r)
    same((d["op"], d["bucket"], d["key"], d["type"]), ("put", "t", key, "default"))
    same((d["node"]["name"], "rest" in d, "forwarded_by" in d), ("n1", False, False))
    same([s["name"] for s in steps_of(d, "asked")], places(cluster, key))
    same([s["place"] for s in steps_of(d, "asked")], [1, 2, 3])
    same(sorted(s["name"] for s in steps_of(d, "answered") if s["counted"]), sorted(places(cluster, key)))
    same(sorted(steps_of(d, "quorum")[0]["by"]), sorted(places(cluster, key)))
    reply = steps_of(d, "replied")[0]
    same((reply["got"], reply["need"], reply["fallbacks"], reply["error"]), (3, 3, 0, None))
    same('"%s"' % reply["vtag"], r.header("ETag"), "the version that it names")
    same(reply["vtag"], steps_of(d, "minted")[0]["vtag"])


def test_a_read_tells_what_was_found(cluster):
    same(ask(cluster.port(), "PUT", "found", "?w=3", b"12345").status, 204)
    r = ask(cluster.port(2), "GET", "found", "?trace=1&r=3")
    same((r.status, r.body), (200, b"12345"))
    d = told(cluster.port(2), r)
    answers = steps_of(d, "answered")
    same([(a["siblings"], a["bytes"], a["tombstones"], a["vouched"]) for a in answers], [(1, 5, 0, True)] * 3)
    same(len({a["vtag"] for a in answers}), 1)
    same((steps_of(d, "repair"), steps_of(d, "silent")), ([], []))


def test_what_is_not_there_is_told_so(cluster):
    r = ask(cluster.port(), "GET", "never", "?trace=1")
    same(r.status, 404)
    d = told(cluster.port(), r)
    same({a["error"] for a in steps_of(d, "answered")}, {"NOT_FOUND"})
    same(steps_of(d, "replied")[0]["error"], "NOT_FOUND")


def test_a_refusal_is_told_too(cluster):
    r = ask(cluster.port(), "GET", "never", "?trace=1&r=9")
    same(r.status, 400)
    d = told(cluster.port(), r)
    same([s["step"] for s in d["steps"]], ["admitted", "replied", "ended"])
    assert "refuses" in d["steps"][0]["text"], d["steps"][0]


def test_a_write_that_looks_first_tells_of_both_quorums(cluster):
    key = key_where(cluster, lambda p: p[0] == "n1")
    for method, headers in (("PUT", {"If-Match": "*"}), ("DELETE", {})):
        same(ask(cluster.port(), "PUT", key, "?w=3", b"v").status, 204)
        r = ask(cluster.port(), method, key, "?trace=1", b"v" if method == "PUT" else None, headers)
        same(r.status, 204)
        d = told(cluster.port(), r)
        same([s["got"] for s in steps_of(d, "quorum")], [2, 2])
        same([s["for"] for s in steps_of(d, "asked")], ["read"] * 3 + ["write"] * 3)
        same([s["error"] for s in steps_of(d, "judged")], [None] if headers else [])
    r = ask(cluster.port(), "PUT", key, "?trace=1", b"v", {"If-Match": "*"})
    same(r.status, 412)
    d = told(cluster.port(), r)
    same((steps_of(d, "judged")[0]["error"], steps_of(d, "turn")), ("PRECONDITION", []))


def test_a_forwarded_write_is_told_by_both_under_one_id(cluster):
    key = key_where(cluster, lambda p: "n1" not in p)
    r = ask(cluster.port(), "PUT", key, "?trace=1", b"v")
    same(r.status, 204)
    first = told(cluster.port(), r)
    to = places(cluster, key)[0]
    forwarded = steps_of(first, "forwarded")[0]
    same((forwarded["to"], forwarded["because"]), (to, "NOT_MEMBER"))
    same(steps_of(first, "asked"), [], "n1 asks nobody")
    port = cluster.port(int(to[1:]))
    same((first["rest"]["name"], first["rest"]["url"]), (to, "http://127.0.0.1:%d" % port))
    rest = told(port, r)
    same((rest["node"]["id"], rest["forwarded_by"]), (first["rest"]["id"], "n1"))
    same(len(steps_of(rest, "asked")), 3)
    code, out, err = dunlin("put", "t", key, "v", "--trace", url=cluster.url())
    same((code, out), (0, "stored\n"))
    assert re.search(r"put t/%s at n1, .*put t/%s at %s, " % (key, key, to), err, re.S), err


def test_ids_that_are_none_or_unknown_are_refused(cluster):
    for path, status, word in (("/admin/trace/0123456789abcdef", 404, "10 minutes"),
                               ("/admin/trace/0123456789abcde", 400, "16 hex digits"),
                               ("/admin/trace/0123456789abcdefa", 400, "16 hex digits"),
                               ("/admin/trace/0123456789abcdeg", 400, "16 hex digits"),
                               ("/admin/trace/0000000000000000", 400, "16 hex digits"),
                               ("/admin/trace/%00%ff" + "0" * 14, 400, "16 hex digits"),
                               ("/admin/trace/0123456789abcdef/x", 404, "")):
        r = http(cluster.port(), "GET", path)
        same((r.status, r.header("Content-Type")), (status, "application/json"), path)
        assert word in json.loads(r.body)["error"], r
    same(http(cluster.port(), "PUT", "/admin/trace/0123456789abcdef", TEXT, b"").status, 405)
    for bad in ("2", "yes", "", "01"):
        r = ask(cluster.port(), "GET", "x", "?trace=" + bad)
        same((r.status, r.body), (400, b"trace query parameter must be 1 or 0\n"))


def test_the_oldest_trace_makes_room_for_the_newest(cluster):
    port = cluster.port(4)
    with lib.Connection(port) as c:
        ids = []
        for i in range(300):
            c.send(lib.encode("GET", "/buckets/t/keys/many%d?trace=1" % i))
            ids.append(c.response().header("X-Dunlin-Trace"))
    same(http(port, "GET", "/admin/trace/" + ids[0]).status, 404)
    same(told(port, ids[-1])["key"], "many299")
    listed = json.loads(http(port, "GET", "/admin/trace").body)
    same((listed["kept_most"], len(listed["traces"]), listed["kept_seconds"]), (256, 256, 600))
    same([t["trace"] for t in listed["traces"]], ids[:-257:-1], "newest first")


def test_a_stand_in_is_named_with_whom_it_stands_for(cluster):
    cluster.kill(5)
    assert lib.wait_for(lambda: sees_down(cluster, 1, 5))
    for i in range(2000):
        # n1 is a primary, and n5 was one before it went down.
        r = http(cluster.port(), "GET", "/admin/ring?bucket=t&key=s%d" % i)
        stands = [p for p in json.loads(r.body)["preference"] if p["fallback"]]
        if stands and json.loads(r.body)["preference"][0]["name"] == "n1":
            break
    r = ask(cluster.port(), "PUT", "s%d" % i, "?trace=1&w=3", b"v")
    same((r.status, r.header("X-Dunlin-Fallbacks")), (204, "1"))
    d = told(cluster.port(), r)
    asked = [s for s in steps_of(d, "asked") if "stands_for" in s]
    same([(s["name"], s["stands_for"]) for s in asked], [(stands[0]["name"], "n5")])
    same(steps_of(d, "replied")[0]["fallbacks"], 1)
    assert "fallback for n5, which is down" in asked[0]["text"], asked


# ---- three nodes: nobody is left to stand in --------------------------------------------------------

def test_a_hint_is_told_and_a_stale_replica_repaired(_):
    with lib.Cluster() as cluster:
        same(ask(cluster.port(), "PUT", "r", "?w=3", b"old").status, 204)
        cluster.kill(3)
        assert lib.wait_for(lambda: sees_down(cluster, 1, 3))
        context = ask(cluster.port(), "GET", "r", "").header("X-Riak-Vclock")
        r = ask(cluster.port(), "PUT", "r", "?trace=1", b"new", {"X-Riak-Vclock": context})
        d = told(cluster.port(), r)
        same([s["missed_by"] for s in steps_of(d, "hinted")], ["n3"])
        same([s["name"] for s in steps_of(d, "down")], ["n3"])
        # n1 alone has the hint: without it n3 comes back stale, and stays so until it is read.
        cluster.kill(1)
        assert lib.wait_for(lambda: sees_down(cluster, 2, 1))
        cluster.restart(3)
        assert lib.wait_for(lambda: not sees_down(cluster, 2, 3))
        r = ask(cluster.port(2), "GET", "r", "?trace=1&r=2")
        same((r.status, r.body), (200, b"new"))
        d = told(cluster.port(2), r)
        same([(s["name"], s["late"]) for s in steps_of(d, "repair")], [("n3", True)])
        same([(s["name"], s["error"]) for s in steps_of(d, "repaired")], [("n3", None)])
        same([s["name"] for s in steps_of(d, "down")], ["n1"])
        d = told(cluster.port(2), ask(cluster.port(2), "GET", "r", "?trace=1&r=2"))
        same(steps_of(d, "repair"), [], "it was repaired")


def main():
    count = lib.Count()
    with lib.Cluster(5) as cluster:
        for name, function in lib.tests_of(sys.modules[__name__]):
            count.check(name, function, cluster)
    count.finish()


main()
