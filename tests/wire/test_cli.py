#!/usr/bin/env python3
"""The command line: what it prints, where, and how it ends."""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import lib
from lib import DUNLIN, dunlin, http, same

# Arguments, exit code, and what stdout and stderr must hold (None: must be empty).
ROWS = [
    ("no command at all", [], 2, "usage: dunlin COMMAND", None),
    ("--help", ["--help"], 0, "usage: dunlin COMMAND", None),
    ("help", ["help"], 0, "dunlin get carts bob", None),
    ("version", ["version"], 0, r"^dunlin \d+\.\d+\.\d+\n$", None),
    ("--version", ["--version"], 0, r"^dunlin \d", None),
    ("an unknown command suggests the nearest", ["stats"], 2, None, "unknown command `stats`; did you mean "
     "`status`"),
    ("an unknown command far from all", ["frobnicate"], 2, None, "`dunlin help` lists"),
    ("an unknown option suggests the nearest", ["get", "b", "k", "--jsn"], 2, None,
     r"unknown option --jsn; did you mean --json\?"),
    ("an option without its value", ["get", "b", "k", "--url"], 2, None, "--url: expected URL after it"),
    ("a switch with a value", ["get", "b", "k", "--json=1"], 2, None, "--json is a switch"),
    ("too few words", ["get", "b"], 2, None, r"too few words; expected: dunlin get BUCKET KEY"),
    ("too many words", ["get", "b", "k", "x"], 2, None, "`x` is one word too many"),
    ("compare wants to know what", ["compare"], 2, None, "expected a BUCKET or --all"),
    ("compare wants one of the two", ["compare", "b", "--all"], 2, None, "expected a BUCKET or --all"),
    ("dev with a bad number", ["dev", "--nodes", "x"], 2, None, "--nodes `x`: expected a whole number from 1"),
    ("dev with too many nodes", ["dev", "--nodes", "99"], 2, None, "from 1 to 16"),
    ("start with an unknown key", ["start", "--zonne", "a"], 2, None, "unknown key `zonne`; did you mean `zone`"),
    ("start with a bad value", ["start", "--weight", "0"], 2, None, "expected a whole number from 1 to 1000"),
    ("start with a word", ["start", "now"], 2, None, "`now`: expected flags only"),
    ("start with join but no key", ["start", "--join", "a:1,b:2", "--expect", "2"], 2, None,
     "join is set without key_file"),
    ("start on the network without insecure", ["start", "--http", "0.0.0.0:8098"], 2, None, "insecure = yes"),
    ("start --check of what holds", ["start", "--check", "--weight", "7"], 0, "^the configuration holds\n$", None),
    ("start --check of what does not hold", ["start", "--check", "--weight", "0"], 2, None, "from 1 to 1000"),
    ("start --check of keys that contradict", ["start", "--expect", "3", "--check"], 2, None, "without join"),
    ("start --check takes no value", ["start", "--check=yes"], 2, None, "--check is a switch"),
    ("start with a missing file", ["start", "--config", "/nonexistent"], 2, None,
     "/nonexistent: cannot be read: No such file"),
    ("a URL without a scheme", ["status", "--url", "localhost:1"], 1, None, "expected a URL as http://"),
    ("https", ["status", "--url", "https://localhost:1"], 1, None, "https is not spoken here"),
    ("nobody there", ["status", "--url", "http://127.0.0.1:1"], 1, None, "connection refused"),
    ("a name that does not resolve", ["status", "--url", "http://nosuch.invalid:1"], 1, None,
     "dunlin status: http://nosuch.invalid:1: "),
]
COMMANDS = ["start", "dev", "put", "get", "del", "status", "ring", "compare", "version", "help"]


def match(text, wanted, what):
    if wanted is None:
        same(text, "", what)
    else:
        assert re.search(wanted, text), "%s: %r does not match %r" % (what, text, wanted)


def check_row(args, code, out, err):
    got = dunlin(*args)
    same(got[0], code, "exit code of %r (%r)" % (args, got))
    match(got[1], out, "stdout")
    match(got[2], err, "stderr")


def check_help(name):
    code, out, err = dunlin(name, "--help")
    same((code, err), (0, ""))
    assert out.startswith("dunlin " + name), out
    same(dunlin("help", name), (code, out, err))
    if name not in ("version", "help"):
        assert "\n  dunlin " + name in out, "no example in " + out


def test_help_of_start_lists_every_key(_):
    out = dunlin("help", "start")[1]
    for key in ("name", "dir", "http", "peer", "join", "expect", "zone", "key-file", "insecure",
                "value-bytes-max", "log-level"):
        assert "\n  --%s " % key in out, key


def test_put_get_and_del_do_what_they_say(cluster):
    u = cluster.url()
    same(dunlin("put", "carts", "bob", "3 pears", url=u), (0, "stored\n", ""))
    same(dunlin("get", "carts", "bob", url=u), (0, "3 pears", ""))
    same(dunlin("get", "carts", "bob", "--url", cluster.url(2), "--r", "all"), (0, "3 pears", ""))
    same(dunlin("del", "carts", "bob", url=u), (0, "deleted\n", ""))
    same(dunlin("get", "carts", "bob", url=u), (1, "", "dunlin get: not found\n"))
    same(dunlin("del", "carts", "bob", url=u)[0], 1)


