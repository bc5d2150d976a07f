#!/usr/bin/env python3
"""Conditional requests (RFC 9110, section 13; X-Riak-If-Not-Modified), over real sockets."""
import concurrent.futures
import json
import sys
import time

import lib
from lib import http, same

TEXT = {"Content-Type": "text/plain"}
PAST, FUTURE = "Sun, 06 Nov 1994 08:49:37 GMT", "Wed, 06 Nov 2199 08:49:37 GMT"
OTHER = '"0000000000100000000001"'


def put(port, key, body=b"v", headers=None, query="", bucket="c"):
    return http(port, "PUT", "/buckets/%s/keys/%s%s" % (bucket, key, query), dict(TEXT, **(headers or {})), body)


def get(port, key, headers=None, query="", bucket="c"):
    return http(port, "GET", "/buckets/%s/keys/%s%s" % (bucket, key, query), headers)


def delete(port, key, headers=None, bucket="c"):
    return http(port, "DELETE", "/buckets/%s/keys/%s" % (bucket, key), headers)


def set_props(port, bucket, **props):
    r = http(port, "PUT", "/buckets/%s/props" % bucket, {"Content-Type": "application/json"},
             json.dumps({"props": props}).encode())
    same(r.status, 204, "props of " + bucket)


# What is there before: absent, value, deleted, siblings. Headers may name {etag} and {vclock} of it.
# What is wanted: the status; after a write, whether the new value stands alone ("new"), beside the old
# ones ("beside"), or not at all ("old").
ROWS = [
    # ---- reads
    ("GET If-None-Match with its ETag is 304", "value", "GET", {"If-None-Match": "{etag}"}, 304, None),
    ("GET If-None-Match without quotes is 304", "value", "GET", {"If-None-Match": "{bare}"}, 304, None),
    ("GET If-None-Match in a list is 304", "value", "GET", {"If-None-Match": OTHER + ", {etag}"}, 304, None),
    ("GET If-None-Match over two lines is 304", "value", "GET", {"If-None-Match": [OTHER, "{etag}"]}, 304, None),
    ("GET If-None-Match of a weak tag is 304", "value", "GET", {"If-None-Match": "W/{etag}"}, 304, None),
    ("GET If-None-Match * is 304", "value", "GET", {"If-None-Match": "*"}, 304, None),
    ("GET If-None-Match with another is 200", "value", "GET", {"If-None-Match": OTHER}, 200, None),
    ("GET If-None-Match that is no ETag of ours is 200", "value", "GET", {"If-None-Match": '"x"'}, 200, None),
    ("GET If-None-Match * of nothing is 404", "absent", "GET", {"If-None-Match": "*"}, 404, None),
    ("GET If-None-Match with the siblings' ETag is 304", "siblings", "GET", {"If-None-Match": "{etag}"}, 304, None),
    ("GET of siblings that have changed is 300", "siblings", "GET", {"If-None-Match": OTHER}, 300, None),
    ("HEAD If-None-Match with its ETag is 304", "value", "HEAD", {"If-None-Match": "{etag}"}, 304, None),
    ("GET If-Modified-Since the past is 200", "value", "GET", {"If-Modified-Since": PAST}, 200, None),
    ("GET If-Modified-Since the future is 304", "value", "GET", {"If-Modified-Since": FUTURE}, 304, None),
    ("GET If-Modified-Since its date is 304", "value", "GET", {"If-Modified-Since": "{date}"}, 304, None),
    ("If-None-Match beats If-Modified-Since", "value", "GET",
     {"If-Modified-Since": FUTURE, "If-None-Match": OTHER}, 200, None),
    ("a date that is none is passed over", "value", "GET", {"If-Modified-Since": "yesterday"}, 200, None),
    ("GET If-Match with its ETag is 200", "value", "GET", {"If-Match": "{etag}"}, 200, None),
    ("GET If-Match with another is 412", "value", "GET", {"If-Match": OTHER}, 412, None),
    ("GET If-Unmodified-Since the past is 412", "value", "GET", {"If-Unmodified-Since": PAST}, 412, None),
    ("GET If-Unmodified-Since the future is 200", "value", "GET", {"If-Unmodified-Since": FUTURE}, 200, None),
    ("406 comes before 304", "value", "GET", {"Accept": "image/png", "If-None-Match": "{etag}"}, 406, None),
    # ---- If-None-Match on writes
    ("PUT If-None-Match * of nothing is stored", "absent", "PUT", {"If-None-Match": "*"}, 204, "new"),
    ("PUT If-None-Match * of a value is 412", "value", "PUT", {"If-None-Match": "*"}, 412, "old"),
    ("PUT If-None-Match * of what was deleted is stored", "deleted", "PUT", {"If-None-Match": "*"}, 204, "new"),
    ("POST If-None-Match * of a value is 412", "value", "POST", {"If-None-Match": "*"}, 412, "old"),
    ("PUT If-None-Match its ETag is 412", "value", "PUT", {"If-None-Match": "{etag}"}, 412, "old"),
    ("PUT If-None-Match another is stored beside", "value", "PUT", {"If-None-Match": OTHER}, 204, "beside"),
    ("DELETE If-None-Match * of a value is 412", "value", "DELETE", {"If-None-Match": "*"}, 412, "old"),
    # ---- If-Match on writes
    ("PUT If-Match its ETag replaces it", "value", "PUT", {"If-Match": "{etag}"}, 204, "new"),
    ("PUT If-Match its ETag without quotes replaces it", "value", "PUT", {"If-Match": "{bare}"}, 204, "new"),
    ("PUT If-Match the siblings' ETag replaces them", "siblings", "PUT", {"If-Match": "{etag}"}, 204, "new"),
    ("PUT If-Match another is 412", "value", "PUT", {"If-Match": OTHER}, 412, "old"),
    ("PUT If-Match that is no ETag of ours is 412", "value", "PUT", {"If-Match": '"x"'}, 412, "old"),
    ("PUT If-Match * of a value with its context replaces it", "value", "PUT",
     {"If-Match": "*", "X-Riak-Vclock": "{vclock}"}, 204, "new"),
    ("PUT If-Match * without a context is stored beside", "value", "PUT", {"If-Match": "*"}, 204, "beside"),
    ("PUT If-Match * of nothing is 412", "absent", "PUT", {"If-Match": "*"}, 412, "nothing"),
    ("PUT If-Match * of what was deleted is 412", "deleted", "PUT", {"If-Match": "*"}, 412, "nothing"),
    ("PUT If-Match an ETag of nothing is 412", "absent", "PUT", {"If-Match": OTHER}, 412, "nothing"),
    ("DELETE If-Match its ETag deletes it", "value", "DELETE", {"If-Match": "{etag}"}, 204, "nothing"),
    ("DELETE If-Match another is 412", "value", "DELETE", {"If-Match": OTHER}, 412, "old"),
    ("DELETE If-Match * of nothing is 412", "absent", "DELETE", {"If-Match": "*"}, 412, "nothing"),
    # ---- If-Unmodified-Since on writes
    ("PUT If-Unmodified-Since the past is 412", "value", "PUT", {"If-Unmodified-Since": PAST}, 412, "old"),
    ("PUT If-Unmodified-Since the future is stored", "value", "PUT",
     {"If-Unmodified-Since": FUTURE, "X-Riak-Vclock": "{vclock}"}, 204, "new"),
    ("PUT If-Unmodified-Since of nothing is stored", "absent", "PUT", {"If-Unmodified-Since": PAST}, 204, "new"),
    ("PUT If-Modified-Since is passed over", "value", "PUT",
     {"If-Modified-Since": FUTURE, "X-Riak-Vclock": "{vclock}"}, 204, "new"),
    # ---- X-Riak-If-Not-Modified
    ("PUT with the context as it is is stored", "value", "PUT",
     {"X-Riak-If-Not-Modified": "{vclock}", "X-Riak-Vclock": "{vclock}"}, 204, "new"),
    ("PUT with the context alone replaces it", "value", "PUT", {"X-Riak-If-Not-Modified": "{vclock}"}, 204, "new"),
    ("PUT with an older context is 409", "changed", "PUT", {"X-Riak-If-Not-Modified": "{vclock}"}, 409, "old"),
    ("POST with an older context is 409", "changed", "POST", {"X-Riak-If-Not-Modified": "{vclock}"}, 409, "old"),
    ("PUT with the context of what was deleted is 409", "deleted", "PUT",
     {"X-Riak-If-Not-Modified": "{vclock}"}, 409, "nothing"),
    ("a context that is none is 400", "value", "PUT", {"X-Riak-If-Not-Modified": "AAAA"}, 400, "old"),
    ("a context that is no base64 is 400", "value", "PUT", {"X-Riak-If-Not-Modified": "!"}, 400, "old"),
    ("412 comes before 409", "changed", "PUT",
     {"X-Riak-If-Not-Modified": "{vclock}", "If-None-Match": "*"}, 412, "old"),
    ("a missing type comes before 412", "value", "PUT", {"If-None-Match": "*", "Content-Type": ""}, 400, "old"),
]


