#!/usr/bin/env python3
"""The HTTP contract of objects, over real sockets: each row once whole and once byte by byte."""
import base64
import hashlib
import re
import sys

import lib
from lib import encode, http, same

TEXT = {"Content-Type": "text/plain"}
NOT_FOUND = b"not found\n"
SYNC_TEXT = b"sync_on_write query parameter must be default, backend, one or all\n"
NO_INDEXES = b"there are no secondary indexes here yet: send no X-Riak-Index-* field\n"


def md5(body):
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def quorum_text(name):
    return ("%s query parameter must be an integer or one of the following words: "
            "'one', 'quorum' or 'all'\n" % name).encode()


# One request each, on a key that does not exist yet ({k}; its bucket is b). What is wanted: a status,
# and by name body, or a header's value (None: absent, True: present). `before`: a value is stored first.
ROWS = [
    # ---- routes and methods
    ("an absent key is 404", "GET", "/buckets/b/keys/{k}", {}, None, 404, {"body": NOT_FOUND}),
    ("HEAD of an absent key has no body", "HEAD", "/buckets/b/keys/{k}", {}, None, 404, {}),
    ("an unknown route is 404", "GET", "/solr/x/select", {}, None, 404, {}),
    ("link walking is 404", "GET", "/riak/b/{k}/b,_,1", {}, None, 404, {}),
    ("an unknown method is 501", "BREW", "/buckets/b/keys/{k}", {}, None, 501, {}),
    ("an unknown method wins over an unknown route", "BREW", "/nowhere", {}, None, 501, {}),
    ("a method not offered is 405 with Allow", "OPTIONS", "/buckets/b/keys/{k}", {}, None, 405,
     {"Allow": True}),
    ("PUT /ping is 405", "PUT", "/ping", TEXT, b"x", 405, {"Allow": "GET, HEAD"}),
    ("ping is OK", "GET", "/ping", {}, None, 200, {"body": b"OK", "Content-Type": "text/html"}),
    ("ready is 200", "GET", "/ready", {}, None, 200, {}),
    ("an unknown bucket type is 404", "GET", "/types/nosuch/buckets/b/keys/{k}", {}, None, 404, {}),
    # ---- order of decisions
    ("405 comes before a bad parameter", "PATCH", "/buckets/b/keys/{k}?r=x", {}, None, 501, {}),
    ("Content-MD5 comes before the missing type", "PUT", "/buckets/b/keys/{k}",
     {"Content-MD5": md5(b"other")}, b"v", 400, {"not body": b"Missing Content-Type request header"}),
    ("the missing type comes before the timeout", "PUT", "/buckets/b/keys/{k}?timeout=x", {}, b"v", 400,
     {"starts": b"Missing Content-Type request header"}),
    ("the timeout comes before the quorum", "PUT", "/buckets/b/keys/{k}?w=x&timeout=x", TEXT, b"v", 400,
     {"body": b'Bad timeout value "x"\n'}),
    ("a bad media type is 415", "PUT", "/buckets/b/keys/{k}", {"Content-Type": "plain"}, b"v", 415, {}),
    ("a bad quorum comes before the media type", "PUT", "/buckets/b/keys/{k}?w=x",
     {"Content-Type": "plain"}, b"v", 400, {"body": quorum_text("w")}),
    # ---- parameters
    ("a bad r is 400", "GET", "/buckets/b/keys/{k}?r=many", {}, None, 400, {"body": quorum_text("r")}),
    ("a bad pr is 400", "GET", "/buckets/b/keys/{k}?pr=x", {}, None, 400, {"body": quorum_text("pr")}),
    ("a negative r is 400", "GET", "/buckets/b/keys/{k}?r=-1", {}, None, 400, {}),
    ("r=0 is 400", "GET", "/buckets/b/keys/{k}?r=0", {}, None, 400, {}),
    ("an upper-case word is 400", "GET", "/buckets/b/keys/{k}?r=ALL", {}, None, 400, {}),
    ("r above n is 400", "GET", "/buckets/b/keys/{k}?r=4", {}, None, 400,
     {"body": b"Specified w/dw/pw/node_confirms values invalid for bucket n value of 3\n"}),
    ("pw above n is 400", "PUT", "/buckets/b/keys/{k}?pw=9", TEXT, b"v", 400,
     {"body": b"Specified w/dw/pw/node_confirms values invalid for bucket n value of 3\n"}),
    ("all words are taken", "PUT", "/buckets/b/keys/{k}?w=all&dw=quorum&pw=one&timeout=9000", TEXT, b"v",
     204, {}),
    ("a bad boolean is 400", "GET", "/buckets/b/keys/{k}?basic_quorum=maybe", {}, None, 400,
     {"body": b"basic_quorum query parameter must be true or false\n"}),
    ("a bad sync_on_write is 400", "PUT", "/buckets/b/keys/{k}?sync_on_write=never", TEXT, b"v", 400,
     {"body": SYNC_TEXT, "X-Dunlin-Outcome": "none"}),
    ("an upper-case sync_on_write is 400", "PUT", "/buckets/b/keys/{k}?sync_on_write=ALL", TEXT, b"v", 400,
     {"body": SYNC_TEXT}),
    ("an empty sync_on_write is 400", "POST", "/buckets/b/keys?sync_on_write=", TEXT, b"v", 400, {"body": SYNC_TEXT}),
    ("sync_on_write=default is taken", "PUT", "/buckets/b/keys/{k}?sync_on_write=default", TEXT, b"v", 204, {}),
    ("sync_on_write=backend is taken", "PUT", "/buckets/b/keys/{k}?sync_on_write=backend", TEXT, b"v", 204, {}),
    ("sync_on_write=one is taken", "POST", "/buckets/b/keys/{k}?sync_on_write=one", TEXT, b"v", 204, {}),
    ("sync_on_write=all is taken", "POST", "/buckets/b/keys?sync_on_write=all", TEXT, b"v", 201, {}),
    ("sync_on_write means nothing to a read", "GET", "/buckets/b/keys/{k}?sync_on_write=x", {}, None, 404,
     {"body": NOT_FOUND}),
    ("the timeout comes before sync_on_write", "PUT", "/buckets/b/keys/{k}?sync_on_write=x&timeout=x", TEXT, b"v", 400,
     {"body": b'Bad timeout value "x"\n'}),
    ("booleans are taken in any case", "GET", "/buckets/b/keys/{k}?basic_quorum=TRUE&notfound_ok=False",
     {}, None, 404, {"body": NOT_FOUND}),
    ("unknown names are ignored", "GET", "/buckets/b/keys/{k}?return_body=x&foo", {}, None, 404, {}),
    ("the first of two counts", "GET", "/buckets/b/keys/{k}?r=1&r=x", {}, None, 404, {}),
    ("a bare ? and & are legal", "GET", "/buckets/b/keys/{k}?&", {}, None, 404, {"body": NOT_FOUND}),
    ("a bad escape is 400", "GET", "/buckets/b/keys/%zz", {}, None, 400, {}),
    # ---- PUT and POST
    ("PUT is 204 and echoes the type", "PUT", "/buckets/b/keys/{k}", {"Content-Type": "a/b"}, b"v", 204,
     {"Content-Type": "a/b", "X-Riak-Vclock": True, "ETag": True}),
    ("an empty value is stored", "PUT", "/buckets/b/keys/{k}", TEXT, b"", 204, {}),
    ("returnbody gives the value", "PUT", "/buckets/b/keys/{k}?returnbody=true", TEXT, b"v", 200,
     {"body": b"v", "X-Riak-Vclock": True, "ETag": True, "Last-Modified": True}),
    ("returnbody=1 does not", "PUT", "/buckets/b/keys/{k}?returnbody=1", TEXT, b"v", 204, {}),
    ("returnbody of an empty value is 200", "PUT", "/buckets/b/keys/{k}?returnbody=true", TEXT, b"", 200,
     {"body": b""}),
    ("POST with a key is PUT", "POST", "/buckets/b/keys/{k}", TEXT, b"v", 204, {}),
    ("a right Content-MD5 is taken", "PUT", "/buckets/b/keys/{k}",
     dict(TEXT, **{"Content-MD5": md5(b"v")}), b"v", 204, {}),
    ("a context that is no base64 is 400", "PUT", "/buckets/b/keys/{k}",
     dict(TEXT, **{"X-Riak-Vclock": "!!!"}), b"v", 400, {}),
    ("a context that we did not give is 400", "PUT", "/buckets/b/keys/{k}",
     dict(TEXT, **{"X-Riak-Vclock": base64.b64encode(b"x" * 40).decode()}), b"v", 400, {}),
    ("client ids and encodings are ignored", "PUT", "/buckets/b/keys/{k}",
     dict(TEXT, **{"X-Riak-ClientId": "me", "X-Riak-URL-Encoding": "on"}), b"v", 204, {}),
    ("a chunked body is taken", "PUT", "/buckets/b/keys/{k}?returnbody=true",
     dict(TEXT, **{"Transfer-Encoding": "chunked"}), b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nT: x\r\n\r\n",
     200, {"body": b"abcdefg"}),
    ("a bad chunk is 400", "PUT", "/buckets/b/keys/{k}", dict(TEXT, **{"Transfer-Encoding": "chunked"}),
     b"zz\r\nabc\r\n0\r\n\r\n", 400, {"Connection": "close"}),
    # ---- secondary indexes, which are not there
    ("an index field is 400", "PUT", "/buckets/b/keys/{k}", dict(TEXT, **{"X-Riak-Index-age_int": "7"}), b"v", 400,
     {"body": NO_INDEXES, "X-Dunlin-Outcome": "none"}),
    ("an index field is 400 in any case", "POST", "/buckets/b/keys", dict(TEXT, **{"x-RIAK-index-NAME_bin": "x"}), b"v",
     400, {"body": NO_INDEXES}),
    ("an index field without a value is 400", "PUT", "/riak/b/{k}", dict(TEXT, **{"X-Riak-Index-a_bin": ""}), b"v", 400,
     {"body": NO_INDEXES}),
    ("a bad Link comes before an index field", "PUT", "/buckets/b/keys/{k}",
     dict(TEXT, **{"X-Riak-Index-a_bin": "x", "Link": "x"}), b"v", 400, {"starts": b"a Link must be"}),
    ("an index field comes before a bad context", "PUT", "/buckets/b/keys/{k}",
     dict(TEXT, **{"X-Riak-Index-a_bin": "x", "X-Riak-Vclock": "!"}), b"v", 400, {"body": NO_INDEXES}),
    ("an index field comes before the media type", "PUT", "/buckets/b/keys/{k}",
     {"Content-Type": "plain", "X-Riak-Index-a_bin": "x"}, b"v", 400, {"body": NO_INDEXES}),
    ("a read may name an index", "GET", "/buckets/b/keys/{k}", {"X-Riak-Index-a_bin": "x"}, None, 404, {"body": NOT_FOUND}),
    # ---- DELETE
    ("DELETE of an absent key is 404", "DELETE", "/buckets/b/keys/{k}", {}, None, 404,
     {"body": NOT_FOUND}),
    ("a bad rw is 400", "DELETE", "/buckets/b/keys/{k}?rw=x", {}, None, 400, {"body": quorum_text("rw")}),
    # ---- messages that two readers could take for different ones
    ("two lengths are 400", "PUT", "/buckets/b/keys/{k}", dict(TEXT, **{"Content-Length": ["1", "2"]}),
     b"v", 400, {"Connection": "close"}),
    ("a length beside chunks is 400", "PUT", "/buckets/b/keys/{k}",
     dict(TEXT, **{"Transfer-Encoding": "chunked", "Content-Length": "3"}), b"0\r\n\r\n", 400,
     {"Connection": "close"}),
    ("an unknown coding is refused", "PUT", "/buckets/b/keys/{k}",
     dict(TEXT, **{"Transfer-Encoding": "gzip, chunked"}), b"0\r\n\r\n", (400, 501),
     {"Connection": "close"}),
    ("space before a colon is 400", "GET", "/buckets/b/keys/{k}", {"X-A ": "b"}, None, 400,
     {"Connection": "close"}),
    ("a long header block is taken", "GET", "/buckets/b/keys/{k}",
     {"X-%d" % i: "v" * 8000 for i in range(7)}, None, 404, {"body": NOT_FOUND}),
]