def test_a_value_may_come_from_stdin(cluster):
    value = bytes(range(256)) * 1000
    same(dunlin("put", "b", "in", "-", "--content-type", "image/png", url=cluster.url(), stdin=value)[0], 0)
    p = subprocess.run([DUNLIN, "get", "b", "in", "--url", cluster.url()], capture_output=True)
    same((p.returncode, p.stdout == value), (0, True))
    document = json.loads(dunlin("get", "b", "in", "--json", url=cluster.url())[1])
    same(document["siblings"][0]["content_type"], "image/png")
    assert "value_base64" in document["siblings"][0]


def test_siblings_are_shown_and_resolved(cluster):
    u = cluster.url()
    for value in ("one", "two"):
        dunlin("put", "b", "sib", value, url=u)
    code, out, err = dunlin("get", "b", "sib", url=u)
    same((code, sorted(out.split())), (0, ["one", "two"]))
    assert "2 siblings" in err and "--context" in err, err
    document = json.loads(dunlin("get", "b", "sib", "--json", url=u)[1])
    same(sorted(s["value"] for s in document["siblings"]), ["one", "two"])
    code, out, _ = dunlin("put", "b", "sib", "both", "--context", document["context"], "--json", url=u)
    same((code, json.loads(out)["outcome"]), (0, "stored"))
    assert json.loads(out)["context"]
    same(dunlin("get", "b", "sib", url=u), (0, "both", ""))


def test_names_with_odd_characters_reach_the_node(cluster):
    for key in ("a/b", "a b", "a+b", "100%", "?x=1", "ä"):
        same(dunlin("put", "od d", key, "v:" + key, url=cluster.url())[0], 0)
        same(dunlin("get", "od d", key, url=cluster.url())[1], "v:" + key)


def test_a_refusal_says_what_was_stored(cluster):
    code, _, err = dunlin("put", "b", "k", "v", "--w", "9", url=cluster.url())
    same(code, 1)
    assert "invalid for bucket n value of 3" in err, err
    same(dunlin("put", "b", "k", "v", "--context", "a\nb", url=cluster.url())[0], 2)


def test_get_of_nothing_as_json(cluster):
    code, out, _ = dunlin("get", "b", "nothing", "--json", url=cluster.url())
    same((code, json.loads(out)["found"], json.loads(out)["siblings"]), (1, False, []))


def test_a_trace_goes_beside_the_answer(cluster):
    u = cluster.url()
    code, out, err = dunlin("put", "b", "tr", "v", "--trace", url=u)
    same((code, out), (0, "stored\n"))
    assert re.search(r"^trace [0-9a-f]{16}: put b/tr at n1, \d{4}-\d\d-\d\d ", err, re.M), err
    assert re.search(r"^ +ms  node  what\n +0\.000  n1    takes the put", err, re.M), err
    code, out, err = dunlin("get", "b", "tr", "--trace", "--r", "all", url=u)
    same((code, out), (0, "v"))
    same(len(re.findall(r"^ +\d+\.\d{3}  n\d +has 1 version, 1 byte \(", err, re.M)), 3, err)
    assert re.search(r"n1 +answers the client: 1 version.*n1 +is done\n$", err, re.S), err
    code, out, err = dunlin("get", "b", "tr", "--trace", "--json", url=u)
    same((code, err), (0, ""))
    same([s["step"] for s in json.loads(out)["trace"][0]["steps"]][0], "admitted")
    code, out, err = dunlin("get", "b", "nothing", "--trace", "--json", url=u)
    same((code, err, len(json.loads(out)["trace"])), (1, "", 1))
    code, out, err = dunlin("del", "b", "nothing", "--trace", url=u)
    same((code, out), (1, ""))
    assert err.startswith("dunlin del: not found\n\ntrace "), err
    code, out, err = dunlin("del", "b", "tr", "--trace", "--json", url=u)
    same((code, err, json.loads(out)["trace"][0]["op"]), (0, "", "delete"))
    code, out, err = dunlin("get", "b", "tr", "--r", "x", "--trace", url=u)
    same(code, 1)
    assert err.endswith("no trace: the node did not trace this request\n"), err


def test_status_shows_all_members(cluster):
    code, out, err = dunlin("status", url=cluster.url())
    same((code, err), (0, ""))
    for name in ("n1", "n2", "n3"):
        assert re.search(r"^[ *] %s +up " % name, out, re.M), out
    document = json.loads(dunlin("status", "--json", url=cluster.url())[1])
    same(document["node"]["ready"], True)
    same(len(document["members"]), 3)
    same(sum(m["partitions"] for m in document["members"]), 3 * document["cluster"]["partitions"])


