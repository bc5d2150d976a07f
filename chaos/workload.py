"""The clients: many at once, each one operation at a time, everything recorded (docs/HISTORY.md).

Run by chaos.py inside the clients' network namespace:

    workload.py --history FILE --seed S --clients N --node NAME=HOST:PORT ... [--n 3]

and driven by lines on stdin: `phase {json}` and `note {json}` are written into the history; `at {json}` says
that a node has another address; `start`, `stop`, `final`, `again` answer with one line when they are done;
`quit` ends it, as does the end of stdin.

A key's number says what is done to it: 0 mod 4 a set that only grows (each write is what was read, merged,
and one element more), 1 a register, 2 one that is deleted too, 3 one that is also deleted without a context.
A quarter of the traffic goes to a few hot keys, others each minute, the rest to keys of the moment, which
are left alone afterwards: what trouble left of those must be there at the end although nobody touched them
since. Most keys are written for a minute at most, since what the checkers take grows with the square of that;
a few, seldom, from beginning to end, since what a key gathers in a long life is a risk of its own.
"""
import argparse
import json
import random
import sys
import threading
import time
import zlib

from link import Broken, Connection, Refused, parts

LASTING_KEYS = 4         # written all the time, by one operation in LASTING_SHARE
LASTING_SHARE = 40
HOT_KEYS = 8
SLICE_SECONDS = 5
SLICE_KEYS = 16
SLICES_A_MINUTE = 60 // SLICE_SECONDS
MINUTE_KEYS = HOT_KEYS + SLICES_A_MINUTE * SLICE_KEYS  # a multiple of 4
THINK_SECONDS = 0.04     # at most, between two operations of a client
TIMEOUT_MS = 2000
SLACK_SECONDS = 1.5      # after its timeout a node has answered, or will not
BAD_SECONDS = 2.0        # a client avoids a node that did not answer for so long
FINAL_SECONDS = 90.0
SET, REGISTER, DELETES, BLIND_DELETES = range(4)
TOMBSTONE, FOREIGN = -1, -2


class History:
    """One file, one writer at a time; times never go back from line to line of `invoke`."""

    def __init__(self, path):
        self.file = open(path, "w", buffering=1 << 16)
        self.lock = threading.Lock()
        self.ops = 0
        self.begin = time.monotonic_ns()
        self.checksum = {}  # of each value written, by its operation
        self.keys = set()

    def now(self):
        return (time.monotonic_ns() - self.begin) // 1000

    def write(self, line):
        with self.lock:
            line["t"] = self.now()
            self.file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def invoke(self, line, make_value=None):
        """Its number, and the value that it writes."""
        with self.lock:
            op = self.ops
            self.ops += 1
            value = make_value(op) if make_value else None
            if value is not None:
                self.checksum[op] = (line["key"], zlib.crc32(value))
            self.keys.add(line["key"])
            line.update(t=self.now(), type="invoke", op=op)
            self.file.write(json.dumps(line, separators=(",", ":")) + "\n")
        return op, value

    def flush(self):
        with self.lock:
            self.file.flush()


class Held:
    """A context, the operation whose answer gave it, the union of the sets shown with it; and the ETag, if a
    read gave it."""
    __slots__ = ("context", "op", "elements", "etag")

    def __init__(self, context, op, elements, etag=None):
        self.context, self.op, self.elements, self.etag = context, op, elements, etag


