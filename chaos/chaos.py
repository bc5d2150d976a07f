"""One chaos run: a cluster of real processes, clients, faults, and a verdict. Run as root.

    outer: checks what is needed, starts ---> inner: process 1 of its own namespaces (pid, mount, network)
           passes ^C on as the end of a pipe         cluster, network, workload, faults, checks, verdict

Everything that a run makes, processes, mounts, interfaces, rules, lives in the namespaces of `inner` and is
gone when it is, whatever ends it. With --docker the nodes are containers, which belong to the engine, and
`inner` has no namespaces of its own: it removes what it made when it ends, and outer does it once more, so
that nothing is left when either is killed.

What stays is build/chaos/RUN: logs, history, verdict; and the data of the nodes when a promise was broken.
"""
import argparse
import ctypes
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, HERE)

import containers  # noqa: E402  (this folder comes first)
import faults  # noqa: E402
import verdict  # noqa: E402
from cluster import HTTP_PORT  # noqa: E402
from namespaces import NamespaceCluster  # noqa: E402
from net import Net  # noqa: E402

WARM_SECONDS = 4
CALM_SECONDS = 10
SETTLE_SECONDS = 15
FAULT_SECONDS_MIN, FAULT_SECONDS_MAX = 8, 30
RECOVER_SECONDS = 60
DRAIN_SECONDS = 240
REPAIR_SECONDS = 5
PR_SET_PDEATHSIG = 1


NOT_POSSIBLE = 77  # exit code: nothing was tried


class Interrupted(Exception):
    pass


class NothingPossible(Exception):
    """Its text says why."""


def arguments():
    p = argparse.ArgumentParser(description="Real faults on real processes, judged by the simulator's "
                                "checkers. Faults: " + ", ".join(faults.NAMES))
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--minutes", type=float, default=5.0, help="how long faults are made")
    p.add_argument("--nodes", type=int, default=5)
    p.add_argument("--clients", type=int, default=16)
    p.add_argument("--faults", default="all", help="names, with commas between")
    p.add_argument("--dir", help="where logs and history go; default build/chaos/RUN")
    p.add_argument("--keep", action="store_true", help="keep the data of the nodes in any case")
    p.add_argument("--docker", action="store_true", help="nodes are containers of the image of docker/Dockerfile")
    p.add_argument("--image", help="of this image; none is built (with --docker)")
    p.add_argument("--inner", help=argparse.SUPPRESS)  # the name of this run, unique on this machine
    a = p.parse_args()
    a.names = faults.NAMES if a.faults == "all" else a.faults.split(",")
    for name in a.names:
        if name not in faults.TABLE:
            p.error("no fault %r; there are: %s" % (name, ", ".join(faults.NAMES)))
    if not 3 <= a.nodes <= 100 or a.clients < 1 or a.minutes <= 0:
        p.error("3 to 100 nodes, at least one client, some time")
    return a


def program(name):
    """Built here, or where $CHAOS_BUILD says."""
    return os.path.join(os.environ.get("CHAOS_BUILD", os.path.join(ROOT, "build/release")), name)


# ---- outer --------------------------------------------------------------------------------------

def missing(docker):
    """Why no run is possible here, or nothing."""
    if os.geteuid() != 0:
        return "not root"
    for tool in ("unshare", "nsenter", "ip", "nft"):
        if not shutil.which(tool):
            return "%s is not installed (apt-get install util-linux iproute2 nftables)" % tool
    if docker and containers.missing():
        return containers.missing()
    for name in ("dunlin", "dunlin-check"):
        if not os.access(program(name), os.X_OK):
            return "%s is not built (make chaos)" % program(name)
    if docker:
        return ""
    p = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c",
                        "ip link add br0 type bridge && echo 'table inet t { chain c { ip saddr 10.0.0.1 "
                        "numgen random mod 10 < 1 drop; }; }' | nft -f -"], capture_output=True, text=True)
    return "namespaces are not possible here: " + p.stderr.strip()[-200:] if p.returncode else ""


def outer(args):
    why = missing(args.docker)
    if why:
        print("skipped: " + why)
        return NOT_POSSIBLE
    name = "%d-%d-%s" % (os.getpid(), int(time.time()), os.urandom(3).hex())
    command = [sys.executable, os.path.abspath(__file__), "--inner", name, *sys.argv[1:]]
    dies_with_us = None
    if not args.docker:
        command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *command]
        prctl = ctypes.CDLL(None).prctl

        def dies_with_us():
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # Its own session: ^C reaches us alone, and we say so by closing the pipe. unshare dies with us, and
    # all that is inside with unshare; without it, the end of the pipe tells inner to clean up.
    inner_run = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, preexec_fn=dies_with_us)

    def interrupt(*_):
        inner_run.stdin.close()
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    code = None
    while code is None:
        try:
            code = inner_run.wait()
        except InterruptedError:
            continue
    left = containers.sweep(name) if args.docker else ""
    if left:
        print("left behind, label %s=%s: %s" % (containers.LABEL, name, left))
    return code or (1 if left else 0)


