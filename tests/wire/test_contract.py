#!/usr/bin/env python3
"""What existing clients hold a server to, byte for byte: spelling of fields, joined fields, escaped names, keys that are used
again after a delete, and the words of answers when a node is away."""
import json
import os
import re
import signal
import sys

import lib
from lib import Connection, encode, http, same, wait_for

TEXT = {"Content-Type": "text/plain"}
MULTIPART = {"Accept": "multipart/mixed"}
LISTED = b"request timed out\nlooked through N of 256 partitions\n"


def put(port, key, body, headers=None, query="", bucket="b"):
    r = http(port, "PUT", "/buckets/%s/keys/%s%s" % (bucket, key, query), dict(TEXT, **(headers or {})), body)
    assert r.status // 100 == 2, r
    return r


def get(port, key, headers=None, query="", bucket="b"):
    return http(port, "GET", "/buckets/%s/keys/%s%s" % (bucket, key, query), headers)


def delete(port, key, headers=None):
    r = http(port, "DELETE", "/buckets/b/keys/" + key, headers)
    same(r.status, 204)
    return r


def names_of(r):
    return [n for n, _ in r.headers]


def parts_of(r):
    """(fields as lines, value) of each part of a multipart answer."""
    boundary = re.fullmatch("multipart/mixed; boundary=(.{1,32})", r.header("Content-Type"))[1].encode()
    pieces = r.body.split(b"\r\n--" + boundary)
    same((pieces[0], pieces[-1]), (b"", b"--\r\n"), "before the first boundary, and behind the last")
    split = [p.removeprefix(b"\r\n").split(b"\r\n\r\n", 1) for p in pieces[1:-1]]
    return [(head.decode().split("\r\n"), value) for head, value in split]


# ---- spelling ----------------------------------------------------------------------------------

def test_fields_of_a_value_are_spelt_as_clients_compare_them(port):
    put(port, "spelt", b"v", {"Content-Encoding": "gzip", "X-Riak-Meta-Color": "blue", "X-Dunlin-TTL": "1000",
                              "Link": '</buckets/b/keys/o>; riaktag="t"'})
    r = get(port, "spelt", query="?trace=1")
    same(sorted(names_of(r)), sorted(
        ["Server", "Date", "Content-Type", "Content-Length", "Vary", "X-Riak-Vclock", "ETag", "Content-Encoding", "Link",
         "Last-Modified", "X-Dunlin-TTL", "X-Riak-Meta-Color", "X-Dunlin-Trace"]))
    same(r.header("Vary"), "Accept-Encoding")


def test_fields_of_a_write_and_of_a_new_key_are_spelt_so(port):
    same(sorted(names_of(put(port, "spelt2", b"v"))), ["Content-Type", "Date", "ETag", "Server", "X-Riak-Vclock"])
    r = http(port, "POST", "/buckets/b/keys", TEXT, b"v")
    same(sorted(names_of(r)),
         ["Content-Length", "Content-Type", "Date", "ETag", "Location", "Server", "X-Riak-Vclock"])


def test_names_of_request_fields_have_any_case(port):
    http(port, "PUT", "/buckets/b/keys/anycase",
         {"cOnTeNt-TYPE": "a/b", "x-rIAK-mETA-Hue": "red", "LINK": '</riak/b/o>; riaktag="t"'},
         b"v")
    r = get(port, "anycase")
    same((r.header("Content-Type"), r.header("X-Riak-Meta-Hue")), ("a/b", "red"))
    same(r.header("Link"), '</buckets/b/keys/o>; riaktag="t", </buckets/b>; rel="up"')
    r = http(port, "PUT", "/buckets/b/keys/anycase", {"content-type": "a/b", "x-riak-VCLOCK": r.header("X-Riak-Vclock")},
             b"w")
    same(get(port, "anycase").body, b"w")


