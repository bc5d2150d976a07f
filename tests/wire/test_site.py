#!/usr/bin/env python3
"""Writes that a browser sends for a page of another site (Origin, Referer)."""
import sys

import lib
from lib import Node, http, same

TEXT = {"Content-Type": "text/plain"}
WHY = b"a write from a page of another site (Origin, Referer)\n"
WRITES = [("PUT", "/buckets/b/keys/k", b"v"), ("POST", "/buckets/b/keys", b"v"),
          ("DELETE", "/buckets/b/keys/k", None), ("PUT", "/buckets/b/props", b'{"props":{"r":1}}'),
          ("DELETE", "/buckets/b/props", None)]


def test_another_site_may_read_and_no_more(node):
    port = node.port()
    same(http(port, "PUT", "/buckets/b/keys/kept", TEXT, b"kept").status, 204)
    for fields in ({"Referer": "http://elsewhere/"}, {"Origin": "null"}, {"Origin": "http://elsewhere"}):
        for method, path, body in WRITES:
            r = http(port, method, path, dict(TEXT, **fields), body)
            same((r.status, r.body, r.header("X-Dunlin-Outcome")), (403, WHY, "none"), (method, path, fields))
        r = http(port, "GET", "/buckets/b/keys/kept", fields)
        same((r.status, r.body), (200, b"kept"))
    same(http(port, "GET", "/buckets/b/keys/k").status, 404)


def test_its_own_pages_may_write(node):
    own = {"Host": "localhost:%d" % node.port(), "Referer": "http://localhost:%d/" % node.port(),
           "Origin": "http://localhost:%d" % node.port()}
    same(http(node.port(), "PUT", "/buckets/b/keys/own", dict(TEXT, **own), b"v").status, 204)


def test_it_may_be_switched_off(_):
    with Node("--site-check", "no") as node:
        fields = dict(TEXT, Referer="http://elsewhere/")
        same(http(node.port(), "PUT", "/buckets/b/keys/k", fields, b"v").status, 204)


def main():
    count = lib.Count()
    with Node() as node:
        for name, function in lib.tests_of(sys.modules[__name__]):
            count.check(name, function, node)
    count.finish()


main()
