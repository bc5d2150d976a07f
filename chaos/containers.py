"""Nodes as containers of the image of docker/Dockerfile, on a network that the run makes (--docker).

    n1 10.77.K.1 --+
    n2 10.77.K.2 --+-- container network (10.77.K.254, us)        clients 10.77.K.200
    n3 10.77.K.3 --+

A node is run as docker/compose.yml runs it: known to the others by name, its data in a volume of its own,
everything else read-only. What the engine cannot do (cuts, loss, slowness) is done by net.py in the
container's network namespace. The clients live in the namespace of one more container.

All that is made bears the label LABEL=RUN and a name that begins with dunlin-chaos-RUN; `sweep` removes
what bears the label, and nothing else. The image stays, as the cache of the next run.
"""
import ipaddress
import json
import os
import random
import re
import signal
import subprocess
import time

from cluster import HTTP_PORT, PEER_PORT, Cluster, Node, enter
from net import run

LABEL = "dunlin.chaos"
IMAGE = "dunlin:chaos"
BASE = "debian:bookworm-slim"
ENGINE_SECONDS = 120   # no answer of the engine takes longer
START_SECONDS = 60
STOP_SECONDS = 60      # from SIGTERM until the engine loses patience
SWEEPS = 5
DATA = "/var/lib/dunlin"
KEY_DIR = "/var/lib/dunlin-key"


def docker(*words, seconds=ENGINE_SECONDS):
    return run("docker", *words, seconds=seconds).strip()


def missing():
    """Why there is no engine to use, or nothing."""
    try:
        docker("version", seconds=30)
    except (OSError, RuntimeError, subprocess.TimeoutExpired):
        return "no Docker engine answers"
    return ""


def sweep(run_id):
    """Remove all that bears this run's label; what is still there after that. Also catches what the engine
    was making when somebody stopped waiting for it."""
    mine, left, quiet = "label=%s=%s" % (LABEL, run_id), "", 0
    for _ in range(SWEEPS):
        left = ""
        for what, remove in ((("ps", "-aq"), ("rm", "-f", "-v")), (("network", "ls", "-q"), ("network", "rm")),
                             (("volume", "ls", "-q"), ("volume", "rm", "-f"))):
            try:
                found = docker(*what, "--filter", mine).split()
                if found:
                    left += "%s %s; " % (what[0], " ".join(found))
                    docker(*remove, *found)
            except (RuntimeError, subprocess.TimeoutExpired) as e:
                left += "%s; " % e
        quiet = 0 if left else quiet + 1
        if quiet == 2:
            return ""
        time.sleep(0.3)
    return left


def build(root, log_path, wanted):
    """The image's id: of `wanted`, or of what docker/Dockerfile makes of the sources."""
    if not wanted:
        wanted = IMAGE
        old, stages = images(IMAGE), build_stages()
        with open(log_path, "w") as log:
            if not images(BASE):
                step(log, os.path.join(root, "docker/base-image.sh"))
            step(log, "docker", "build", "--force-rm", "-t", IMAGE, "-f", os.path.join(root, "docker/Dockerfile"),
                 root)
        # The newest stage is the cache of the next build. The engine refuses what another run uses.
        forget = [i for i in old if i not in images(IMAGE)] + [i for i in stages if i in build_stages()[1:]]
        if forget:
            subprocess.run(["docker", "rmi", *forget], capture_output=True)
    if not images(wanted):
        raise RuntimeError("there is no image " + wanted)
    return docker("image", "inspect", "--format", "{{.Id}}", wanted)


def images(name):
    return docker("images", "-q", name).split()


def build_stages():
    """The newest first."""
    return docker("images", "-q", "--filter", "dangling=true", "--filter", "label=dunlin.stage=build").split()


def step(log, *command):
    """As it ends by SIGTERM when we do, the engine removes what it was building in."""
    p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        if p.wait() != 0:
            raise RuntimeError("%s: exit code %d, see %s" % (" ".join(command), p.returncode, log.name))
    finally:
        if p.poll() is None:
            p.terminate()
            p.wait()


