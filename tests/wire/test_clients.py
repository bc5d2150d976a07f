#!/usr/bin/env python3
"""Clients that people have: curl, wget, wrk, Python's http.client and urllib, against a real cluster."""
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import lib
from lib import same


def run(*args, stdin=b""):
    if shutil.which(args[0]) is None:
        print("skipped: no", args[0])
        return None
    p = subprocess.run(args, input=stdin, capture_output=True, timeout=60)
    same(p.returncode, 0, "%s: %s" % (" ".join(args), p.stderr.decode()))
    return p.stdout


def test_curl_puts_gets_and_deletes(url):
    key = url + "/buckets/curl/keys/a%20b"
    out = run("curl", "-sS", "-i", "-X", "PUT", "-H", "Content-Type: text/plain", "-d", "hello", key)
    if out is None:
        return
    assert out.startswith(b"HTTP/1.1 204"), out
    same(run("curl", "-sS", key), b"hello")
    same(run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-X", "DELETE", key), b"204")
    same(run("curl", "-sS", key), b"not found\n")


def test_curl_uploads_a_file_with_expect_and_chunks(url):
    key = url + "/buckets/curl/keys/file"
    body = os.urandom(300000)
    out = run("curl", "-sS", "-i", "-T", "-", "-H", "Content-Type: application/octet-stream", "-H",
              "Expect: 100-continue", key, stdin=body)
    if out is not None:
        assert b"HTTP/1.1 204" in out, out
        same(run("curl", "-sS", key), body)


def test_curl_revalidates_what_it_has(url):
    key = url + "/buckets/curl/keys/etag"
    out = run("curl", "-sS", "-i", "-X", "PUT", "-H", "Content-Type: text/plain", "-d", "v", key)
    if out is None:
        return
    with tempfile.TemporaryDirectory() as dir:
        etag = dir + "/etag"
        same(run("curl", "-sS", "--etag-save", etag, key), b"v")
        same(run("curl", "-sS", "--etag-compare", etag, "-w", "%{http_code}", key), b"304")
        same(run("curl", "-sS", "-z", "Tue, 01 Jan 2030 00:00:00 GMT", "-w", "%{http_code}", key)[-3:], b"304")


def test_curl_reads_siblings_and_listings(url):
    for v in (b"one", b"two"):
        if run("curl", "-sS", "-X", "PUT", "-H", "Content-Type: text/plain", "-d", v.decode(), url + "/buckets/curl2/keys/s") is None:
            return
    same(run("curl", "-sS", url + "/buckets/curl2/keys/s").split(b"\n")[0], b"Siblings:")
    out = run("curl", "-sS", "-H", "Accept: application/json", url + "/buckets/curl2/keys/s")
    same(sorted(s["value"] for s in json.loads(out)["siblings"]), ["one", "two"])
    same(json.loads(run("curl", "-sS", url + "/buckets/curl2/keys?keys=true")), {"keys": ["s"]})
    same(run("curl", "-sSN", url + "/buckets/curl2/keys?keys=stream"), b'{"keys":["s"]}{"keys":[]}')


def test_curl_sets_properties(url):
    props = url + "/buckets/curl3/props"
    out = run("curl", "-sS", "-i", "-X", "PUT", "-H", "Content-Type: application/json", "-d",
              '{"props":{"allow_mult":false}}', props)
    if out is not None:
        assert out.startswith(b"HTTP/1.1 204"), out
        same(json.loads(run("curl", "-sS", props))["props"]["allow_mult"], False)


def test_wget_reads_values_and_lists(url):
    request = urllib.request.Request(url + "/buckets/wget/keys/k", b"v", {"Content-Type": "text/plain"}, method="PUT")
    urllib.request.urlopen(request).close()
    out = run("wget", "-qO-", url + "/buckets/wget/keys/k")
    if out is not None:
        same(out, b"v")
        same(json.loads(run("wget", "-qO-", url + "/buckets/wget/keys?keys=true")), {"keys": ["k"]})
        assert b"Dunlin" in run("wget", "-qO-", url + "/")


def test_wrk_sees_no_error(url):
    out = run("wrk", "-t1", "-c8", "-d1s", url + "/buckets/wget/keys/k")
    if out is not None:
        assert b"Socket errors" not in out and b"Non-2xx" not in out, out


def test_http_client_keeps_one_connection(url):
    c = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc)
    for i in range(20):
        c.request("PUT", "/buckets/py/keys/k%d" % i, b"v%d" % i, {"Content-Type": "text/plain"})
        r = c.getresponse()
        same((r.status, r.read()), (204, b""))
    socket = c.sock
    c.request("GET", "/buckets/py/keys?keys=stream")
    r = c.getresponse()
    same((r.status, r.getheader("Transfer-Encoding")), (200, "chunked"))
    assert r.read().endswith(b'{"keys":[]}')
    c.request("HEAD", "/buckets/py/keys/k3")
    r = c.getresponse()
    same((r.status, r.getheader("Content-Length"), r.read()), (200, "2", b""))
    assert c.sock is socket
    c.close()


def test_urllib_sees_statuses_as_errors(url):
    for path, headers, status in (("/buckets/py/keys/none", {}, 404), ("/buckets/py/keys/k1?r=x", {}, 400),
                                  ("/buckets/py/keys/k1", {"If-None-Match": "*"}, 304)):
        try:
            urllib.request.urlopen(urllib.request.Request(url + path, headers=headers))
            assert False, path
        except urllib.error.HTTPError as e:
            same(e.code, status)
            e.close()


def main():
    count = lib.Count()
    with lib.Cluster() as cluster:
        for name, function in lib.tests_of(sys.modules[__name__]):
            count.check(name, function, cluster.url())
    count.finish()


main()
