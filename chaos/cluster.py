"""The nodes of a run: real processes, one in each namespace, started and stopped by the pid we got."""
import os
import re
import signal
import struct
import subprocess
import time

from link import Broken, Connection, Refused
from net import CLIENTS, HTTP_PORT, PEER_PORT, address, inside, run

VOLUME_BYTES = 512 << 20
READY_SECONDS = 60
QUIET = ("dunlin_hints", "dunlin_stand_ins", "dunlin_suspect_partitions", "dunlin_coord_slots_used",
         "dunlin_replica_slots_used", "dunlin_keys_in_flight")


# Counters that tell of trouble, without their `dunlin_` and `_total`.
TELLING = ("stand_ins_taken", "hints_kept", "hints_dropped", "peers_down_events", "requests_failed",
           "requests_busy", "read_repairs", "forwards_sent", "late_answers", "clock_refused",
           "store_failures", "corrupt_records", "siblings_refused")


class Node:
    def __init__(self, number, dir, program, clock):
        self.number, self.name = number, "n%d" % number
        self.host = address(number)
        self.dir = dir              # its log, clock file, and `data`
        self.data = os.path.join(dir, "data")
        self.program, self.clock = program, clock
        self.process = None
        self.stopped = False        # by SIGSTOP
        self.link = Connection(self.host, HTTP_PORT)
        os.makedirs(self.data, exist_ok=True)
        self.set_clock(0)

    def set_clock(self, seconds):
        # The file is mapped by the node: it is written over, never replaced.
        fd = os.open(os.path.join(self.dir, "clock"), os.O_WRONLY | os.O_CREAT, 0o644)
        os.write(fd, struct.pack("=q", int(seconds * 1e6)))
        os.close(fd)

    def start(self, peers, key_file):
        env = dict(os.environ)
        if self.clock:
            env.update(LD_PRELOAD=self.clock, CHAOS_CLOCK=os.path.join(self.dir, "clock"))
        flags = ["--name", self.name, "--dir", self.data, "--http", "%s:%d" % (self.host, HTTP_PORT),
                 "--peer", "%s:%d" % (self.host, PEER_PORT), "--insecure", "yes",
                 "--join", ",".join("%s:%d" % (p, PEER_PORT) for p in peers), "--expect",
                 str(len(peers)), "--key-file", key_file, "--pool-bytes", "256m"]
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(inside(self.name, self.program, "start", *flags), env=env,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.stopped = False

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self, how=signal.SIGKILL):
        """Send it, and wait until it has ended."""
        if self.alive():
            self.process.send_signal(how)
            self.process.wait(60)
        self.process = None

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        self.stopped = True

    def go_on(self):
        if self.stopped:
            self.process.send_signal(signal.SIGCONT)
        self.stopped = False

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
    def __init__(self, dir, nodes, program, clock):
        self.dir, self.program = dir, program
        self.key_file = os.path.join(dir, "cluster.key")
        fd = os.open(self.key_file, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(fd, os.urandom(32).hex().encode() + b"\n")
        os.close(fd)
        self.nodes = [Node(i, os.path.join(dir, "n%d" % i), program, clock) for i in range(1, nodes + 1)]
        self.volume = None  # of the last node

    def start(self, node):
        node.start([n.host for n in self.nodes], self.key_file)

    def start_all(self):
        for node in self.nodes:
            self.start(node)
        end = time.monotonic() + READY_SECONDS
        while self.trouble():
            if time.monotonic() > end:
                raise RuntimeError("the cluster does not form: " + self.trouble())
            time.sleep(0.1)

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
        """Of each process, by its pid: what tells of trouble."""
        out = {}
        for n in self.nodes:
            m = n.metrics()
            if m and n.process:
                out[n.process.pid] = {k: int(m.get("dunlin_%s_total" % k, 0)) for k in TELLING}
        return out

    def compare(self):
        """Of all keys, directly between replicas: (keys, different, partitions that could not be)."""
        command = inside(CLIENTS, self.program, "compare", "--all", "--url",
                         "http://%s:%d" % (self.nodes[0].host, HTTP_PORT))
        p = subprocess.run(command, capture_output=True, text=True, timeout=600)
        last = p.stdout.strip().split("\n")[-1]
        numbers = [int(x) for x in re.findall(r"\d+", last)]
        return p.returncode, p.stdout, numbers

    # ---- a volume of its own for the last node ----

    def make_volume(self):
        node = self.nodes[-1]
        image = os.path.join(node.dir, "volume")
        with open(image, "wb") as f:
            f.truncate(VOLUME_BYTES)
        # Without extents there is no preallocation, so that a full disk is felt at the next write.
        run("mkfs.ext4", "-q", "-m", "0", "-O", "^extent,^64bit,^metadata_csum", "-F", image)
        run("mount", "-o", "loop,errors=remount-ro", image, node.data)
        self.volume = image
        node.data = os.path.join(node.data, "d")
        os.makedirs(node.data)

    def volume_device(self):
        where = os.path.dirname(self.nodes[-1].data)
        return os.path.basename(run("findmnt", "-n", "-o", "SOURCE", where).strip())

    def break_volume(self):
        """The file system meets an error and refuses all writing from now on."""
        with open("/sys/fs/ext4/%s/trigger_fs_error" % self.volume_device(), "w") as f:
            f.write("chaos\n")

    def mend_volume(self):
        """As an operator would; the node is not running."""
        where = os.path.dirname(self.nodes[-1].data)
        run("umount", where)
        subprocess.run(["e2fsck", "-fy", self.volume], capture_output=True)
        run("mount", "-o", "loop,errors=remount-ro", self.volume, where)

    def close(self):
        for n in self.nodes:
            n.go_on()
            if n.alive():
                n.process.terminate()
        for n in self.nodes:
            if n.process is not None:
                try:
                    n.process.wait(20)
                except subprocess.TimeoutExpired:
                    n.process.kill()
                    n.process.wait()
        if self.volume:
            run("umount", os.path.dirname(self.nodes[-1].data))