def check_row(port, row, step, serial):
    name, method, path, headers, body, status, wanted = row
    r = http(port, method, path.replace("{k}", "row-%d-%d" % (serial, step)), headers, body, step)
    statuses = status if isinstance(status, tuple) else (status,)
    assert r.status in statuses, "got %r, wanted %r" % (r, status)
    for what, value in wanted.items():
        if what == "body":
            same(r.body, value, "body")
        elif what == "not body":
            assert not r.body.startswith(value), r
        elif what == "starts":
            assert r.body.startswith(value), r
        elif value is True:
            assert r.header(what) is not None, "no %s in %r" % (what, r)
        else:
            same(r.header(what), value, what)
    assert r.status == 304 or r.header("Content-Type"), "no Content-Type in %r" % r
    assert r.header("Date"), r


def put(port, key, body, headers=None, query="", bucket="b"):
    r = http(port, "PUT", "/buckets/%s/keys/%s%s" % (bucket, key, query), dict(TEXT, **(headers or {})),
             body)
    assert r.status // 100 in (2, 3), r
    return r


def get(port, key, headers=None, query="", bucket="b"):
    return http(port, "GET", "/buckets/%s/keys/%s%s" % (bucket, key, query), headers)


# ---- longer stories ----------------------------------------------------------------------------