def test_Etag_in_a_part_is_bare_and_spelt_so(port):
    put(port, "etags", b"one", {"X-Riak-Meta-A": "1"})
    put(port, "etags", b"two")
    r = get(port, "etags", MULTIPART)
    assert re.fullmatch('"[0-9A-Za-z]+"', r.header("ETag")), r
    same(r.header("Vary"), "Accept, Accept-Encoding")
    seen = {}
    for lines, value in parts_of(r):
        tags = [l for l in lines if l.lower().startswith("etag:")]
        assert len(tags) == 1 and re.fullmatch("Etag: [0-9A-Za-z]+", tags[0]), lines
        seen[value] = tags[0].removeprefix("Etag: ")
        same({l.split(": ")[0] for l in lines} - {"X-Riak-Meta-A"}, {"Content-Type", "Etag", "Link", "Last-Modified"})
    listed = get(port, "etags", {"Accept": "*/*"}).body.decode()
    same(listed, "Siblings:\n" + "".join("%s\n" % t for t in listed.split("\n")[1:3]))
    same(sorted(seen.values()), sorted(listed.split("\n")[1:3]))
    for value, vtag in seen.items():
        one = get(port, "etags", query="?vtag=" + vtag)
        same((one.status, one.body), (200, value))


# ---- repeated fields ---------------------------------------------------------------------------

def test_repeated_fields_are_joined_in_their_order(port):
    put(port, "joined", b"v", {"Content-Encoding": ["a", "b"], "X-Riak-Meta-M": ["first", "last"],
                               "Link": ['</riak/b/1>; riaktag="x"', '</riak/b/2>; riaktag="y", </riak/b/3>; riaktag="z"']})
    r = get(port, "joined")
    same((r.header("Content-Encoding"), r.header("X-Riak-Meta-M")), ("a, b", "last"))
    same(re.findall(r"keys/(\d)>", r.header("Link")), ["1", "2", "3"])
    put(port, "joined", b"w")
    two = {"Accept": ["text/html", "multipart/mixed"]}
    assert get(port, "joined", two).header("Content-Type").startswith("multipart/mixed"), two
    same(get(port, "joined", {"Accept": ["image/png", "text/html"]}).status, 406)


def test_what_must_not_be_repeated_is_400(port):
    context = put(port, "twice", b"v").header("X-Riak-Vclock")
    for headers, text in ((dict(TEXT, **{"X-Riak-Vclock": [context, context]}), b"X-Riak-Vclock must be sent once\n"),
                          ({"Content-Type": ["a/b", "a/b"]}, b"Content-Type must be sent once\n")):
        r = http(port, "PUT", "/buckets/b/keys/twice", headers, b"w")
        same((r.status, r.body, r.header("X-Dunlin-Outcome")), (400, text, "none"))


# ---- names -------------------------------------------------------------------------------------

def test_plus_is_a_space_in_every_piece_of_a_path(port):
    same(http(port, "PUT", "/types/default/buckets/a+b/keys/c+d", TEXT, b"v").status, 204)
    for path in ("/buckets/a%20b/keys/c%20d", "/riak/a+b/c+d", "/riak/a%20b/c+d"):
        same(http(port, "GET", path).body, b"v", path)
    for path in ("/buckets/a%2Bb/keys/c+d", "/buckets/a+b/keys/c%2Bd", "/buckets/a%2520b/keys/c+d"):
        same(http(port, "GET", path).status, 404, path)
    same(json.loads(http(port, "GET", "/buckets/a+b/keys?keys=true").body), {"keys": ["c d"]})
    same(json.loads(http(port, "GET", "/buckets/a+b/props").body)["props"]["name"], "a b")


def test_plus_is_a_space_in_a_query(port):
    r = get(port, "q", query="?timeout=a+b%2B%26")
    same((r.status, r.body), (400, b'Bad timeout value "a b+&"\n'))


def test_Location_is_a_relative_path_of_the_family_with_its_bucket_escaped(port):
    key = "([0-9A-Za-z]{20,30})"
    for path, pattern in (("/buckets/p%2Fq+r%25/keys", "/buckets/p%2Fq%20r%25/keys/" + key),
                          ("/riak/p%2fq+r%25", "/riak/p%2Fq%20r%25/" + key),
                          ("/types/default/buckets/%C3%A4%2B/keys/", "/types/default/buckets/%C3%A4%2B/keys/" + key)):
        r = http(port, "POST", path + "?returnbody=true", TEXT, b"posted")
        same((r.status, r.body), (201, b"posted"), path)
        assert re.fullmatch(pattern, r.header("Location")), r
        same(http(port, "GET", r.header("Location")).body, b"posted", r.header("Location"))


# ---- streams -----------------------------------------------------------------------------------

def test_the_last_chunk_of_a_stream_is_an_empty_list_to_the_byte(port):
    put(port, "k", b"v", bucket="stream")
    r = http(port, "GET", "/buckets/stream/keys?keys=stream")
    same((r.chunks, r.whole), ([b'{"keys":["k"]}', b'{"keys":[]}'], True))
    r = http(port, "GET", "/buckets?buckets=stream")
    same((r.chunks[-1], r.whole), (b'{"buckets":[]}', True))
    assert all(json.loads(c)["buckets"] for c in r.chunks[:-1]), r.chunks


