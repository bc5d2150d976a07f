"""Plots of the laboratory, and the page of quorums: plots.py DIR reads DIR/*.tsv and writes beside them.

    policies.svg   bytes of each policy in each scenario, what had to be moved and what was said about it
    stale.svg      stale reads of the same
    sweep.svg      bytes to find d of a million keys (of the most there are)
    quorum.svg     staleness after a write, measured and predicted
    quorum.html    the calculator, with the measured figures in it

No library but Python's own; the same bytes from the same figures.
"""
import csv
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "bench"))
import plot  # noqa: E402
from plot import esc, label, nice_step  # noqa: E402

COLOURS = {"eventual_constant": "#1f5fa8", "bounded_staleness": "#7a4fa0",
           "leader_hot_follower_cold": "#c8501e", "nearsight_age_tiered": "#b8860b",
           "dirty_key_push": "#808080", "time_radix": "#2e8b57"}
LINES = ["#2e8b57", "#1f5fa8", "#c8501e", "#7a4fa0", "#b8860b", "#808080", "#000000", "#a02050"]
SCENARIOS = ["cold_rewrite", "idle", "outage", "skew"]
STYLE = ("<style>text{font:12px sans-serif}.title{font-weight:bold;font-size:13px}"
         ".tick{font-size:11px}.grid{stroke:#ddd}</style>")


def rows(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f, delimiter="\t"))


def save(path, width, height, body):
    head = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">' % (
        width, height, width, height), STYLE,
        '<rect width="%d" height="%d" fill="white"/>' % (width, height)]
    with open(path, "w") as f:
        f.write("\n".join(head + body + ["</svg>"]) + "\n")


def text(x, y, what, anchor="start", cls="tick"):
    return '<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>' % (x, y, cls, anchor, esc(what))


def bar(x, top, bottom, width, colour):
    return '<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>' % (
        x, top, width, max(0, bottom - top), colour)


