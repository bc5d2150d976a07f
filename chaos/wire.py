"""A slow, lossy wire between nodes, in user space, for kernels without tc netem.

    wire.py NAMESPACE=ADDRESS ...       (NAMESPACE: its file, as /run/netns/n1 or /proc/PID/ns/net)

Opens a TUN device `wire0` in each namespace. What a node's routes send there is read here, kept for a
while, and written to the device of the node that it is for; each packet is kept for a time of its own, so
a later one may overtake it. Lines on stdin set it: `MIN_MS MAX_MS LOSS_PERCENT`. Prints `ready` once.
"""
import ctypes
import fcntl
import heapq
import os
import random
import select
import socket
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000
CLONE_NEWNET = 0x40000000
PACKET_BYTES = 65536

libc = ctypes.CDLL(None, use_errno=True)


def open_device(namespace):
    """A TUN device there; the namespace of this process stays what it was."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(namespace, os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"wire0", IFF_TUN | IFF_NO_PI))
        return device
    finally:
        if libc.setns(home, CLONE_NEWNET) != 0:
            os._exit(1)
        os.close(home)
        os.close(there)


class Wire:
    def __init__(self, nodes):
        self.devices = {socket.inet_aton(a): open_device(n) for n, a in nodes}
        self.waiting = []  # (when, number, device, packet)
        self.number = 0
        self.least, self.most, self.loss = 0.0, 0.0, 0.0
        self.random = random.Random(1)

    def take(self, device, now):
        while True:
            try:
                packet = os.read(device, PACKET_BYTES)
            except BlockingIOError:
                return
            to = self.devices.get(packet[16:20])
            if packet[0] >> 4 != 4 or to is None or self.random.random() < self.loss:
                continue
            when = now + self.random.uniform(self.least, self.most)
            self.number += 1
            heapq.heappush(self.waiting, (when, self.number, to, packet))

    def deliver(self, now):
        while self.waiting and self.waiting[0][0] <= now:
            _, _, to, packet = heapq.heappop(self.waiting)
            try:
                os.write(to, packet)
            except OSError:
                pass  # a full queue loses packets, as wires do

    def run(self):
        poll = select.poll()
        for device in self.devices.values():
            poll.register(device, select.POLLIN)
        poll.register(0, select.POLLIN)
        while True:
            now = time.monotonic()
            wait = 1000 if not self.waiting else max(0, (self.waiting[0][0] - now) * 1000)
            for fd, _ in poll.poll(wait):
                if fd != 0:
                    self.take(fd, time.monotonic())
                    continue
                text = os.read(0, 4096).decode()
                if not text:
                    return
                least, most, loss = (float(w) for w in text.split("\n")[-2].split())
                self.least, self.most, self.loss = least / 1000, most / 1000, loss / 100
            self.deliver(time.monotonic())


if __name__ == "__main__":
    wire = Wire([a.split("=") for a in sys.argv[1:]])
    print("ready", flush=True)
    wire.run()
