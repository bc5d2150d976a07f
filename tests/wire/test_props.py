#!/usr/bin/env python3
"""Bucket properties over real sockets: shown, changed, taken back whole, refused; and their gossip."""
import base64
import hashlib
import json
import signal
import sys
import time

import lib
from lib import http, same

TEXT = {"Content-Type": "text/plain"}
JSON = {"Content-Type": "application/json"}

# Name, default of the default type, default of other types.
DEFAULTS = [
    ("n_val", 3, 3), ("allow_mult", True, True), ("dvv_enabled", False, True), ("last_write_wins", False, False),
    ("r", "quorum", "quorum"), ("w", "quorum", "quorum"), ("dw", "quorum", "quorum"), ("rw", "quorum", "quorum"),
    ("pr", 0, 0), ("pw", 0, 0), ("node_confirms", 0, 0), ("basic_quorum", False, False), ("notfound_ok", True, True),
    ("sync_on_write", "backend", "backend"), ("precommit", [], []), ("postcommit", [], []),
    ("old_vclock", 86400, 86400), ("young_vclock", 20, 20), ("big_vclock", 50, 50), ("small_vclock", 50, 50),
    ("require_context", False, False), ("write_once", False, False), ("ttl", 0, 0),
]

# One property, the value sent, and what is shown then, or the code of the refusal.
VALUES = [
    ("allow_mult", False, False), ("allow_mult", "false", False), ("allow_mult", "true", True),
    ("allow_mult", 0, "not_boolean"), ("allow_mult", "yes", "not_boolean"), ("allow_mult", None, "not_boolean"),
    ("last_write_wins", True, True), ("dvv_enabled", 1, "not_boolean"), ("basic_quorum", "TRUE", "not_boolean"),
    ("notfound_ok", False, False), ("require_context", "true", True), ("write_once", [], "not_boolean"),
    ("r", 1, 1), ("r", "one", "one"), ("r", "quorum", "quorum"), ("r", "all", "all"),
    ("r", 0, "not_valid_quorum"), ("r", -1, "not_valid_quorum"), ("r", "default", "not_valid_quorum"),
    ("r", "2", "not_valid_quorum"), ("r", 1.5, "not_valid_quorum"), ("r", "ALL", "not_valid_quorum"),
    ("w", 2, 2), ("w", 0, "not_valid_quorum"), ("rw", 0, "not_valid_quorum"), ("rw", 3, 3),
    ("dw", 0, 0), ("pw", 0, 0), ("pr", 0, 0), ("node_confirms", 0, 0), ("dw", "one", "one"), ("pw", 2, 2),
    ("pr", "quorum", "quorum"), ("node_confirms", 3, 3), ("dw", -1, "not_valid_quorum"),
    ("node_confirms", True, "not_valid_quorum"), ("pw", {}, "not_valid_quorum"),
    ("n_val", 3, 3), ("n_val", 1, 1), ("n_val", 0, "not_integer"), ("n_val", "3", "not_integer"),
    ("n_val", 4, "too_large"), ("n_val", 99, "too_large"), ("n_val", -3, "not_integer"),
    ("ttl", 3600, 3600), ("ttl", 0, 0), ("ttl", -1, "not_integer"), ("ttl", "60", "not_integer"),
    ("old_vclock", 10, 10), ("young_vclock", "x", "not_integer"), ("big_vclock", 0, 0), ("small_vclock", 7, 7),
    ("sync_on_write", "all", "all"), ("sync_on_write", "one", "one"), ("sync_on_write", "default", "default"),
    ("sync_on_write", "never", "not_valid_sync_param"), ("sync_on_write", 1, "not_valid_sync_param"),
    ("precommit", [], []), ("precommit", [{"mod": "m", "fun": "f"}], "not_supported"), ("postcommit", 1, "not_supported"),
    ("datatype", "set", "not_supported"), ("colour", "red", "unknown_property"),
]

MD5_TEXT = b"Content-MD5 is not the MD5 of the body in base64\n"


def md5(body):
    return base64.b64encode(hashlib.md5(body).digest()).decode()


