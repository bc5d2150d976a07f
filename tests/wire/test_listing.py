#!/usr/bin/env python3
"""Listing keys and buckets over real sockets: whole, streamed, paged, with nodes down, and honestly failing."""
import json
import re
import sys
import threading
import time

import lib
from lib import encode, http, same

TEXT = {"Content-Type": "text/plain"}
MANY = 3000

# What a request is answered with: method, path, status, and by name a header or the JSON of the body.
ROWS = [
    ("keys of an empty bucket", "GET", "/buckets/empty/keys?keys=true", 200, {"json": {"keys": []}}),
    ("keys without a word how", "GET", "/buckets/few/keys", 200, {"json": {}}),
    ("keys=false lists nothing", "GET", "/buckets/few/keys?keys=false", 200, {"json": {}}),
    ("buckets without a word how", "GET", "/buckets", 200, {"json": {"buckets": []}}),
    ("buckets of the first family", "GET", "/riak", 200, {"json": {"buckets": []}}),
    ("keys of an unknown type", "GET", "/types/nosuch/buckets/b/keys?keys=true", 404, {}),
    ("buckets of an unknown type", "GET", "/types/nosuch/buckets?buckets=true", 404, {}),
    ("HEAD lists nothing", "HEAD", "/buckets/few/keys?keys=true", 200, {}),
    ("PUT on keys is 405", "PUT", "/buckets/few/keys", 405, {"Allow": "GET, HEAD, POST"}),
    ("DELETE of buckets is 405", "DELETE", "/buckets", 405, {"Allow": "GET, HEAD"}),
    ("a bad timeout is 400", "GET", "/buckets/few/keys?keys=true&timeout=x", 400, {}),
    ("timeout=0 is 400", "GET", "/buckets/few/keys?keys=true&timeout=0", 400, {}),
    ("max_results=0 is 400", "GET", "/buckets/few/keys?keys=true&max_results=0", 400, {}),
    ("max_results=x is 400", "GET", "/buckets/few/keys?keys=true&max_results=x", 400, {}),
    ("max_results past its limit is 400", "GET", "/buckets/few/keys?keys=true&max_results=9999999", 400, {}),
    ("a continuation that is none is 400", "GET", "/buckets/few/keys?keys=true&continuation=!!", 400, {}),
    ("a continuation not given out is 400", "GET", "/buckets/few/keys?keys=true&continuation=AAAA", 400, {}),
    ("an answer is JSON", "GET", "/buckets/few/keys?keys=true", 200, {"Content-Type": "application/json"}),
    ("a trailing slash is no harm", "GET", "/buckets/few/keys/?keys=true", 200, {"keys": ["a", "b/c", "d e"]}),
    ("the default type by name", "GET", "/types/default/buckets/few/keys?keys=true", 200, {"keys": ["a", "b/c", "d e"]}),
    ("the first family", "GET", "/riak/few?keys=true&props=false", 200, {"keys": ["a", "b/c", "d e"]}),
    ("a bucket of another type", "GET", "/types/carts/buckets/few/keys?keys=true", 200, {"keys": ["of carts"]}),
    ("a type's buckets", "GET", "/types/carts/buckets?buckets=true", 200, {"buckets": ["few"]}),
    ("what was deleted is not listed", "GET", "/buckets/gone/keys?keys=true", 200, {"json": {"keys": ["left"]}}),
    ("a bucket of tombstones is not listed", "GET", "/buckets?buckets=true", 200, {"without": "dead"}),
    ("names are escaped", "GET", "/buckets/odd/keys?keys=true", 200,
     {"keys": ["\"quoted\\\"", "\u00e4\u20ac\U0001f426", "tab\tline\n", "}{"], "encoded": ["%00%FF", "%ED%A0%80"]}),
    ("buckets that are no text", "GET", "/types/carts2/buckets?buckets=true", 200,
     {"json": {"buckets": [], "buckets_encoded": ["%FF"]}}),
]


