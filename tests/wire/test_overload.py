#!/usr/bin/env python3
"""More than a node takes: what it says, what it keeps, and who is served."""
import select
import sys

import lib
from lib import Connection, Node, encode, http, same

TEXT = {"Content-Type": "text/plain"}
BUSY = b"too many requests in flight here; try again\n"
AT_ONCE = 200


def test_over_requests_max_a_write_is_refused_and_what_was_acknowledged_is_there(_):
    with Node("--requests-max", "8") as node:
        clients = [Connection(node.port()) for _ in range(AT_ONCE)]
        acked, refused = [], 0
        for turn in range(3):
            for i, c in enumerate(clients):
                key = "%d-%d" % (turn, i)
                c.send(encode("PUT", "/buckets/o/keys/" + key, TEXT, key.encode()))
            for i, c in enumerate(clients):
                r = c.response()
                if r.status == 204:
                    acked.append("%d-%d" % (turn, i))
                    continue
                refused += 1
                same((r.status, r.header("Retry-After"), r.header("X-Dunlin-Outcome")), (503, "1", "none"))
                assert r.body.startswith(BUSY), r.body
        print("# %d acknowledged, %d refused" % (len(acked), refused))
        assert acked and refused, "both were to be seen"
        for key in acked:
            same(http(node.port(), "GET", "/buckets/o/keys/" + key).body, key.encode())
        for c in clients:
            c.close()
        same(http(node.port(), "PUT", "/buckets/o/keys/after", TEXT, b"v").status, 204)


def test_one_connection_with_thousands_of_requests_holds_up_no_other(_):
    with Node() as node:
        same(http(node.port(), "PUT", "/buckets/f/keys/k", TEXT, b"v").status, 204)
        many, requests = Connection(node.port()), 20000
        one = encode("PUT", "/buckets/f/keys/many", TEXT, b"x")
        with Connection(node.port()) as few:
            many.socket.setblocking(False)
            pending, got = one * requests, 0
            asked = answered = 0
            while got < requests and answered < 20:
                readable, writable, _x = select.select([many.socket, few.socket], [many.socket] if pending else [], [], 20)
                assert readable or writable, "nothing happens any more"
                if writable:
                    pending = pending[many.socket.send(pending):]
                if many.socket in readable:
                    got += many.socket.recv(1 << 20).count(b"HTTP/1.1 204")
                if asked == answered and got > 0:
                    few.send(encode("GET", "/buckets/f/keys/k"))
                    asked += 1
                if few.socket in readable:
                    same(few.response().status, 200)
                    answered += 1
        print("# %d of %d answers of the one when the other had its 20" % (got, requests))
        same(answered, 20)
        assert got < requests, "the one was served first"
        many.close()


def main():
    count = lib.Count()
    for name, function in lib.tests_of(sys.modules[__name__]):
        count.check(name, function, None)
    count.finish()


main()