# Documents and requests that are refused as a whole, or passed over: method, path, headers, body, status.
WHOLE = [
    ("no JSON is 400", "PUT", "/buckets/w/props", JSON, b"{", 400),
    ("no body is 400", "PUT", "/buckets/w/props", JSON, b"", 400),
    ("an array is 400", "PUT", "/buckets/w/props", JSON, b"[]", 400),
    ("an object without props is 400", "PUT", "/buckets/w/props", JSON, b'{"n_val":3}', 400),
    ("props that are no object are 400", "PUT", "/buckets/w/props", JSON, b'{"props":[]}', 400),
    ("a type that is not JSON is 415", "PUT", "/buckets/w/props", TEXT, b'{"props":{}}', 415),
    ("no type is 415", "PUT", "/buckets/w/props", {}, b'{"props":{}}', 415),
    ("a charset is no harm", "PUT", "/buckets/w/props", {"Content-Type": "application/json; charset=utf-8"},
     b'{"props":{}}', 204),
    ("empty props change nothing", "PUT", "/buckets/w/props", JSON, b'{"props":{}}', 204),
    ("what cannot be changed is passed over", "PUT", "/buckets/w/props", JSON,
     b'{"props":{"name":"other","claimant":"x","active":true,"chash_keyfun":{},"linkfun":{},"search":false}}', 204),
    ("a wrong Content-MD5 is 400", "PUT", "/buckets/w/props", dict(JSON, **{"Content-MD5": md5(b"other")}),
     b'{"props":{"r":"one"}}', 400),
    ("a Content-MD5 that is none is 400", "PUT", "/riak/w", dict(JSON, **{"Content-MD5": "x"}),
     b'{"props":{"r":"one"}}', 400),
    ("a wrong Content-MD5 of a type's is 400", "PUT", "/types/carts/props", dict(JSON, **{"Content-MD5": md5(b"other")}),
     b'{"props":{"young_vclock":77}}', 400),
    ("a wrong Content-MD5 of a DELETE is 400", "DELETE", "/buckets/w/props", {"Content-MD5": md5(b"other")}, None, 400),
    ("a right Content-MD5 is taken", "PUT", "/buckets/w/props", dict(JSON, **{"Content-MD5": md5(b'{"props":{}}')}),
     b'{"props":{}}', 204),
    ("405 comes before a wrong Content-MD5", "POST", "/buckets/w/props", dict(JSON, **{"Content-MD5": "x"}), b"x", 405),
    ("a wrong Content-MD5 comes before 415", "PUT", "/buckets/w/props", dict(TEXT, **{"Content-MD5": "x"}), b"x", 400),
    ("POST is 405", "POST", "/buckets/w/props", JSON, b'{"props":{}}', 405),
    ("DELETE in the first family is 405", "DELETE", "/riak/w", {}, None, 405),
    ("DELETE of a type's is 405", "DELETE", "/types/carts/props", {}, None, 405),
    ("an unknown method is 501", "BREW", "/buckets/w/props", {}, None, 501),
    ("an unknown type is 404", "GET", "/types/nosuch/buckets/b/props", {}, None, 404),
    ("an unknown type's own are 404", "GET", "/types/nosuch/props", {}, None, 404),
    ("PUT of an unknown type's own is 404", "PUT", "/types/nosuch/props", JSON, b'{"props":{"r":1}}', 404),
    ("PUT below an unknown type is 400", "PUT", "/types/nosuch/buckets/b/props", JSON, b'{"props":{"r":1}}', 400),
    ("PUT of the default type's own is 400", "PUT", "/types/default/props", JSON, b'{"props":{"r":1}}', 400),
    ("HEAD has no body", "HEAD", "/buckets/w/props", {}, None, 200),
    ("a trailing slash is no harm", "GET", "/buckets/w/props/", {}, None, 200),
]


def props(port, bucket, type=None):
    path = ("/types/%s" % type if type else "") + ("/buckets/%s" % bucket if bucket else "") + "/props"
    r = http(port, "GET", path)
    same((r.status, r.header("Content-Type")), (200, "application/json"))
    return json.loads(r.body)["props"]


def set_props(port, bucket, type=None, **values):
    path = ("/types/%s" % type if type else "") + ("/buckets/%s" % bucket if bucket else "") + "/props"
    return http(port, "PUT", path, JSON, json.dumps({"props": values}).encode())


def put(port, bucket, key, body=b"v", headers=None, query="", type=None):
    path = "%s/buckets/%s/keys/%s%s" % ("/types/%s" % type if type else "", bucket, key, query)
    return http(port, "PUT", path, dict(TEXT, **(headers or {})), body)


