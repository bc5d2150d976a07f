#!/usr/bin/env python3
"""The Debian package: what is in it, and its life under systemd in a container.

The container is made from the base image of docker/base-image.sh, has a name and a label that only this
run uses, and is gone afterwards. Without a Docker engine, or where systemd does not run in a container,
the reason is printed and the rest is tested.
"""
import glob
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import examples  # noqa: F401 (it says where lib is)
from examples import lib
from lib import same

LABEL = "dunlin.deb-test=%d-%d" % (os.getpid(), int(time.time()))
IMAGE = "dunlin-deb:test"
DATA = "/var/lib/dunlin"
CONF = "/etc/dunlin/dunlin.conf"
SKIPPED = []

CONTENTS = {
    "/etc/dunlin/dunlin.conf", "/lib/systemd/system/dunlin.service", "/usr/bin/dunlin",
    "/usr/share/bash-completion/completions/dunlin", "/usr/share/zsh/vendor-completions/_dunlin",
    "/usr/share/man/man1/dunlin.1.gz", "/usr/share/man/man5/dunlin.conf.5.gz",
    "/usr/share/doc/dunlin/API.md.gz", "/usr/share/doc/dunlin/METRICS.md.gz", "/usr/share/doc/dunlin/OPERATIONS.md.gz",
    "/usr/share/doc/dunlin/changelog.gz", "/usr/share/doc/dunlin/copyright", "/usr/share/doc/dunlin/dunlin.conf.example",
}


def run(*command, timeout=300, check=True, stdin=None):
    p = subprocess.run(command, cwd=lib.ROOT, capture_output=True, text=True, timeout=timeout, input=stdin)
    if check and p.returncode != 0:
        raise RuntimeError("%s: exit code %d\n%s" % (" ".join(command), p.returncode, (p.stdout + p.stderr)[-2000:]))
    return p


def out(*command, **how):
    return run(*command, **how).stdout.strip()


def package():
    found = glob.glob(os.path.join(lib.ROOT, "build/deb/*.deb"))
    same(len(found), 1, "packages")
    return found[0]


