"""What the measurements share: the tools, the systems measured, and where they run.

All servers are pinned to one core and the load generator to another, so that neither takes the other's
time. Only what was started here is ended, by its process.
"""
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "wire"))
import lib  # noqa: E402  (the cluster of the end-to-end tests)

OUT = os.path.join(ROOT, "build", "bench")
DUNLIN = lib.DUNLIN
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORES = set(CORES[:1])
LOAD_CORES = set(CORES[1:2] or CORES[:1])
WARNINGS = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-O2", "-g", "-Iinclude", "-Isrc", "-I."]


def note(*text):
    print("#", *text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def pinned(cores):
    """What is started inside inherits these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def compile_tool(name, sources, libs):
    """build/bench/NAME, made again when a source is newer."""
    os.makedirs(OUT, exist_ok=True)
    to = os.path.join(OUT, name)
    sources = [os.path.join(ROOT, s) for s in sources]
    if not os.path.exists(to) or any(os.path.getmtime(s) > os.path.getmtime(to) for s in sources):
        cc = os.environ.get("CC", "cc")
        subprocess.run([cc, *WARNINGS, "-o", to, *sources, *libs], cwd=ROOT, check=True)
    return to


def ceiling_tool():
    return compile_tool("ceiling", ["tests/bench/ceiling.c", "src/drive/buffer.c",
                                    "src/base/panic_print.c"], ["-levent_core"])


def redis_tool():
    return compile_tool("redis_load", ["tests/bench/redis_load.c", "src/drive/bench_hist.c",
                                       "src/drive/bench_clock.c", "src/base/prng.c",
                                       "src/base/panic_print.c"], ["-lm"])


def filesystem(path):
    """The type of file system under a path: on a tmpfs, durable means nothing."""
    best = ("", "unknown")
    with open("/proc/mounts") as f:
        for line in f:
            mount, kind = line.split()[1:3]
            inside = os.path.realpath(path).startswith(mount.rstrip("/") + "/") or mount == "/"
            if inside and len(mount) > len(best[0]):
                best = (mount, kind)
    return best[1]


def rss_mib(pid):
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS of %d" % pid)


# ---- the systems ---------------------------------------------------------------------------------

class Processes:
    """Children that end with the block."""

    def __init__(self):
        self.children = []

    def start(self, *command, **options):
        with pinned(SERVER_CORES):
            p = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
        self.children.append(p)
        return p

    def pids(self):
        return [p.pid for p in self.children]

    def must(self, held, otherwise):
        """For constructors: a block that is never entered is never left."""
        if not held:
            Processes.__exit__(self)
            raise RuntimeError(otherwise)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in self.children:
            p.terminate()
        for p in self.children:
            p.wait(20)


class Ceiling(Processes):
    """Three processes of null replication."""

    def __init__(self):
        super().__init__()
        base = lib.free_base(3)
        peers = [str(base + 10 * i + 1) for i in range(3)]
        for i in range(3):
            others = [peers[j] for j in range(3) if j != i]
            self.start(ceiling_tool(), str(base + 10 * i), peers[i], *others)
        self.ports = [base + 10 * i for i in range(3)]
        for port in self.ports:
            self.must(lib.wait_for(lambda p=port: not lib.is_free(p), 5), "the ceiling does not listen")

    def urls(self):
        return ["http://127.0.0.1:%d" % p for p in self.ports]


class Redis(Processes):
    """A primary and two replicas, in memory only."""

    def __init__(self):
        super().__init__()
        base = lib.free_base(3)
        self.port = base
        self.dir = tempfile.mkdtemp(prefix="dunlin-bench-redis-")
        for i in range(3):
            extra = ["--replicaof", "127.0.0.1", str(base)] if i else []
            self.start("redis-server", "--port", str(base + 10 * i), "--save", "", "--appendonly", "no",
                       "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0", "--dir", self.dir,
                       *extra, stdout=subprocess.DEVNULL)
        self.must(lib.wait_for(self.is_replicated, 20), "the replicas do not come up")

    def is_replicated(self):
        try:
            with lib.Connection(self.port, timeout=2) as c:
                c.send(b"INFO replication\r\n")
                while b"repl_backlog_histlen" not in c.data and c.more():
                    pass
                return c.data.count(b"state=online") == 2
        except OSError:
            return False

    def __exit__(self, *_):
        super().__exit__()
        shutil.rmtree(self.dir, ignore_errors=True)


@contextlib.contextmanager
def dunlin_cluster(nodes=3):
    """Dunlin nodes with data under build/bench, which is on the disk that the tree is on."""
    os.makedirs(OUT, exist_ok=True)
    data = tempfile.mkdtemp(prefix="data-", dir=OUT)
    with pinned(SERVER_CORES):
        cluster = lib.Cluster(nodes=nodes, dir=data)
    try:
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(data, ignore_errors=True)


def urls_of(cluster):
    return [cluster.url(i + 1) for i in range(cluster.nodes)]


def pids_of(cluster):
    return [cluster.pid(i + 1) for i in range(cluster.nodes)]


# ---- the load ------------------------------------------------------------------------------------

def bench(urls, pids, *flags, **named):
    """Run `dunlin bench --json`, pinned; its result. named: keys=10 is --keys 10, blind=True --blind."""
    command = [DUNLIN, "bench", "--json", "--url", ",".join(urls), *flags]
    if pids:
        command += ["--pids", ",".join(map(str, pids))]
    for name, value in named.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            command.append(flag)
        elif value is not None and value is not False:
            command += [flag, str(value)]
    with pinned(LOAD_CORES):
        p = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    if p.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(command), p.stderr.strip().splitlines()[-1:]))
    result = json.loads(p.stdout)
    if result["errors"]:
        note("errors:", result["errors"])
    return result


def redis_load(redis, what, connections, keys, value_bytes, seconds):
    with pinned(LOAD_CORES):
        out = subprocess.run([redis_tool(), str(redis.port), what, str(connections), str(keys),
                              str(value_bytes), str(seconds), ",".join(map(str, redis.pids()))],
                             capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    return json.loads(out)


def machine_is_busy():
    """Share of the machine's time that others use, over a quarter of a second."""
    def idle():
        with open("/proc/stat") as f:
            fields = list(map(int, f.readline().split()[1:]))
        return fields[3] + fields[4], sum(fields[:8])
    i0, t0 = idle()
    time.sleep(0.25)
    i1, t1 = idle()
    return 1 - (i1 - i0) / max(1, t1 - t0)