class ContainerNode(Node):
    def __init__(self, number, cluster, clock):
        super().__init__(number, os.path.join(cluster.dir, "n%d" % number), cluster.net + str(number), clock)
        self.cluster, self.container = cluster, "%s-n%d" % (cluster.prefix, number)
        self.pid = None  # of its process 1, of this start

    def create(self, names):
        settings = {
            "NAME": self.name, "ADVERTISE": "%s:%d" % (self.name, PEER_PORT), "INSECURE": "yes",
            "JOIN": ",".join("%s:%d" % (n, PEER_PORT) for n in names), "EXPECT": str(len(names)),
            "KEY_FILE": KEY_DIR + "/cluster.key", "MAKE_KEY": "yes", "POOL_BYTES": "256m"}
        words = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
        for k, v in settings.items():
            words += ["--env", "DUNLIN_%s=%s" % (k, v)]
        if self.clock:
            words += ["--volume", self.clock + ":/chaos-clock.so:ro", "--env", "LD_PRELOAD=/chaos-clock.so",
                      "--volume", os.path.abspath(self.dir) + "/clock:/chaos-clock:ro",
                      "--env", "CHAOS_CLOCK=/chaos-clock"]
        self.volume = self.cluster.make("volume", self.name)
        words += ["--volume", "%s:%s" % (self.volume, DATA),
                  "--volume", "%s:%s" % (self.cluster.key_volume, KEY_DIR)]
        self.cluster.create(self.name, self.host, *words, self.cluster.image)

    def start(self):
        """`process` is the engine's client: it writes the node's log, and ends with the node's exit code."""
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(["docker", "start", "--attach", self.container],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.stopped, self.pid = False, None

    def started(self):
        end = time.monotonic() + START_SECONDS
        while self.netns() is None and self.alive():
            if time.monotonic() > end:
                raise RuntimeError("%s does not start" % self.container)
            time.sleep(0.02)

    def netns(self):
        """None while it does not run: a container gets another namespace at each start."""
        if not self.alive():
            return None
        if self.pid is None:
            running, pid = docker("inspect", "--format", "{{.State.Running}} {{.State.Pid}}",
                                  self.container).split()
            self.pid = int(pid) if running == "true" and pid != "0" else None
        return "/proc/%d/ns/net" % self.pid if self.pid else None

    def signal(self, how):
        if how == signal.SIGTERM:
            command = ["stop", "--time", str(STOP_SECONDS)]
        else:
            command = ["kill", "--signal", str(int(how))]
        # It fails for one that has just ended by itself.
        subprocess.run(["docker", *command, self.container], capture_output=True, timeout=ENGINE_SECONDS)

    def data_here(self):
        path = docker("volume", "inspect", "--format", "{{.Mountpoint}}", self.volume).strip()
        return path if os.path.isdir(path) else None

    def pause(self):
        docker("pause", self.container)
        self.stopped = True

    def go_on(self):
        if self.stopped:
            docker("unpause", self.container)
        self.stopped = False


class ContainerCluster(Cluster):
    hosts = "containers"
    no_volume = "containers share the disk of the engine; a run without --docker has one to fill and to break"

    def __init__(self, dir, nodes, image, clock, run_id):
        self.dir, self.image, self.run_id = dir, image, run_id
        self.prefix = "dunlin-chaos-" + run_id
        self.make_network()
        self.nodes_net = self.net + "0/25"
        self.key_volume = self.make("volume", "key")
        self.create("clients", self.net + "200", "--tmpfs", DATA, "--entrypoint", "sleep", "--no-healthcheck",
                    image, "infinity")
        docker("start", self.prefix + "-clients")
        pid = docker("inspect", "--format", "{{.State.Pid}}", self.prefix + "-clients")
        self.clients_netns = "/proc/%s/ns/net" % pid
        self.nodes = [ContainerNode(i, self, clock) for i in range(1, nodes + 1)]
        for n in self.nodes:
            n.create([m.name for m in self.nodes])

    def near(self):
        """Are the containers on this machine, where we can reach into them?"""
        try:
            run(*self.clients("ip", "addr", "show", "to", self.net + "200"))
            return True
        except RuntimeError:
            return False

    # ---- making ----

    def label(self):
        return ["--label", "%s=%s" % (LABEL, self.run_id)]

    def make(self, kind, name, *words):
        whole = "%s-%s" % (self.prefix, name)
        docker(kind, "create", *self.label(), *words, *([] if kind == "network" else ["--name"]), whole)
        return whole

    def create(self, name, host, *words):
        docker("create", "--name", "%s-%s" % (self.prefix, name), "--hostname", name, *self.label(), "--network",
               self.network, "--network-alias", name, "--ip", host, "--log-driver", "none", *words)

    def make_network(self):
        """Where neither this machine nor the engine has one. Not an internal network, as compose.yml has none:
        on those the engine lets who asks for the name of an ended container wait, for 5 to 20 seconds."""
        known = re.findall(r"^([0-9.]+/[0-9]+) ", run("ip", "-4", "route", "show", "table", "all"), re.M)
        choice = list(range(256))
        random.shuffle(choice)
        for k in choice:
            subnet = ipaddress.ip_network("10.77.%d.0/24" % k)
            if any(subnet.overlaps(ipaddress.ip_network(r, strict=False)) for r in known):
                continue
            try:
                self.net = "10.77.%d." % k
                self.network = self.make("network", "net", "--subnet", str(subnet), "--gateway",
                                         self.net + "254")
                return
            except RuntimeError as e:
                if "overlaps" not in str(e):
                    raise
        raise RuntimeError("no free network 10.77.0.0/24 to 10.77.255.0/24")

    # ---- where the clients are ----

    def clients(self, *command):
        return enter(self.clients_netns, *command)

    def tool(self, *words):
        return ["docker", "exec", self.prefix + "-clients", "dunlin", *words]

    # ---- the network ----

    def unplug(self, node):
        docker("network", "disconnect", self.network, node.container)

    def plug(self, node):
        docker("network", "connect", "--ip", node.host, "--alias", node.name, self.network, node.container)

    def move(self, nodes, hosts):
        """They are taken off the network, and come back to it at other addresses."""
        for n in nodes:
            self.unplug(n)
        for n, host in zip(nodes, hosts):
            n.host = host
            n.link.close()
            n.link.address = (host, HTTP_PORT)
            self.plug(n)
            if self.on_move:
                self.on_move(n)

    def unused_host(self, rng):
        used = {n.host for n in self.nodes}
        return rng.choice([h for h in (self.net + str(i) for i in range(1, 127)) if h not in used])

    # ---- the end ----

    def close(self, keep, hurry):
        """`keep` the data of the nodes; in a `hurry` nobody is asked to end."""
        for n in self.nodes:
            n.go_on()
        if not hurry:
            docker("stop", "--time", "20", *[n.container for n in self.nodes])
        for n in self.nodes:
            self.save(n) if keep else os.rmdir(n.data)
        # What was kept tells how each ended, too.
        with open(os.path.join(self.dir, "containers.json"), "w") as f:
            states = json.loads(docker("inspect", *[n.container for n in self.nodes]))
            json.dump([{k: s[k] for k in ("Name", "Image", "State", "RestartCount")} for s in states], f, indent=1)

    def save(self, node):
        try:
            docker("cp", "%s:%s/." % (node.container, DATA), node.data)
        except RuntimeError as e:
            print("the data of %s cannot be kept: %s" % (node.name, e), flush=True)