def test_the_three_families_of_paths_name_the_same_data(port):
    http(port, "PUT", "/riak/fam/k1", TEXT, b"one")
    for path in ("/riak/fam/k1", "/buckets/fam/keys/k1", "/types/default/buckets/fam/keys/k1",
                 "//buckets//fam///keys/k1/", "/buckets/fam/keys/k1?"):
        r = http(port, "GET", path)
        same((r.status, r.body), (200, b"one"), path)


def test_names_are_decoded_once_and_plus_is_a_space(port):
    http(port, "PUT", "/buckets/a%20b/keys/x%2Fy+z", TEXT, b"odd")
    same(http(port, "GET", "/buckets/a+b/keys/x%2fy%20z").body, b"odd")
    same(http(port, "GET", "/buckets/a+b/keys/x%2Fy%2Bz").status, 404)
    http(port, "PUT", "/buckets/b/keys/%00%ff%2525", TEXT, b"bytes")
    same(http(port, "GET", "/buckets/b/keys/%00%FF%2525").body, b"bytes")


def test_one_value_comes_back_with_its_fields(port):
    put(port, "fields", b"v", {"Content-Type": "text/x; charset=utf-8", "Content-Encoding": "gzip",
                               "X-Riak-Meta-Color": "blue", "x-riak-meta-size": "9",
                               "Link": '</buckets/b/keys/other>; riaktag="friend"'})
    r = get(port, "fields")
    same((r.status, r.body), (200, b"v"))
    assert r.header("Content-Type").startswith("text/x"), r
    assert "charset=utf-8" in r.header("Content-Type"), r
    same(r.header("Content-Encoding"), "gzip")
    same(r.header("X-Riak-Meta-Color"), "blue")
    same(r.header("X-Riak-Meta-size"), "9")
    links = r.header("Link")
    assert '</buckets/b/keys/other>; riaktag="friend"' in links, r
    assert links.endswith('</buckets/b>; rel="up"'), r
    assert re.fullmatch(r'"[A-Za-z0-9]+"', r.header("ETag")), r
    assert r.header("Last-Modified").endswith(" GMT"), r
    base64.b64decode(r.header("X-Riak-Vclock"), validate=True)


