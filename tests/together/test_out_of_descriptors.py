"""A process without file descriptors left: a clear error, and nothing leaked."""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Iterator

import pytest

import tornado4
from helpers.scenarios import open_fds
from tornado4.ioloop import IOLoop


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
    before = len(open_fds())
    spare = [os.open(os.devnull, os.O_RDONLY) for _ in range(left)]
    highest = max([*open_fds(), *spare])
    fill = [os.open(os.devnull, os.O_RDONLY) for _ in range(highest - before - left + 8)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(fill) + 1, soft_limit))
    for fd in spare:
        os.close(fd)
    with pytest.raises(OSError, match="Too many open files"):
        make()
    gc.collect()
    for fd in fill:
        os.close(fd)
    assert len(open_fds()) == before
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft_limit, soft_limit))
    make().close()