def put(port, bucket, key, type=None, headers=None):
    path = "%s/buckets/%s/keys/%s" % ("/types/" + type if type else "", bucket, key)
    r = http(port, "PUT", path, dict(TEXT, **(headers or {})), b"v")
    same(r.status, 204)


def put_many(port, bucket, count):
    """Pipelined; keys are k0 up."""
    with lib.Connection(port, 60) as c:
        for i in range(0, count, 50):
            c.send(b"".join(encode("PUT", "/buckets/%s/keys/k%d" % (bucket, n), TEXT, b"x" * 100)
                            for n in range(i, min(i + 50, count))))
            for n in range(i, min(i + 50, count)):
                same(c.response().status, 204)


def stream(port, path):
    """Objects of the chunks, and whether the last chunk came."""
    r = http(port, "GET", path)
    same((r.status, r.header("Transfer-Encoding"), r.header("Content-Type")), (200, "chunked", "application/json"))
    return [json.loads(c) for c in r.chunks], r.whole


def keys(port, bucket, query=""):
    r = http(port, "GET", "/buckets/%s/keys?keys=true%s" % (bucket, query))
    same(r.status, 200, "%r" % r)
    assert r.whole
    return json.loads(r.body)["keys"]


def prepare(port):
    for key in ("a", "b%2Fc", "d%20e"):
        put(port, "few", key)
    put(port, "few", "of%20carts", "carts")
    put(port, "gone", "left")
    for bucket in ("gone", "dead"):
        put(port, bucket, "deleted")
        same(http(port, "DELETE", "/buckets/%s/keys/deleted" % bucket).status, 204)
    for key in ("%22quoted%5C%22", "%C3%A4%E2%82%AC%F0%9F%90%A6", "tab%09line%0A", "%7D%7B", "%00%FF", "%ED%A0%80"):
        put(port, "odd", key)
    put(port, "%FF", "k", "carts2")
    put_many(port, "many", MANY)


def check_row(port, row):
    _, method, path, status, wants = row
    r = http(port, method, path)
    same(r.status, status, "status of %r" % r)
    assert r.header("Content-Type"), r
    document = json.loads(r.body) if status == 200 and method == "GET" else {}
    for name, value in wants.items():
        if name == "json":
            same(document, value)
        elif name in ("keys", "buckets"):
            same(sorted(document[name]), sorted(value))
        elif name == "encoded":
            same(sorted(document["keys_encoded"]), value)
        elif name == "without":
            assert value not in document["buckets"] and "few" in document["buckets"], document
        else:
            same(r.header(name), value)


def test_all_of_many_keys_come_once(port, cluster):
    for i in (1, 2, 3):
        found = keys(cluster.port(i), "many")
        same((len(found), set(found)), (MANY, {"k%d" % n for n in range(MANY)}), "n%d" % i)


def test_a_stream_is_one_object_a_chunk_and_an_empty_one_last(port):
    objects, whole = stream(port, "/buckets/many/keys?keys=stream")
    assert whole and len(objects) > 3
    same(objects[-1], {"keys": []})
    assert all(o["keys"] for o in objects[:-1])
    found = [k for o in objects for k in o["keys"]]
    same((len(found), set(found)), (MANY, {"k%d" % n for n in range(MANY)}))


def test_a_stream_of_an_empty_bucket_is_its_end(port):
    same(stream(port, "/buckets/empty/keys?keys=stream"), ([{"keys": []}], True))


def test_a_stream_of_odd_names(port):
    objects, whole = stream(port, "/buckets/odd/keys?keys=stream")
    assert whole
    same(sorted(k for o in objects for k in o.get("keys_encoded", [])), ["%00%FF", "%ED%A0%80"])
    same(len([k for o in objects for k in o["keys"]]), 4)