def test_HEAD_has_the_same_fields_and_no_body(port):
    put(port, "headed", b"12345")
    g, h = get(port, "headed"), http(port, "HEAD", "/buckets/b/keys/headed")
    same(h.status, 200)
    same(h.header("Content-Length"), "5")
    for name in ("ETag", "X-Riak-Vclock", "Last-Modified", "Content-Type"):
        same(h.header(name), g.header(name), name)


def test_many_long_Link_lines_are_kept(port):
    links = ['</buckets/b/keys/l%03d>; riaktag="%s"' % (i, "t" * 100) for i in range(300)]
    lines = [", ".join(links[i:i + 50]) for i in range(0, 300, 50)]
    put(port, "linked", b"v", {"Link": lines})
    r = get(port, "linked")
    same(r.header("Link").count("riaktag"), 300)


def test_POST_without_a_key_chooses_one_and_says_where(port):
    for path, pattern in (("/buckets/p/keys", "/buckets/p/keys/([0-9A-Za-z]{20,30})"),
                          ("/riak/p", "/riak/p/([0-9A-Za-z]{20,30})"),
                          ("/types/default/buckets/p/keys/",
                           "/types/default/buckets/p/keys/([0-9A-Za-z]{20,30})")):
        r = http(port, "POST", path, TEXT, b"posted")
        same(r.status, 201, path)
        assert re.fullmatch(pattern, r.header("Location")), r
        same(http(port, "GET", r.header("Location")).body, b"posted")