def digest():
    with open(package(), "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


# ---- what is in it -----------------------------------------------------------------------------

def test_the_same_sources_give_the_same_package():
    out("make", "--no-print-directory", "deb")
    first = digest()
    out("make", "--no-print-directory", "deb")
    same(digest(), first)


def test_its_name_and_version_are_the_program_s():
    version = out(lib.DUNLIN, "version").split()[1]
    arch = out("dpkg", "--print-architecture")
    same(os.path.basename(package()), "dunlin_%s_%s.deb" % (version, arch))
    same(out("dpkg-deb", "--field", package(), "Package", "Version", "Architecture"),
         "Package: dunlin\nVersion: %s\nArchitecture: %s" % (version, arch))


def test_it_depends_on_each_library_that_the_program_is_linked_with():
    depends = out("dpkg-deb", "--field", package(), "Depends")
    linked = re.findall(r"NEEDED\s+(\S+)", out("objdump", "-p", "build/deb/root/usr/bin/dunlin"))
    assert len(linked) > 5, linked
    for name in linked:
        path = re.search(r"%s => (\S+)" % re.escape(name), out("ldd", lib.DUNLIN))[1]
        owner = run("dpkg", "-S", path, check=False).stdout or out("dpkg", "-S", os.path.realpath(path))
        owner = owner.split(":")[0]
        assert re.search(r"(^|, )%s \(>= " % re.escape(owner), depends), (name, owner, depends)
    assert re.search(r"(^|, )adduser($|,)", depends), "postinst calls adduser"


def test_it_holds_what_it_should_owned_by_root():
    names = set()
    for line in out("dpkg-deb", "--contents", package()).split("\n"):
        mode, owner, _, _, _, name = line.split(None, 5)
        same(owner, "root/root", name)
        if mode.startswith("d"):
            same(mode, "drwxr-xr-x", name)
            continue
        same(mode, "-rwxr-xr-x" if name == "./usr/bin/dunlin" else "-rw-r--r--", name)
        names.add(name[1:])
    same(sorted(names), sorted(CONTENTS))


def test_its_configuration_holds_and_is_a_conffile():
    same(out("dpkg-deb", "--info", package(), "conffiles"), CONF)
    path = os.path.join(lib.ROOT, "build/deb/root" + CONF)
    code, said, err = lib.dunlin("start", "--config", path, "--check")
    same((code, said, err), (0, "the configuration holds\n", ""))
    with open(path) as f:
        text = f.read()
    same(re.findall(r"^(\w+ = .*)$", text, re.M), ["dir = " + DATA])


def test_its_scripts_are_sound():
    for script in ("postinst", "prerm", "postrm"):
        text = out("dpkg-deb", "--info", package(), script)
        assert text.startswith("#!/bin/sh\n") and "\nset -e\n" in text, script
        run("sh", "-n", stdin=text)


def test_lintian_has_nothing_to_say():
    """But for the maintainer's address, which is nobody's yet."""
    if not shutil.which("lintian"):
        SKIPPED.append("lintian: it is not installed")
        return
    p = run("lintian", "--allow-root", "--suppress-tags", "bogus-mail-host,bogus-mail-host-in-debian-changelog", package(),
            check=False)
    found = [l for l in p.stdout.split("\n") if re.match("[EWI]: ", l)]
    same((p.returncode, found), (0, []))


# ---- in a container ------------------------------------------------------------------------------

def engine():
    """Why there is no container to test in, or None."""
    if not shutil.which("docker") or run("docker", "version", check=False).returncode != 0:
        return "no Docker engine answers"
    p = run("docker/base-image.sh", check=False, timeout=900)
    if p.returncode != 0:
        return "there is no base image: " + (p.stderr.strip().split("\n") or [""])[-1]
    return None


class Machine:
    """A container, with systemd as its first process where that works."""

    def __init__(self):
        dockerfile = ("FROM debian:bookworm-slim\nRUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install "
                      "-q -y --no-install-recommends systemd curl && rm -f /usr/sbin/policy-rc.d\n")
        old = out("docker", "images", "-q", IMAGE)
        run("docker", "build", "--force-rm", "-t", IMAGE, "-", stdin=dockerfile, timeout=600)
        if old and old != out("docker", "images", "-q", IMAGE):
            run("docker", "rmi", old, check=False)
        self.why = None
        self.id = self.start("--cap-add", "SYS_ADMIN", "--tmpfs", "/run", "--tmpfs", "/tmp", "-v",
                             "/sys/fs/cgroup:/sys/fs/cgroup:ro", "-e", "container=docker", IMAGE, "/lib/systemd/systemd")
        state = lambda: self("systemctl is-system-running", check=False).stdout.strip()
        if not lib.wait_for(lambda: state() in ("running", "degraded"), 30, 0.3):
            self.why = "systemd does not run in a container here (%s)" % (state() or "it ended")
            self.stop()
            self.id = self.start("--init", IMAGE, "sleep", "900")
        run("docker", "cp", package(), self.id + ":/root/dunlin.deb")

    def start(self, *words):
        return out("docker", "run", "-d", "--label", LABEL, *words)

    def stop(self):
        run("docker", "rm", "-f", self.id, check=False)

    def __call__(self, script, check=True, timeout=120):
        return run("docker", "exec", self.id, "sh", "-c", script, check=check, timeout=timeout)

    def said(self, script):
        return self(script).stdout.strip()

    def pid(self):
        return self.said("systemctl show -p MainPID --value dunlin")

    def ready(self):
        return self("curl -s 127.0.0.1:8098/ready", check=False).stdout == "ready\n"

    def wait_ready(self):
        assert lib.wait_for(self.ready, 30, 0.2), self.said("journalctl -u dunlin --no-pager | tail -n 20")


def is_there(m, path):
    return m("test -e " + path, check=False).returncode == 0


def installed(m):
    m("apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "
      "/root/dunlin.deb", timeout=300)
    same(m.said("dunlin version"), out(lib.DUNLIN, "version"))
    same(m.said("stat -c '%U:%G %a' " + DATA), "dunlin:dunlin 750")
    assert m.said("getent passwd dunlin").endswith(":/var/lib/dunlin:/usr/sbin/nologin")
    assert "dunlin" not in m.said("cat /proc/[0-9]*/comm"), "it was started unasked"


def runs_by_hand(m):
    """The unit's command as the unit's user, where there is no systemd to do it."""
    start = re.search("^ExecStart=(.*)$", m.said("cat /lib/systemd/system/dunlin.service"), re.M)[1]
    m("setsid setpriv --reuid dunlin --regid dunlin --clear-groups %s >/tmp/log 2>&1 & echo $! >/tmp/pid" % start)
    assert lib.wait_for(m.ready, 30, 0.2), m.said("cat /tmp/log")
    same(m.said("dunlin put b k kept"), "stored")
    m("kill $(cat /tmp/pid)")
    assert lib.wait_for(lambda: not is_there(m, "/proc/$(cat /tmp/pid)/exe"), 30), "it does not stop"
    assert 'msg="stopped"' in m.said("cat /tmp/log"), m.said("cat /tmp/log")


def served(m):
    same(m("systemctl is-enabled dunlin", check=False).stdout.strip(), "disabled")
    m("systemctl enable --now dunlin")
    m.wait_ready()
    same(m.said("dunlin put b k kept"), "stored")
    same(m.said("dunlin get b k"), "kept")
    status = m.said("cat /proc/%s/status" % m.pid())
    fields = dict(l.split(":\t", 1) for l in status.split("\n") if ":\t" in l)
    same((fields["CapEff"], fields["CapBnd"]), ("0" * 16, "0" * 16))
    same((fields["NoNewPrivs"], fields["Seccomp"]), ("1", "2"))
    same(fields["Uid"].split()[0], m.said("id -u dunlin"))
    same(m.said("find %s -perm /077 ! -path %s" % (DATA, DATA)), "", "others can read")


def restarted(m):
    pid = m.pid()
    m("kill -9 " + pid)
    assert lib.wait_for(lambda: m.pid() not in (pid, "0"), 30, 0.2), "systemd does not start it again"
    m.wait_ready()
    same(m.said("dunlin get b k"), "kept")


def confined(m):
    """Another directory, though it is the user's own, is read-only unless the unit says otherwise."""
    m("install -d -o dunlin -g dunlin /srv/dunlin && cp %s /root/conf && sed -i 's|^dir = .*|dir = /srv/dunlin/d|' %s"
      " && systemctl restart dunlin" % (CONF, CONF))
    said = lambda: m.said("journalctl -u dunlin --no-pager")
    assert lib.wait_for(lambda: "cannot make /srv/dunlin/d: Read-only file system" in said(), 20, 0.3), said()
    m("mkdir /etc/systemd/system/dunlin.service.d && printf '[Service]\\nReadWritePaths=/srv/dunlin\\n' "
      ">/etc/systemd/system/dunlin.service.d/dir.conf && systemctl daemon-reload && systemctl restart dunlin")
    m.wait_ready()
    m("rm -r /etc/systemd/system/dunlin.service.d && cp /root/conf %s && systemctl daemon-reload && "
      "systemctl restart dunlin" % CONF)
    m.wait_ready()
    same(m.said("dunlin get b k"), "kept")


def misconfigured(m):
    m("cp %s /root/conf && echo 'weight = 0' >>%s && systemctl restart dunlin" % (CONF, CONF), check=False)
    show = lambda: m.said("systemctl show dunlin -p ActiveState -p ExecMainStatus -p NRestarts")
    assert lib.wait_for(lambda: "ActiveState=failed" in show(), 20, 0.3), show()
    assert "ExecMainStatus=2" in show() and "NRestarts=0" in show(), show()
    m("cp /root/conf %s && systemctl reset-failed dunlin && systemctl start dunlin" % CONF)
    m.wait_ready()


def upgraded(m):
    m("echo '# mine' >>" + CONF)
    before = m.pid() if not m.why else None
    m("DEBIAN_FRONTEND=noninteractive dpkg -i --force-confdef --force-confold /root/dunlin.deb")
    assert m.said("tail -n 1 " + CONF) == "# mine", "the conffile was overwritten"
    if m.why:
        return
    assert m.pid() not in (before, "0"), "a running node is not restarted"
    m.wait_ready()
    same(m.said("dunlin get b k"), "kept")


def stopped(m):
    m("systemctl stop dunlin")
    same(m.said("systemctl show dunlin -p Result -p ExecMainStatus"), "Result=success\nExecMainStatus=0")
    assert m.said("journalctl -u dunlin --no-pager | tail -n 5").count('msg="stopped"') == 1
    m("systemctl start dunlin")
    m.wait_ready()


def removed(m):
    m("dpkg -r dunlin")
    assert "dunlin" not in m.said("cat /proc/[0-9]*/comm"), "it runs on"
    assert not is_there(m, "/usr/bin/dunlin") and is_there(m, CONF) and is_there(m, DATA + "/FORMAT")


def purged(m):
    m("head -c32 /dev/urandom >/etc/dunlin/cluster.key && dpkg -P dunlin")
    same(m.said("find / -xdev -name '*dunlin*' ! -path '/proc/*' ! -path '/root/*' ! -path '/srv/*' "
                "! -path '/var/log/*' ! -path '/sys/*' | sort"), "/etc/dunlin")
    same(m.said("ls -A /etc/dunlin"), "cluster.key", "what the package did not make")
    assert m.said("getent passwd dunlin"), "the user is gone"


def check_container(count):
    m = Machine()
    if m.why:
        SKIPPED.append("the service: " + m.why)
    count.check("apt installs it with what it depends on, and starts nothing", installed, m)
    if m.why:
        count.check("it runs as the unit would start it", runs_by_hand, m)
    else:
        for name, function in (("the service serves, confined", served), ("a node that is killed comes back", restarted),
                               ("it can write to its directory alone", confined),
                               ("a configuration that does not hold is not tried again", misconfigured),
                               ("it stops cleanly", stopped)):
            count.check(name, function, m)
    count.check("an upgrade restarts it, and keeps the configuration", upgraded, m)
    count.check("removing it leaves configuration and data", removed, m)
    count.check("purging it leaves what it did not make", purged, m)


def clean():
    found = run("docker", "ps", "-aq", "--filter", "label=" + LABEL, check=False).stdout.split()
    if found:
        run("docker", "rm", "-fv", *found, check=False)


def main():
    count = lib.Count()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for name, function in lib.tests_of(sys.modules[__name__]):
        count.check(name, function)
        if count.failed and "same sources" in name:
            count.finish()
    why = engine()
    if why:
        SKIPPED.append("installing it: " + why)
    else:
        try:
            check_container(count)
        except Exception as e:  # the container did not come up
            count.check("a container comes up", throw, e)
        finally:
            clean()
    for line in SKIPPED:
        print("skipped: " + line)
    count.finish()


def throw(e):
    raise e


main()