# ---- keys that are used again ------------------------------------------------------------------

def gone(port, key):
    """The key, written and deleted; the 404 that tells so."""
    put(port, key, b"old")
    delete(port, key)
    return get(port, key)


def test_a_404_tells_a_deletion_from_nothing(port):
    for method in ("GET", "HEAD"):
        gone(port, "told")
        r = http(port, method, "/buckets/b/keys/told")
        same((r.status, r.header("X-Riak-Deleted"), r.header("Content-Length")), (404, "true", "10"), method)
        assert r.header("X-Riak-Vclock") and r.header("ETag") is None, r
        r = http(port, method, "/buckets/b/keys/never-there")
        same((r.status, r.header("X-Riak-Deleted"), r.header("X-Riak-Vclock"), r.header("Content-Length")),
             (404, None, None, "10"), method)


def test_after_a_delete_a_write_with_its_context_stands_alone(port):
    context = gone(port, "reused").header("X-Riak-Vclock")
    put(port, "reused", b"new", {"X-Riak-Vclock": context})
    r = get(port, "reused", {"Accept": "multipart/mixed, */*;q=0.5"}, "?r=all")
    same((r.status, r.body, r.header("X-Riak-Deleted")), (200, b"new", None))


def test_after_a_delete_the_context_of_its_204_will_do(port):
    put(port, "reused204", b"old")
    context = delete(port, "reused204").header("X-Riak-Vclock")
    put(port, "reused204", b"new", {"X-Riak-Vclock": context})
    same((get(port, "reused204").status, get(port, "reused204").body), (200, b"new"))


def test_after_a_delete_a_write_if_there_is_nothing_stands_alone(port):
    gone(port, "fresh")
    put(port, "fresh", b"new", {"If-None-Match": "*"})
    same((get(port, "fresh").status, get(port, "fresh").body), (200, b"new"))


def test_after_a_delete_a_write_without_context_stands_beside_it(port):
    gone(port, "beside")
    put(port, "beside", b"new")
    r = get(port, "beside", MULTIPART, "?r=all")
    same(r.status, 300)
    parts = {value: lines for lines, value in parts_of(r)}
    same(sorted(parts), [b"", b"new"])
    assert "X-Riak-Deleted: true" in parts[b""] and "X-Riak-Deleted: true" not in parts[b"new"], parts
    shown = json.loads(get(port, "beside", {"Accept": "application/json"}).body)["siblings"]
    same(sorted((s.get("deleted", False), s.get("value")) for s in shown), [(False, "new"), (True, None)])
    vtag = next(l for l in parts[b""] if l.startswith("Etag: "))[6:]
    one = get(port, "beside", query="?vtag=" + vtag)
    same((one.status, one.body, one.header("X-Riak-Deleted")), (200, b"", "true"))
    put(port, "beside", b"merged", {"X-Riak-Vclock": r.header("X-Riak-Vclock")})
    same((get(port, "beside").status, get(port, "beside").body), (200, b"merged"))


def test_a_context_from_before_the_delete_does_not_cover_it(port):
    put(port, "before", b"old")
    context = get(port, "before").header("X-Riak-Vclock")
    delete(port, "before", {"X-Riak-Vclock": context})
    put(port, "before", b"new", {"X-Riak-Vclock": context})
    r = get(port, "before", MULTIPART)
    same((r.status, sorted(v for _, v in parts_of(r))), (300, [b"", b"new"]))


def test_where_the_newest_wins_a_key_is_used_again_without_context(port):
    same(http(port, "PUT", "/buckets/newest/props", {"Content-Type": "application/json"},
              b'{"props":{"allow_mult":false}}').status, 204)
    put(port, "k", b"old", bucket="newest")
    same(http(port, "DELETE", "/buckets/newest/keys/k").status, 204)
    put(port, "k", b"new", bucket="newest")
    same((get(port, "k", bucket="newest").status, get(port, "k", bucket="newest").body), (200, b"new"))


# ---- nodes away --------------------------------------------------------------------------------

