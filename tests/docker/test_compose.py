"""The image and the compose files: built, started, and used as docker/README.md says.

Every `$ command` in a ```console block of the README is run as it stands, in one shell, and what stands
under it must be its output (`...` stands for anything). Further tests need what no first-time user
does: swapped addresses, the ways a container ends, what is left behind.

All containers, networks and volumes belong to a project name that only this run has, and are gone
afterwards, however it ends. The image is dunlin:test. Without a Docker engine nothing is tested.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "wire"))
import lib  # noqa: E402

README = os.path.join(lib.ROOT, "docker/README.md")
THREE, FIVE = "docker/compose.yml", "docker/compose.five.yml"
PROJECT = "dunlin-test-%d-%d" % (os.getpid(), int(time.time()))
IMAGE = "dunlin:test"
PORTS = [8098, 8108, 8118, 8128, 8138]
ENVIRONMENT = dict(os.environ, COMPOSE_PROJECT_NAME=PROJECT, DUNLIN_IMAGE=IMAGE)
LABEL = "label=com.docker.compose.project=" + PROJECT


# ---- commands -----------------------------------------------------------------------------------

def run(*command, timeout=120, check=True, file=None):
    """(exit code, stdout) of a command of ours, in the root of the repository."""
    environment = dict(ENVIRONMENT, COMPOSE_FILE=file) if file else ENVIRONMENT
    p = subprocess.run(command, cwd=lib.ROOT, env=environment, stdin=subprocess.DEVNULL,
                       capture_output=True, text=True, timeout=timeout)
    if check and p.returncode != 0:
        raise RuntimeError("%s: exit code %d\n%s" % (" ".join(command), p.returncode, (p.stdout + p.stderr)[-2000:]))
    return p.returncode, p.stdout


def out(*command, **how):
    return run(*command, **how)[1].strip()


def compose():
    """docker-compose 1.29, or Compose v2."""
    return ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]


def engine():
    """Why there is nothing to test with, or None."""
    if not shutil.which("docker") or run("docker", "version", check=False)[0] != 0:
        return "no Docker engine answers"
    if run(*compose(), "version", check=False)[0] != 0:
        return "there is no docker-compose"
    return None


def http(port, method, path, body=None, headers=None):
    """(status, headers, body)"""
    r = urllib.request.Request("http://127.0.0.1:%d%s" % (port, path), data=body, method=method,
                               headers=dict({"Content-Type": "text/plain"} if body else {}, **headers or {}))
    try:
        with urllib.request.urlopen(r, timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.headers, e.read()


def ready(port):
    try:
        return http(port, "GET", "/ready")[0] == 200
    except OSError:
        return False


class Up:
    """The containers of a compose file, from `up` to `down -v`."""

    def __init__(self, file, nodes):
        self.file, self.nodes = file, nodes

    def __enter__(self):
        self("up", "-d")
        self.wait_ready()
        return self

    def __exit__(self, kind, *_):
        if kind:
            print(self("logs", "--no-color", "--tail", "15", check=False))
        self("down", "-v", check=False)

    def __call__(self, *words, **how):
        return out(*compose(), *words, file=self.file, **how)

    def id(self, node):
        return self("ps", "-q", node)

    def inspect(self, node):
        return json.loads(out("docker", "inspect", self.id(node)))[0]

    def address(self, node):
        networks = self.inspect(node)["NetworkSettings"]["Networks"]
        return networks[PROJECT + "_dunlin"]["IPAddress"]

    def dunlin(self, node, *words, **how):
        return self("exec", "-T", node, "dunlin", *words, **how)

    def wait_ready(self):
        for i in range(self.nodes):
            assert lib.wait_for(lambda: ready(PORTS[i]), 60, 0.1), "n%d does not get ready" % (i + 1)

    def all_believed_up(self):
        for i in range(self.nodes):
            status = json.loads(http(PORTS[i], "GET", "/admin/status")[2])
            if not all(m["up"] for m in status["members"]) or len(status["members"]) != self.nodes:
                return False
        return True

    def all_seen_by(self, node):
        status = json.loads(self.dunlin(node, "status", "--json", check=False) or "{}")
        return status and all(m["up"] for m in status["members"])

    def converged(self):
        code, text = run(*compose(), "exec", "-T", "n1", "dunlin", "compare", "--all", file=self.file,
                         check=False)
        return text.strip() if code == 0 else None


# ---- the README ---------------------------------------------------------------------------------

class Step:
    def __init__(self, command):
        self.command, self.expected = command, []

    def matches(self, got):
        if not self.expected:
            return True
        wanted = re.escape("\n".join(self.expected)).replace(r"\.\.\.", ".*")
        return re.fullmatch(wanted, got.rstrip("\n"), re.DOTALL) is not None


def readme_steps():
    with open(README) as f:
        blocks = re.findall(r"^```console\n(.*?)^```", f.read(), re.DOTALL | re.MULTILINE)
    steps = []
    for line in "".join(blocks).splitlines():
        if line.startswith("$ "):
            steps.append(Step(line[2:]))
        else:
            steps[-1].expected.append(line)
    return steps


MARK = "@@ step %d ended with %s after %s ms"


def readme_script(steps):
    """One shell for all, as a person has; a mark after each command."""
    lines = ["T() { date +%s%3N; }"]
    for i, s in enumerate(steps):
        lines += ["t=$(T)", s.command, 'echo "%s"' % (MARK % (i, "$?", "$(($(T) - t))"))]
    return "\n".join(lines) + "\n"


def run_readme(steps):
    """Give each step its output, exit code and milliseconds; returns stderr."""
    p = subprocess.Popen(["bash", "-c", readme_script(steps)], cwd=lib.ROOT, env=ENVIRONMENT, text=True,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         start_new_session=True)
    try:
        got, errors = p.communicate(timeout=900)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        got, errors = p.communicate()
    parts = re.split(MARK.replace("%d", r"\d+").replace("%s", r"(\d+)") + "\n", got)
    for i, s in enumerate(steps):
        s.got, s.code, s.ms = "", None, 0
        if 3 * i + 2 < len(parts):
            s.got, s.code, s.ms = parts[3 * i], int(parts[3 * i + 1]), int(parts[3 * i + 2])
    return errors


def check_readme(count):
    steps = readme_steps()
    assert len(steps) > 20
    errors = run_readme(steps)
    failed = count.failed
    for s in steps:
        count.check("README: $ %s" % s.command, check_step, s)
    if count.failed > failed:
        print("# stderr of the README's commands:\n" + errors[-3000:])
    print("# the README's commands took %.1f s, the slowest %.1f s" % (
        sum(s.ms for s in steps) / 1000, max(s.ms for s in steps) / 1000))


def check_step(step):
    assert step.code is not None, "did not end"
    assert step.code == 0, "exit code %d; output: %s" % (step.code, step.got)
    assert step.matches(step.got), "wanted %r, got %r" % ("\n".join(step.expected), step.got)


# ---- before anything runs -----------------------------------------------------------------------

def test_the_ports_of_the_compose_files_are_free():
    taken = [p for p in PORTS if not lib.is_free(p)]
    assert not taken, "something listens on %r" % taken


def test_the_compose_files_publish_on_loopback_alone_and_call_themselves_insecure():
    for path, nodes in ((THREE, 3), (FIVE, 5)):
        with open(os.path.join(lib.ROOT, path)) as f:
            text = f.read()
        published = re.findall(r'ports: \["([^"]*)"\]', text)
        lib.same(published, ["127.0.0.1:%d:8098" % p for p in PORTS[:nodes]], path)
        assert "*** INSECURE ***" in text and 'DUNLIN_INSECURE: "yes"' in text, path


def test_no_file_names_where_packages_come_from():
    """The machine's apt and Docker know; a host name in a file would be wrong elsewhere."""
    for name in ("base-image.sh", "Dockerfile", "compose.yml", "compose.five.yml"):
        with open(os.path.join(lib.ROOT, "docker", name)) as f:
            found = re.findall(r"https?://[^\s\"')]*", f.read())
        assert not found, (name, found)


