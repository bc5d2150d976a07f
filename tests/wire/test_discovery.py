#!/usr/bin/env python3
"""What a node says of itself: `/` in three forms, /stats, the preflist, over real sockets."""
import html.parser
import json
import re
import sys
import urllib.request

import lib
from lib import http, same

TEXT = {"Content-Type": "text/plain"}
RESOURCES = {
    "riak_kv_wm_bucket_type": "/types", "riak_kv_wm_buckets": "/buckets", "riak_kv_wm_counter": "/buckets",
    "riak_kv_wm_keylist": "/buckets",
    "riak_kv_wm_object": "/buckets", "riak_kv_wm_props": "/buckets", "riak_kv_wm_preflist": "/buckets",
    "riak_kv_wm_ping": "/ping", "riak_kv_wm_stats": "/stats",
}
# Accept, and the type of the answer to GET /.
ACCEPTS = [
    ("application/json", "application/json"),
    ("application/json, */*;q=0.5", "application/json"),
    ("application/json;q=0.9, text/html;q=0.5", "application/json"),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
    ("text/html, application/json", "text/html; charset=utf-8"),
    ("*/*", "text/html; charset=utf-8"),
    (None, "text/html; charset=utf-8"),
]
STATS = [
    "riak_kv_version", "riak_core_version", "nodename", "ring_members", "connected_nodes", "node_gets",
    "node_gets_total", "node_puts", "node_puts_total", "node_gets_counter", "node_gets_counter_total",
    "node_puts_counter", "node_puts_counter_total", "vnode_gets", "vnode_gets_total", "vnode_puts",
    "vnode_puts_total", "read_repairs", "read_repairs_total", "coord_redirs_total", "cpu_nprocs", "cpu_avg1",
    "cpu_avg5", "cpu_avg15", "mem_total", "mem_allocated", "memory_total", "ring_num_partitions",
    "ring_ownership", "ring_creation_size", "storage_backend", "sys_wordsize", "pbc_active", "pbc_connects",
] + [p + s for p in ("node_get_fsm_time", "node_put_fsm_time", "node_get_fsm_siblings", "node_get_fsm_objsize")
     for s in ("_mean", "_median", "_95", "_99", "_100")]


def check_accept(port, accept, wanted):
    r = http(port, "GET", "/", {"Accept": accept} if accept else {})
    same((r.status, r.header("Content-Type"), r.header("Vary")), (200, wanted, "Accept"))
    links = dict(reversed(m) for m in re.findall(r'<([^>]*)>; rel="([^"]*)"', r.header("Link")))
    same(links, RESOURCES)
    if wanted == "application/json":
        pairs = json.loads(r.body, object_pairs_hook=list)
        same(len(pairs), len(dict(pairs)), "names that come twice")
        same(dict(pairs), RESOURCES)


def check_stat(port, name):
    document = json.loads(http(port, "GET", "/stats").body)
    assert name in document, name


def stats(port):
    r = http(port, "GET", "/stats", {"Accept": "application/json"})
    same((r.status, r.header("Content-Type")), (200, "application/json"))
    pairs = json.loads(r.body, object_pairs_hook=list)
    same(len(pairs), len(dict(pairs)), "names that come twice")
    return dict(json.loads(r.body))


class Page(html.parser.HTMLParser):
    """Tags are closed as they were opened."""
    void = {"meta", "br", "th", "td", "link"}

    def __init__(self):
        super().__init__()
        self.open, self.hrefs, self.text, self.outside = [], [], "", []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "href" and not value.startswith("data:"):
                self.hrefs.append(value)
            if name in ("src", "href") and "//" in value:
                self.outside.append(value)
        if tag not in self.void and tag != "li":
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.void and tag != "li":
            same(tag, self.open.pop())

    def handle_data(self, data):
        self.text += data


def page(port):
    p = Page()
    p.feed(http(port, "GET", "/", {"Accept": "text/html"}).body.decode())
    same((p.open, p.outside), ([], []))
    return p


def test_the_page_says_who_this_is_and_where_to_go(port, cluster):
    p = page(port)
    for word in ("n1", "n2", "n3", "256 partitions", "this node", "ready", "curl", "/buckets/greetings/keys/first"):
        assert word in p.text, (word, p.text)
    for href in p.hrefs:
        same(http(port, "GET", href).status, 200, href)


def test_the_curl_of_the_page_works(port):
    commands = re.findall(r"curl [^<]*", http(port, "GET", "/").body.decode())
    text = commands[0] if commands else ""
    for line in text.replace("\\\n", " ").strip().split("\n"):
        url = re.search(r"http://\S+", line).group()
        path = url.split("/", 3)[3]
        if "-X PUT" in line:
            r = http(port, "PUT", "/" + path, TEXT, b"hello")
            same(r.status, 204)
        else:
            same(http(port, "GET", "/" + path).status, 200, line)
    same(http(port, "GET", "/buckets/greetings/keys/first").body, b"hello")