def get(port, bucket, key, query="", type=None):
    return http(port, "GET", "%s/buckets/%s/keys/%s%s" % ("/types/%s" % type if type else "", bucket, key, query))


def check_default(port, name, of_default, of_others):
    same(props(port, "untouched")[name], of_default, name)
    same(props(port, "untouched", "carts2")[name], of_others, name)
    same(props(port, None, "carts2")[name], of_others, name)


def check_value(port, serial, name, value, wanted):
    bucket = "value%d" % serial
    r = set_props(port, bucket, **{name: value})
    refused = isinstance(wanted, str) and ("not_" in wanted or wanted in ("too_large", "unknown_property"))
    if refused:
        same((r.status, r.header("Content-Type")), (400, "application/json"))
        same(json.loads(r.body), {name: wanted})
        same(props(port, bucket).get(name), props(port, "untouched").get(name))
    else:
        same((r.status, r.body), (204, b""), "%r" % r)
        same(props(port, bucket)[name], wanted)


def check_whole(port, row):
    _, method, path, headers, body, status = row
    r = http(port, method, path, headers, body)
    same(r.status, status, "status of %r" % r)
    assert r.header("Content-Type"), r
    if status == 405:
        assert r.header("Allow"), r
    if status == 404:
        same(r.body, b"Unknown bucket type: nosuch")
    if status == 400 and "Content-MD5" in headers:
        same((r.body, r.header("X-Dunlin-Outcome")), (MD5_TEXT, "none"))
        same((props(port, "w")["r"], props(port, None, "carts")["young_vclock"]), ("quorum", 20))


def test_a_get_names_the_bucket(port):
    same(props(port, "named")["name"], "named")
    same(props(port, "n%C3%A4me%20d")["name"], "n\u00e4me d")
    same(props(port, "%FF%00")["name_encoded"], "%FF%00")


def test_several_faults_are_all_named(port):
    r = set_props(port, "faults", r="many", allow_mult=3, ttl="x", w=1)
    same((r.status, json.loads(r.body)),
         (400, {"r": "not_valid_quorum", "allow_mult": "not_boolean", "ttl": "not_integer"}))
    same(props(port, "faults")["w"], "quorum")


def test_a_put_is_partial_and_delete_lets_go(port):
    same(set_props(port, "partial", r=1, allow_mult=False).status, 204)
    same(set_props(port, "partial", w="all").status, 204)
    p = props(port, "partial")
    same((p["r"], p["w"], p["allow_mult"], p["dw"]), (1, "all", False, "quorum"))
    same(http(port, "DELETE", "/buckets/partial/props").status, 204)
    p = props(port, "partial")
    same((p["r"], p["w"], p["allow_mult"]), ("quorum", "quorum", True))
    same(http(port, "DELETE", "/buckets/partial/props").status, 204)


def test_a_whole_document_is_taken_back(port):
    for type in (None, "carts"):
        whole = props(port, "whole", type)
        path = ("/types/carts" if type else "") + "/buckets/whole/props"
        r = http(port, "PUT", path, JSON, json.dumps({"props": whole}).encode())
        same((r.status, r.body), (204, b""))
        same(props(port, "whole", type), whole)


def test_the_three_families_show_the_same(port):
    same(set_props(port, "fam", pw=1).status, 204)
    v2 = http(port, "GET", "/buckets/fam/props").body
    same(http(port, "GET", "/types/default/buckets/fam/props").body, v2)
    v1 = http(port, "GET", "/riak/fam")
    same(json.loads(v1.body), json.loads(v2))
    same(json.loads(http(port, "GET", "/riak/fam?props=true").body), json.loads(v2))
    same(http(port, "GET", "/riak/fam?props=false").body, b"{}")
    same(http(port, "PUT", "/riak/fam", JSON, b'{"props":{"pw":2}}').status, 204)
    same(props(port, "fam")["pw"], 2)


def test_a_type_has_defaults_of_its_own_and_a_bucket_overrides_them(port):
    p = props(port, "b", "carts")
    same((p["allow_mult"], p["r"], p["n_val"], p["active"]), (False, "one", 2, True))
    same(set_props(port, None, "carts", pr=1).status, 204)
    same(props(port, "b", "carts")["pr"], 1)
    same(set_props(port, "b", "carts", pr=2).status, 204)
    same((props(port, "b", "carts")["pr"], props(port, "other", "carts")["pr"]), (2, 1))
    same(props(port, "b")["pr"], 0)