def test_the_base_image_is_made_once():
    before = out("docker", "images", "-q", "debian:bookworm-slim")
    out("docker/base-image.sh", timeout=900)
    made = out("docker", "images", "-q", "debian:bookworm-slim")
    assert made and (not before or made == before), "made anew"
    said = out("docker/base-image.sh", timeout=30)
    assert "there already" in said, said
    lib.same(out("docker", "images", "-q", "debian:bookworm-slim"), made)


def test_the_image_is_built():
    old = out("docker", "images", "-q", IMAGE)
    out("docker", "build", "--force-rm", "-t", IMAGE, "-f", "docker/Dockerfile", ".", timeout=1200)
    new = out("docker", "images", "-q", IMAGE)
    if old and old != new:
        run("docker", "rmi", old, check=False)
    size = int(out("docker", "image", "inspect", "--format", "{{.Size}}", IMAGE))
    print("# %s is %.1f MB" % (IMAGE, size / 1e6))
    with open(README) as f:
        stated = int(re.search(r"^(\d+) MB, of which the base", f.read(), re.MULTILINE)[1])
    assert abs(size / 1e6 - stated) < 4, "docker/README.md states %d MB" % stated
    forget_old_stages()


def forget_old_stages():
    """The newest build stage is the cache of the next build; each one before it is only in the way."""
    stages = out("docker", "images", "-q", "--filter", "dangling=true", "--filter",
                 "label=dunlin.stage=build").split()
    if stages[1:]:
        run("docker", "rmi", *stages[1:], check=False)


