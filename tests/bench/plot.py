"""Line plots as SVG, without a library: a few series over one x axis, two panels side by side."""
import math

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 460, 320, 64, 16, 44, 50
COLOURS = ["#1f5fa8", "#c8501e", "#3c8a3c", "#7a4fa0"]


def esc(text):
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def label(v):
    """1000 -> 1k, 10240 -> 10Ki, 0.25 -> 0.25"""
    for size, unit in ((1048576, "Mi"), (1024, "Ki")):
        if v >= size and v % size == 0:
            return "%d%s" % (v // size, unit)
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if v >= size:
            return "%.3g%s" % (v / size, unit)
    return "%.3g" % v


def nice_step(most):
    """1, 2 or 5 times a power of ten, so that about five fit."""
    raw = max(most, 1e-9) / 5
    power = 10 ** math.floor(math.log10(raw))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= raw)


class Panel:
    """One pair of axes. x is spaced evenly or by its logarithm; y starts at 0, so that a cost that
    doubles looks doubled, or is logarithmic too, so that what is proportional has slope one."""

    def __init__(self, title, x_name, xs, log_x, series, log_y=False):
        self.title, self.x_name, self.xs, self.log_x, self.series = title, x_name, xs, log_x, series
        self.log_y = log_y
        values = [v for _, ys in series for v in ys if v is not None] or [1]
        if log_y:
            low = math.floor(math.log10(max(1e-9, min(values))))
            high = max(low + 1, math.ceil(math.log10(max(values))))
            self.ticks = [10.0 ** e for e in range(low, high + 1)]
        else:
            step = nice_step(max(values))
            self.ticks = [step * i for i in range(math.ceil(max(values) / step + 1e-9) + 1)]

    def scale(self, x):
        return math.log(x) if self.log_x else x

    def px(self, x):
        low, high = self.scale(self.xs[0]), self.scale(self.xs[-1])
        return LEFT + (self.scale(x) - low) / ((high - low) or 1) * (WIDTH - LEFT - RIGHT)

    def py(self, y):
        low, high = self.ticks[0], self.ticks[-1]
        share = math.log(y / low) / math.log(high / low) if self.log_y else y / (high or 1)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def axes(self):
        out = ['<text x="%d" y="18" class="title">%s</text>' % (LEFT, esc(self.title))]
        for tick in self.ticks:
            y = self.py(tick)
            out.append('<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" class="grid"/>' % (
                LEFT, y, WIDTH - RIGHT, y))
            out.append('<text x="%d" y="%.1f" class="tick" text-anchor="end">%s</text>' % (
                LEFT - 6, y + 4, label(tick)))
        for x in self.xs:
            out.append('<text x="%.1f" y="%d" class="tick" text-anchor="middle">%s</text>' % (
                self.px(x), HEIGHT - BOTTOM + 16, label(x)))
        out.append('<text x="%d" y="%d" class="tick" text-anchor="middle">%s</text>' % (
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, esc(self.x_name)))
        return out

    def lines(self):
        out = []
        for i, (name, ys) in enumerate(self.series):
            colour = COLOURS[i % len(COLOURS)]
            points = [(self.px(x), self.py(y)) for x, y in zip(self.xs, ys) if y is not None]
            out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>' % (
                " ".join("%.1f,%.1f" % p for p in points), colour))
            out += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (*p, colour) for p in points]
            out.append('<text x="%d" y="35" class="tick" fill="%s">%s</text>' % (
                LEFT + 70 * i, colour, esc(name)))
        return out

    def svg(self, shift):
        return ['<g transform="translate(%d,0)">' % shift, *self.axes(), *self.lines(), "</g>"]


def write(path, panels):
    total = WIDTH * len(panels)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">' % (
        total, HEIGHT, total, HEIGHT),
        "<style>text{font:12px sans-serif}.title{font-weight:bold;font-size:13px}"
        ".tick{font-size:11px}.grid{stroke:#ddd}</style>",
        '<rect width="%d" height="%d" fill="white"/>' % (total, HEIGHT)]
    for i, panel in enumerate(panels):
        out += panel.svg(i * WIDTH)
    with open(path, "w") as f:
        f.write("\n".join(out + ["</svg>"]) + "\n")
