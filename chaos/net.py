"""The network of a run: a bridge in our own namespace, and one namespace a node, one for the clients.

    n1 10.77.0.1 --+
    n2 10.77.0.2 --+-- bridge (10.77.0.254, us)        clients 10.77.0.200
    n3 10.77.0.3 --+

All of it lives in namespaces that end with this process: nothing is there to be cleaned up. A node drops,
in its own nftables, what comes from addresses in its set `cut`; so a cut has a direction. What the wire
(wire.py) delays, it gets by a route.
"""
import subprocess
import sys
import os

HERE = os.path.dirname(os.path.abspath(__file__))
NET = "10.77.0."
NODES_NET = "10.77.0.0/25"
CLIENTS = "clients"
HTTP_PORT, PEER_PORT = 8098, 8099

RULES = """
table inet chaos {
	set cut { type ipv4_addr; }
	chain loss { }
	chain input {
		type filter hook input priority 0;
		ip saddr @cut drop
		ip saddr %s jump loss
	}
}
""" % NODES_NET


def run(*command, text=None):
    p = subprocess.run(command, input=text, capture_output=True, text=True)
    if p.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(command), p.stderr.strip()))
    return p.stdout


def inside(name, *command):
    """The command line that runs `command` in that namespace (of the network; all else stays ours)."""
    return ["nsenter", "--net=/run/netns/" + name, *command]


def address(i):
    """Of node i, from 1 on."""
    return NET + str(i)


class Net:
    def __init__(self, nodes):
        self.names = ["n%d" % i for i in range(1, nodes + 1)]
        self.wire = None
        os.makedirs("/run/netns", exist_ok=True)
        run("mount", "-t", "tmpfs", "tmpfs", "/run/netns")  # our mount namespace alone sees it
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "br0", "type", "bridge")
        run("ip", "addr", "add", NET + "254/24", "dev", "br0")
        run("ip", "link", "set", "br0", "up")
        for i, name in enumerate(self.names):
            self.add(name, address(i + 1))
        self.add(CLIENTS, NET + "200")

    def add(self, name, addr):
        run("ip", "netns", "add", name)
        run("ip", "link", "add", "to-" + name, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "link", "set", "to-" + name, "master", "br0", "up")
        run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", name, "addr", "add", addr + "/24", "dev", "eth0")
        run("ip", "-n", name, "link", "set", "eth0", "up")
        run(*inside(name, "sysctl", "-q", "net.ipv4.conf.all.rp_filter=0",
                    "net.ipv4.conf.default.rp_filter=0"))
        run(*inside(name, "nft", "-f", "-"), text=RULES)

    # ---- cuts ----

    def cut(self, pairs):
        """Exactly these (from, to) cannot get through; numbers of nodes from 1 on."""
        for i, name in enumerate(self.names, 1):
            from_ = sorted(a for a, b in pairs if b == i)
            text = "flush set inet chaos cut\n"
            if from_:
                text += "add element inet chaos cut { %s }\n" % ", ".join(address(a) for a in from_)
            run(*inside(name, "nft", "-f", "-"), text=text)

    def heal(self):
        self.cut([])

    def split(self, groups):
        """Nodes hear only those of their own group."""
        of = {i: g for g, group in enumerate(groups) for i in group}
        self.cut([(a, b) for a in of for b in of if of[a] != of[b]])

    def lose(self, percent):
        """This share of the packets that come to each node from another."""
        text = "flush chain inet chaos loss\n"
        if percent:
            text += "add rule inet chaos loss numgen random mod 1000 < %d drop\n" % (percent * 10)
        for name in self.names:
            run(*inside(name, "nft", "-f", "-"), text=text)

    # ---- the wire ----

    def slow(self, least_ms, most_ms, loss_percent=0):
        """All traffic between nodes goes over the wire."""
        if self.wire is None:
            args = ["%s=%s" % (n, address(i)) for i, n in enumerate(self.names, 1)]
            self.wire = subprocess.Popen([sys.executable, os.path.join(HERE, "wire.py"), *args], text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            if self.wire.stdout.readline() != "ready\n":
                raise RuntimeError("the wire does not start")
            for name in self.names:
                run("ip", "-n", name, "link", "set", "wire0", "up")
        self.wire.stdin.write("%g %g %g\n" % (least_ms, most_ms, loss_percent))
        self.wire.stdin.flush()
        for i, name in enumerate(self.names, 1):
            run("ip", "-n", name, "route", "replace", NODES_NET, "dev", "wire0", "src", address(i))

    def fast(self):
        for name in self.names:
            run("ip", "-n", name, "route", "flush", "exact", NODES_NET)

    def close(self):
        if self.wire is not None:
            self.wire.stdin.close()
            self.wire.wait(10)