def test_the_first_family_streams_props_first(port):
    objects, whole = stream(port, "/riak/few?keys=stream")
    assert whole
    same(objects[0]["props"]["name"], "few")
    same(objects[-1], {"keys": []})
    same(sorted(k for o in objects[1:] for k in o["keys"]), ["a", "b/c", "d e"])
    plain = json.loads(http(port, "GET", "/riak/few?keys=true").body)
    same((plain["props"]["name"], sorted(plain["keys"])), ("few", ["a", "b/c", "d e"]))


def test_buckets_come_once(port):
    r = http(port, "GET", "/buckets?buckets=true")
    found = json.loads(r.body)["buckets"]
    same(sorted(found), ["few", "gone", "many", "odd"])
    objects, whole = stream(port, "/buckets?buckets=stream")
    assert whole
    same(objects[-1], {"buckets": []})
    same(sorted(b for o in objects for b in o["buckets"]), sorted(found))


def test_pages_of_keys_make_up_the_whole(port):
    found, query, pages = [], "", 0
    while True:
        r = http(port, "GET", "/buckets/many/keys?keys=true&max_results=700" + query)
        document = json.loads(r.body)
        found += document["keys"]
        pages += 1
        if "continuation" not in document:
            assert len(document["keys"]) < 700
            break
        same(len(document["keys"]), 700)
        query = "&continuation=" + document["continuation"]
    same((pages, len(found), len(set(found))), (5, MANY, MANY))


def test_a_full_last_page_has_a_continuation_to_an_empty_one(port):
    document = json.loads(http(port, "GET", "/buckets/few/keys?keys=true&max_results=3").body)
    same(len(document["keys"]), 3)
    query = "&continuation=" + document["continuation"]
    same(json.loads(http(port, "GET", "/buckets/few/keys?keys=true&max_results=3" + query).body), {"keys": []})
    same(keys(port, "few", query), [])


def test_a_continuation_of_another_bucket_is_refused(port):
    document = json.loads(http(port, "GET", "/buckets/many/keys?keys=true&max_results=3").body)
    r = http(port, "GET", "/buckets/few/keys?keys=true&continuation=" + document["continuation"])
    same(r.status, 400)


def test_pages_of_a_stream(port):
    objects, whole = stream(port, "/buckets/many/keys?keys=stream&max_results=1000")
    assert whole
    same(sum(len(o["keys"]) for o in objects), 1000)
    same((objects[-1]["keys"], bool(objects[-1]["continuation"])), ([], True))


def test_pages_of_buckets_are_in_order(port):
    found, query = [], ""
    while True:
        document = json.loads(http(port, "GET", "/buckets?buckets=true&max_results=2" + query).body)
        found += document["buckets"]
        if "continuation" not in document:
            break
        query = "&continuation=" + document["continuation"]
    same(found, ["few", "gone", "many", "odd"])


def test_a_listing_on_http_1_0_ends_with_the_connection(port):
    with lib.Connection(port) as c:
        c.send(encode("GET", "/buckets/many/keys?keys=stream", version="1.0"))
        while c.more():
            pass
        head, body = c.data.split(b"\r\n\r\n", 1)
        assert b"Transfer-Encoding" not in head and b"Connection: close" in head, head
        assert body.endswith(b'{"keys":[]}') and len(set(re.findall(b'"k[0-9]+"', body))) == MANY


def test_a_connection_goes_on_after_a_listing(port):
    with lib.Connection(port) as c:
        c.send(encode("GET", "/buckets/many/keys?keys=stream") + encode("GET", "/ping")
               + encode("GET", "/buckets/few/keys?keys=true") + encode("GET", "/ping"))
        assert c.response().whole
        same(c.response().body, b"OK")
        same(len(json.loads(c.response().body)["keys"]), 3)
        same(c.response().body, b"OK")


def test_who_reads_slowly_gets_all_of_it(port):
    with lib.Connection(port, 60) as c:
        c.socket.setsockopt(lib.socket.SOL_SOCKET, lib.socket.SO_RCVBUF, 2048)
        c.send(encode("GET", "/buckets/many/keys?keys=stream"))
        time.sleep(0.3)
        r = c.response()
        same((sum(len(json.loads(x)["keys"]) for x in r.chunks), r.whole), (MANY, True))