def prepare(port, kind, key):
    """Put what is there before; (etag, vclock, date)."""
    if kind == "absent":
        return {"etag": OTHER, "bare": OTHER, "vclock": "", "date": PAST}
    put(port, key, b"old")
    if kind == "siblings":
        put(port, key, b"older")
    r = get(port, key)
    if kind == "changed":
        put(port, key, b"old", {"X-Riak-Vclock": r.header("X-Riak-Vclock")})
    if kind == "deleted":
        delete(port, key)
        r = get(port, key)
    etag = r.header("ETag") or OTHER
    return {"etag": etag, "bare": etag.strip('"'), "vclock": r.header("X-Riak-Vclock"),
            "date": r.header("Last-Modified") or PAST}


def check_row(port, row, key):
    _, kind, method, headers, status, after = row
    names = prepare(port, kind, key)
    sent = {} if method in ("GET", "HEAD", "DELETE") else dict(TEXT)
    for n, v in headers.items():
        sent[n] = [x.format(**names) for x in v] if isinstance(v, list) else v.format(**names)
    if not sent.get("Content-Type", True):
        del sent["Content-Type"]
    body = b"new" if method in ("PUT", "POST") else None
    r = http(port, method, "/buckets/c/keys/" + key, sent, body)
    same(r.status, status, "status of %r" % r)
    if status == 304:
        same(r.header("ETag"), names["etag"])
        assert r.body == b"" and r.header("Content-Type") is None and not r.header("X-Riak-Vclock"), r
    else:
        assert r.header("Content-Type"), r
    if status >= 400 and method not in ("GET", "HEAD"):
        same(r.header("X-Dunlin-Outcome"), "none")
    now = get(port, key, {"Accept": "multipart/mixed, */*;q=0.5"}) if after else None
    if after == "new":
        same((now.status, now.body), (200, b"new"))
    if after == "nothing":
        same(now.status, 404)
    if after == "old":
        assert b"new" not in now.body and b"old" in now.body, now
    if after == "beside":
        assert now.status == 300 and b"\r\n\r\nnew" in now.body and b"\r\n\r\nold" in now.body, now


