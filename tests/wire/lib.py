"""What the end-to-end tests share: real nodes, real sockets, and a count of what held.

Nodes are started with the binary that $DUNLIN names (build/release/dunlin otherwise), on free ports, in
a temporary directory, and stopped by the pid of what was started here. A test is a function whose name
is its sentence; run() calls all of them and prints `ok NAME` or `not ok NAME`.
"""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DUNLIN = os.path.abspath(os.environ.get("DUNLIN", os.path.join(ROOT, "build/release/dunlin")))


# ---- ports and processes -----------------------------------------------------------------------

def is_free(port):
    """Does nobody listen there? (Old connections may linger.)"""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def free_base(nodes):
    """A base so that each node's two ports are free."""
    for _ in range(200):
        base = random.randrange(12000, 30000)
        if all(is_free(base + 10 * i + j) for i in range(nodes) for j in (0, 1)):
            return base
    raise RuntimeError("no free ports")


def wait_for(what, seconds=30.0, step=0.02):
    """Until what() is true; its last value."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value or time.monotonic() > end:
            return value
        time.sleep(step)


class Cluster:
    """A local cluster under `dunlin dev`."""

    def __init__(self, nodes=3, dir=None, base=None):
        self.nodes = nodes
        self.base = base or free_base(nodes)
        self.dir = dir or tempfile.mkdtemp(prefix="dunlin-test-")
        self.own_dir = dir is None
        self.restarted = []
        self.log = open(os.path.join(self.dir, "dev.err"), "ab")
        self.process = subprocess.Popen(
            [DUNLIN, "dev", "--nodes", str(nodes), "--dir", self.dir, "--http-base", str(self.base)],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line == "ready\n":
                return
        self.stop()
        with open(os.path.join(self.dir, "dev.err")) as f:
            raise RuntimeError("dunlin dev did not become ready: " + f.read())

    def port(self, i=1):
        return self.base + 10 * (i - 1)

    def url(self, i=1):
        return "http://127.0.0.1:%d" % self.port(i)

    def pid(self, i):
        with open("%s/n%d/pid" % (self.dir, i)) as f:
            return int(f.read())

    def kill(self, i, how=signal.SIGKILL):
        """End node i, which was started here, and wait until its process is gone: its port is free
        before its data is."""
        pid = self.pid(i)
        os.kill(pid, how)
        if how in (signal.SIGKILL, signal.SIGTERM):
            for p in self.restarted:
                if p.pid == pid:
                    p.wait(30)
            assert wait_for(lambda: not os.path.exists("/proc/%d" % pid)), "n%d does not end" % i

    def restart(self, i):
        """Start node i again, by hand, as its user would."""
        log = open("%s/n%d/log" % (self.dir, i), "ab")
        p = subprocess.Popen([DUNLIN, "start", "--config", "%s/n%d/dunlin.conf" % (self.dir, i)],
                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        self.restarted.append(p)
        assert wait_for(lambda: ready(self.port(i))), "n%d does not get ready again" % i
        return p

    def stop(self):
        for p in self.restarted:
            if p.poll() is None:
                p.terminate()
        for p in self.restarted:
            p.wait(30)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(40)
        self.process.stdout.close()
        self.log.close()
        return code  # a second call gives the same

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if self.own_dir and kind is None:
            shutil.rmtree(self.dir, ignore_errors=True)


class Node:
    """One node, a cluster of its own, with further flags."""

    def __init__(self, *flags, wait=True):
        self.dir = tempfile.mkdtemp(prefix="dunlin-test-")
        self.http = free_base(1)
        self.start(flags, wait)

    def start(self, flags=(), wait=True):
        self.log_path = os.path.join(self.dir, "log")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [DUNLIN, "start", "--name", "solo", "--dir", self.dir + "/data", "--http",
                 "127.0.0.1:%d" % self.http, "--peer", "127.0.0.1:%d" % (self.http + 1), *flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait:
            assert wait_for(lambda: ready(self.http) or self.process.poll() is not None)
            assert self.process.poll() is None, self.read_log()

    def port(self):
        return self.http

    def read_log(self):
        with open(self.log_path) as f:
            return f.read()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(40)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind is None:
            shutil.rmtree(self.dir, ignore_errors=True)


def dunlin(*args, url=None, stdin=b"", env=None):
    """Run a command; (exit code, stdout, stderr)."""
    full = dict(os.environ, **(env or {}))
    full.pop("DUNLIN_URL", None)
    if url:
        full["DUNLIN_URL"] = url
    p = subprocess.run([DUNLIN, *args], input=stdin, capture_output=True, env=full, timeout=120)
    return p.returncode, p.stdout.decode("utf-8", "replace"), p.stderr.decode("utf-8", "replace")


# ---- HTTP, byte for byte ------------------------------------------------------------------------

class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.chunks, self.whole = None, True

    def header(self, name):
        """The value under exactly this spelling, or None."""
        for n, v in self.headers:
            if n == name:
                return v
        return None

    def __repr__(self):
        return "%d %r %r" % (self.status, self.headers, self.body[:200])


class Connection:
    def __init__(self, port, timeout=20.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""

    def send(self, data, step=0):
        """All at once, or `step` bytes at a time."""
        if not step:
            self.socket.sendall(data)
            return
        for i in range(0, len(data), step):
            try:
                self.socket.sendall(data[i:i + step])
            except (BrokenPipeError, ConnectionResetError):
                return

    def more(self):
        try:
            got = self.socket.recv(65536)
        except ConnectionResetError:
            got = b""
        self.data += got
        return bool(got)

    def response(self, head=False):
        """The next answer, or None when the connection ends first."""
        while b"\r\n\r\n" not in self.data:
            if not self.more():
                return None
        block, self.data = self.data.split(b"\r\n\r\n", 1)
        lines = block.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = [tuple(l.split(": ", 1)) if ": " in l else (l.rstrip(":"), "") for l in lines[1:]]
        lower = {n.lower(): v for n, v in headers}
        if head or status in (100, 204, 304):
            return Response(status, headers, b"")
        if lower.get("transfer-encoding") == "chunked":
            return self.chunked(status, headers)
        length = int(lower["content-length"])
        while len(self.data) < length:
            if not self.more():
                return None
        body, self.data = self.data[:length], self.data[length:]
        return Response(status, headers, body)

    def line(self):
        while b"\r\n" not in self.data:
            if not self.more():
                return None
        line, self.data = self.data.split(b"\r\n", 1)
        return line

    def chunked(self, status, headers):
        """The body with its chunks; `whole` says whether the last one came."""
        r = Response(status, headers, b"")
        r.chunks, r.whole = [], False
        while True:
            size = self.line()
            if size is None:
                break
            n = int(size.split(b";")[0], 16)
            while len(self.data) < n + 2:
                if not self.more():
                    return r
            piece, self.data = self.data[:n], self.data[n + 2:]
            if n == 0:
                r.whole = True
                break
            r.chunks.append(piece)
        r.body = b"".join(r.chunks)
        return r

    def ended(self):
        """Does the other end close, with nothing more said?"""
        while self.more():
            pass
        return self.data == b""

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def encode(method, path, headers=None, body=None, version="1.1"):
    out = "%s %s HTTP/%s\r\n" % (method, path, version)
    headers = dict(headers or {})
    headers.setdefault("Host", "localhost")
    if body is not None and "Transfer-Encoding" not in headers:
        headers.setdefault("Content-Length", str(len(body)))
    for name, value in headers.items():
        for v in value if isinstance(value, list) else [value]:
            out += "%s: %s\r\n" % (name, v)
    return out.encode("latin-1") + b"\r\n" + (body or b"")


def http(port, method, path, headers=None, body=None, step=0, version="1.1"):
    with Connection(port) as c:
        c.send(encode(method, path, headers, body, version), step)
        r = c.response(head=method == "HEAD")
        assert r is not None, "no answer to %s %s" % (method, path)
        return r


def members_up(port):
    """Names of the members that the node reaches."""
    document = json.loads(http(port, "GET", "/admin/status").body)
    return {m["name"] for m in document["members"] if m["up"]}


def ready(port):
    try:
        return http(port, "GET", "/ready").status == 200
    except (OSError, AssertionError):
        return False


# ---- running -------------------------------------------------------------------------------------

class Count:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, function, *args):
        try:
            function(*args)
        except Exception as e:  # every failure is reported, and the rest goes on
            self.failed += 1
            print("not ok", name)
            for line in traceback.format_exception_only(type(e), e):
                print("   ", line.rstrip())
            tb = traceback.extract_tb(e.__traceback__)
            for f in tb[-3:]:
                print("    at %s:%d: %s" % (os.path.basename(f.filename), f.lineno, f.line))
        else:
            self.passed += 1
            print("ok", name)
        sys.stdout.flush()

    def finish(self):
        print("%d passed, %d failed" % (self.passed, self.failed))
        sys.exit(1 if self.failed else 0)


def tests_of(module):
    """Functions named test_... in the order of the file, with their names as sentences."""
    found = [(f.__code__.co_firstlineno, n, f) for n, f in vars(module).items()
             if n.startswith("test_") and callable(f)]
    return [(n[5:].replace("_", " "), f) for _, n, f in sorted(found, key=lambda t: t[0])]


def same(got, wanted, what=""):
    assert got == wanted, "%s: got %r, wanted %r" % (what or "value", got, wanted)