def test_who_goes_away_leaves_nothing_behind(port):
    for _ in range(30):
        with lib.Connection(port) as c:
            c.send(encode("GET", "/buckets/many/keys?keys=stream"))

    def idle():
        counters = json.loads(http(port, "GET", "/admin/status").body)["counters"]
        return counters["coord_slots_used"] == 0 and counters["pool_bytes_used"] < 1 << 20

    assert lib.wait_for(idle, 10), json.loads(http(port, "GET", "/admin/status").body)["counters"]


def test_a_key_written_while_it_is_listed_does_no_harm(port):
    stop = threading.Event()

    def write():
        n = 0
        while not stop.is_set():
            put(port, "busy", "k%d" % (n % 500))
            n += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            found = keys(port, "busy")
            same(len(found), len(set(found)))
    finally:
        stop.set()
        writer.join()


def test_a_bucket_with_two_replicas_is_listed_whole(port, cluster):
    same(http(port, "PUT", "/buckets/pairs/props", {"Content-Type": "application/json"},
              b'{"props":{"n_val":2}}').status, 204)
    put_many(port, "pairs", 200)
    for i in (1, 2, 3):
        assert lib.wait_for(lambda: len(keys(cluster.port(i), "pairs")) == 200, 5), i
    assert "pairs" in json.loads(http(port, "GET", "/buckets?buckets=true").body)["buckets"]


def test_listing_may_be_switched_off(port):
    with lib.Node("--listing", "no") as node:
        same(http(node.port(), "GET", "/buckets/b/keys?keys=true").status, 403)
        same(http(node.port(), "GET", "/buckets?buckets=stream").status, 403)
        same(http(node.port(), "GET", "/buckets").status, 200)


def test_with_a_node_down_another_replica_is_listed(port, cluster):
    cluster.kill(3)
    assert lib.wait_for(lambda: len(lib.members_up(port)) == 2)
    for i in (1, 2):
        found = keys(cluster.port(i), "many")
        same((len(found), len(set(found))), (MANY, MANY))
    objects, whole = stream(port, "/buckets/many/keys?keys=stream")
    same((sum(len(o["keys"]) for o in objects), whole), (MANY, True))


def test_without_a_replica_of_some_partition_it_is_503(port, cluster):
    """Buckets of one replica, one node of three down: some partitions have nobody."""
    cluster.restart(3)
    assert lib.wait_for(lambda: len(lib.members_up(port)) == 3)
    body = b'{"props":{"n_val":1}}'
    assert lib.wait_for(lambda: http(port, "PUT", "/buckets/single/props", {"Content-Type": "application/json"},
                                     body).status == 204, 10)
    put_many(port, "single", 300)
    same(len(keys(port, "single")), 300)
    cluster.kill(3)
    assert lib.wait_for(lambda: len(lib.members_up(port)) == 2)
    r = http(port, "GET", "/buckets/single/keys?keys=true")
    same((r.status, r.header("Retry-After")), (503, "1"))
    assert b"of 256 partitions" in r.body, r
    r = http(port, "GET", "/buckets/single/keys?keys=stream")
    if r.status == 200:  # a name came before the first partition without a replica
        assert "error" in json.loads(r.chunks[-1]) and not r.whole, r.chunks[-1]
    else:
        same(r.status, 503)
    same(len(keys(port, "many")), MANY)
    cluster.restart(3)


def main():
    count = lib.Count()
    lib.os.environ["DUNLIN_BUCKET_TYPE"] = "carts, carts2"
    with lib.Cluster() as cluster:
        port = cluster.port()
        prepare(port)
        for row in ROWS:
            count.check(row[0], check_row, port, row)
        for name, function in lib.tests_of(sys.modules[__name__]):
            wants = function.__code__.co_argcount
            count.check(name, function, *(port, cluster)[:wants])
    del lib.os.environ["DUNLIN_BUCKET_TYPE"]
    count.finish()


main()