def test_ring_names_the_replicas_of_a_key(cluster):
    code, out, _ = dunlin("ring", "carts", "bob", url=cluster.url())
    same(code, 0)
    same(len(re.findall(r"^  \d\. n\d +up +primary of place \d$", out, re.M)), 3, out)
    same(dunlin("ring", "carts", "bob", url=cluster.url(2))[1], out, "the same at another node")
    one = json.loads(dunlin("ring", "k", "--json", url=cluster.url())[1])
    same(one, json.loads(dunlin("ring", "default", "k", "--json", url=cluster.url())[1]))
    same(len(one["hash"]), 16)
    assert "first places" in dunlin("ring", url=cluster.url())[1]
    document = json.loads(dunlin("ring", "--json", url=cluster.url())[1])
    same(len(document["primaries"]), document["partitions"])
    assert "secret" not in json.dumps(document)


def test_compare_finds_replicas_identical(cluster):
    for i in range(20):
        same(http(cluster.port(), "PUT", "/buckets/cmp/keys/%d?w=all" % i, {"Content-Type": "a/b"},
                  b"v").status, 204)
    code, out, err = dunlin("compare", "cmp", "--progress", url=cluster.url())
    same(code, 0, out)
    assert re.search(r"^identical: 20 keys in \d+ partitions, 0 different, 0 partitions not compared\n$",
                     out), out
    assert "partitions" in err
    code, out, err = dunlin("compare", "--all", url=cluster.url())
    same((code, err), (0, ""))
    assert int(re.match(r"identical: (\d+) keys", out)[1]) >= 20, out


def test_the_admin_pages_answer_what_is_asked(cluster):
    for path, status in (("/admin/status", 200), ("/admin/layout", 200), ("/admin/nosuch", 404),
                         ("/admin", 404), ("/admin/ring", 400), ("/admin/ring?bucket=b&key=k", 200),
                         ("/admin/compare", 400), ("/admin/compare?partition=x", 400),
                         ("/admin/compare?partition=99999", 400), ("/admin/compare?partition=0", 200)):
        r = http(cluster.port(), "GET", path)
        same((r.status, r.header("Content-Type")), (status, "application/json"), path)
        json.loads(r.body)


def test_a_config_file_a_variable_and_a_flag(_):
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "c.conf")
        with open(path, "w") as f:
            f.write("name = file\nzone = file\n\nweight = 0\n")
        code, _, err = dunlin("start", "--config", path)
        same(code, 2)
        assert err.startswith("dunlin start: %s:4: weight = `0`" % path), err
        code, _, err = dunlin("start", env={"DUNLIN_WEIGHT": "x"})
        same(code, 2)
        assert "DUNLIN_WEIGHT: weight = `x`" in err, err


def test_dev_dies_with_its_nodes_and_they_with_it(_):
    cluster = lib.Cluster()
    pids = [cluster.pid(i) for i in (1, 2, 3)]
    cluster.process.kill()
    cluster.process.wait()
    assert lib.wait_for(lambda: all(lib.is_free(cluster.port(i)) for i in (1, 2, 3))), "nodes live on"
    for pid in pids:
        assert lib.wait_for(lambda: not os.path.exists("/proc/%d" % pid)), pid
    cluster.stop()


def test_dev_reports_a_node_that_dies_and_stops_cleanly(_):
    with lib.Cluster() as cluster:
        pid = cluster.pid(2)
        cluster.kill(2)
        path = os.path.join(cluster.dir, "dev.err")
        assert lib.wait_for(lambda: "n2 (pid %d) was killed by signal 9" % pid in open(path).read())
        same(http(cluster.port(1), "GET", "/ping").status, 200)
        same(cluster.stop(), 0)
        assert all(lib.is_free(cluster.port(i)) for i in (1, 2, 3))
        assert not os.path.exists(cluster.dir + "/n1/pid")
        same(os.stat(cluster.dir + "/cluster.key").st_mode & 0o777, 0o600)


def test_dev_says_why_it_cannot_start(_):
    base = lib.free_base(1)
    with lib.Cluster(nodes=1, base=base) as cluster, tempfile.TemporaryDirectory() as d:
        code, _, err = dunlin("dev", "--nodes", "1", "--http-base", str(base), "--dir", d)
        same(code, 1)
        assert "n1" in err and "in use" in err, err
        code, _, err = dunlin("dev", "--nodes", "2", "--dir", cluster.dir)
        same(code, 1)
        assert "was made for 1 nodes" in err, err
        code, _, err = dunlin("start", "--config", cluster.dir + "/n1/dunlin.conf")
        same(code, 1)
        assert "level=error" in err, err


def main():
    count = lib.Count()
    for name, args, code, out, err in ROWS:
        count.check(name, check_row, args, code, out, err)
    for name in COMMANDS:
        count.check("help of " + name, check_help, name)
    with lib.Cluster() as cluster:
        for name, function in lib.tests_of(sys.modules[__name__]):
            count.check(name, function, cluster)
    count.finish()


main()