def test_the_image_holds_no_compiler_and_no_secret():
    with_sh = ["docker", "run", "--rm", "--entrypoint", "sh", IMAGE, "-c"]
    lib.same(out(*with_sh, "command -v gcc cc make || true"), "")
    lib.same(out(*with_sh, "ls -A /var/lib/dunlin /var/lib/dunlin-key | grep -v :$ || true"), "")
    assert "not found" not in out(*with_sh, "ldd /usr/local/bin/dunlin")


def test_the_image_alone_refuses_to_serve_without_being_told_insecure():
    code, _ = run("docker", "run", "--rm", IMAGE, check=False)
    lib.same(code, 2, "exit code")


# ---- three nodes --------------------------------------------------------------------------------

def check_three(count):
    with Up(THREE, 3) as three:
        for name, function in (
                ("the containers get healthy", three_healthy),
                ("a node is process 1, not root, without capabilities, on a read-only disk", three_confined),
                ("the key was made once, and is the owner's alone", three_key),
                ("a container without the name answers no ping", three_ping_can_fail),
                ("nodes that swapped addresses find each other, and converge", three_swapped),
                ("a node cut off from the network comes back to it under another address", three_cut_off),
                ("SIGTERM ends a node with code 0, soon", three_stopped),
                ("the data outlive the containers", three_recreated)):
            count.check(name, function, three)


def three_healthy(three):
    for n in ("n1", "n2", "n3"):
        assert lib.wait_for(lambda: three.inspect(n)["State"]["Health"]["Status"] == "healthy", 30, 0.5), n


def three_confined(three):
    status = three("exec", "-T", "n1", "cat", "/proc/1/status")
    fields = dict(l.split(":\t", 1) for l in status.splitlines() if ":\t" in l)
    lib.same(fields["Name"], "dunlin")
    lib.same(fields["Uid"].split(), ["8098"] * 4)
    lib.same(int(fields["CapEff"], 16) | int(fields["CapBnd"], 16), 0)
    code, _ = run(*compose(), "exec", "-T", "n1", "touch", "/var/tmp/x", file=THREE, check=False)
    assert code != 0, "the root file system is written to"


def three_key(three):
    keys = {three("exec", "-T", n, "sha256sum", "/var/lib/dunlin-key/cluster.key") for n in ("n1", "n2", "n3")}
    lib.same(len(keys), 1)
    lib.same(three("exec", "-T", "n2", "ls", "-A", "/var/lib/dunlin-key"), "cluster.key")
    lib.same(three("exec", "-T", "n2", "stat", "-c", "%a %U", "/var/lib/dunlin-key/cluster.key"), "600 dunlin")


def three_ping_can_fail(three):
    ping = compose() + ["exec", "-T", "-e", "DUNLIN_HTTP=0.0.0.0:%d", "n1", "dunlin-ping"]
    lib.same(run(*[w.replace("%d", "8098") for w in ping], file=THREE, check=False)[0], 0)
    lib.same(run(*[w.replace("%d", "8097") for w in ping], file=THREE, check=False)[0], 1, "nobody listens")
    lib.same(run(*[w.replace("%d", "8099") for w in ping], file=THREE, check=False)[0], 1, "a peer's port")


def write(port, key, value):
    lib.same(http(port, "PUT", "/buckets/b/keys/" + key, value)[0], 204, key)


def read(port, key, value):
    status, _, body = http(port, "GET", "/buckets/b/keys/" + key)
    lib.same((status, body), (200, value), key)


def back_up(three):
    three.wait_ready()
    assert lib.wait_for(three.all_believed_up, 60, 0.1), three.dunlin("n1", "status", check=False)


def back_together(three, since):
    back_up(three)
    took = time.monotonic() - since
    assert lib.wait_for(three.converged, 60, 0.5), "not converged"
    print("# all up after %.1f s, converged after %.1f s" % (took, time.monotonic() - since))


def three_swapped(three):
    """Two stop. The engine gives the lowest free address first: to the one that had the higher."""
    write(8098, "before", b"1")
    was = three.address("n2"), three.address("n3")
    order = sorted(("n2", "n3"), key=lambda n: int(three.address(n).split(".")[-1]), reverse=True)
    three("stop", "n2", "n3")
    status, headers, _ = http(8098, "PUT", "/buckets/b/keys/meanwhile?w=1", b"2")
    lib.same(status, 204)
    since = time.monotonic()
    for n in order:
        three("start", n)
    now = three.address("n2"), three.address("n3")
    if now != was[::-1]:
        print("# the engine gave %r after %r: not swapped" % (now, was))
    assert now != was, "both have the addresses they had"
    back_together(three, since)
    for port in PORTS[:3]:
        read(port, "before", b"1")
        read(port, "meanwhile", b"2")