def test_while_nodes_are_stopped_requests_time_out(port, cluster):
    put(port, "slow", b"v", query="?w=all")
    same(http(port, "PUT", "/buckets/one/props", {"Content-Type": "application/json"}, b'{"props":{"n_val":1}}').status, 204)
    pids = [cluster.pid(i) for i in (2, 3)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        for method, path, body, wanted, outcome in (
                ("GET", "/buckets/b/keys/slow?timeout=150", None, b"request timed out\n", None),
                ("HEAD", "/buckets/b/keys/slow?timeout=150", None, b"", None),
                ("PUT", "/buckets/b/keys/slow?timeout=150", b"v", b"request timed out\n", "unknown"),
                ("DELETE", "/buckets/b/keys/slow?timeout=150", None, b"request timed out\n", "none"),
                ("GET", "/buckets/one/keys?keys=true&timeout=150", None, LISTED, None),
                ("GET", "/buckets/one/keys?keys=stream&timeout=150", None, LISTED, None)):
            r = http(port, method, path, TEXT, body)
            body = re.sub(rb"through \d+ of", b"through N of", r.body)
            same((r.status, body, r.header("Content-Type"), r.header("Retry-After"), r.header("X-Dunlin-Outcome")),
                 (503, wanted, "text/plain; charset=utf-8", "1", outcome), path)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert wait_for(lambda: len(lib.members_up(port)) == 3)


# With one node of three down: method, query, status, text, outcome.
DOWN = [
    ("GET", "?pr=3", 503, b"PR-value unsatisfied: 2/3\n", None),
    ("GET", "?pr=all", 503, b"PR-value unsatisfied: 2/3\n", None),
    ("GET", "?r=3", 503, b"R-value unsatisfied: 2/3\n", None),
    ("GET", "?r=3&pr=3", 503, b"PR-value unsatisfied: 2/3\n", None),
    ("GET", "?pr=quorum&r=2", 200, b"v", None),
    ("GET", "?consistency=primary", 200, b"v", None),
    ("GET", "?node_confirms=3&r=1", 503, b"node_confirms-value unsatisfied: 2/3\n", None),
    ("GET", "?node_confirms=2&r=1", 200, b"v", None),
    ("HEAD", "?pr=3", 503, b"", None),
    ("PUT", "?pw=3", 503, b"PW-value unsatisfied: 2/3\n", "none"),
    ("PUT", "?pw=all", 503, b"PW-value unsatisfied: 2/3\n", "none"),
    ("POST", "?pw=3&returnbody=true", 503, b"PW-value unsatisfied: 2/3\n", "none"),
    ("PUT", "?pw=quorum", 204, b"", None),
    ("PUT", "?dw=3", 503, b"DW-value unsatisfied: 2/3\n", "none"),
    ("PUT", "?node_confirms=3", 503, b"node_confirms-value unsatisfied: 2/3\n", "none"),
    ("PUT", "?node_confirms=all&w=1", 503, b"node_confirms-value unsatisfied: 2/3\n", "none"),
    ("PUT", "?node_confirms=2", 204, b"", None),
    ("PUT", "?pw=3&node_confirms=3", 503, b"PW-value unsatisfied: 2/3\n", "none"),
    ("PUT", "?w=3", 503, b"Too Many write failures to satisfy W/DW\n", "none"),
    ("DELETE", "?pw=3", 503, b"PW-value unsatisfied: 2/3\n", "none"),
    ("DELETE", "?rw=2&pr=3", 503, b"PR-value unsatisfied: 2/3\n", "none"),
]


def test_with_a_node_down_each_quorum_says_what_it_lacks(port, cluster):
    put(port, "lacks", b"v", query="?w=all")
    cluster.kill(3)
    assert wait_for(lambda: len(lib.members_up(port)) == 2)
    wrong = []
    for i, (method, query, *wanted) in enumerate(DOWN):
        key = "lacks" if method in ("GET", "HEAD", "DELETE") else "lacks%d" % i
        r = http(port, method, "/buckets/b/keys/" + key + query, TEXT, b"v" if method in ("PUT", "POST") else None)
        got = [r.status, r.body, r.header("X-Dunlin-Outcome")]
        if got != wanted or (r.status == 503 and r.header("Retry-After") != "1"):
            wrong.append((method, query, r))
    same(wrong, [])
    cluster.restart(3)


def main():
    count = lib.Count()
    with lib.Cluster() as cluster:
        for name, function in lib.tests_of(sys.modules[__name__]):
            wants = function.__code__.co_argcount
            count.check(name, function, *(cluster.port(), cluster)[:wants])
    count.finish()


main()