def test_writes_without_a_context_become_siblings(port):
    put(port, "sib", b"one")
    put(port, "sib", b"two")
    r = get(port, "sib", {"Accept": "*/*"})
    same(r.status, 300)
    lines = r.body.decode().split("\n")
    same((lines[0], len(lines), lines[-1]), ("Siblings:", 4, ""))
    values = {get(port, "sib", query="?vtag=" + v).body for v in lines[1:3]}
    same(values, {b"one", b"two"})
    same(get(port, "sib", query="?vtag=nonsense").status, 404)


def test_siblings_come_as_multipart_when_it_is_named(port):
    put(port, "multi", b"one", {"X-Riak-Meta-A": "1"})
    put(port, "multi", b"two")
    for accept in ("multipart/mixed, application/json, */*;q=0.5", "*/*, multipart/mixed",
                   "multipart/mixed, application/json;q=0.7, */*;q=0.5", "multipart/mixed, */*;q=0.9"):
        r = get(port, "multi", {"Accept": accept})
        same(r.status, 300)
        boundary = re.fullmatch("multipart/mixed; boundary=(.+)", r.header("Content-Type")).group(1)
        parts = r.body.split(b"\r\n--" + boundary.encode())
        same((parts[0], parts[-1], len(parts)), (b"", b"--\r\n" if r.body.endswith(b"\r\n") else b"--", 4))
        same({p.split(b"\r\n\r\n", 1)[1] for p in parts[1:-1]}, {b"one", b"two"})
        assert all(b"\r\nEtag: " in p and b"\r\nContent-Type: text/plain" in p for p in parts[1:-1])
        assert r.body.count(b"X-Riak-Meta-A: 1") == 1


def test_a_write_with_the_context_resolves_siblings(port):
    put(port, "resolve", b"one")
    put(port, "resolve", b"two")
    context = get(port, "resolve").header("X-Riak-Vclock")
    same(put(port, "resolve", b"both", {"X-Riak-Vclock": context}).status, 204)
    same((get(port, "resolve").status, get(port, "resolve").body), (200, b"both"))


