"""The nodes of a run, whatever they run in: how they are, what they count, whether they agree.

    Node      one of them; a backend says how it is started, ended and paused, and which namespace is its network
    Cluster   all of them

The backends are namespaces.py (processes, the default) and containers.py (--docker).
"""
import os
import re
import shutil
import signal
import struct
import subprocess
import time

from link import Broken, Connection, Refused

HTTP_PORT, PEER_PORT = 8098, 8099
READY_SECONDS = 60
QUIET = ("dunlin_hints", "dunlin_stand_ins", "dunlin_suspect_partitions", "dunlin_coord_slots_used",
         "dunlin_replica_slots_used", "dunlin_keys_in_flight")


# Counters that tell of trouble, without their `dunlin_` and `_total`.
TELLING = ("stand_ins_taken", "hints_kept", "hints_dropped", "peers_down_events", "requests_failed",
           "requests_busy", "read_repairs", "forwards_sent", "late_answers", "clock_refused",
           "store_failures", "corrupt_records", "old_copies", "siblings_refused")


def enter(netns, *command):
    """The command line that runs `command` in that namespace (of the network; all else stays ours)."""
    return ["nsenter", "--net=" + netns, *command]


class Node:
    """`process` is what ends when the node does: the node itself, or who waits for its container."""

    def __init__(self, number, dir, host, clock):
        self.number, self.name = number, "n%d" % number
        self.host = host            # its address, of this moment
        self.dir = dir              # its log, clock file, and `data`
        self.data = os.path.join(dir, "data")
        self.clock = clock
        self.process = None
        self.stopped = False        # by `pause`
        self.link = Connection(host, HTTP_PORT)
        os.makedirs(self.data, exist_ok=True)
        self.set_clock(0)

    def set_clock(self, seconds):
        # The file is mapped by the node: it is written over, never replaced.
        fd = os.open(os.path.join(self.dir, "clock"), os.O_WRONLY | os.O_CREAT, 0o644)
        os.write(fd, struct.pack("=q", int(seconds * 1e6)))
        os.close(fd)

    # ---- of the backend: start(), signal(how), pause(), go_on(), netns() ----

    def started(self):
        """Wait until the node runs, though it may not be ready yet."""

    def inside(self, *command):
        return enter(self.netns(), *command)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self, how=signal.SIGKILL):
        """Send it, and wait until it has ended."""
        if self.alive():
            self.signal(how)
            self.process.wait(60)
        self.process = None

    # ---- its disk ----

    def data_here(self):
        """Where its data is for us; None: we cannot get at it."""
        return self.data

    def save_disk(self, to):
        """A copy of all of it, of a node that does not run."""
        subprocess.run(["cp", "-a", self.data_here() + "/.", to + "/"], check=True)

    def put_back_disk(self, copy):
        here = self.data_here()
        for name in os.listdir(here):
            path = os.path.join(here, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        subprocess.run(["cp", "-a", copy + "/.", here + "/"], check=True)

    # ---- how it is ----

    def get(self, path, seconds=2.0):
        """The answer's status and text; (0, why) when there is none."""
        try:
            answer = self.link.ask("GET", path, seconds=seconds)
            return answer.status, answer.body.decode("utf-8", "replace")
        except (Refused, Broken) as e:
            return 0, str(e)

    def metrics(self):
        """Those without labels; empty when it does not answer."""
        status, text = self.get("/metrics")
        found = re.findall(r"^(\w+) ([0-9.e+-]+)$", text, re.M) if status == 200 else []
        return {name: float(value) for name, value in found}


class Cluster:
    """A backend has `hosts` (what the nodes are in), `nodes_net` (where their addresses are), `nodes`, and

        clients(command)       the command line that runs it where the clients are
        tool(words)            the command line of `dunlin words`, there
        unplug(node), plug(node)
    """
    volume = None       # of the last node, which the disk faults strike
    no_volume = "no volume of its own could be made for a node"
    no_move = ""        # why nodes cannot change their addresses; else there is move(nodes, hosts)
    on_move = None      # called with each node that has another address

    def start(self, *nodes):
        """All at once."""
        for node in nodes:
            node.start()
        for node in nodes:
            node.started()

    def kill(self, *nodes):
        """kill -9 of all at once."""
        for node in nodes:
            if node.alive():
                node.signal(signal.SIGKILL)
        for node in nodes:
            node.kill()

    def start_all(self):
        self.start(*self.nodes)
        end = time.monotonic() + READY_SECONDS
        while self.trouble():
            if time.monotonic() > end:
                raise RuntimeError("the cluster does not form: " + self.trouble())
            time.sleep(0.1)

    def make_volume(self):
        """For the last node; afterwards `volume` is set, if there is such a thing here."""

    def died(self):
        """Nodes that ended though nobody ended them."""
        return [n for n in self.nodes if n.process is not None and n.process.poll() is not None]

    # ---- how it is ----

    def trouble(self):
        """Why it is not whole, or nothing: all ready, all up for all."""
        for n in self.nodes:
            m = n.metrics()
            if m.get("dunlin_ready") != 1:
                return n.name + (" is not ready" if m else " does not answer")
            if m.get("dunlin_peers_up") != len(self.nodes) - 1:
                return "%s sees %d of %d peers up" % (n.name, m["dunlin_peers_up"], len(self.nodes) - 1)
        return ""

    def unrest(self):
        """What has not come to rest, or nothing: no hints, no stand-in copies, nothing in flight."""
        for n in self.nodes:
            m = n.metrics()
            if not m:
                return n.name + " does not answer"
            busy = ["%s=%d" % (k[7:], m[k]) for k in QUIET if m.get(k)]
            if busy:
                return "%s: %s" % (n.name, " ".join(busy))
        return ""

    def counters(self):
        """Of each start of a node, by its process: what tells of trouble."""
        out = {}
        for n in self.nodes:
            m = n.metrics()
            if m and n.process:
                out[n.process.pid] = {k: int(m.get("dunlin_%s_total" % k, 0)) for k in TELLING}
        return out

    def compare(self):
        """Of all keys, directly between replicas: (keys, different, partitions that could not be)."""
        command = self.tool("compare", "--all", "--url", "http://%s:%d" % (self.nodes[0].host, HTTP_PORT))
        p = subprocess.run(command, capture_output=True, text=True, timeout=600)
        last = p.stdout.strip().split("\n")[-1]
        numbers = [int(x) for x in re.findall(r"\d+", last)]
        return p.returncode, p.stdout, numbers
