"""The faults: what each does to a cluster, and how it is undone.

A fault has `on`, `during` (it takes the seconds that it is given) and `off`; `cannot` says why it cannot
be had here, and is printed. Who is struck comes from the run's seed. `off` leaves everything whole and
running; that the cluster finds together again is not its business.
"""
import os
import random
import shutil
import signal
import tempfile
import time

NAMES = []  # in the order of this file; what --faults may name
TABLE = {}


def fault(name, text):
    def note(cls):
        cls.name, cls.text = name, text
        NAMES.append(name)
        TABLE[name] = cls
        return cls
    return note


class Fault:
    stops_itself = False  # may a node end by itself for this?
    volume = False        # needs a volume of its own for the last node

    def __init__(self, cluster, net, seed):
        self.cluster, self.net, self.random = cluster, net, random.Random(seed)
        self.nodes = cluster.nodes

    def cannot(self):
        return ""

    def on(self):
        """Says who is struck."""
        return ""

    def during(self, seconds):
        time.sleep(seconds)

    def off(self):
        pass

    def felt(self):
        """Did anybody notice? Asked before `off`; where it cannot be told, yes."""
        return True

    def some(self, count):
        return sorted(self.random.sample(self.nodes, count), key=lambda n: n.number)

    def minority(self):
        return (len(self.nodes) - 1) // 2


def names(nodes):
    return " ".join(n.name for n in nodes)


# ---- processes ----------------------------------------------------------------------------------

class Kill(Fault):
    count = None

    def on(self):
        self.struck = self.some(self.count if self.count else self.minority())
        self.cluster.kill(*self.struck)
        return names(self.struck)

    def off(self):
        self.cluster.start(*self.struck)


@fault("kill-one", "kill -9 of one node, which stays away for the time")
class KillOne(Kill):
    count = 1


@fault("kill-minority", "kill -9 of as many nodes as leave a majority")
class KillMinority(Kill):
    def cannot(self):
        return "" if self.minority() > 1 else "with %d nodes it is kill-one" % len(self.nodes)


@fault("kill-all", "kill -9 of all nodes at once, started again at once; twice")
class KillAll(Fault):
    def on(self):
        self.strike()
        return "all"

    def strike(self):
        self.cluster.kill(*self.nodes)
        self.cluster.start(*self.nodes)

    def during(self, seconds):
        time.sleep(seconds / 2)
        self.strike()
        time.sleep(seconds / 2)


@fault("pause", "a process stands still for half of the time, and short moments after that")
class Pause(Fault):
    def on(self):
        self.struck = self.some(1)[0]
        self.struck.pause()
        return self.struck.name

    def during(self, seconds):
        time.sleep(seconds / 2)
        end = time.monotonic() + seconds / 2
        while time.monotonic() < end:
            self.struck.go_on()
            time.sleep(self.random.uniform(0.1, 0.6))
            self.struck = self.some(1)[0]
            self.struck.pause()
            time.sleep(self.random.uniform(0.1, 1.5))

    def off(self):
        for n in self.nodes:
            n.go_on()


@fault("rolling-restart", "each node in turn is stopped by SIGTERM and started again")
class RollingRestart(Fault):
    def on(self):
        return "all, one by one"

    def during(self, seconds):
        end = time.monotonic() + seconds
        for n in self.nodes:
            n.kill(signal.SIGTERM)
            self.cluster.start(n)
            limit = time.monotonic() + 30
            while self.cluster.trouble() and time.monotonic() < limit:
                time.sleep(0.1)
        time.sleep(max(0.0, end - time.monotonic()))


# ---- the network --------------------------------------------------------------------------------

class Cut(Fault):
    def off(self):
        self.net.heal()

    def shuffled(self):
        numbers = [n.number for n in self.nodes]
        self.random.shuffle(numbers)
        return numbers


def sides(groups):
    return " | ".join(" ".join("n%d" % i for i in sorted(g)) for g in groups)


