"""Nodes as processes, one in each network namespace, started and stopped by the pid we got.

    n1 10.77.0.1 --+
    n2 10.77.0.2 --+-- bridge (10.77.0.254, us)        clients 10.77.0.200
    n3 10.77.0.3 --+

All of it lives in namespaces that end with this process: nothing is there to be cleaned up.
"""
import os
import shutil
import signal
import subprocess

from cluster import HTTP_PORT, PEER_PORT, Cluster, Node, enter
from net import run

NET = "10.77.0."
CLIENTS = "clients"
VOLUME_BYTES = 512 << 20


def netns(name):
    return "/run/netns/" + name


class ProcessNode(Node):
    def __init__(self, number, cluster, clock):
        super().__init__(number, os.path.join(cluster.dir, "n%d" % number), NET + str(number), clock)
        self.cluster = cluster

    def netns(self):
        return netns(self.name)

    def start(self):
        env = dict(os.environ)
        if self.clock:
            env.update(LD_PRELOAD=self.clock, CHAOS_CLOCK=os.path.join(self.dir, "clock"))
        peers = ["%s:%d" % (n.host, PEER_PORT) for n in self.cluster.nodes]
        flags = ["--name", self.name, "--dir", self.data, "--http", "%s:%d" % (self.host, HTTP_PORT),
                 "--peer", "%s:%d" % (self.host, PEER_PORT), "--insecure", "yes", "--join", ",".join(peers),
                 "--expect", str(len(peers)), "--key-file", self.cluster.key_file, "--pool-bytes", "256m"]
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(self.inside(self.cluster.program, "start", *flags), env=env,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.stopped = False

    def signal(self, how):
        self.process.send_signal(how)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        self.stopped = True

    def go_on(self):
        if self.stopped:
            self.process.send_signal(signal.SIGCONT)
        self.stopped = False


class NamespaceCluster(Cluster):
    hosts = "namespaces"
    nodes_net = NET + "0/25"
    no_move = "here nodes know each other by address; containers know names (--docker)"

    def __init__(self, dir, nodes, program, clock):
        self.dir, self.program = dir, program
        self.key_file = os.path.join(dir, "cluster.key")
        fd = os.open(self.key_file, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(fd, os.urandom(32).hex().encode() + b"\n")
        os.close(fd)
        self.nodes = [ProcessNode(i, self, clock) for i in range(1, nodes + 1)]
        self.make_network()

    # ---- the network ----

    def make_network(self):
        os.makedirs("/run/netns", exist_ok=True)
        run("mount", "-t", "tmpfs", "tmpfs", "/run/netns")  # our mount namespace alone sees it
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "br0", "type", "bridge")
        run("ip", "addr", "add", NET + "254/24", "dev", "br0")
        run("ip", "link", "set", "br0", "up")
        for n in self.nodes:
            self.add(n.name, n.host)
        self.add(CLIENTS, NET + "200")

    def add(self, name, host):
        run("ip", "netns", "add", name)
        run("ip", "link", "add", "to-" + name, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "link", "set", "to-" + name, "master", "br0", "up")
        run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", name, "addr", "add", host + "/24", "dev", "eth0")
        run("ip", "-n", name, "link", "set", "eth0", "up")

    def clients(self, *command):
        return enter(netns(CLIENTS), *command)

    def tool(self, *words):
        return self.clients(self.program, *words)

    def unplug(self, node):
        run("ip", "link", "set", "to-" + node.name, "down")

    def plug(self, node):
        run("ip", "link", "set", "to-" + node.name, "up")

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

    # ---- the end ----

    def close(self, keep, hurry):
        """`keep` the data of the nodes; in a `hurry` nobody is asked to end."""
        for n in self.nodes:
            n.go_on()
            if n.alive():
                n.signal(signal.SIGKILL if hurry else signal.SIGTERM)
        for n in self.nodes:
            if n.process is not None:
                try:
                    n.process.wait(20)
                except subprocess.TimeoutExpired:
                    n.process.kill()
                    n.process.wait()
        if self.volume:
            run("umount", os.path.dirname(self.nodes[-1].data))
        if not keep:
            for n in self.nodes:
                shutil.rmtree(os.path.join(n.dir, "data"), ignore_errors=True)
            if self.volume:
                os.unlink(self.volume)
