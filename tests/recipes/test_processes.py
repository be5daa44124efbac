"""Servers in several processes."""

import os
import re
import signal
import time

import pytest

from helpers.recipes import LIMIT, fetch, free_port, recipe, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LOOP = "<class 'tornado4.platform.asyncio.EventLoop'>"
REACTOR = "<class 'tornado4.platform.twisted.TornadoReactor'>"
SAYS = re.escape(f" on {LOOP} and {REACTOR}")


def pids(program, count):
    """Those of the processes that serve, as they say themselves."""
    program.says(rf"(?s)(Process \d+{SAYS}.*){{{count}}}")
    return {int(pid) for pid in re.findall(rf"Process (\d+){SAYS}", program.output)}


def answering(port, times):
    answers = [fetch(f"http://127.0.0.1:{port}/").decode() for _ in range(times)]
    return {int(re.fullmatch(r"process (\d+)\n", answer)[1]) for answer in answers}


def ends(pid):
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_a_shared_socket_and_a_child_that_dies():
    port = free_port()
    with running(recipe("processes_fork.py"), str(port)) as program:
        first = pids(program, 2)
        assert answering(port, 10) <= first
        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        # Tornado starts another one.
        second = pids(program, 3) - {victim}
        assert len(second) == 2
        assert answering(port, 10) <= second
        # As a terminal does it, to all of them; none of them complains.
        os.killpg(program.process.pid, signal.SIGINT)
        program.ends()
        assert all(ends(pid) for pid in second)


def test_a_shared_socket_and_a_parent_that_dies():
    port = free_port()
    with running(recipe("processes_fork.py"), str(port)) as program:
        children = pids(program, 2)
        program.ends(signal.SIGTERM, -signal.SIGTERM)
        assert all(ends(pid) for pid in children)


@pytest.mark.parametrize(
    ("number", "to"),
    [(signal.SIGINT, "group"), (signal.SIGTERM, "group"), (signal.SIGTERM, "parent")],
)
def test_sockets_of_their_own(number, to):
    port = free_port()
    with running(recipe("processes_reuseport.py"), str(port)) as program:
        processes = pids(program, 2)
        # Each connection goes to either of them, as the kernel likes.
        assert answering(port, 20) == processes
        if to == "group":
            os.killpg(program.process.pid, number)
        else:
            program.process.send_signal(number)
        assert program.ends().endswith("Stopped: 0 0\n")
        assert all(ends(pid) for pid in processes)


def test_sockets_of_their_own_and_a_parent_that_dies():
    with running(recipe("processes_reuseport.py"), str(free_port())) as program:
        processes = pids(program, 2)
        program.ends(signal.SIGKILL, -signal.SIGKILL)
        assert all(ends(pid) for pid in processes)