@fault("partition-halves", "two halves that do not hear each other")
class Halves(Cut):
    def on(self):
        all = self.shuffled()
        groups = [all[:len(all) // 2], all[len(all) // 2:]]
        self.net.split(groups)
        return sides(groups)


@fault("partition-one", "one node is cut off from all others")
class One(Cut):
    def on(self):
        all = self.shuffled()
        self.net.split([all[:1], all[1:]])
        return sides([all[:1], all[1:]])


@fault("partition-one-way", "one node is heard by the others and does not hear them")
class OneWay(Cut):
    def on(self):
        all = self.shuffled()
        self.net.cut([(other, all[0]) for other in all[1:]])
        return "n%d hears nobody" % all[0]


@fault("partition-bridge", "two halves, and one node that hears both")
class Bridge(Cut):
    def on(self):
        all = self.shuffled()
        half = (len(all) - 1) // 2
        left, right = all[1:1 + half], all[1 + half:]
        self.net.cut([(a, b) for a in left for b in right] + [(b, a) for a in left for b in right])
        return "%s, with n%d between" % (sides([left, right]), all[0])


@fault("partition-rotating", "another random split every two seconds")
class Rotating(Cut):
    def on(self):
        return "all"

    def during(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            all = self.shuffled()
            at = self.random.randrange(1, len(all))
            self.net.split([all[:at], all[at:]])
            time.sleep(min(2.0, max(0.0, end - time.monotonic())))


@fault("unplug", "one node is taken off the network, and put back where it was")
class Unplug(Fault):
    def on(self):
        self.struck = self.some(1)[0]
        self.cluster.unplug(self.struck)
        return self.struck.name

    def off(self):
        self.cluster.plug(self.struck)


@fault("new-address", "two nodes come back to the network with each other's addresses; then one with a new one")
class NewAddress(Fault):
    def cannot(self):
        return self.cluster.no_move

    def on(self):
        self.struck = self.some(2)
        self.cluster.move(self.struck, [n.host for n in reversed(self.struck)])
        return " ".join("%s now at %s" % (n.name, n.host) for n in self.struck)

    def during(self, seconds):
        time.sleep(seconds / 2)
        self.cluster.move(self.struck[:1], [self.cluster.unused_host(self.random)])
        time.sleep(seconds / 2)


@fault("loss", "a tenth of all packets between nodes is lost")
class Loss(Fault):
    def on(self):
        self.net.lose(10)
        return "10 %"

    def off(self):
        self.net.lose(0)


class Slow(Fault):
    least, most = 0, 0

    def cannot(self):
        return "" if os.path.exists("/dev/net/tun") else "no /dev/net/tun, and no tc netem is asked for"

    def on(self):
        self.net.slow(self.least, self.most)
        return "%d to %d ms" % (self.least, self.most)

    def off(self):
        self.net.fast()


@fault("delay", "each packet between nodes takes 100 to 110 ms")
class Delay(Slow):
    least, most = 100, 110


@fault("reorder", "each packet between nodes takes a random time up to 30 ms, so many overtake others")
class Reorder(Slow):
    least, most = 0, 30


# ---- disks --------------------------------------------------------------------------------------

class Disk(Fault):
    stops_itself = True
    volume = True

    def cannot(self):
        return "" if self.cluster.volume else self.cluster.no_volume

    def again(self):
        """Start the node again if it has ended, as an operator would."""
        node = self.nodes[-1]
        if not node.alive():
            node.kill()
            self.cluster.start(node)


@fault("disk-full", "the disk of one node is full")
class DiskFull(Disk):
    def filler(self):
        return os.path.join(os.path.dirname(self.nodes[-1].data), "filler")

    def failures(self):
        return self.nodes[-1].metrics().get("dunlin_store_failures_total", 0)

    def fill(self):
        with open(self.filler(), "ab", buffering=0) as f:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        f.write(b"\0" * size)
                except OSError:
                    pass  # full, but for what is smaller

    def on(self):
        self.before = self.failures()
        self.fill()
        return self.nodes[-1].name

    def felt(self):
        return not self.nodes[-1].alive() or self.failures() > self.before

    def off(self):
        os.unlink(self.filler())
        self.again()


@fault("disk-readonly", "the file system of one node meets an error and becomes read-only")
class DiskReadOnly(Disk):
    def cannot(self):
        if not self.cluster.volume:
            return super().cannot()
        trigger = "/sys/fs/ext4/%s/trigger_fs_error" % self.cluster.volume_device()
        return "" if os.path.exists(trigger) else "this kernel cannot be told that a file system failed"

    def on(self):
        self.cluster.break_volume()
        return self.nodes[-1].name

    def off(self):
        self.nodes[-1].kill()
        self.cluster.mend_volume()
        self.cluster.start(self.nodes[-1])


# ---- clocks -------------------------------------------------------------------------------------

@fault("clock", "wall clocks are apart by seconds, and jump; one is a minute off")
class Clock(Fault):
    def cannot(self):
        return "" if self.nodes[0].clock else "build/release/chaos-clock.so is not built"

    def on(self):
        self.struck, self.worst = self.some(1)[0], 0
        return "%s a minute off" % self.struck.name

    def during(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for n in self.nodes:
                n.set_clock(self.random.uniform(-4, 4))
            self.struck.set_clock(self.random.choice((-60, 60)))
            time.sleep(min(2.5, max(0.0, end - time.monotonic())))
            self.worst = max(self.worst, self.struck.metrics().get("dunlin_clock_offset_ms", 0))

    def felt(self):
        return self.worst > 10000  # what stops a node from minting

    def off(self):
        for n in self.nodes:
            n.set_clock(0)


# ---- disks that forget --------------------------------------------------------------------------

@fault("restored-copy", "a node comes back with an old copy of its disk")
class RestoredCopy(Fault):
    """Nothing else may strike before the node has verified its memory: what it lost is on few disks."""
    verify_seconds = 120

    def cannot(self):
        return "" if self.nodes[0].data_here() else "the nodes' data is not on this machine"

    def on(self):
        self.struck, self.restored = self.some(1)[0], False
        self.copy = tempfile.mkdtemp(prefix="copy-", dir=self.struck.dir)
        self.struck.kill(signal.SIGTERM)
        self.struck.save_disk(self.copy)
        self.cluster.start(self.struck)
        return self.struck.name

    def during(self, seconds):
        time.sleep(max(5.0, seconds / 2))
        self.struck.kill()
        self.struck.put_back_disk(self.copy)
        self.restored = True
        self.cluster.start(self.struck)
        time.sleep(seconds / 2)

    def off(self):
        shutil.rmtree(self.copy, ignore_errors=True)
        if not self.struck.alive():
            self.cluster.start(self.struck)
        end = time.monotonic() + (self.verify_seconds if self.restored else 0)
        while time.monotonic() < end:
            m = self.struck.metrics()
            if m.get("dunlin_old_copies_total", 0) > 0 and m.get("dunlin_suspect_partitions") == 0:
                return
            time.sleep(0.2)
        if self.restored:
            raise RuntimeError("%s did not find out and verify its old copy in %d s" %
                               (self.struck.name, self.verify_seconds))


# ---- what is not survivable yet -----------------------------------------------------------------

@fault("replaced-node", "a node is replaced by an empty one")
class ReplacedNode(Fault):
    def cannot(self):
        return "a member cannot be replaced yet (docs/FAULTS.md)"