def value_of(op, key, elements):
    head = b"%d %d " % (op, key)
    if key % 4 == SET:
        return head + b",".join(b"%d" % e for e in sorted(elements | {op}))
    x = (op + 1) * 0x9E3779B1 & 0xFFFFFFFF
    return head + b"." * (x // 200 % 20000 if x % 200 == 0 else x % 120)


def styles(rng):
    """Class, pr, pw, and the parameters that ask for them."""
    dice = rng.randrange(20)
    if dice < 3:
        return "one", 0, 0, "r=1&w=1"
    if dice < 5:
        return "all", 0, 0, "r=all&w=all"
    if dice < 10:
        return "strict", 2, 2, "pr=quorum&pw=quorum"
    if dice == 10:
        return "strict", 3, 0, "pr=all"
    if dice == 11:
        return "strict", 0, 3, "pw=all"
    return "quorum", 0, 0, ""


class Client(threading.Thread):
    def __init__(self, work, number, seed):
        super().__init__(daemon=True)
        self.work, self.number = work, number
        self.rng = random.Random(seed * 1000003 + number)
        self.connections = {n: Connection(*a) for n, a in work.nodes.items()}
        self.bad_until = {n: 0.0 for n in work.nodes}
        self.held = {}
        self.hasty = False  # the operation under way gives its node little time

    def run(self):
        while not self.work.stopping.is_set():
            self.act()
            time.sleep(self.rng.random() * THINK_SECONDS)

    # ---- choosing ----

    def any_node(self):
        now = time.monotonic()
        names = [n for n in self.work.names if self.bad_until[n] <= now] or self.work.names
        return self.rng.choice(names)

    def any_key(self):
        if self.rng.randrange(LASTING_SHARE) == 0:
            return self.rng.randrange(LASTING_KEYS)
        now = int((time.monotonic() - self.work.began) / SLICE_SECONDS)
        first = LASTING_KEYS + now // SLICES_A_MINUTE * MINUTE_KEYS
        if self.rng.randrange(4) == 0:
            return first + self.rng.randrange(HOT_KEYS)
        return first + HOT_KEYS + now % SLICES_A_MINUTE * SLICE_KEYS + self.rng.randrange(SLICE_KEYS)

    def act(self):
        key = self.any_key()
        kind, dice = key % 4, self.rng.randrange(100)
        if dice < 30:
            self.read(key)
        elif dice < 40:
            self.write("put", key, False)
        elif dice < 52:
            self.write("put", key, True)
        elif kind == BLIND_DELETES and dice < 60:
            self.write("delete", key, False)
        elif kind >= DELETES and dice < 66 and key in self.held:
            self.write("delete", key, True)
        elif self.read(key):
            if kind >= DELETES and dice < 75:
                self.write("delete", key, True)
            else:
                self.write("put", key, True)
                if dice >= 92:  # a session: what I wrote, from whatever node
                    self.read(key, "strict")

    # ---- one operation ----

    def options(self, strict=False):
        name, pr, pw, query = ("strict", 2, 2, "pr=quorum&pw=quorum") if strict else styles(self.rng)
        timeout = TIMEOUT_MS
        self.hasty = self.rng.randrange(12) == 0
        if self.hasty:  # shorter than it takes to be hinted: may fail
            name, timeout = "hasty", self.rng.randrange(150, 500)
        return name, pr, pw, query, timeout

    def send(self, line, method, query, timeout, fields=(), make_value=None):
        """To one node after another while they refuse; (op, Answer or None)."""
        path = "/buckets/chaos/keys/k%d?timeout=%d&%s" % (line["key"], timeout, query)
        for tries in range(len(self.work.names) + 1):
            node = self.any_node()
            op, value = self.work.history.invoke(dict(line, client=self.number, node=node), make_value)
            try:
                seconds = timeout / 1000 + SLACK_SECONDS
                answer = self.connections[node].ask(method, path, fields, value, seconds)
                if answer.status == 503 and answer.body.startswith(b"starting"):
                    raise Refused("it is starting")  # it has done nothing, and says so
                return op, answer
            except Refused as e:
                self.bad_until[node] = time.monotonic() + BAD_SECONDS
                again = tries < len(self.work.names)
                self.end("fail", op, again=again, why=str(e))
                if self.work.stopping.is_set():
                    break
            except Broken as e:
                self.bad_until[node] = time.monotonic() + BAD_SECONDS
                self.end("unknown", op, why=str(e), excused=self.hasty)
                return op, None
        return op, None

    def end(self, kind, op, **more):
        self.work.history.write(dict(type=kind, op=op, **{k: v for k, v in more.items() if v}))

    def shown_one(self, key, fields, body, tag):
        """What the history says of one sibling; and its elements, if it is a set."""
        vtag = fields.get(tag, b"").strip(b'"').decode()
        if b"x-riak-deleted" in fields:
            return [TOMBSTONE, vtag], set()
        words = body.split(b" ", 2)
        op = int(words[0]) if len(words) == 3 and words[0].isdigit() else FOREIGN
        if self.work.history.checksum.get(op) != (key, zlib.crc32(body)):
            return [FOREIGN, vtag], set()
        return [op, vtag], {int(e) for e in words[2].split(b",")} if key % 4 == SET else set()

    def shown(self, key, answer):
        if answer.status == 300:
            each = [self.shown_one(key, f, b, b"etag") for f, b in parts(answer)]
        elif answer.status in (200, 201):
            each = [self.shown_one(key, answer.fields, answer.body, b"etag")]
        else:
            each = []
        return [e[0] for e in each], set().union(*(e[1] for e in each))

    def keep(self, key, answer, op, elements, etag=None):
        context = answer.fields.get(b"x-riak-vclock")
        if context:
            self.held[key] = Held(context.decode(), op, elements, etag)
        elif answer.status == 404:
            self.held.pop(key, None)

    def failed(self, op, answer, writes):
        """An answer that is no success, for the history."""
        outcome = answer.fields.get(b"x-dunlin-outcome", b"").decode()
        none = not writes or outcome == "none" or answer.status < 500
        why = answer.body[:60].decode("latin-1").strip()
        excused = self.hasty or b"sibling" in answer.body
        self.end("fail" if none else "unknown", op, status=answer.status, why=why, excused=excused)

    def read(self, key, style=None, view=None):
        name, pr, _, query, timeout = self.options(style == "strict")
        if view:
            name, pr, query, timeout = "final", 3, "r=all&pr=all", 5000
            pr = self.work.n
        line = {"f": "get", "key": key, "pr": min(pr, self.work.n), "class": name}
        fields = [("Accept", "multipart/mixed, */*;q=0.5")]
        if view:
            line["view"] = view
        elif key in self.held and self.rng.randrange(4) == 0:  # never older than what it was shown last
            line["at_least"] = self.held[key].op
            fields.append(("X-Dunlin-At-Least", self.held[key].context))
            if self.rng.randrange(2) == 0:
                line["pr"], line["class"], query = 0, "one", "r=1"
        op, answer = self.send(line, "GET", query, timeout, fields)
        if answer is None:
            return False
        if answer.status not in (200, 300, 404):
            self.failed(op, answer, False)
            return False
        shown, elements = self.shown(key, answer)
        self.end("ok", op, status=answer.status, shown=shown)
        self.keep(key, answer, op, elements, answer.fields.get(b"etag"))
        if view == "final":
            self.work.note_final(key, elements)
        return True

    def condition(self, f, held):
        """Some puts are done only if the object is as it was shown (that names what is replaced, and stands
        for its context), or only if there is none."""
        dice = self.rng.randrange(8)
        if f != "put" or dice > 1:
            return None
        if held is None:
            return ("If-None-Match", "*")
        return ("If-Match", held.etag.decode()) if held.etag and dice == 0 else None

    def write(self, f, key, with_context):
        held = self.held.get(key) if with_context else None
        name, _, pw, query, timeout = self.options()
        line = {"f": f, "key": key, "pw": min(pw, self.work.n), "class": name}
        fields, elements, make = [], held.elements if held else set(), None
        if held:
            line["ctx"] = held.op
        condition = self.condition(f, held)
        if condition:
            line["if"] = condition[0]
            fields.append(condition)
        elif held:
            fields.append(("X-Riak-Vclock", held.context))
        if f == "put":
            fields.append(("Content-Type", "text/plain"))
            fields.append(("Accept", "multipart/mixed"))
            if self.rng.randrange(4) == 0:
                query += "&returnbody=true"

            def make(op):
                return value_of(op, key, elements)
        op, answer = self.send(line, f.upper(), query, timeout, fields, make)
        if answer is None:
            return
        if answer.status == 404 and f == "delete":
            self.end("fail", op, status=404, excused=True)  # there was nothing to delete
            return
        if answer.status == 412 and "if" in line:
            self.end("fail", op, status=412, excused=True)  # it is not as was asked
            return
        if answer.status not in (200, 201, 204, 300):
            self.failed(op, answer, True)
            return
        self.written(f, key, op, answer, elements)

    def written(self, f, key, op, answer, elements):
        shown, others = self.shown(key, answer)
        vtag = next((s[1] for s in shown if s[0] == op), "")
        if answer.status == 204:
            vtag = answer.fields.get(b"etag", b"").strip(b'"').decode()
        self.end("ok", op, status=answer.status, vtag=vtag, shown=shown)
        if f == "put" and key % 4 == SET:
            self.work.note_added(key, op)
        # One in five goes on with the context it had: a client that is behind.
        if self.rng.randrange(5) != 0:
            mine = elements | {op} if f == "put" and key % 4 == SET else set()
            self.keep(key, answer, op, mine | others)


class Workload:
    def __init__(self, args):
        self.history = History(args.history)
        self.n = args.n
        self.nodes = {}
        for node in args.node:
            name, _, address = node.partition("=")
            host, _, port = address.rpartition(":")
            self.nodes[name] = (host, int(port))
        self.names = sorted(self.nodes)
        self.stopping = threading.Event()
        self.clients = [Client(self, i, args.seed) for i in range(args.clients)]
        self.began = time.monotonic()
        self.added, self.found = {}, {}  # elements of sets: acknowledged; there at the end
        self.lock = threading.Lock()

    def note_added(self, key, op):
        with self.lock:
            self.added.setdefault(key, set()).add(op)

    def note_final(self, key, elements):
        with self.lock:
            self.found[key] = elements

    def start(self):
        self.began = time.monotonic()
        for c in self.clients:
            c.start()
        return "started"

    def stop(self):
        self.stopping.set()
        for c in self.clients:
            if c.ident:
                c.join()
        self.stopping.clear()
        return "stopped"

    def read_all(self, view):
        """Every key, from all its replicas, again and again until it is answered or time is up."""
        left = sorted(self.history.keys)
        end = time.monotonic() + FINAL_SECONDS

        def reader(client):
            while time.monotonic() < end:
                with self.lock:
                    if not left:
                        return
                    key = left.pop(0)
                if not client.read(key, view=view):
                    time.sleep(0.3)
                    with self.lock:
                        left.append(key)
        threads = [threading.Thread(target=reader, args=(c,), daemon=True) for c in self.clients]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        lost = sum(len(a - self.found.get(k, set())) for k, a in self.added.items())
        return json.dumps({"unread": len(left), "keys": len(self.history.keys), "lost_elements": lost,
                           "elements": sum(len(a) for a in self.added.values())})

    def at(self, node, host):
        """The next connections go there. One that is open stays until it breaks, as after a look-up."""
        for c in self.clients:
            c.connections[node].address = (host, self.nodes[node][1])

    def serve(self):
        for text in sys.stdin:
            word, _, rest = text.strip().partition(" ")
            if word in ("phase", "note"):
                self.history.write(dict(json.loads(rest)))
                self.history.flush()
                continue
            if word == "at":
                self.at(**json.loads(rest))
                continue
            if word == "quit":
                break
            done = {"start": self.start, "stop": self.stop, "final": lambda: self.read_all("final"),
                    "again": lambda: self.read_all("again")}[word]()
            self.history.flush()
            print(done, flush=True)
        self.stopping.set()
        self.history.flush()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--history", required=True)
    p.add_argument("--seed", type=int, required=True)
    p.add_argument("--clients", type=int, required=True)
    p.add_argument("--n", type=int, default=3)
    p.add_argument("--node", action="append", required=True)
    work = Workload(p.parse_args())
    work.history.write({"type": "run", "format": 1, "n": work.n})
    work.serve()


if __name__ == "__main__":
    main()