def test_of_many_first_writers_one_wins(port, cluster):
    for round in range(5):
        key = "race%d" % round
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            tries = [pool.submit(put, cluster.port(1 + i % 3), key, b"w%d" % i, {"If-None-Match": "*"})
                     for i in range(12)]
            statuses = [t.result().status for t in tries]
        same(sorted(statuses), [204] + [412] * 11)
        r = get(port, key, query="?r=all")
        same((r.status, r.body), (200, b"w%d" % statuses.index(204)))


def test_a_counter_by_if_match_loses_no_increment(port, cluster):
    put(port, "counter", b"0")

    def add(i):
        while True:
            r = get(cluster.port(1 + i % 3), "counter", query="?pr=2")
            assert r.status == 200, r
            w = put(cluster.port(1 + i % 3), "counter", b"%d" % (int(r.body) + 1),
                    {"If-Match": r.header("ETag")})
            if w.status == 204:
                return
            assert w.status == 412, w

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(add, range(24)))
    r = get(port, "counter", query="?r=all")
    same((r.status, r.body), (200, b"24"))


def test_a_write_s_etag_names_the_object_where_it_stands_alone(port):
    first = put(port, "tag", b"one")
    same(put(port, "tag", b"two", {"If-Match": first.header("ETag")}).status, 204)
    second = put(port, "tag", b"three")
    r = get(port, "tag")
    same(r.status, 300)
    assert second.header("ETag") != r.header("ETag")
    same(put(port, "tag", b"four", {"If-Match": second.header("ETag")}).status, 412)
    same(put(port, "tag", b"four", {"If-Match": r.header("ETag")}).status, 204)
    same(get(port, "tag").body, b"four")