def pale(colour):
    return "#" + "".join("%02x" % (255 - (255 - int(colour[i:i + 2], 16)) * 35 // 100) for i in (1, 3, 5))


# ---- policies: a group of bars for each scenario ----------------------------------------------------

class Bars:
    """One panel. values[scenario][policy] is a list of parts, drawn on top of each other."""
    W, H, LEFT, TOP, BOTTOM = 470, 250, 62, 34, 28

    def __init__(self, title, policies, values):
        self.title, self.policies, self.values = title, policies, values
        most = max(sum(parts) for group in values.values() for parts in group.values())
        self.step = nice_step(most)
        self.top = self.step * max(1, -(-most // self.step))

    def y(self, v):
        return self.H - self.BOTTOM - v / self.top * (self.H - self.TOP - self.BOTTOM)

    def svg(self):
        out = [text(self.LEFT, 18, self.title, cls="title")]
        v = 0
        while v <= self.top * 1.0001:
            out.append('<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" class="grid"/>' % (
                self.LEFT, self.y(v), self.W - 8, self.y(v)))
            out.append(text(self.LEFT - 6, self.y(v) + 4, label(v) if v else "0", "end"))
            v += self.step
        span = (self.W - self.LEFT - 8) / len(SCENARIOS)
        wide = span * 0.8 / len(self.policies)
        for i, scenario in enumerate(SCENARIOS):
            left = self.LEFT + span * i + span * 0.1
            out.append(text(left + span * 0.4, self.H - 10, scenario, "middle"))
            for j, policy in enumerate(self.policies):
                out += self.stack(left + j * wide, wide * 0.88, policy, self.values[scenario][policy])
        return out

    def stack(self, x, wide, policy, parts):
        out, below = [], 0
        for n, part in enumerate(parts):
            colour = COLOURS[policy]
            out.append(bar(x, self.y(below + part), self.y(below), wide,
                           pale(colour) if len(parts) > 1 and n == 0 else colour))
            below += part
        return out


def panels(path, note, bars, across=2):
    """Panels in rows, and a legend below."""
    body = []
    for i, b in enumerate(bars):
        body += ['<g transform="translate(%d,%d)">' % (i % across * Bars.W, i // across * Bars.H),
                 *b.svg(), "</g>"]
    height = -(-len(bars) // across) * Bars.H
    x = Bars.LEFT
    for policy in bars[0].policies:
        body += [bar(x, height + 6, height + 16, 10, COLOURS[policy]), text(x + 15, height + 15, policy)]
        x += 30 + 6.2 * len(policy)
    body.append(text(Bars.LEFT, height + 36, note))
    save(path, Bars.W * across, height + 46, body)


PATHS = {"only": "the only path", "write_through": "behind write-through"}


def policies_plots(out):
    table = rows(os.path.join(out, "policies.tsv"))
    there = [p for p in COLOURS if any(r["policy"] == p for r in table)]
    size, stale = [], []
    for regime in ("50000x100", "500x1000"):
        for path in PATHS:
            cells = {(r["scenario"], r["policy"]): r for r in table
                     if r["regime"] == regime and r["path"] == path}
            title = "%s keys of %s B, %s" % (*regime.split("x"), PATHS[path])

            def values(parts):
                return {s: {p: parts(cells[s, p]) for p in there} for s in SCENARIOS}

            size.append(Bars(title + ": bytes", there, values(lambda r: [
                int(r["bytes"]) - int(r["overhead_bytes"]), int(r["overhead_bytes"])])))
            stale.append(Bars(title + ": stale, %", there,
                              values(lambda r: [float(r["stale_pct"])])))
    panels(os.path.join(out, "policies.svg"),
           "pale: records (and, behind write-through, the writes); full: what is said to find them", size)
    panels(os.path.join(out, "stale.svg"), "stale reads of all reads in ten minutes, at both nodes", stale)


# ---- lines ------------------------------------------------------------------------------------------

class Lines(plot.Panel):
    """A panel with its legend at the right, and with dots or lines as told."""
    LEGEND = 150

    def __init__(self, *args, dots=(), colours=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.dots, self.colours = dots, colours or {}

    def colour(self, i, name):
        return self.colours.get(name, LINES[i % len(LINES)])

    def lines(self):
        out = []
        for i, (name, ys) in enumerate(self.series):
            points = [(self.px(x), self.py(y)) for x, y in zip(self.xs, ys) if y is not None]
            colour = self.colour(i, name)
            if name not in self.dots:
                out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="1.6"/>' % (
                    " ".join("%.1f,%.1f" % p for p in points), colour))
            else:
                out += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (*p, colour) for p in points]
            y = plot.TOP + 15 * i
            mark = ('<circle cx="%d" cy="%d" r="3" fill="%s"/>' % (plot.WIDTH + 6, y - 4, colour)
                    if name in self.dots else
                    '<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s" stroke-width="2"/>' % (
                        plot.WIDTH, y - 4, plot.WIDTH + 12, y - 4, colour))
            out += [mark, text(plot.WIDTH + 17, y, name)]
        return out


def write_lines(path, drawn):
    width = plot.WIDTH + Lines.LEGEND
    body = []
    for i, panel in enumerate(drawn):
        body += panel.svg(i * width)
    save(path, width * len(drawn), plot.HEIGHT, body)


def sweep_plot(out):
    table = rows(os.path.join(out, "sweep.tsv"))
    n = max(int(r["n"]) for r in table)
    drawn = []
    for kind in ("random_missing", "outage"):
        cells = {(r["scheme"], int(r["d"])): int(r["bytes"]) for r in table
                 if r["kind"] == kind and int(r["n"]) == n}
        schemes = list(dict.fromkeys(scheme for scheme, _ in cells))
        ds = sorted({d for _, d in cells if d > 0})
        lines = {}  # schemes that come to the same share a line
        for s in schemes:
            lines.setdefault(tuple(cells[s, d] or None for d in ds), []).append(s)
        series = [(", ".join(names), list(ys)) for ys, names in lines.items()]
        drawn.append(Lines("bytes to find d of %s keys: %s" % (label(n), kind), "d", ds, True, series,
                           True))
    write_lines(os.path.join(out, "sweep.svg"), drawn)


CHOICES = (("3", "1", "1"), ("3", "1", "2"), ("3", "2", "1"))


def quorum_plot(out):
    table = rows(os.path.join(out, "quorum.tsv"))
    drawn = []
    for place, title in (("disk", "messages under 1 ms, disks with a tail"),
                         ("wan", "75 ms each way")):
        cells = {(r["n"], r["r"], r["w"], int(r["after_ms"])): r for r in table if r["place"] == place}
        ms = sorted({key[3] for key in cells})
        series, dots, colours = [], [], {}
        for i, (n, r, w) in enumerate(CHOICES):
            for what in ("predicted", "measured"):
                name = "R=%s W=%s %s" % (r, w, what)
                series.append((name, [float(cells[n, r, w, t][what + "_pct"]) for t in ms]))
                colours[name] = LINES[i]
                if what == "measured":
                    dots.append(name)
        drawn.append(Lines("stale reads, %%, N=3: %s" % title, "ms after the acknowledgement",
                           [t + 1 for t in ms], True, series, dots=dots, colours=colours))
        drawn[-1].named = ms
    for panel in drawn:
        panel.axes = axes_one_less(panel)
    write_lines(os.path.join(out, "quorum.svg"), drawn)


def axes_one_less(panel):
    """x is 1 more than it says, so that 0 has a place on a logarithmic axis."""
    drawn = panel.axes()
    for t in panel.named:
        drawn = [line.replace(">%s</text>" % label(t + 1), ">%d</text>" % t)
                 if 'text-anchor="middle"' in line and 'x="%.1f"' % panel.px(t + 1) in line else line
                 for line in drawn]
    return lambda: drawn


# ---- the page ---------------------------------------------------------------------------------------

def page(out):
    table = rows(os.path.join(out, "quorum.tsv"))
    measured = {}
    for r in table:
        key = "%s %s %s %s" % (r["place"], r["n"], r["r"], r["w"])
        measured.setdefault(key, []).append([int(r["after_ms"]), float(r["measured_pct"])])
    with open(os.path.join(HERE, "quorum.html")) as f:
        template = f.read()
    lines = ",\n".join("%s: %s" % (json.dumps(k), json.dumps(v)) for k, v in sorted(measured.items()))
    if template.count("/*MEASURED*/") != 1:
        sys.exit("plots.py: quorum.html has no place for the figures")
    with open(os.path.join(out, "quorum.html"), "w") as f:
        f.write(template.replace("/*MEASURED*/", lines))


def main():
    out = sys.argv[1]
    policies_plots(out)
    sweep_plot(out)
    quorum_plot(out)
    page(out)


if __name__ == "__main__":
    main()
