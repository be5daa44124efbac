"""A line between two network namespaces of this process: TUN devices, and a thread that passes
packets from one to the other and treats them badly.

That is what `tc qdisc add ... netem` does, for kernels with and without it, and from a seed.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time
from dataclasses import dataclass

NEW_USER, NEW_NET = 0x1000_0000, 0x4000_0000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x4004_54CA, 1, 0x1000
HERE, THERE = "10.99.0.1", "10.99.0.2"
MTU = 700


def leave_network() -> None:
    """Give this thread a network namespace of its own, with nothing in it."""
    flags = NEW_NET
    if os.geteuid() != 0:
        # Possible only as long as there is one thread.
        flags |= NEW_USER
    if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"no network namespace: {os.strerror(number)}")


def ip(command: str) -> None:
    """Run ip(8) in this thread's network namespace."""
    subprocess.run(["ip", *command.split()], check=True, capture_output=True)


def end_of_line(address: str, peer: str) -> int:
    """Make one end of the line, in this thread's network namespace."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", b"line", IFF_TUN | IFF_NO_PI))
    ip("link set lo up")
    ip(f"addr add {address} peer {peer} dev line")
    ip(f"link set line mtu {MTU} up")
    return fd


@dataclass
class Treatment:
    """What happens to packets: chances, and seconds."""

    lost: float = 0.0
    doubled: float = 0.0
    # By up to so much, so that one may overtake another.
    delayed: float = 0.0


class Line:
    """Passes packets between two descriptors."""

    def __init__(self, one: int, other: int, treatment: Treatment, seed: int) -> None:
        self.ends = {one: other, other: one}
        self.treatment = treatment
        self.random = random.Random(seed)
        self.passed = self.lost = self.doubled = self.overtook = 0
        self.cut = self.closed = False
        self.waiting: list[tuple[float, int, int, bytes]] = []
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self) -> None:
        last = 0
        while not self.closed:
            due = max(0.0, self.waiting[0][0] - time.monotonic()) if self.waiting else 0.05
            for end in select.select(list(self.ends), [], [], min(due, 0.05))[0]:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        self.take(os.read(end, 2000), self.ends[end])
            while self.waiting and self.waiting[0][0] <= time.monotonic():
                _, number, end, packet = heapq.heappop(self.waiting)
                self.overtook += number < last
                last = max(last, number)
                # The other end may be down.
                with contextlib.suppress(OSError):
                    os.write(end, packet)

    def take(self, packet: bytes, to: int) -> None:
        self.passed += 1
        if self.cut or self.random.random() < self.treatment.lost:
            self.lost += 1
            return
        count = 1 + (self.random.random() < self.treatment.doubled)
        self.doubled += count - 1
        for _ in range(count):
            due = time.monotonic() + self.random.random() * self.treatment.delayed
            heapq.heappush(self.waiting, (due, self.passed, to, packet))

    def close(self) -> None:
        self.closed = True
        self.thread.join()
        for end in self.ends:
            os.close(end)
