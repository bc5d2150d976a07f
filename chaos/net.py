"""What is wrong between the nodes of a run: cuts, loss, slowness; the same for namespaces and containers.

A node drops, in nftables of its own network namespace, what comes from addresses in its set `cut`; so a
cut has a direction. Clients are never cut off: their address is not among those of the nodes. What the
wire (wire.py) delays, it gets by a route.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

# One transaction: there is no moment without rules.
RULES = """
add table inet chaos
delete table inet chaos
table inet chaos {
	set cut {
		type ipv4_addr
		%(cut)s
	}
	chain loss {
		%(loss)s
	}
	chain input {
		type filter hook input priority 0;
		ip saddr @cut drop
		ip saddr %(nodes_net)s jump loss
	}
}
"""


def run(*command, text=None, seconds=None):
    p = subprocess.run(command, input=text, capture_output=True, text=True, timeout=seconds)
    if p.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(command), p.stderr.strip()))
    return p.stdout


class Net:
    def __init__(self, cluster):
        self.cluster, self.nodes = cluster, cluster.nodes
        self.pairs, self.percent, self.wire = [], 0, None

    def at_each(self, *command, text_of=None):
        """Run it in the namespace of each node that has one: a container that ended took its own with it."""
        for n in self.nodes:
            if n.netns():
                try:
                    run(*n.inside(*command), text=text_of(n) if text_of else None)
                except RuntimeError:
                    if n.netns():
                        raise

    # ---- cuts and loss ----

    def rules_of(self, node):
        hosts = {n.number: n.host for n in self.nodes}
        from_ = sorted(hosts[a] for a, b in self.pairs if b == node.number)
        return RULES % {
            "cut": "elements = { %s }" % ", ".join(from_) if from_ else "",
            "loss": "numgen random mod 1000 < %d drop" % (self.percent * 10) if self.percent else "",
            "nodes_net": self.cluster.nodes_net}

    def apply(self):
        self.at_each("nft", "-f", "-", text_of=self.rules_of)

    def cut(self, pairs):
        """Exactly these (from, to) cannot get through; numbers of nodes from 1 on."""
        self.pairs = pairs
        self.apply()

    def heal(self):
        self.cut([])

    def split(self, groups):
        """Nodes hear only those of their own group."""
        of = {i: g for g, group in enumerate(groups) for i in group}
        self.cut([(a, b) for a in of for b in of if of[a] != of[b]])

    def lose(self, percent):
        """This share of the packets that come to each node from another."""
        self.percent = percent
        self.apply()

    # ---- the wire ----

    def slow(self, least_ms, most_ms, loss_percent=0):
        """All traffic between nodes goes over the wire, until `fast`."""
        self.at_each("sysctl", "-q", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
        args = ["%s=%s" % (n.netns(), n.host) for n in self.nodes if n.netns()]
        self.wire = subprocess.Popen([sys.executable, os.path.join(HERE, "wire.py"), *args], text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.wire.stdout.readline() != "ready\n":
            raise RuntimeError("the wire does not start")
        self.at_each("ip", "link", "set", "wire0", "up")
        self.wire.stdin.write("%g %g %g\n" % (least_ms, most_ms, loss_percent))
        self.wire.stdin.flush()
        for n in self.nodes:
            if n.netns():
                run(*n.inside("ip", "route", "replace", self.cluster.nodes_net, "dev", "wire0", "src", n.host))

    def fast(self):
        """The wire's devices end with it, and their routes with them."""
        if self.wire is not None:
            self.wire.stdin.close()
            self.wire.wait(10)
        self.wire = None

    def close(self):
        self.fast()
