#!/usr/bin/env python3
"""Tombstones go in rounds: real processes, with a round every half second.

A key is put and deleted while one replica is down: the round waits, and every node says for whom. The
node returns, the tombstone goes on all, and the key stays deleted after every node was restarted.

    tests/wire/test_reaping.py
"""
import json
import os
import sys
import time

import lib
from lib import dunlin, http, same, wait_for

TEXT = {"Content-Type": "text/plain"}


os.environ["DUNLIN_REAP_PERIOD_MS"] = "500"  # of all nodes that are started here


def status(cluster, i):
    return json.loads(http(cluster.port(i), "GET", "/admin/status").body)


def metric(cluster, i, name):
    lines = http(cluster.port(i), "GET", "/metrics").body.decode().splitlines()
    return [line for line in lines if line.startswith(name) and not line.startswith("#")]


def keys_held(cluster, i):
    """Keys of the bucket as the replicas have them: compare counts what a sweep would leave."""
    code, out, err = dunlin("compare", "b", url=cluster.url(i))
    same(code, 0, out + err)
    return int(out.split(" keys")[0].split()[-1].replace(",", ""))


def reaped(cluster):
    return [status(cluster, i)["counters"]["reaped"] for i in range(1, cluster.nodes + 1)]


def put(cluster, i, key, value=b"v", context=None):
    fields = dict(TEXT)
    if context:
        fields["X-Riak-Vclock"] = context
    return http(cluster.port(i), "PUT", "/buckets/b/keys/%s?returnbody=true" % key, fields, value)


def get(cluster, i, key, query="?r=3"):
    return http(cluster.port(i), "GET", "/buckets/b/keys/%s%s" % (key, query))


def delete(cluster, i, key, context=None):
    fields = {"X-Riak-Vclock": context} if context else {}
    same(http(cluster.port(i), "DELETE", "/buckets/b/keys/%s" % key, fields).status, 204)


def test_a_tombstone_goes_on_all_replicas_and_the_key_stays_deleted():
    with lib.Cluster(3) as cluster:
        same(put(cluster, 1, "stays").status, 200)
        same(put(cluster, 1, "k").status, 200)
        delete(cluster, 2, "k")
        assert wait_for(lambda: min(reaped(cluster)) >= 1, 30), [status(cluster, i)["reaping"] for i in (1, 2, 3)]
        answer = get(cluster, 3, "k")
        same(answer.status, 404)
        assert answer.header("X-Riak-Vclock") is None, "nothing at all is left of it"
        same(get(cluster, 3, "stays").status, 200)


def test_a_round_waits_for_a_node_that_is_down_and_status_says_for_whom():
    with lib.Cluster(3) as cluster:
        same(put(cluster, 1, "k").status, 200)
        cluster.kill(3)
        assert wait_for(lambda: all(len(lib.members_up(cluster.port(i))) == 2 for i in (1, 2)))
        delete(cluster, 1, "k", get(cluster, 1, "k", "").header("X-Riak-Vclock"))
        assert wait_for(lambda: all(status(cluster, i)["reaping"].get("waits_for") == "n3" for i in (1, 2)), 20), \
            [status(cluster, i)["reaping"] for i in (1, 2)]
        code, out, err = dunlin("status", url=cluster.url(2))
        same(code, 0, err)
        assert "a round is at `promise`, and waits for n3" in out, out
        waits = [line for line in metric(cluster, 1, "dunlin_reap_waits_for{") if line.endswith(" 1")]
        assert len(waits) == 1 and 'peer="n3"' in waits[0], waits
        time.sleep(3)
        same([status(cluster, i)["counters"]["reaped"] for i in (1, 2)], [0, 0])
        assert get(cluster, 1, "k", "").header("X-Riak-Vclock") is not None, "the tombstone has a context"
        cluster.restart(3)
        assert wait_for(lambda: min(reaped(cluster)) >= 1, 40), [status(cluster, i)["reaping"] for i in (1, 2, 3)]
        same(get(cluster, 3, "k").status, 404)
        for i in (1, 2, 3):
            cluster.kill(i)
        for i in (1, 2, 3):
            cluster.restart(i)
        assert wait_for(lambda: all(len(lib.members_up(cluster.port(i))) == 3 for i in (1, 2, 3)), 30)
        answer = get(cluster, 2, "k")
        same(answer.status, 404)
        assert answer.header("X-Riak-Vclock") is None
        same(keys_held(cluster, 1), 0)


def test_what_has_expired_goes_too():
    with lib.Cluster(3) as cluster:
        fields = dict(TEXT, **{"X-Dunlin-TTL": "1"})
        same(http(cluster.port(1), "PUT", "/buckets/b/keys/short", fields, b"v").status, 204)
        same(get(cluster, 2, "short").status, 200)
        assert wait_for(lambda: min(reaped(cluster)) >= 1, 30), [status(cluster, i)["reaping"] for i in (1, 2, 3)]
        same(get(cluster, 3, "short").status, 404)
        same(keys_held(cluster, 2), 0)


def main():
    count = lib.Count()
    for name, function in lib.tests_of(sys.modules[__name__]):
        count.check(name, function)
    count.finish()


if __name__ == "__main__":
    main()