def test_the_page_shows_who_is_down(port, cluster):
    cluster.kill(3)
    assert lib.wait_for(lambda: len(lib.members_up(port)) == 2)
    assert ">down<" in http(port, "GET", "/").body.decode()
    same(stats(port)["connected_nodes"], ["n2"])
    cluster.restart(3)
    assert lib.wait_for(lambda: len(lib.members_up(port)) == 3)
    assert ">down<" not in http(port, "GET", "/").body.decode()


def test_the_page_names_the_address_it_was_asked_at(port):
    assert b"http://db.example:8098/buckets" in http(port, "GET", "/", {"Host": "db.example:8098"}).body
    assert b"http://127.0.0.1:%d/buckets" % port in http(port, "GET", "/", {"Host": "a';b"}).body


def test_a_browser_shows_the_page(port):
    chromium = lib.shutil.which("chromium")
    if chromium is None:
        print("skipped: no chromium")
        return
    p = lib.subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
                            "http://127.0.0.1:%d/" % port], capture_output=True, timeout=60)
    dom = p.stdout.decode()
    for word in ("<h1>Dunlin</h1>", "256 partitions", "<td>n3</td>", "greetings/keys/first"):
        assert word in dom, (word, dom[:500], p.stderr[-300:])


def test_a_name_with_markup_is_shown_as_text(port):
    with lib.Node("--name", "<b>&\"x") as node:
        body = http(node.port(), "GET", "/").body.decode()
        assert "<b><b>" not in body and "&#60;b&#62;&#38;&#34;x" in body
        same(stats(node.port())["nodename"], "<b>&\"x")


def test_other_methods_on_the_root(port):
    same(http(port, "HEAD", "/").status, 200)
    r = http(port, "PUT", "/", TEXT, b"x")
    same((r.status, r.header("Allow")), (405, "GET, HEAD"))
    same(http(port, "DELETE", "/stats").status, 405)


def test_versions_that_switch_features_on(port):
    s = stats(port)
    assert tuple(int(x) for x in s["riak_kv_version"].split(".")) >= (2, 1, 2)
    same((s["nodename"], sorted(s["ring_members"]), sorted(s["connected_nodes"])), ("n1", ["n1", "n2", "n3"], ["n2", "n3"]))
    same((s["ring_num_partitions"], s["storage_backend"]), (256, "rocksdb"))


def test_what_was_done_is_counted(port):
    before = stats(port)
    for i in range(20):
        http(port, "PUT", "/buckets/counted/keys/k%d" % i, TEXT, b"x" * 1000)
    for i in range(30):
        http(port, "GET", "/buckets/counted/keys/k%d" % (i % 20))
    s = stats(port)
    same((s["node_puts_total"] - before["node_puts_total"], s["node_gets_total"] - before["node_gets_total"]),
         (20, 30))
    assert s["node_puts"] >= 20 and s["node_gets"] >= 30, s
    assert 0 < s["node_get_fsm_time_median"] <= s["node_get_fsm_time_99"] <= s["node_get_fsm_time_100"], s
    assert 1000 <= s["node_get_fsm_objsize_100"] < 1200 and s["node_get_fsm_siblings_median"] == 1, s
    same(s["vnode_puts"] <= s["vnode_puts_total"], True)


def test_stats_as_text_have_a_line_each(port):
    r = http(port, "GET", "/stats", {"Accept": "text/plain"})
    same(r.header("Content-Type"), "text/plain; charset=utf-8")
    assert r.body.count(b"\n") > 40
    json.loads(r.body)


def test_the_preflist_names_the_replicas(port):
    for path in ("/buckets/b/keys/k/preflist", "/types/default/buckets/b/keys/k/preflist"):
        r = http(port, "GET", path)
        same((r.status, r.header("Content-Type")), (200, "application/json"))
        p = json.loads(r.body)["preflist"]
        same((sorted(x["node"] for x in p), {x["primary"] for x in p}), (["n1", "n2", "n3"], {True}))
        same(len({x["partition"] for x in p}), 1)
    same(http(port, "GET", "/types/nosuch/buckets/b/keys/k/preflist").status, 404)
    same(http(port, "POST", "/buckets/b/keys/k/preflist", TEXT, b"x").status, 405)


def test_python_s_own_client_reads_it(port, cluster):
    with urllib.request.urlopen(urllib.request.Request(cluster.url() + "/", headers={"Accept": "application/json"})) as r:
        same(json.load(r), RESOURCES)
    with urllib.request.urlopen(cluster.url() + "/stats") as r:
        assert "riak_kv_version" in json.load(r)
    with urllib.request.urlopen(cluster.url() + "/buckets/counted/keys?keys=stream") as r:
        assert r.read().endswith(b'{"keys":[]}')


def main():
    count = lib.Count()
    with lib.Cluster() as cluster:
        port = cluster.port()
        for accept, wanted in ACCEPTS:
            count.check("/ with Accept: %s is %s" % (accept, wanted), check_accept, port, accept, wanted)
        for name in STATS:
            count.check("/stats has " + name, check_stat, port, name)
        for name, function in lib.tests_of(sys.modules[__name__]):
            wants = function.__code__.co_argcount
            count.check(name, function, *(port, cluster)[:wants])
    count.finish()


main()
