#!/usr/bin/env python3
"""Clients that people have: curl, wget, wrk, Python's http.client and urllib, and a browser, against a real cluster."""
import html.parser
import http.client
import json
import os
import re
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
        if run("curl", "-sS", "-X", "PUT", "-H", "Content-Type: text/plain", "-d", v.decode(),
               url + "/buckets/curl2/keys/s") is None:
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


def test_wget_posts_and_keeps_what_it_is_told(url):
    out = run("wget", "-qSO-", "--post-data=posted", "--header=Content-Type: text/plain",
              url + "/buckets/wget/keys/posted?returnbody=true")
    if out is None:
        return
    same(out, b"posted")
    with tempfile.TemporaryDirectory() as dir:
        file = dir + "/file"
        run("wget", "-q", "-O", file, url + "/buckets/wget/keys/posted")
        with open(file, "rb") as f:
            same(f.read(), b"posted")


def load(url, *more):
    """wrk for a second; how many it had answered."""
    out = run("wrk", "-t2", "-c16", "-d1s", *more, url)
    if out is None:
        return
    assert b"Socket errors" not in out and b"Non-2xx" not in out, out
    answered = int(re.search(rb"(\d+) requests in", out)[1])
    print("# wrk: %d answers" % answered)
    assert answered > 100, out


def test_wrk_reads_without_an_error(url):
    load(url + "/buckets/wget/keys/k")


def test_wrk_writes_without_an_error(url):
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write("""local n = 0
request = function()
  n = n + 1
  return wrk.format("PUT", "/buckets/wrk/keys/" .. tostring({}):sub(8) .. n, {["Content-Type"] = "text/plain"}, "value " .. n)
end
""")
        script.flush()
        load(url, "-s", script.name)


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


def test_urllib_reads_changes_and_deletes(url):
    key = url + "/buckets/py/keys/cycle"

    def ask(method, body=None, **headers):
        headers = {n.replace("_", "-"): v for n, v in headers.items()}
        return urllib.request.urlopen(urllib.request.Request(key, body, headers, method=method))

    ask("PUT", b"one", Content_Type="text/plain").close()
    with ask("GET") as r:
        same((r.status, r.read(), r.headers.get_content_type()), (200, b"one", "text/plain"))
        context = r.headers["X-Riak-Vclock"]
    ask("PUT", b"two", Content_Type="text/plain", X_Riak_Vclock=context).close()
    with ask("GET") as r:
        same(r.read(), b"two")
        context = r.headers["X-Riak-Vclock"]
    with ask("DELETE", X_Riak_Vclock=context) as r:
        same(r.status, 204)
    try:
        ask("GET")
        assert False, "still there"
    except urllib.error.HTTPError as e:
        same((e.code, e.headers["X-Riak-Deleted"], e.read()), (404, "true", b"not found\n"))
        e.close()


# ---- a browser -----------------------------------------------------------------------------------

class Page(html.parser.HTMLParser):
    """What a person sees of a page: its text, its rows, its links, and what is set apart as commands."""

    def __init__(self, dom):
        super().__init__()
        self.text, self.rows, self.links, self.commands, self.title = "", [], [], "", ""
        self.within = []
        self.feed(dom)
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag, attributes):
        if tag in ("br", "img", "meta", "link"):
            return
        self.within.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "a":
            self.links.append(dict(attributes)["href"])

    def handle_endtag(self, tag):
        while self.within and self.within.pop() != tag:
            pass

    def handle_data(self, data):
        if "style" in self.within or "script" in self.within:
            return
        if "title" in self.within:
            self.title += data
            return
        self.text += data
        if self.within and self.within[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        if "pre" in self.within:
            self.commands += data


def browse(url, *how):
    """Headless Chromium on a page: what it prints. None: it is not installed."""
    with tempfile.TemporaryDirectory() as profile:
        return run("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                   "--user-data-dir=" + profile, "--window-size=1000,900", *how, url)


def picture(url):
    with tempfile.TemporaryDirectory() as dir:
        if browse(url, "--screenshot=%s/page.png" % dir) is None:
            return None
        with open(dir + "/page.png", "rb") as f:
            return f.read()


def test_a_browser_shows_the_page_of_a_node(url):
    dom = browse(url + "/", "--dump-dom")
    if dom is None:
        return
    page = Page(dom.decode())
    same(page.title, "Dunlin")
    for text in ("Dunlin", "This is node n1, version", "It is ready.", "Its cluster",
                 "256 partitions, 3 replicas of each key, 3 members, all up.",
                 "To try", "Where to go", "/admin/status: the node, its cluster, its counters, as JSON"):
        assert text in page.text, (text, page.text)
    same([r[0] for r in page.rows], ["name", "n1", "n2", "n3"])
    same([r[-1] for r in page.rows], ["state", "this node", "up", "up"])
    for link in page.links:
        with urllib.request.urlopen(url + link) as r:
            same(r.status, 200, link)
    same(len(set(page.links)), 6)
    out = run("sh", "-c", page.commands).decode()
    assert "204 No Content" in out and "\r\n\r\nhello" in out and '{"props":{"name":"greetings"' in out, out


def test_a_browser_draws_the_page(url):
    blank = picture("about:blank")
    if blank is None:
        return
    page = picture(url + "/")
    keep = os.environ.get("SCREENSHOT")
    if keep:
        with open(keep, "wb") as f:
            f.write(page)
    same((page[:8], page[12:16], int.from_bytes(page[16:20]), int.from_bytes(page[20:24])),
         (b"\x89PNG\r\n\x1a\n", b"IHDR", 1000, 900))
    print("# the page is drawn in %d bytes, a blank one in %d" % (len(page), len(blank)))
    assert len(page) > 5 * len(blank), "it looks blank"


def key_in(file):
    file.write("ab" * 32 + "\n")
    file.flush()
    return file.name


def test_a_browser_shows_who_is_down_and_what_is_not_ready(_):
    if shutil.which("chromium") is None:
        print("skipped: no chromium")
        return
    with lib.Cluster() as own:
        own.kill(2)
        assert lib.wait_for(lambda: len(lib.members_up(own.port())) == 2)
        page = Page(browse(own.url() + "/", "--dump-dom").decode())
        assert "3 members, 1 down." in page.text, page.text
        same([r[-1] for r in page.rows], ["state", "this node", "down", "up"])
    with tempfile.NamedTemporaryFile("w") as key, \
            lib.Node("--expect", "2", "--join", "127.0.0.1:1", "--key-file", key_in(key), wait=False) as alone:
        assert lib.wait_for(lambda: not lib.is_free(alone.port())), alone.read_log()
        page = Page(browse("http://127.0.0.1:%d/" % alone.port(), "--dump-dom").decode())
        assert "It is not ready" in page.text and "It belongs to no cluster yet" in page.text, page.text
    with lib.Node("--zone", "<i>r&d</i>") as zoned:
        page = Page(browse("http://127.0.0.1:%d/" % zoned.port(), "--dump-dom").decode())
        same([r[-2:] for r in page.rows], [["zone", "state"], ["<i>r&d</i>", "this node"]])


def main():
    count = lib.Count()
    with lib.Cluster() as cluster:
        for name, function in lib.tests_of(sys.modules[__name__]):
            count.check(name, function, cluster.url())
    count.finish()


main()
