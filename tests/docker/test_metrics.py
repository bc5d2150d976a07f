"""Every metric has a place: what a running cluster tells Prometheus, what docs/METRICS.md says of it,
and what the Grafana dashboard draws are the same names.

    tests/docker/test_metrics.py            check
    tests/docker/test_metrics.py --write    write the table of docs/METRICS.md anew

It needs no Docker: the cluster is of processes, with the binary that $DUNLIN names.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "wire"))
import lib  # noqa: E402

DOC = os.path.join(lib.ROOT, "docs/METRICS.md")
DASHBOARD = os.path.join(lib.ROOT, "docker/grafana-dashboard.json")
PROMETHEUS = os.path.join(lib.ROOT, "docker/prometheus.yml")
BEGIN, END = "<!-- table: test_metrics.py --write -->\n", "<!-- end of table -->\n"
NAME = re.compile(r"\bdunlin_[a-z0-9_]+")


class Metric:
    def __init__(self, name, help):
        self.name, self.help, self.kind = name, help, None
        self.series = {}  # name of a series -> {label: set of values}

    def row(self):
        labels = sorted({l for s in self.series.values() for l in s if l != "le"})
        return "| `%s` | %s | %s | %s |\n" % (
            self.name, self.kind, ", ".join("`%s`" % l for l in labels), self.help)


def parse(text):
    """The exposition format, as far as it is used: {name: Metric}, in order."""
    found = {}
    for line in text.splitlines():
        m = re.fullmatch(r"# HELP (\S+) (.+)", line)
        if m:
            assert m[1] not in found, m[1] + " is told twice"
            current = found[m[1]] = Metric(m[1], m[2])
            continue
        m = re.fullmatch(r"# TYPE (\S+) (counter|gauge|histogram)", line)
        if m:
            assert m[1] == current.name and current.kind is None, line
            current.kind = m[2]
            continue
        m = re.fullmatch(r"([a-z0-9_]+)(?:\{(.*)\})? (\S+)", line)
        assert m, "not the exposition format: %r" % line
        float(m[3])
        ends = ("_bucket", "_sum", "_count") if current.kind == "histogram" else ("",)
        assert m[1] in [current.name + e for e in ends], line
        labels = current.series.setdefault(m[1], {})
        for label, value in re.findall(r'([a-z]+)="((?:[^"\\]|\\.)*)"', m[2] or ""):
            labels.setdefault(label, set()).add(value)
    return found


def read_live():
    with lib.Cluster(3) as cluster:
        return parse(lib.http(cluster.port(1), "GET", "/metrics").body.decode())


LIVE = {}


def dashboard():
    with open(DASHBOARD) as f:
        return json.load(f)


def expressions():
    """(where it stands, PromQL) of everything that the dashboard asks."""
    d = dashboard()
    for v in d["templating"]["list"]:
        if v["type"] == "query":
            yield "variable " + v["name"], v["query"]["query"]
    for p in d["panels"]:
        for t in p.get("targets", []):
            yield p["title"], t["expr"]


def doc_rows():
    with open(DOC) as f:
        text = f.read()
    assert BEGIN in text and END in text
    table = text.split(BEGIN)[1].split(END)[0]
    return [l + "\n" for l in table.splitlines() if l.startswith("| `")]


# ---- what is checked ----------------------------------------------------------------------------

def test_a_node_tells_each_metric_with_help_and_kind():
    assert len(LIVE) > 50, sorted(LIVE)
    for m in LIVE.values():
        assert m.kind and m.help and m.series, m.name
        assert m.name.startswith("dunlin_"), m.name
        assert m.name.endswith("_total") == (m.kind == "counter"), m.name


def test_docs_METRICS_has_exactly_the_metrics_of_a_node():
    told, written = [m.row() for m in LIVE.values()], doc_rows()
    missing = [r for r in told if r not in written]
    stale = [r for r in written if r not in told]
    assert not missing and not stale, "run tests/docker/test_metrics.py --write: missing %r, stale %r" % (
        missing, stale)


def test_what_the_text_of_docs_METRICS_names_exists():
    series = {s for m in LIVE.values() for s in m.series}
    with open(DOC) as f:
        unknown = set(NAME.findall(f.read())) - series - set(LIVE)
    assert not unknown, unknown


def test_what_the_dashboard_names_exists_with_its_labels():
    series = {s: labels for m in LIVE.values() for s, labels in m.series.items()}
    count = 0
    for where, expr in expressions():
        names = re.findall(r"(dunlin_[a-z0-9_]+)(?:\{([^}]*)\})?", expr)
        assert names, "%s asks for nothing of ours: %s" % (where, expr)
        for name, selector in names:
            assert name in series, "%s: no node tells %s" % (where, name)
            for label, value in re.findall(r'([a-z]+)=~?"([^"]*)"', selector):
                if label in ("job", "instance"):  # Prometheus adds these
                    continue
                assert value in series[name].get(label, ()), "%s: %s{%s}" % (where, name, selector)
        for by in re.findall(r"by \(([^)]*)\)", expr):
            for label in by.split(", "):
                assert label == "instance" or any(label in series[n] for n, _ in names), (where, label)
        count += 1
    assert count > 50, count


def test_the_dashboard_takes_rates_of_counters_alone():
    kinds = {s: m.kind for m in LIVE.values() for s in m.series}
    for where, expr in expressions():
        rated = set(re.findall(r"(?:rate|increase)\((dunlin_[a-z0-9_]+)", expr))
        for name in NAME.findall(expr):
            assert (kinds[name] in ("counter", "histogram")) == (name in rated), (where, name)


def test_the_dashboard_is_one_that_Grafana_lays_out():
    d = dashboard()
    ids, cells = set(), set()
    for p in d["panels"]:
        assert p["id"] not in ids
        ids.add(p["id"])
        g = p["gridPos"]
        assert 0 <= g["x"] and g["x"] + g["w"] <= 24, p["title"]
        mine = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
        assert not mine & cells, "%s lies over another panel" % p["title"]
        cells |= mine
        assert p["type"] == "row" or p["datasource"]["uid"] == "${datasource}", p["title"]
        refs = [t["refId"] for t in p.get("targets", [])]
        assert len(refs) == len(set(refs)), p["title"]


def test_what_could_hurt_data_or_clients_is_drawn():
    drawn = {n for _, e in expressions() for n in NAME.findall(e)}
    for name in LIVE:
        if re.search(r"fail|refused|dropped|corrupt|suspect|busy|waiting|stand_ins|hints|offset", name):
            if name != "dunlin_http_replies_dropped_total":  # their clients had gone
                assert name in drawn, name


def test_Prometheus_takes_its_configuration():
    with open(PROMETHEUS) as f:
        assert "job_name: dunlin" in f.read(), "the dashboard selects job=\"dunlin\""
    if shutil.which("promtool"):
        subprocess.run(["promtool", "check", "config", PROMETHEUS], check=True, capture_output=True)
    else:
        print("# promtool is not here: only the job's name was checked")


def write_table():
    with open(DOC) as f:
        before, rest = f.read().split(BEGIN)
    table = "| name | kind | labels | meaning |\n|---|---|---|---|\n"
    table += "".join(m.row() for m in LIVE.values())
    with tempfile.NamedTemporaryFile("w", dir=os.path.dirname(DOC), delete=False) as f:
        f.write(before + BEGIN + table + END + rest.split(END)[1])
        os.chmod(f.name, 0o644)
    os.rename(f.name, DOC)


if __name__ == "__main__":
    LIVE.update(read_live())
    if sys.argv[1:] == ["--write"]:
        write_table()
        sys.exit(0)
    count = lib.Count()
    for name, function in lib.tests_of(sys.modules[__name__]):
        count.check(name, function)
    count.finish()
