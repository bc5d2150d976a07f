#!/usr/bin/env python3
"""`make install` and `make uninstall`, in a temporary directory; and the systemd unit."""
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

import examples  # noqa: F401 (it says where lib is)
from examples import lib
from lib import same

SKIPPED = []
FILES = {
    "bin/dunlin": 0o755, "share/man/man1/dunlin.1": 0o644, "share/man/man5/dunlin.conf.5": 0o644,
    "share/bash-completion/completions/dunlin": 0o644, "share/zsh/site-functions/_dunlin": 0o644,
    "lib/systemd/system/dunlin.service": 0o644, "share/doc/dunlin/API.md": 0o644,
    "share/doc/dunlin/METRICS.md": 0o644, "share/doc/dunlin/OPERATIONS.md": 0o644,
    "share/doc/dunlin/dunlin.conf.example": 0o644,
}


def make(*words):
    p = subprocess.run(["make", "--no-print-directory", *words], cwd=lib.ROOT, capture_output=True, text=True, timeout=600)
    same(p.returncode, 0, "make %s: %s" % (" ".join(words), p.stderr[-2000:]))


def files_below(folder):
    return {os.path.relpath(os.path.join(d, f), folder) for d, _, names in os.walk(folder) for f in names}


def test_install_puts_each_file_and_uninstall_takes_it_away():
    with tempfile.TemporaryDirectory() as d:
        make("install", "DESTDIR=" + d)
        same(sorted(files_below(d)), sorted("usr/local/" + f for f in FILES))
        for name, mode in FILES.items():
            same(stat.S_IMODE(os.stat(os.path.join(d, "usr/local", name)).st_mode), mode, name)
        stranger = os.path.join(d, "usr/local/share/doc/dunlin/mine")
        open(stranger, "w").close()
        make("uninstall", "DESTDIR=" + d)
        same(files_below(d), {"usr/local/share/doc/dunlin/mine"})
        os.unlink(stranger)
        make("uninstall", "DESTDIR=" + d)
        assert not os.path.exists(os.path.dirname(stranger)), "an empty directory is left"


def test_a_prefix_is_where_things_go_and_what_the_unit_says():
    with tempfile.TemporaryDirectory() as d:
        make("install", "DESTDIR=" + d, "PREFIX=/opt/dunlin", "UNITDIR=/etc/systemd/system")
        found = files_below(d)
        assert "opt/dunlin/bin/dunlin" in found and "etc/systemd/system/dunlin.service" in found, found
        with open(d + "/etc/systemd/system/dunlin.service") as f:
            text = f.read()
        assert "ExecStart=/opt/dunlin/bin/dunlin start --config /etc/dunlin/dunlin.conf\n" in text, text
        assert "@" not in text.replace("@system-service", "").split("[Unit]")[1], text


def test_what_is_installed_runs_and_reads():
    with tempfile.TemporaryDirectory() as d:
        make("install", "PREFIX=" + d)
        p = subprocess.run([d + "/bin/dunlin", "version"], capture_output=True, text=True)
        assert re.match(r"dunlin \d", p.stdout), p
        if not shutil.which("man"):
            SKIPPED.append("reading the installed manual: man is not installed")
            return
        for page, word in (("dunlin", "COMMANDS"), ("dunlin.conf", "key_file")):
            p = subprocess.run(["man", "-M", d + "/share/man", page], capture_output=True, text=True,
                               env=dict(os.environ, MANPAGER="cat", LC_ALL="C.UTF-8"))
            assert p.returncode == 0 and word in p.stdout, (page, p.stderr)


def test_the_unit_is_sound():
    if not shutil.which("systemd-analyze"):
        SKIPPED.append("systemd-analyze verify: systemd is not installed")
        return
    with tempfile.TemporaryDirectory() as d:
        make("install", "PREFIX=" + d)
        p = subprocess.run(["systemd-analyze", "verify", "--man=no", d + "/lib/systemd/system/dunlin.service"],
                           capture_output=True, text=True, timeout=60)
        same((p.returncode, p.stderr), (0, ""))


def test_the_unit_waits_longer_than_a_node_drains_and_allows_what_it_opens():
    with open(os.path.join(lib.ROOT, "docs/packaging/dunlin.service")) as f:
        unit = dict(l.split("=", 1) for l in f.read().split("\n") if re.match(r"\w+=", l))
    with open(os.path.join(lib.ROOT, "include/dunlin/limits.h")) as f:
        limits = dict(re.findall(r"^#define (\w+) (?:SECONDS\()?(\d+)\)?$", f.read(), re.M))
    assert int(unit["TimeoutStopSec"]) >= int(limits["DRAIN_US"]) + 10, unit
    assert int(unit["LimitNOFILE"]) >= int(limits["HTTP_CONNECTIONS_MAX"]) + int(limits["STORE_OPEN_FILES_MAX"]) \
        + 2 * int(limits["MEMBERS_MAX"]) + 1000, unit
    same(unit["Restart"], "on-failure")
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "RestrictNamespaces"):
        same(unit[name], "yes", name)
    same((unit["ProtectSystem"], unit["User"], unit["CapabilityBoundingSet"]), ("strict", "dunlin", ""))


def main():
    count = lib.Count()
    for name, function in lib.tests_of(sys.modules[__name__]):
        count.check(name, function)
    for why in SKIPPED:
        print("skipped: " + why)
    count.finish()


main()
