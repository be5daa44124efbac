"""A process without file descriptors left: a clear error, and nothing leaked."""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Iterator

import pytest

import tornado4
from tornado4.ioloop import IOLoop


def open_fds() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def soft_limit() -> Iterator[int]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("left", range(4))
@pytest.mark.parametrize("make", [tornado4.new_event_loop, IOLoop], ids=["loop", "io_loop"])
def test_making_a_loop(make: type, left: int, soft_limit: int) -> None:
    make().close()
    gc.collect()
    before = open_fds()
    spare = [os.open(os.devnull, os.O_RDONLY) for _ in range(left)]
    highest = max([int(fd) for fd in os.listdir("/proc/self/fd")] + spare)
    fill = [os.open(os.devnull, os.O_RDONLY) for _ in range(highest - before - left + 8)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(fill) + 1, soft_limit))
    for fd in spare:
        os.close(fd)
    with pytest.raises(OSError, match="Too many open files"):
        make()
    gc.collect()
    for fd in fill:
        os.close(fd)
    assert open_fds() == before
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft_limit, soft_limit))
    make().close()