# ---- inner --------------------------------------------------------------------------------------

class Workload:
    def __init__(self, args, cluster, path):
        command = [sys.executable, os.path.join(HERE, "workload.py"), "--history", path, "--seed",
                   str(args.seed), "--clients", str(args.clients)]
        for n in cluster.nodes:
            command += ["--node", "%s=%s:%d" % (n.name, n.host, HTTP_PORT)]
        self.process = subprocess.Popen(cluster.clients(*command), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def tell(self, word, line=None):
        self.process.stdin.write(word + (" " + json.dumps(line) if line else "") + "\n")
        self.process.stdin.flush()

    def ask(self, word):
        self.tell(word)
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise RuntimeError("the clients ended")
        return answer

    def phase(self, name, **more):
        self.tell("phase", dict(type="phase", name=name, **more))

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(30)


class Run:
    def __init__(self, args):
        self.args = args
        self.dir = args.dir or os.path.join(
            ROOT, "build/chaos/%s-seed%d" % (time.strftime("%m%d-%H%M%S"), args.seed))
        os.makedirs(self.dir, exist_ok=True)
        self.out = open(os.path.join(self.dir, "run.log"), "w")
        self.begin = time.monotonic()
        self.random = random.Random(args.seed)
        self.broken = []       # what the history does not tell
        self.skipped = []
        self.recoveries = {}   # fault: [(ready, at rest)]
        self.fired = {}
        self.net = self.cluster = self.work = None
        self.history = os.path.join(self.dir, "history.jsonl")

    def say(self, text):
        line = "[%6.1f] %s" % (time.monotonic() - self.begin, text)
        print(line, flush=True)
        self.out.write(line + "\n")
        self.out.flush()

    # ---- stages ----

    def form(self):
        clock = os.path.abspath(program("chaos-clock.so")) if "clock" in self.args.names else ""
        clock = clock if os.path.exists(clock) else ""
        if self.args.docker:
            image = containers.build(ROOT, os.path.join(self.dir, "image.log"), self.args.image)
            self.cluster = containers.ContainerCluster(self.dir, self.args.nodes, image, clock, self.args.inner)
            self.say("containers %s-*, of image %s" % (self.cluster.prefix, image))
            if not self.cluster.near():
                raise NothingPossible("the engine's containers do not run on this machine")
        else:
            self.cluster = NamespaceCluster(self.dir, self.args.nodes, program("dunlin"), clock)
        self.net = Net(self.cluster)
        if any(faults.TABLE[n].volume for n in self.args.names):
            try:
                self.cluster.make_volume()
            except (RuntimeError, OSError) as e:
                self.say("no volume: %s" % e)
        self.cluster.start_all()
        self.say("%d nodes have formed a cluster" % self.args.nodes)
        self.work = Workload(self.args, self.cluster, self.history)
        self.cluster.on_move = lambda n: self.work.tell("at", {"node": n.name, "host": n.host})

    def possible(self):
        out = []
        for i, name in enumerate(self.args.names):
            f = faults.TABLE[name](self.cluster, self.net, self.args.seed * 1000 + i)
            why = f.cannot()
            if why:
                self.skipped.append(name)
                self.say("skipped: %s (%s): %s" % (name, f.text, why))
            else:
                out.append(f)
        return out

    def watch_deaths(self, allowed):
        for n in self.cluster.died():
            code = n.process.returncode
            self.say("%s ended by itself, code %s%s" % (n.name, code, "" if allowed else " (unexpected)"))
            if not allowed:
                self.broken.append("%s ended by itself, code %s" % (n.name, code))
            n.kill()
            self.cluster.start(n)

    def strike(self, f, seconds):
        before = self.cluster.counters()
        self.work.phase(f.name)
        counted, began = "", time.monotonic()
        who = f.on()
        self.say("%s: %s (%s)" % (f.name, who, f.text))
        try:
            f.during(max(0.0, seconds - (time.monotonic() - began)))
            counted = self.moved(before)
            if f.felt():
                self.fired[f.name] = self.fired.get(f.name, 0) + 1
            else:
                self.say("  %s was not felt" % f.name)
        finally:
            if f.stops_itself:
                for n in self.cluster.died():
                    self.say("%s ended by itself, code %s" % (n.name, n.process.returncode))
            f.off()
        self.work.phase("after " + f.name)
        self.watch_deaths(f.stops_itself)
        self.say("  meanwhile: " + (counted or "nothing that the metrics tell of"))
        self.recover(f.name)

    def moved(self, before):
        """What counters that tell of trouble have gained, over all nodes that answer."""
        sums = {}
        for pid, after in self.cluster.counters().items():
            for k, v in after.items():
                sums[k] = sums.get(k, 0) + v - before.get(pid, {}).get(k, 0)
        return " ".join("%s=%d" % (k, v) for k, v in sums.items() if v)

    def recover(self, name):
        """Until all nodes are up for all, and then until hints are gone; how long each took."""
        began, whole = time.monotonic(), None
        while time.monotonic() < began + RECOVER_SECONDS:
            if whole is None and not self.cluster.trouble():
                whole = time.monotonic() - began
            if whole is not None and not self.hints():
                break
            time.sleep(0.1)
        took = time.monotonic() - began
        self.recoveries.setdefault(name, []).append((whole, took))
        if whole is None:
            self.say("  after %s: NOT whole after %d s: %s" % (name, took, self.cluster.trouble()))
        else:
            self.say("  after %s: whole in %.1f s, no hints left in %.1f s" % (name, whole, took))

    def hints(self):
        return sum(n.metrics().get(k, 1) for n in self.cluster.nodes
                   for k in ("dunlin_hints", "dunlin_stand_ins", "dunlin_suspect_partitions"))

    def trouble(self):
        chosen = self.possible()
        end = time.monotonic() + self.args.minutes * 60
        if not chosen:
            raise NothingPossible("none of the faults is possible here")
        seconds = self.args.minutes * 60 / len(chosen) * 0.7
        seconds = min(FAULT_SECONDS_MAX, max(FAULT_SECONDS_MIN, seconds))
        queue = []
        while time.monotonic() < end:
            if not queue:
                queue = list(chosen)
                self.random.shuffle(queue)
            self.strike(queue.pop(), min(seconds, max(2.0, end - time.monotonic())))
        for f in chosen:
            if f.name not in self.fired:
                self.skipped.append(f.name)
                self.say("skipped: %s: no time was left, or it was not felt" % f.name)

    def calm(self):
        """Nothing is wrong any more: after a while all must be served."""
        self.work.phase("settling")
        end = time.monotonic() + RECOVER_SECONDS
        while self.cluster.trouble() and time.monotonic() < end:
            time.sleep(0.2)
        if self.cluster.trouble():
            self.broken.append("not whole at the end: " + self.cluster.trouble())
        time.sleep(SETTLE_SECONDS if self.args.minutes > 3 else SETTLE_SECONDS / 2)
        self.work.phase("calm", demand=True)
        time.sleep(CALM_SECONDS)
        self.work.ask("stop")
        self.work.phase("checking")

    def drain(self):
        began = time.monotonic()
        why = self.cluster.unrest()
        while why and time.monotonic() < began + DRAIN_SECONDS:
            time.sleep(0.2)
            why = self.cluster.unrest()
        took = time.monotonic() - began
        self.work.tell("note", {"type": "drained", "ok": not why, "seconds": round(took, 1), "why": why})
        self.say("at rest after %.1f s" % took if not why else "NOT at rest after %.0f s: %s" % (took, why))
        return took

    def compare(self, when):
        code, text, numbers = self.cluster.compare()
        if len(numbers) != 4:
            numbers = [0, 0, 0, 1]
        keys, _, different, failed = numbers
        line = {"type": "compare", "when": when, "keys": keys, "different": different, "failed": failed}
        self.work.tell("note", line)
        self.say("compare %s the reads: %s" % (when, text.strip().split("\n")[-1]))
        with open(os.path.join(self.dir, "compare-%s" % when), "w") as f:
            f.write(text)
        return different

    def check(self):
        self.converged = self.drain()
        self.behind = self.compare("before")
        self.final = json.loads(self.work.ask("final"))
        time.sleep(REPAIR_SECONDS)
        self.converged += self.drain()
        self.compare("after")
        self.again = json.loads(self.work.ask("again"))
        self.work.tell("quit")
        self.work.process.wait(30)
        if self.final["lost_elements"]:
            self.broken.append("%d of %d acknowledged elements of sets are gone"
                               % (self.final["lost_elements"], self.final["elements"]))
        self.logs()

    def logs(self):
        for n in self.cluster.nodes:
            with open(os.path.join(n.dir, "log"), errors="replace") as f:
                bad = [t for t in f if "level=fatal" in t or "runtime error" in t or "Sanitizer" in t]
            if bad:
                self.broken.append("%s: %s" % (n.name, bad[0].strip()[:200]))

    # ---- the verdict ----

    def report_phases(self):
        phases = verdict.availability(self.history)
        self.say("%-20s %8s %10s %10s %12s %9s" % ("phase", "quorum", "served", "served", "longest gap",
                                                   "slowest"))
        self.say("%-20s %8s %10s %10s %12s %9s" % ("", "ops", "", "after 1 s", "s", "s"))
        sums = {}
        for p in phases:
            s = sums.setdefault(p.name, [0, 0, 0, 0, 0, 0])
            for i, v in enumerate((p.asked, p.served, p.asked_later, p.served_later)):
                s[i] += v
            s[4], s[5] = max(s[4], p.gap), max(s[5], p.slowest)
        for name, s in sums.items():
            if s[0] and not name.startswith("after") and name != "checking":
                self.say("%-20s %8d %10s %10s %12.2f %9.2f" % (
                    name, s[0], verdict.share(s[1], s[0]), verdict.share(s[3], s[2]), s[4] / 1e6, s[5] / 1e6))
        asked, served = (sum(s[i] for s in sums.values()) for i in (0, 1))
        gap = max((s[4] for n, s in sums.items() if n in self.fired), default=0)
        return verdict.share(served, asked).replace(" ", ""), gap / 1e6

    def report_recoveries(self):
        for name, each in sorted(self.recoveries.items()):
            whole = [w for w, _ in each if w is not None]
            self.say("recovery from %-20s whole %s, no hints %.1f s" % (
                name, "%.1f s" % max(whole) if len(whole) == len(each) else "NEVER", max(t for _, t in each)))

    def judge(self):
        code, lines, figures = verdict.judge(program("dunlin-check"), self.history)
        for line in lines:
            self.say(line)
        served, gap = self.report_phases()
        self.report_recoveries()
        for text in self.broken:
            self.say("BROKEN: " + text)
        promises = sorted({l.split(" ")[0] for l in lines if " BROKEN: " in l})
        good = code == 0 and not self.broken
        keys = {int(k) for l in lines for k in re.findall(r"BROKEN: key (\d+)", l)}
        for key in keys:
            with open(os.path.join(self.dir, "evidence-key%d.jsonl" % key), "w") as f:
                f.writelines(verdict.evidence(self.history, key))

        def count(promise):
            return "broken" if promise in promises else 0
        text = ("%s hosts=%s seed=%d minutes=%g nodes=%d clients=%d ops=%s acked=%s none=%s unknown=%s faults=%d "
                "kinds=%d skipped=%d lost=%s resurrected=%s stale=%s lost_elements=%d differed_before_reads=%d "
                "converged_s=%.1f served=%s longest_gap_s=%.2f%s" % (
                    "PASS" if good else "FAIL", self.cluster.hosts, self.args.seed, self.args.minutes, self.args.nodes,
                    self.args.clients, figures.get("ops"), figures.get("acked"), figures.get("none"),
                    figures.get("unknown"), sum(self.fired.values()), len(self.fired), len(self.skipped),
                    count("P2"), count("P3"), count("P5"), self.final["lost_elements"], self.behind,
                    self.converged, served, gap, "" if not promises else " broken=" + ",".join(promises)))
        return good, text

    def close(self, keep, hurry):
        """Clients first, so that nobody sees the nodes go."""
        for close in (lambda: self.work and self.work.close(), lambda: self.net and self.net.close(),
                      lambda: self.cluster and self.cluster.close(keep, hurry)):
            try:
                close()
            except Exception as e:  # the namespaces end, and the containers are swept, all the same
                self.say("while closing: %s" % e)
        if self.args.docker:
            containers.sweep(self.args.inner)


def inner(args):
    run = Run(args)

    def end_of_pipe():
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGINT)

    def interrupt(*_):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise Interrupted()
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    threading.Thread(target=end_of_pipe, daemon=True).start()
    code, text = 1, "FAIL: no verdict"
    try:
        run.form()
        run.work.phase("warm")
        run.work.ask("start")
        time.sleep(WARM_SECONDS)
        run.trouble()
        run.calm()
        run.check()
        good, text = run.judge()
        code = 0 if good else 1
    except Interrupted:
        code, text = 130, "INTERRUPTED: no verdict"
    except NothingPossible as e:
        code, text = NOT_POSSIBLE, "SKIPPED: %s" % e
    except Exception as e:
        run.say(traceback.format_exc())
        text = "FAIL: the run itself failed: %s" % e
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        run.close(args.keep or code == 1, code == 130)
    run.say("logs and history: " + run.dir)
    print("verdict: " + text, flush=True)
    run.out.write("verdict: " + text + "\n")
    return code


if __name__ == "__main__":
    the_args = arguments()
    sys.exit(inner(the_args) if the_args.inner else outer(the_args))