def test_a_context_covers_only_what_was_shown(port):
    put(port, "shown", b"one")
    context = get(port, "shown").header("X-Riak-Vclock")
    put(port, "shown", b"two")
    put(port, "shown", b"three", {"X-Riak-Vclock": context})
    r = get(port, "shown", {"Accept": "multipart/mixed"})
    same(r.status, 300)
    assert b"two" in r.body and b"three" in r.body and b"\r\n\r\none" not in r.body, r


def test_the_context_of_another_key_is_refused(port):
    put(port, "mine", b"v")
    context = get(port, "mine").header("X-Riak-Vclock")
    r = http(port, "PUT", "/buckets/b/keys/yours", dict(TEXT, **{"X-Riak-Vclock": context}), b"v")
    same(r.status, 400)


def test_a_write_s_own_context_replaces_it(port):
    context = put(port, "chain", b"v0").header("X-Riak-Vclock")
    for i in range(1, 5):
        context = put(port, "chain", b"v%d" % i, {"X-Riak-Vclock": context}).header("X-Riak-Vclock")
    r = get(port, "chain")
    same((r.status, r.body), (200, b"v4"))


def test_a_deleted_key_is_404_with_a_context(port):
    put(port, "gone", b"v")
    same(http(port, "DELETE", "/buckets/b/keys/gone").status, 204)
    r = get(port, "gone")
    same((r.status, r.body, r.header("X-Riak-Deleted")), (404, b"not found\n", "true"))
    context = r.header("X-Riak-Vclock")
    same(http(port, "DELETE", "/buckets/b/keys/gone").status, 404)
    put(port, "gone", b"back", {"X-Riak-Vclock": context})
    same((get(port, "gone").status, get(port, "gone").body), (200, b"back"))


def test_a_delete_with_a_context_spares_what_it_had_not_seen(port):
    put(port, "spare", b"one")
    context = get(port, "spare").header("X-Riak-Vclock")
    put(port, "spare", b"two")
    same(http(port, "DELETE", "/buckets/b/keys/spare", {"X-Riak-Vclock": context}).status, 204)
    r = get(port, "spare", {"Accept": "multipart/mixed"})
    same(r.status, 300)
    assert b"two" in r.body and b"X-Riak-Deleted: true" in r.body, r


def test_a_large_value_comes_back_whole(port):
    body = bytes(range(256)) * 4096 * 7
    r = put(port, "large", body)
    same(r.status, 204)
    same(hashlib.md5(get(port, "large").body).digest(), hashlib.md5(body).digest())


def test_a_largest_value_is_taken_and_a_byte_more_is_413(port):
    most = 8 << 20
    same(put(port, "most", b"x" * most).status, 204)
    same(len(get(port, "most").body), most)
    r = http(port, "PUT", "/buckets/b/keys/more", TEXT, b"x" * (most + 1))
    same(r.status, 413)
    same(get(port, "more").status, 404)
    chunked = dict(TEXT, **{"Transfer-Encoding": "chunked"})
    r = http(port, "PUT", "/buckets/b/keys/more", chunked,
             b"".join(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n" for _ in range(9)) + b"0\r\n\r\n")
    same(r.status, 413)


def test_a_write_is_read_at_every_node(port, cluster):
    put(port, "every", b"v", query="?w=all")
    for i in range(1, cluster.nodes + 1):
        same(get(cluster.port(i), "every").body, b"v", "n%d" % i)
        same(get(cluster.port(i), "every", query="?r=all&pr=all").body, b"v", "n%d" % i)


def main():
    count = lib.Count()
    with lib.Cluster() as cluster:
        port = cluster.port()
        for serial, row in enumerate(ROWS):
            count.check(row[0], check_row, port, row, 0, serial)
            if not isinstance(row[4], bytes) or len(row[4]) < 4096:
                small = sum(len(str(v)) for v in row[3].values()) < 4096
                count.check(row[0] + ", byte by byte", check_row, port, row, 1 if small else 97, serial)
        for name, function in lib.tests_of(sys.modules[__name__]):
            wants = function.__code__.co_argcount
            count.check(name, function, *(port, cluster)[:wants])
    count.finish()


main()
