"""What the process holds, and how late its loop is, once a second."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import sys
import time
from array import array
from pathlib import Path
from typing import Any, TextIO

from .world import World

TICK = 0.02
PAGE = os.sysconf("SC_PAGE_SIZE")


def held() -> dict[str, int]:
    """What may leak."""
    status = Path("/proc/self/status").read_text()
    return {
        "memory": int(Path("/proc/self/statm").read_text().split()[1]) * PAGE,
        "blocks": sys.getallocatedblocks(),
        "descriptors": len(os.listdir("/proc/self/fd")) - 1,
        "threads": int(status.partition("Threads:")[2].split()[0]),
    }


def opened() -> set[str]:
    """What the process has open. Twisted keeps /dev/null for when there are none left."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # That of the folder itself.
            found.add(os.readlink(f"/proc/self/fd/{name}"))
    return found - {os.devnull}


class Recorder:
    """Writes each second's line into a file at once, so that it holds nothing itself."""

    def __init__(self, world: World, file: TextIO) -> None:
        self._world = world
        self._file = file
        self._late = array("d")
        self._metrics: Any = None
        if hasattr(world.loop, "_measured"):
            import tornado4

            self._metrics = tornado4.metrics(world.loop)

    async def tick(self) -> None:
        """Note how late a timer is."""
        loop = self._world.loop
        while not self._world.ended:
            due = loop.time() + TICK
            await asyncio.sleep(TICK)
            self._late.append(max(loop.time() - due, 0.0))

    async def record(self, seconds: float) -> None:
        """Record until the time is over."""
        begun = due = time.monotonic()
        volume, visits = 0, 0
        before = self._metrics.read() if self._metrics else None
        while due < begun + seconds:
            due += 1
            await asyncio.sleep(max(due - time.monotonic(), 0))
            if round(due - begun) % 10 == 0:
                # What waits for the collector is no leak.
                gc.collect()
            line: dict[str, float] = {"second": round(time.monotonic() - begun, 1), **held()}
            late, self._late = sorted(self._late), array("d")
            for name, part in (("late_p50", 0.5), ("late_p99", 0.99), ("late_max", 1.0)):
                line[name] = late[min(int(len(late) * part), len(late) - 1)] if late else 0.0
            now = sum(self._world.visits.values())
            line |= {"visits": now - visits, "bytes": self._world.bytes - volume}
            visits, volume = now, self._world.bytes
            if self._metrics:
                after = self._metrics.read()
                since, before = after.since(before), after
                line |= {"lag_p50": since.lag_p50, "lag_p99": since.lag_p99}
                line |= {"lag_max": since.lag_max, "turns": since.turns, "busy": since.busy}
                line |= {"timers": after.timers, "watched": after.descriptors}
            line["wrong"] = len(self._world.wrong)
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()


def columns(lines: Path) -> dict[str, list[float]]:
    """All lines of the file, by name."""
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