def test_a_bucket_may_ask_for_contexts(port):
    set_props(port, "asks", require_context=True)
    same(put(port, "k", b"one", bucket="asks").status, 204)
    r = put(port, "k", b"two", bucket="asks")
    same((r.status, r.header("X-Dunlin-Outcome")), (428, "none"))
    now = get(port, "k", bucket="asks")
    same((now.status, now.body), (200, b"one"))
    same(put(port, "k", b"two", {"X-Riak-Vclock": now.header("X-Riak-Vclock")}, bucket="asks").status, 204)
    tag = get(port, "k", bucket="asks").header("ETag")
    same(put(port, "k", b"three", {"If-Match": tag}, bucket="asks").status, 204)
    same(delete(port, "k", bucket="asks").status, 204)
    same(put(port, "k", b"again", bucket="asks").status, 204)


def test_a_write_once_bucket_refuses_a_second_write(port):
    set_props(port, "once", write_once=True)
    same(put(port, "k", b"one", bucket="once").status, 204)
    r = put(port, "k", b"two", bucket="once")
    same((r.status, r.header("X-Dunlin-Outcome")), (409, "none"))
    context = get(port, "k", bucket="once").header("X-Riak-Vclock")
    same(put(port, "k", b"two", {"X-Riak-Vclock": context}, bucket="once").status, 409)
    same(get(port, "k", bucket="once").body, b"one")


def test_siblings_as_json(port):
    put(port, "json", b"one", {"X-Riak-Meta-Who": "me"})
    put(port, "json", b"\xff\x00")
    r = get(port, "json", {"Accept": "application/json"})
    same((r.status, r.header("Content-Type")), (300, "application/json"))
    siblings = json.loads(r.body)["siblings"]
    same(sorted(s.get("value", s.get("value_base64")) for s in siblings), ["/wA=", "one"])
    same([s["meta"] for s in siblings if s.get("value") == "one"], [{"Who": "me"}])
    vtags = get(port, "json", {"Accept": "*/*"}).body.decode().split("\n")[1:-1]
    same(sorted(s["vtag"] for s in siblings), sorted(vtags))
    same(get(port, "json", {"Accept": "multipart/mixed, application/json;q=0.7, */*;q=0.5"})
         .header("Content-Type").split(";")[0], "multipart/mixed")


def test_a_failed_look_is_503_and_nothing_is_stored(port, cluster):
    """Last: it ends two nodes."""
    put(port, "look", b"old", query="?w=all")
    cluster.kill(2)
    assert lib.wait_for(lambda: len(lib.members_up(port)) == 2)
    assert lib.wait_for(lambda: put(port, "one-down", b"v", {"If-None-Match": "*"}).status == 204, 5)
    cluster.kill(3)
    assert lib.wait_for(lambda: len(lib.members_up(port)) == 1)
    for headers in ({"If-None-Match": "*"}, {"If-Match": "*"}, {"If-Match": OTHER}):
        r = put(port, "look", b"new", headers, "?w=1&dw=1")
        same((r.status, r.header("X-Dunlin-Outcome")), (503, "none"), "%r" % headers)
        assert r.header("Retry-After"), r
    cluster.restart(2)
    cluster.restart(3)
    assert lib.wait_for(lambda: len(lib.members_up(port)) == 3)
    r = lib.wait_for(lambda: (lambda g: g if g.status == 200 else None)(get(port, "look", query="?r=all")))
    same(r.body, b"old")


def main():
    count = lib.Count()
    with lib.Cluster() as cluster:
        port = cluster.port()
        for serial, row in enumerate(ROWS):
            count.check(row[0], check_row, port, row, "row%d" % serial)
        for serial, row in enumerate(ROWS):
            count.check(row[0] + ", at another node", check_row, cluster.port(2), row, "other%d" % serial)
        for name, function in lib.tests_of(sys.modules[__name__]):
            wants = function.__code__.co_argcount
            count.check(name, function, *(port, cluster)[:wants])
    count.finish()


main()
