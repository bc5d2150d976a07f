#!/usr/bin/env python3
"""The manual pages, the example configuration and the completions against the program itself, both ways.

What the program has is asked of it: `dunlin help`, and what it says of a value that does not fit.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import examples
from examples import lib
from lib import dunlin, same

MAN = ["docs/man/dunlin.1", "docs/man/dunlin.conf.5"]
EXAMPLE = "docs/dunlin.conf.example"
SKIPPED = []


def read(path):
    with open(os.path.join(lib.ROOT, path), encoding="utf-8") as f:
        return f.read()


def run(*command, **how):
    return subprocess.run(command, cwd=lib.ROOT, capture_output=True, text=True, timeout=60, **how)


# ---- what the program has ----------------------------------------------------------------------

def commands():
    out = dunlin("help")[1].split("\n`dunlin help")[0]
    found = re.findall(r"^  ([a-z]+) +\S", out, re.M)
    assert len(found) > 8, out
    return found


def flags(command):
    found = re.findall(r"^  --([a-z-]+)(?: \S+)? ", dunlin("help", command)[1], re.M)
    assert found, command
    return found


def keys():
    """Name -> default, of the configuration."""
    found = {}
    for line in dunlin("help", "start")[1].split("\n"):
        m = re.match(r"  --([a-z-]+) +(.*)", line)
        if not m or m[1] in ("config", "check", "help"):
            continue
        default = re.search(r" \[([^]]*)\]$", m[2])
        found[m[1].replace("-", "_")] = default[1] if default else ""
    assert len(found) > 20, found
    return found


def limits(key):
    """(least, most) as the program says when a value does not fit; None where it names none."""
    err = dunlin("start", "--check", "--" + key, "x" * 2000)[2]
    m = re.search(r"(?:from|of) (\d+) to (\d+)", err)
    return (int(m[1]), int(m[2])) if m else None


def number(text):
    units = {"k": 10, "m": 20, "g": 30}
    return int(text[:-1]) << units[text[-1]] if text[-1] in units else int(text)


# ---- dunlin(1) -----------------------------------------------------------------------------------

def man_commands():
    """Command -> its flags, of dunlin(1)."""
    section = read(MAN[0]).split(".Sh COMMANDS\n")[1].split("\n.Sh ")[0]
    found = {}
    for part in section.split(".Ss dunlin ")[1:]:
        name = re.match(r"\S+", part)[0]
        found[name] = re.findall(r"^\.It Fl -([a-z-]+)", part, re.M)
    return found


def test_the_manual_has_each_command_and_flag_and_no_other():
    shown = man_commands()
    same(sorted(shown), sorted(commands()), "commands")
    for name in commands():
        same(sorted(shown[name]), sorted(flags(name)), "flags of " + name)


def test_the_manual_has_each_exit_status():
    with open(os.path.join(lib.ROOT, "src/drive/cmd.h")) as f:
        codes = re.search(r"enum cmd_exit \{([^}]*)\}", f.read())[1]
    section = read(MAN[0]).split(".Sh EXIT STATUS\n")[1].split("\n.Sh ")[0]
    same(re.findall(r"^\.It (\d)", section, re.M), re.findall(r"= (\d)", codes))


def test_the_manual_has_each_variable():
    in_code = set()
    for name in os.listdir(os.path.join(lib.ROOT, "src/drive")):
        if name.endswith(".c"):
            in_code |= set(re.findall(r'getenv\("(\w+)"\)', read("src/drive/" + name)))
    section = read(MAN[0]).split(".Sh ENVIRONMENT\n")[1].split("\n.Sh ")[0]
    shown = set(re.findall(r"^\.It Ev (\w+)", section, re.M))
    same(shown - {"DUNLIN_KEY_FILE"}, in_code)


# ---- dunlin.conf(5) and the example ----------------------------------------------------------------

def man_keys():
    """Name -> (default, limits), of dunlin.conf(5)."""
    section = read(MAN[1]).split(".Sh KEYS\n")[1].split("\n.Sh ")[0]
    found = {}
    for part in re.split(r"^\.It Cm ", section, flags=re.M)[1:]:
        name = re.match(r"\w+", part)[0]
        default = re.search(r"^Default:(?: not set|\n\.Ql (\S+))", part, re.M)
        assert default, "no default of " + name
        said = re.search(r"\bfrom (\d\w*) to (\d\w*)", part)
        found[name] = (default[1] or "", (number(said[1]), number(said[2])) if said else None)
    return found


def test_the_manual_has_each_key_with_its_default_and_limits():
    shown, real = man_keys(), keys()
    same(sorted(shown), sorted(real))
    for name, default in real.items():
        same(shown[name][0], default, "default of " + name)
        same(shown[name][1], limits(name), "limits of " + name)


def example_keys():
    """Name -> (default, what stands above it), of the example."""
    found, above = {}, []
    for line in read(EXAMPLE).split("\n"):
        m = re.fullmatch(r"#([a-z_]+) = ?(.*)", line)
        if m:
            found[m[1]] = (m[2], " ".join(above))
            above = []
        elif line.startswith("#"):
            above.append(line[1:].strip())
        else:
            above = []
    return found


def test_the_example_has_each_key_with_its_default_meaning_and_limits():
    shown, real = example_keys(), keys()
    same(sorted(shown), sorted(real))
    for name, default in real.items():
        same(shown[name][0], default, "default of " + name)
        assert len(shown[name][1]) > 20, "nothing is said of " + name
        least_most = limits(name)
        if least_most and name not in ("name", "dir", "zone", "key_file"):
            said = {number(n) for n in re.findall(r"\b\d+[kmg]?\b", shown[name][1])}
            assert set(least_most) <= said, "%s: limits %r are not said: %s" % (name, least_most, shown[name][1])


def check(text):
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
        f.write(text)
        f.flush()
        return dunlin("start", "--config", f.name, "--check")


def test_the_example_is_accepted_as_it_stands_and_with_every_key_uncommented():
    same(check(read(EXAMPLE)), (0, "the configuration holds\n", ""))
    text = re.sub(r"^#([a-z_]+ =)", r"\1", read(EXAMPLE), flags=re.M)
    same(len(re.findall(r"^[a-z_]+ =", text, re.M)), len(keys()))
    same(check(text), (0, "the configuration holds\n", ""))
    code, _, err = check(text.replace("weight = 100", "weight = 0"))
    assert code == 2 and "weight" in err, err


def test_the_cluster_of_the_example_and_of_the_manual_hold():
    block = re.findall(r"^#   ([a-z_]+ = .*)$", read(EXAMPLE).split("# ---- ")[0], re.M)
    assert len(block) == 7, block
    same(check("\n".join(block) + "\n")[0], 0)
    page = read(MAN[1]).split(".Sh EXAMPLES")[1]
    same(check(re.search(r"\.Bd.*?\n(.*?)\.Ed", page, re.DOTALL)[1])[0], 0)


# ---- lint ------------------------------------------------------------------------------------------

def check_lint(page):
    if shutil.which("mandoc"):
        p = run("mandoc", "-T", "lint", page)
        found = [l for l in (p.stdout + p.stderr).split("\n")
                 if l and "referenced manual not found" not in l and "mandoc.db" not in l]
        assert not found, found
    elif shutil.which("man"):
        p = run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page)
        same((p.returncode, p.stderr), (0, ""))
    else:
        SKIPPED.append("lint of %s: neither mandoc nor man is installed" % page)


# ---- completion --------------------------------------------------------------------------------------

def bash_completes(*words):
    """What bash offers with the cursor in the last word."""
    script = """
