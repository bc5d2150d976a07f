"""`make bench-growth`: what an operation costs as the cluster, the keys, the siblings, the values grow.

N = 3, W = R = 2, closed loop, pinned as in `make bench`. For each curve build/bench/growth/NAME.tsv with
the figures and NAME.svg with CPU time per operation (all server processes) and p99.

  growth.py [nodes] [crowds] [keys] [siblings] [values] [--seconds 3] [--keys-most 1000000]
"""
import argparse
import os

import common
import plot
from common import bench, note, pids_of, urls_of

OUT = os.path.join(common.OUT, "growth")
COLUMNS = ("rate", "cpu_us", "p50_ms", "p99_ms")
QUORUMS = dict(w=2, r=2)


def point(result, kind):
    if kind not in result:
        return None
    return {"rate": result[kind]["rate"], "cpu_us": result["servers_us_per_op"],
            "p50_ms": result[kind]["p50_ms"], "p99_ms": result[kind]["p99_ms"]}


def put_and_get(cluster, a, **flags):
    urls, pids = urls_of(cluster), pids_of(cluster)
    flags = dict(QUORUMS, duration=a.seconds, **flags)
    return (point(bench(urls, pids, read=0, **flags), "put"),
            point(bench(urls, pids, read=100, no_load=True, **flags), "get"))


def draw(name, x_name, rows, log_x, log_y=False):
    """rows: (x, put, get); either may be None."""
    os.makedirs(OUT, exist_ok=True)
    with open(os.path.join(OUT, name + ".tsv"), "w") as f:
        f.write("\t".join([name] + ["%s_%s" % (k, c) for k in ("put", "get") for c in COLUMNS]) + "\n")
        for x, *points in rows:
            cells = ["%g" % p[c] if p else "" for p in points for c in COLUMNS]
            f.write("\t".join([str(x)] + cells) + "\n")
    xs = [r[0] for r in rows]

    def series(column):
        return [(kind, [r[i][column] if r[i] else None for r in rows])
                for i, kind in ((1, "put"), (2, "get"))]
    plot.write(os.path.join(OUT, name + ".svg"),
               [plot.Panel("CPU us per operation, all servers", x_name, xs, log_x, series("cpu_us"),
                           log_y),
                plot.Panel("p99, ms", x_name, xs, log_x, series("p99_ms"), log_y)])
    for x, put, get in rows:
        print("%-9s %8s   put %s   get %s" % (name, plot.label(x), text(put), text(get)), flush=True)


def text(p):
    return "%8.0f/s %7.1f us  p99 %7.2f ms" % (p["rate"], p["cpu_us"], p["p99_ms"]) if p else "-"


# ---- the curves ----------------------------------------------------------------------------------

def nodes(a, name="nodes", connections=lambda count: 64):
    rows = []
    for count in (3, 8, 16):
        with common.dunlin_cluster(count) as cluster:
            rows.append((count, *put_and_get(cluster, a, keys=10000, connections=connections(count))))
    draw(name, "nodes", rows, False)


def crowds(a):
    """Nodes again, with as many connections for each of them."""
    nodes(a, "crowds", lambda count: 64 * count // 3)


def keys(a):
    """A put of a key that is not there yet, and a get of any key, with so many keys a node."""
    rows, there = [], 0
    with common.dunlin_cluster() as cluster:
        urls, pids = urls_of(cluster), pids_of(cluster)
        for count in (10**4, 10**5, 10**6):
            if count > a.keys_most:
                continue
            bucket = "k%d" % count
            fill = bench(urls, [], read=0, keys=count - there, count=count - there, dist="seq",
                         blind=True, no_load=True, warm_up=0, duration=600, bucket=bucket)
            if fill["put"]["count"] < count - there:
                note("only %d keys in 600 s" % fill["put"]["count"])
            put = bench(urls, pids, read=0, keys=10**8, blind=True, no_load=True, duration=a.seconds,
                        bucket="new" + bucket, **QUORUMS)
            get = bench(urls, pids, read=100, keys=count - there, no_load=True, duration=a.seconds,
                        bucket=bucket, **QUORUMS)
            there = count
            rows.append((count, point(put, "put"), point(get, "get")))
    draw("keys", "keys a node", rows, True)


def siblings(a):
    """A blind put beside so many siblings, and a get of them. None: a key that is not there."""
    rows, count = [], 5000
    with common.dunlin_cluster() as cluster:
        urls, pids = urls_of(cluster), pids_of(cluster)
        for there in range(17):
            get = bench(urls, pids, read=100, keys=count, no_load=True, duration=min(a.seconds, 2),
                        **QUORUMS)
            put = bench(urls, pids, read=0, keys=count, count=count, dist="seq", blind=True,
                        no_load=True, warm_up=0, duration=30, **QUORUMS)
            rows.append((there, point(put, "put"), point(get, "get")))
    draw("siblings", "siblings", rows, False)


def values(a):
    rows = []
    a.seconds = max(a.seconds, 5)  # of the largest few are done in a second
    with common.dunlin_cluster() as cluster:
        for size in (100, 1024, 10240, 102400, 1048576):
            many = max(32, min(10000, 32 * 1048576 // size))
            rows.append((size, *put_and_get(cluster, a, keys=many, value_bytes=size,
                                            connections=64 if size <= 10240 else 16,
                                            bucket="v%d" % size)))
    draw("values", "bytes of a value", rows, True, True)


CURVES = {"nodes": nodes, "crowds": crowds, "keys": keys, "siblings": siblings, "values": values}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("curves", nargs="*", choices=[*CURVES, []])
    p.add_argument("--seconds", type=int, default=3)
    p.add_argument("--keys-most", type=int, default=10**6)
    a = p.parse_args()
    for name in a.curves or CURVES:
        note("growth with", name)
        CURVES[name](a)
    note("written:", os.path.relpath(OUT, common.ROOT))


if __name__ == "__main__":
    main()