def three_cut_off(three):
    """While n3 is off the network, another container takes its address. It never stops running."""
    network, id, was = PROJECT + "_dunlin", three.id("n3"), three.address("n3")
    out("docker", "network", "disconnect", network, id)
    squatter = out("docker", "run", "-d", "--rm", "--label", LABEL.split("=", 1)[1], "--network", network,
                   "--entrypoint", "sleep", IMAGE, "600")
    try:
        write(8098, "cut", b"3")
        since = time.monotonic()
        out("docker", "network", "connect", "--alias", "n3", network, id)
        assert three.address("n3") != was, "the address it had"
        assert lib.wait_for(lambda: three.all_seen_by("n3"), 60, 0.2), "n3 does not find the others"
        assert lib.wait_for(three.converged, 60, 0.5), "not converged"
        print("# converged %.1f s after it was connected" % (time.monotonic() - since))
        lib.same(three.dunlin("n3", "get", "b", "cut"), "3")
    finally:
        run("docker", "kill", squatter, check=False)


def three_stopped(three):
    since = time.monotonic()
    three("stop", "n2")
    took = time.monotonic() - since
    lib.same(three.inspect("n2")["State"]["ExitCode"], 0, "exit code")
    assert took < 15, took
    three("start", "n2")
    back_together(three, since)


def three_recreated(three):
    three("down")
    lib.same(out("docker", "ps", "-aq", "--filter", LABEL), "")
    three("up", "-d")
    back_together(three, time.monotonic())
    read(8118, "before", b"1")


# ---- five nodes ---------------------------------------------------------------------------------

def check_five(count):
    with Up(FIVE, 5) as five:
        count.check("every key's copies lie in three zones", five_zones, five)
        count.check("a whole zone is killed: all keys are served, and reads bring it up to date", five_zone_down, five)


def zone_of(five):
    status = json.loads(http(8098, "GET", "/admin/status")[2])
    zones = {m["name"]: m["zone"] for m in status["members"]}
    lib.same(zones, {"n1": "a", "n2": "a", "n3": "b", "n4": "b", "n5": "c"})
    return zones


def five_zones(five):
    zones = zone_of(five)
    for key in ["key%d" % i for i in range(20)]:
        text = five.dunlin("n1", "ring", key)
        places = re.findall(r"^  \d\. (\S+) +up +primary of place \d$", text, re.MULTILINE)
        lib.same(sorted(zones[p] for p in places), ["a", "b", "c"], key)


def five_zone_down(five):
    for i in range(30):
        write(PORTS[i % 5], "z%d" % i, b"%d" % i)
    five("kill", "n1", "n2")
    for i in range(30):
        read(PORTS[2 + i % 3], "z%d" % i, b"%d" % i)
        write(PORTS[2 + i % 3], "y%d" % i, b"%d" % i)
    five("start", "n1", "n2")
    back_up(five)
    # A stand-in copy goes once w primaries hold the key; what the last one missed is mended by a read.
    for i in range(30):
        lib.same(http(8098, "GET", "/buckets/b/keys/y%d?r=all" % i)[2], b"%d" % i)
    assert lib.wait_for(five.converged, 60, 0.5), "not converged"


# ---- nothing is left ----------------------------------------------------------------------------

def left_behind():
    return [out("docker", *what, "--filter", LABEL) for what in (
        ("ps", "-aq"), ("network", "ls", "-q"), ("volume", "ls", "-q"))]


def check_nothing_left():
    lib.same(left_behind(), ["", "", ""], "containers, networks, volumes")


def clean():
    """Whatever an early end left. Everything with this label was made by this run."""
    for what, remove in ((("ps", "-aq"), ("rm", "-fv")), (("network", "ls", "-q"), ("network", "rm")),
                         (("volume", "ls", "-q"), ("volume", "rm"))):
        found = out("docker", *what, "--filter", LABEL).split()
        if found:
            run("docker", *remove, *found, check=False)


def main():
    why = engine()
    if why:
        print("skipped: %s\n0 passed, 0 failed, 1 skipped" % why)
        return
    count = lib.Count()
    started = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        for name, function in lib.tests_of(sys.modules[__name__]):
            count.check(name, function)
            if count.failed:
                count.finish()
        for name, function in (("the README", check_readme), ("three nodes", check_three),
                               ("five nodes", check_five)):
            try:
                function(count)
            except Exception as e:  # what the rest needs did not come up
                count.check("%s come up" % name, throw, e)
        count.check("nothing is left behind", check_nothing_left)
    finally:
        clean()
    print("# %.0f s" % (time.monotonic() - started))
    count.finish()


def throw(e):
    raise e


if __name__ == "__main__":
    main()