def test_types_are_apart(port):
    put(port, "b", "k", b"of the default type")
    same(put(port, "b", "k", b"of carts", type="carts").status, 204)
    same((get(port, "b", "k").body, get(port, "b", "k", type="carts").body), (b"of the default type", b"of carts"))
    r = get(port, "b", "k", type="nosuch")
    same((r.status, r.body), (404, b"Unknown bucket type: nosuch"))
    r = put(port, "b", "k", type="nosuch")
    same((r.status, r.body, r.header("X-Dunlin-Outcome")), (404, b"Unknown bucket type: nosuch", "none"))


def test_allow_mult_false_keeps_the_newest(port):
    same(set_props(port, "newest", allow_mult=False).status, 204)
    put(port, "newest", "k", b"one")
    put(port, "newest", "k", b"two")
    same((get(port, "newest", "k").status, get(port, "newest", "k").body), (200, b"two"))


def test_last_write_wins_and_its_losses_are_counted(port):
    def lost():
        return json.loads(http(port, "GET", "/admin/status").body)["counters"]["siblings_dropped_lww"]

    same(set_props(port, "lww", last_write_wins=True).status, 204)
    before = lost()
    for i in range(8):
        put(port, "lww", "k", b"v%d" % i)
    same((get(port, "lww", "k").status, get(port, "lww", "k").body), (200, b"v7"))
    assert lost() > before


def test_quorums_of_the_bucket_hold_where_the_request_has_none(port):
    same(set_props(port, "quorums", r=5).status, 204)
    r = get(port, "quorums", "k")
    same((r.status, r.body), (400, b"Specified w/dw/pw/node_confirms values invalid for bucket n value of 3\n"))
    same(get(port, "quorums", "k", "?r=1").status, 404)
    same(set_props(port, "quorums", r=1, pw="all").status, 204)
    same(put(port, "quorums", "k").status, 204)


def test_n_val_bounds_quorums_and_the_preflist(port):
    same(set_props(port, "two", n_val=2).status, 204)
    r = get(port, "two", "k", "?r=3")
    same((r.status, r.body), (400, b"Specified w/dw/pw/node_confirms values invalid for bucket n value of 2\n"))
    same(put(port, "two", "k", b"v", query="?w=all&pw=all").status, 204)
    preflist = json.loads(http(port, "GET", "/buckets/two/keys/k/preflist").body)["preflist"]
    same((len(preflist), [p["primary"] for p in preflist]), (2, [True, True]))


def test_a_key_of_a_bucket_with_two_replicas_is_on_two_nodes(port, cluster):
    same(put(port, "two", "placed", b"v", query="?w=all").status, 204)
    compared = [json.loads(http(port, "GET", "/admin/compare?partition=%d&bucket=two" % p).body)
                for p in range(256)]
    same((sum(c["keys"] for c in compared), sum(c["different"] for c in compared)), (2, 0))
    for i in (1, 2, 3):
        same(get(cluster.port(i), "two", "placed", "?r=all&pr=all").body, b"v")


def test_n_val_of_a_bucket_with_data_is_409(port):
    put(port, "full", "k")
    r = set_props(port, "full", n_val=2)
    same(r.status, 409, "%r" % r)
    assert b"holds data" in r.body, r
    same(props(port, "full")["n_val"], 3)
    same(put(port, "full", "k2").status, 204)  # it takes writes again at once
    same(set_props(port, "full", n_val=3, r=1).status, 204)


def test_a_ttl_is_stored_and_shown(port):
    same(put(port, "ttl", "own", b"v", {"X-Dunlin-TTL": "1000"}).status, 204)
    assert 990 <= int(get(port, "ttl", "own").header("X-Dunlin-TTL")) <= 1000
    same(set_props(port, "ttl", ttl=500).status, 204)
    same(put(port, "ttl", "of-the-bucket").status, 204)
    assert 490 <= int(get(port, "ttl", "of-the-bucket").header("X-Dunlin-TTL")) <= 500
    same(put(port, "ttl", "own2", b"v", {"X-Dunlin-TTL": "2000"}).status, 204)
    assert int(get(port, "ttl", "own2").header("X-Dunlin-TTL")) > 1900
    put(port, "ttl", "brief", b"v", {"X-Dunlin-TTL": "1"})
    assert lib.wait_for(lambda: get(port, "ttl", "brief").status == 404), "it lives on"
    same(get(port, "ttl", "brief").header("X-Riak-Deleted"), "true")
    same(sorted(json.loads(http(port, "GET", "/buckets/ttl/keys?keys=true").body)["keys"]),
         ["of-the-bucket", "own", "own2"])
    put(port, "no-ttl", "k")
    same(get(port, "no-ttl", "k").header("X-Dunlin-TTL"), None)
    for bad in ("0", "-1", "1.5", "soon", "99999999999999", ""):
        r = put(port, "ttl", "bad", b"v", {"X-Dunlin-TTL": bad})
        same((r.status, r.header("X-Dunlin-Outcome")), (400, "none"), bad)


