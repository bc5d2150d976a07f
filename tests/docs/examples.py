"""Runs the examples of a document as they stand, against three nodes, in one shell from top to bottom.

    ```console        `$ command` lines; what stands under one must be its output, `...` is anything
    ```sh             commands alone: each must succeed, and a comment that begins with a status
                      (`# 404, ...`) is what a `curl -i` on that line must be answered with

Two things a busy machine may do are no failure: comparing replicas is tried again for some seconds, since a
write is acknowledged before its last replica has it; and an answer may say that a fallback took part.
Ports 8098, 8108 and 8118 of the text stand for those of the nodes; `dunlin` is the binary under test.
"""
import os
import re
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "wire"))
import lib  # noqa: E402

MARK = "@@ step %d ended with %s\n"


class Step:
    def __init__(self, command, line, exact):
        self.command, self.line = command, line
        self.expected = [] if exact else None  # None: whatever it prints
        status = re.search(r"curl -s?i.*\s# (\d{3})\b", command)
        self.status = int(status[1]) if status else None
        self.got, self.code = "", None

    def check(self):
        assert self.code is not None, "it was not run to its end"
        assert self.code == 0, "exit code %s; output: %r" % (self.code, self.got)
        if self.status:
            assert re.match(r"HTTP/1.1 %d " % self.status, self.got), "wanted %d, got %r" % (self.status, self.got)
        if self.expected is not None:
            wanted = "\n".join(self.expected).rstrip("\n")
            pattern = re.escape(wanted).replace(r"\.\.\.", ".*")
            got = self.got.rstrip("\n")
            assert re.fullmatch(pattern, got, re.DOTALL), "wanted %r, got %r" % (wanted, got)


def steps_of(path):
    """Of a document, in order."""
    steps, kind = [], None
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if line.startswith("```"):
                kind = None if kind is not None else line[3:]
            elif kind == "console" and line.startswith("$ "):
                steps.append(Step(line[2:], number, True))
            elif kind == "console":
                assert steps and steps[-1].expected is not None, "%s:%d: output of nothing" % (path, number)
                steps[-1].expected.append(line)
            elif kind == "sh" and line.strip():
                steps.append(Step(line, number, False))
    return steps


def script_of(steps, cluster):
    lines = []
    for i, s in enumerate(steps):
        command = re.sub(r"\blocalhost:8(09|10|11)8\b",
                         lambda m: "localhost:%d" % cluster.port(int(m[1]) - 8), s.command)
        if command.startswith("dunlin compare"):
            command = "for i in $(seq 50); do (%s\n) && break; sleep 0.2; done" % command
        if "/admin/compare?" in command:
            command = ("for i in $(seq 50); do got=$(%s)\ncase $got in *'\"different\":0,'*) break ;; esac; sleep 0.2; "
                       "done; echo $got" % command)
        lines += [command, 'printf "%s" "$?"' % (MARK % (i, "%s")).replace("\n", "\\n")]
    return "\n".join(lines) + "\n"


def run(steps, cluster):
    """Gives each step what it printed and how it ended; returns stderr."""
    environment = dict(os.environ, DUNLIN_URL=cluster.url(), LC_ALL="C.UTF-8",
                       PATH=os.path.dirname(lib.DUNLIN) + ":" + os.environ["PATH"])
    p = subprocess.Popen(["bash", "-c", script_of(steps, cluster)], cwd=cluster.dir, env=environment,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         start_new_session=True)
    try:
        got, errors = p.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        got, errors = p.communicate()
    text = got.decode("utf-8", "replace").replace("\r", "")
    text = re.sub(r"^X-Dunlin-Fallbacks: \d\n", "", text, flags=re.MULTILINE)
    parts = re.split(r"@@ step \d+ ended with (\d+)\n", text)
    for i, s in enumerate(steps):
        if 2 * i + 1 < len(parts):
            s.got, s.code = parts[2 * i], int(parts[2 * i + 1])
    return errors.decode("utf-8", "replace")


def check_document(count, name, least):
    """All examples of a document; at least so many."""
    steps = steps_of(os.path.join(lib.ROOT, name))
    count.check("%s has its examples" % name, enough, steps, least)
    with lib.Cluster() as cluster:
        errors = run(steps, cluster)
    failed = count.failed
    for s in steps:
        count.check("%s:%d: $ %s" % (name, s.line, s.command), s.check)
    if count.failed > failed:
        print("# stderr of these commands:\n" + errors[-2000:])


def enough(steps, least):
    assert len(steps) >= least, "only %d steps were found" % len(steps)
