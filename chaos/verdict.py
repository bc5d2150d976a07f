"""Of a history: how available the cluster was, phase by phase, and what dunlin-check says of it."""
import json
import re
import subprocess


class Phase:
    def __init__(self, name, begin):
        self.name, self.begin, self.end = name, begin, None
        self.asked = self.served = 0         # quorum operations
        self.asked_later = self.served_later = 0  # those after the first second
        self.last, self.gap, self.slowest = begin, 0, 0

    def is_quiet(self):
        """No fault is on."""
        return self.name.startswith("after ") or self.name in ("warm", "settling", "calm", "checking")

    def note(self, began, ended, served):
        self.asked += 1
        self.served += served
        if began >= self.begin + 1000000:
            self.asked_later += 1
            self.served_later += served
        if served:
            self.slowest = max(self.slowest, ended - began)

    def note_success(self, t):
        self.gap = max(self.gap, t - self.last)
        self.last = max(self.last, t)

    def close(self, t):
        self.gap = max(self.gap, t - self.last)
        self.end = t


def availability(path):
    """Phases in order. A quorum operation is one that asks for nothing but the defaults: r and w are
    quorums, fallbacks count. One that a node refused before it was sent is asked again elsewhere and
    counts by that."""
    phases, open_ops, phase = [], {}, None
    with open(path) as f:
        for text in f:
            line = json.loads(text)
            kind = line["type"]
            if kind == "phase":
                if phase:
                    phase.close(line["t"])
                phase = Phase(line["name"], line["t"]) if line["name"] else None
                if phase:
                    phases.append(phase)
            elif kind == "invoke" and line.get("class") == "quorum" and phase:
                open_ops[line["op"]] = (line["t"], phase)
            elif kind in ("ok", "fail", "unknown") and line["op"] in open_ops:
                began, of = open_ops.pop(line["op"])
                if line.get("again"):
                    continue
                served = kind == "ok" or bool(line.get("excused"))
                if phase and of.is_quiet() and not phase.is_quiet():
                    of = phase  # it was on its way when the fault struck
                of.note(began, line["t"], served)
                if served and phase:
                    phase.note_success(line["t"])
    return phases


def share(served, asked):
    return "%.2f %%" % (100.0 * served / asked) if asked else "-"


def judge(program, path):
    """(exit code, its lines, its figures)."""
    p = subprocess.run([program, path], capture_output=True, text=True)
    figures = dict(re.findall(r"(\w+)=(\d+)", p.stdout.split("figures:")[-1]))
    return p.returncode, (p.stdout + p.stderr).strip().split("\n"), figures


def evidence(path, key):
    """The lines of the history that concern one key."""
    ops, lines = set(), []
    with open(path) as f:
        for text in f:
            line = json.loads(text)
            if line["type"] == "invoke" and line["key"] == key:
                ops.add(line["op"])
            if line["type"] in ("invoke", "ok", "fail", "unknown") and line["op"] in ops:
                lines.append(text)
    return lines
