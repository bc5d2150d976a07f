#!/usr/bin/env python3
"""A dictionary through a cluster that loses a node on the way.

Every word of Debian's wamerican ($WORDS=all; every tenth otherwise) is written through HTTP, pipelined, by
clients that try the next node when one fails. In the midst of it one node is killed with -9, later it is
started again. No client may see all nodes fail; afterwards every word is read at r=2 from every node, and the
replicas, compared directly, are the same.
"""
import json
import os
import sys
import threading
import urllib.request

import lib
from lib import Cluster, Connection, dunlin, encode, same, wait_for

TEXT = {"Content-Type": "text/plain"}
BATCH = 32
CLIENTS = 4


def all_words():
    with open("/usr/share/dict/american-english", encoding="utf-8") as f:
        words = sorted({line.strip() for line in f if line.strip()})
    return words if os.environ.get("WORDS") == "all" else words[::10]


def quote(word):
    return urllib.request.quote(word, safe="")


class Client(threading.Thread):
    """Writes its share, and remembers what no node would take."""

    def __init__(self, cluster, words, first):
        super().__init__()
        self.cluster, self.words, self.node = cluster, words, first
        self.connection = None
        self.done, self.lost, self.retried = 0, [], 0

    def connect(self, node):
        if self.connection is None or self.node != node:
            self.drop()
            self.connection, self.node = Connection(self.cluster.port(node)), node
        return self.connection

    def drop(self):
        if self.connection is not None:
            self.connection.socket.close()
        self.connection = None

    def put(self, node, words):
        """Those that this node did not acknowledge."""
        try:
            c = self.connect(node)
            c.send(b"".join(encode("PUT", "/buckets/words/keys/" + quote(w), TEXT, w.encode())
                            for w in words))
        except OSError:
            self.drop()
            return words
        left = []
        for i, w in enumerate(words):
            try:
                r = c.response()
            except OSError:
                r = None
            if r is None:
                self.drop()
                return left + words[i:]
            if r.status != 204:
                left.append(w)
        return left

    def run(self):
        for at in range(0, len(self.words), BATCH):
            batch = self.words[at:at + BATCH]
            first = self.node
            for step in range(self.cluster.nodes):
                batch = self.put((first - 1 + step) % self.cluster.nodes + 1, batch)
                if not batch:
                    break
                self.retried += len(batch)
            self.lost += batch
            self.done += BATCH
        self.drop()


def counters(cluster, i):
    with urllib.request.urlopen(cluster.url(i) + "/admin/status", timeout=20) as r:
        return json.load(r)["counters"]


def nothing_waits(cluster):
    return all(c["hints"] == 0 and c["stand_ins"] == 0
               for c in (counters(cluster, i) for i in range(1, cluster.nodes + 1)))


def read_all(cluster, node, words):
    """Words that are not read back as written."""
    wrong = []
    c = Connection(cluster.port(node))
    for at in range(0, len(words), BATCH):
        batch = words[at:at + BATCH]
        c.send(b"".join(encode("GET", "/buckets/words/keys/" + quote(w) + "?r=2") for w in batch))
        for w in batch:
            r = c.response()
            if (r.status, r.body) != (200, w.encode()):
                wrong.append((w, r))
    c.socket.close()
    return wrong


def test_a_dictionary_survives_a_node(cluster):
    words = all_words()
    assert len(words) > 5000, "is wamerican installed?"
    clients = [Client(cluster, words[i::CLIENTS], i % cluster.nodes + 1) for i in range(CLIENTS)]
    for c in clients:
        c.start()
    progress = lambda share: sum(c.done for c in clients) > share * len(words)
    assert wait_for(lambda: progress(0.25), 600)
    cluster.kill(2)
    assert wait_for(lambda: progress(0.6), 600)
    assert any(c.is_alive() for c in clients), "the load ended before the node came back"
    cluster.restart(2)
    for c in clients:
        c.join()
    print("# %d words, %d tried again at another node, hints kept: %s" % (
        len(words), sum(c.retried for c in clients),
        [counters(cluster, i)["hints_kept"] for i in (1, 3)]))
    same(sum((c.lost for c in clients), []), [], "words that no node took")
    assert sum(c.retried for c in clients) > 0, "the kill was not felt"
    assert wait_for(lambda: nothing_waits(cluster), 120), "hints are not delivered"
    for node in range(1, cluster.nodes + 1):
        same(read_all(cluster, node, words)[:5], [], "read from n%d" % node)
    code, out, err = dunlin("compare", "--all", url=cluster.url(1))
    print("# " + out.strip().splitlines()[-1])
    same(code, 0, out + err)


def main():
    count = lib.Count()
    with Cluster(3) as cluster:
        for name, function in lib.tests_of(sys.modules[__name__]):
            count.check(name, function, cluster)
    count.finish()


main()