def test_a_change_is_in_force_at_every_node(port, cluster):
    for i in range(20):
        same(set_props(cluster.port(1 + i % 3), "gossip", pr=i % 4).status, 204)
        for j in (1, 2, 3):
            assert lib.wait_for(lambda: props(cluster.port(j), "gossip")["pr"] == i % 4, 5, 0.005), (i, j)


def test_changes_outlive_the_process(port, cluster):
    same(set_props(port, "durable", w="all", ttl=77).status, 204)
    same(http(port, "PUT", "/types/carts/props", JSON, b'{"props":{"young_vclock":9}}').status, 204)
    cluster.kill(3)
    cluster.restart(3)
    p = props(cluster.port(3), "durable")
    same((p["w"], p["ttl"]), ("all", 77))
    same(props(cluster.port(3), "b", "carts")["young_vclock"], 9)


def test_a_node_that_was_down_has_them_before_it_serves(port, cluster):
    for round in range(3):
        cluster.kill(2)
        for i in range(40):
            same(set_props(port, "missed%d" % i, r="all", ttl=round + 1).status, 204)
        same(http(port, "DELETE", "/buckets/missed0/props").status, 204)
        cluster.restart(2)  # returns once /ready says so
        for i in range(40):
            p = props(cluster.port(2), "missed%d" % i)
            same((p["r"], p["ttl"]), ("all", round + 1) if i else ("quorum", 0), "missed%d" % i)
        set_props(port, "missed0", r="all", ttl=9)


def test_n_val_is_not_changed_while_a_member_is_silent(port, cluster):
    cluster.kill(3)
    assert lib.wait_for(lambda: len(lib.members_up(port)) == 2)
    r = set_props(port, "silent", n_val=1)
    same(r.status, 409, "%r" % r)
    assert b"n3" in r.body and b"silent" in r.body, r
    same(props(port, "silent")["n_val"], 3)
    same(set_props(port, "silent", r=1).status, 204)  # anything else is
    cluster.restart(3)
    assert lib.wait_for(lambda: set_props(port, "silent", n_val=1).status == 204, 10)
    same(props(cluster.port(3), "silent")["r"], 1)


def test_a_change_through_a_stopped_peer_is_refused_in_time(port, cluster):
    lib.os.kill(cluster.pid(3), signal.SIGSTOP)
    try:
        start = time.monotonic()
        r = set_props(port, "stopped", n_val=1)
        same(r.status, 409, "%r" % r)
        assert time.monotonic() - start < 10
    finally:
        lib.os.kill(cluster.pid(3), signal.SIGCONT)
    assert lib.wait_for(lambda: len(lib.members_up(port)) == 3)


def main():
    count = lib.Count()
    # Types may repeat, in one value too: carts2 has the table's defaults.
    lib.os.environ["DUNLIN_BUCKET_TYPE"] = "carts n_val=2 allow_mult=false r=one, carts2"
    with lib.Cluster() as cluster:
        port = cluster.port()
        for name, of_default, of_others in DEFAULTS:
            count.check("the default of " + name, check_default, port, name, of_default, of_others)
        for serial, (name, value, wanted) in enumerate(VALUES):
            count.check("%s = %r: %r" % (name, value, wanted), check_value, port, serial, name, value, wanted)
        for row in WHOLE:
            count.check(row[0], check_whole, port, row)
        for name, function in lib.tests_of(sys.modules[__name__]):
            wants = function.__code__.co_argcount
            count.check(name, function, *(port, cluster)[:wants])
    del lib.os.environ["DUNLIN_BUCKET_TYPE"]
    count.finish()


main()
