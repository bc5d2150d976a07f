"""What a node's memory is when it idles, and what a key adds to it (values are on disk, but for what is
cached): medians of three nodes that each hold all keys.

  memory.py [--keys 1000000]
"""
import argparse
import statistics

import common


def memory(cluster):
    return statistics.median(common.rss_mib(pid) for pid in common.pids_of(cluster))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--keys", type=int, default=10**6)
    a = p.parse_args()
    with common.dunlin_cluster() as cluster:
        idle = memory(cluster)
        common.bench(common.urls_of(cluster), [], read=0, keys=a.keys, count=a.keys, dist="seq", blind=True,
                     no_load=True, warm_up=0, duration=600, value_bytes=100, w=2, r=2)
        full = memory(cluster)
    print("%d keys of 100 bytes: %.1f MiB idle, %.1f MiB then, %.0f bytes a key" % (
        a.keys, idle, full, (full - idle) * 1048576 / a.keys))


if __name__ == "__main__":
    main()