source docs/completion/dunlin.bash
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dunlin; printf '%s\\n' "${COMPREPLY[@]}"
"""
    p = run("bash", "-c", script, "bash", lib.DUNLIN, *words)
    same(p.stderr, "")
    return sorted(w for w in p.stdout.split("\n") if w)


def test_bash_completes_each_command_and_flag():
    same(bash_completes(""), sorted(commands() + ["--help", "--version"]))
    same(bash_completes("help", ""), sorted(commands()))
    same(bash_completes("sta"), ["start", "status"])
    for name in commands():
        if name != "help":
            same(bash_completes(name, "--"), sorted("--" + f for f in flags(name)), name)


def test_bash_completes_values_of_flags():
    same(bash_completes("get", "b", "k", "--r", ""), ["all", "one", "quorum"])
    same(bash_completes("start", "--log-level", "i"), ["info"])
    same(bash_completes("start", "--config", "docs/dunlin.c"), [EXAMPLE])
    same(bash_completes("put", "b", ""), [])


def zsh_completes(*words):
    script = """
_describe() { print -l -- ${(P)2} }
compadd() { print -l -- "$@" }
words=("$@"); CURRENT=$#
source docs/completion/_dunlin
"""
    p = run("zsh", "-f", "-c", script, "zsh", lib.DUNLIN, *words)
    same(p.stderr, "")
    return sorted(w.split(":")[0] for w in p.stdout.split("\n") if w)


def test_zsh_completes_each_command_and_flag():
    if not shutil.which("zsh"):
        SKIPPED.append("completion of zsh: it is not installed")
        return
    same(zsh_completes(""), sorted(commands()))
    same(zsh_completes("help", ""), sorted(commands()))
    for name in commands():
        if name != "help":
            same(zsh_completes(name, "--"), sorted("--" + f for f in flags(name)), name)
    same(zsh_completes("get", "b", "k", "--r", ""), ["all", "one", "quorum"])


def test_flags_with_values_of_their_own_exist():
    """A flag that a completion names is one of some command."""
    known = {"--" + f for c in commands() for f in flags(c)} | {"--help", "--version"}
    for path in ("docs/completion/dunlin.bash", "docs/completion/_dunlin"):
        for line in re.findall(r"^\t(--[a-z -|]*)\)", read(path), re.M):
            for flag in line.split(" | "):
                assert flag in known, (path, flag)


def main():
    count = lib.Count()
    for name, function in lib.tests_of(sys.modules[__name__]):
        count.check(name, function)
    for page in MAN:
        count.check(page + " is clean", check_lint, page)
    for why in SKIPPED:
        print("skipped: " + why)
    count.finish()


main()
