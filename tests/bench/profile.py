"""Where the time of a put and of a get goes: perf and strace on three loaded nodes.

  profile.py [put] [get] [--seconds 8] [--keys 20000] [--value-bytes 100]

For each: microseconds per operation by part, the 25 functions with most time of their own and with
those they call, and the system calls of one node. perf's shares times the CPU time per operation that
`dunlin bench` measured while perf did not run. Needs perf (and its permission) and strace; writes
build/bench/profile/KIND.txt.
"""
import argparse
import collections
import os
import re
import signal
import subprocess
import sys
import time

import common
from common import note, pids_of, urls_of

OUT = os.path.join(common.OUT, "profile")

# A sample with one of these anywhere in its stack belongs to the part, whatever it does there.
WHOLE = [
    ("store write: fdatasync", r"fdatasync"),
    ("store write: free space asked", r"statfs"),
    ("store write: append to the log", r"WriteToWAL"),
    ("store: background work", r"rocksdb::.*(Flush|Compaction)|BGWork|BGThread"),
]
# Any other belongs to the first part of which one of its frames has a name, looked for from the inside
# out. The order of the list decides only between parts of the same frame.
PARTS = [
    ("store write: memory table", r"InsertInto|MemTable::Add"),
    ("store write: engine, rest", r"DBImpl::Write|rocksdb_write"),
    ("store read: memory table", r"MemTable(ListVersion)?::Get"),
    ("store read: table files", r"rocksdb::Version::Get|rocksdb::TableCache::Get"),
    ("store read: engine, rest", r"DBImpl::Get|rocksdb_get"),
    ("socket: send", r"sys_sendto|sys_sendmsg|sys_writev"),
    ("socket: receive", r"sys_recvfrom|sys_recvmsg|sys_readv"),
    ("socket or wake-up: read", r"sys_read$"),
    ("wake-up: write", r"sys_write$"),
    ("epoll", r"epoll"),
    ("threads: futex", r"futex"),
    ("memory: malloc, free, mprotect", r"^(_int_)?(malloc|free|realloc|calloc)|mprotect|_int_|unlink_chunk"),
    ("frames: sealing and opening", r"crypto_aead|chacha20|poly1305|aes256gcm|aead_aes|noise_|frame_|Noise"),
    ("hash of keys", r"lmmh_|siphash|key_hash"),
    ("HTTP: answer", r"^http_(out|reply|object_reply|text)|^answer_|^put_context"),
    ("HTTP: request", r"^http_|base64|vtag"),
    ("messages", r"^msg_|^pack_|^cursor_|^meta_"),
    ("objects and vectors", r"^object_|^dvv_|^context_"),
    ("storer: hand over", r"^storer_|^run_committer|^hand_over|^perform|rocksdb_store_|^store_|^record_"),
    ("core", r"^node_|^coord_|^replica_|^emit|^keys_|^slot|^pool_|^arena_|^heap_|^quorum_|^hint_"),
    ("loop, clients, peers", r"^loop_|^client|^peer|^buffer_|^on_|^read_"),
    ("libevent", r"event_|evmap"),
]
REST = re.compile(r"entry_SYSCALL|asm_|sysvec|irq|schedule|ret_from_fork")
WHOLE, PARTS = ([(name, re.compile(pattern)) for name, pattern in t] for t in (WHOLE, PARTS))


def part_of(frames):
    for name, pattern in WHOLE:
        if any(map(pattern.search, frames)):
            return name
    for frame in frames:
        for name, pattern in PARTS:
            if pattern.search(frame):
                return name
    return "kernel, rest" if any(map(REST.search, frames)) else "elsewhere"


def samples_of(path):
    """Lists of function names, innermost first."""
    p = subprocess.run(["perf", "script", "--no-inline", "-F", "ip,sym", "-i", path], text=True,
                       capture_output=True, timeout=300)
    frames = []
    for line in p.stdout.splitlines() + [""]:
        words = line.split(None, 1)
        if words:
            name = words[1] if len(words) > 1 else "[unknown]"
            frames.append(re.sub(r"\.isra\.\d+|\.constprop\.\d+|\.part\.\d+|@@.*", "", name))
        elif frames:
            yield frames
            frames = []


def top(title, counts, total, us, file):
    print("\n%s" % title, file=file)
    for name, count in counts.most_common(25):
        print("  %6.2f us  %5.1f %%  %s" % (us * count / total, 100 * count / total, name[:90]),
              file=file)


def report(kind, path, strace, us, rate, file):
    own, whole, parts = (collections.Counter() for _ in range(3))
    total = 0
    for frames in samples_of(path):
        total += 1
        own[frames[0]] += 1
        parts[part_of(frames)] += 1
        whole.update(set(frames) - {"[unknown]"})
    if total == 0:
        sys.exit("perf gave no samples; is it permitted? (kernel.perf_event_paranoid)")
    print("%s: %.1f us of CPU per operation over all servers, %.0f/s, %d samples" % (
        kind, us, rate, total), file=file)
    top("by part", parts, total, us, file)
    top("by function, own time", own, total, us, file)
    top("by function, with those it calls", whole, total, us, file)
    print("\nsystem calls of one node (slowed by strace)\n" + strace, file=file)


def profile(kind, cluster, a):
    urls, pids = urls_of(cluster), pids_of(cluster)
    flags = dict(read=0 if kind == "put" else 100, keys=a.keys, value_bytes=a.value_bytes, w=2,
                 r=2, no_load=kind == "get")
    free = common.bench(urls, pids, duration=a.seconds, **flags)
    rate, us = free[kind]["rate"], free["servers_us_per_op"]
    data, calls = os.path.join(OUT, kind + ".perf"), os.path.join(OUT, kind + ".strace")
    with common.pinned(common.LOAD_CORES):
        # Keys are written again first: what it takes is bounded by what loading took before.
        load = subprocess.Popen(
            [common.DUNLIN, "bench", "--url", ",".join(urls), "--read", str(flags["read"]), "--keys",
             str(a.keys), "--value-bytes", str(a.value_bytes), "--w", "2", "--r", "2", "--duration",
             "600", *(["--no-load"] if kind == "get" else [])],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        for line in load.stderr:
            if " measure " in line:
                break
        subprocess.run(["perf", "record", "-q", "-F", "499", "-e", "cpu-clock", "--call-graph",
                        "dwarf,16384", "-p", ",".join(map(str, pids)), "-o", data, "--", "sleep",
                        str(a.seconds)], check=True, stdout=subprocess.DEVNULL)
        tracer = subprocess.Popen(["strace", "-c", "-f", "-o", calls, "-p", str(pids[0])],
                                  stderr=subprocess.DEVNULL)
        time.sleep(5)
        tracer.send_signal(signal.SIGINT)
        tracer.wait(30)
    finally:
        load.terminate()
        load.communicate()
    with open(calls) as f:
        strace = "".join(f.readlines()[:16])
    path = os.path.join(OUT, kind + ".txt")
    with open(path, "w") as f:
        report(kind, data, strace, us, rate, f)
    os.unlink(data)
    with open(path) as f:
        print(f.read())


def main():
    p = argparse.ArgumentParser()
    p.add_argument("kinds", nargs="*")
    p.add_argument("--seconds", type=int, default=8)
    p.add_argument("--keys", type=int, default=20000)
    p.add_argument("--value-bytes", type=int, default=100)
    a = p.parse_args()
    os.makedirs(OUT, exist_ok=True)
    with common.dunlin_cluster() as cluster:
        for kind in a.kinds or ["put", "get"]:
            note("profile of a", kind)
            profile(kind, cluster, a)


if __name__ == "__main__":
    main()
