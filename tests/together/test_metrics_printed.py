"""`python -m tornado4 --top`, which prints what `tornado4.metrics` measures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

PROGRAM = """
import asyncio, os, signal, sys
async def main():
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["USR1", "SIGUSR1"])
def test_top_on_a_signal(how: str) -> None:
    command = [sys.executable, "-m", "tornado4", f"--top={how}", "-c", PROGRAM]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGUSR1)
        first = process.stderr.readline()
        assert process.stdin is not None
        process.stdin.write("x\n")
        process.stdin.close()
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 0
    assert first == f"tornado4 [{process.pid}] EventLoop\n"
    assert rest.count("  turns ") == 2
    assert rest.count("  lag ") == 2
    # The signal may come in the first iteration, when nothing has been measured.
    assert rest.count("asyncio\n") in (1, 2)


def top_until(code: str, enough: Callable[[list[str]], bool]) -> str:
    """Return what --top says of a program that ends when its input does: when it is enough."""
    command = [sys.executable, "-m", "tornado4", "--top=0.1", "-c", code]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        lines: list[str] = []
        while not enough(lines):
            lines.append(process.stderr.readline())
            assert lines[-1], "".join(lines)
        process.stdin.close()
        lines.extend(process.stderr)
        assert (process.wait(timeout=60), process.stdout.read()) == (0, "")
    return "".join(lines)


WAITING = """
import asyncio, os, sys
async def main():
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
"""


def busy(lines: list[str]) -> list[str]:
    return [line for line in lines if "% busy, " in line]


def test_top_every_moment() -> None:
    said = top_until(WAITING + "asyncio.run(main())", lambda lines: len(busy(lines)) >= 2)
    assert said.count("  turns ") == 1


def test_top_of_forked_children() -> None:
    def both(lines: list[str]) -> bool:
        return len({line.split("]")[0] for line in busy(lines)}) == 2

    forks = "child = os.fork()\nasyncio.run(main())\nchild and os.waitpid(child, 0)"
    top_until(WAITING + forks, both)


ENDING = """
import asyncio, sys, threading
sys.setswitchinterval(1e-6)
def runs():
    for _ in range(400):
        asyncio.run(asyncio.sleep(0))
threads = [threading.Thread(target=runs) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_top_of_loops_that_end_in_several_threads_at_once() -> None:
    command = [sys.executable, "-m", "tornado4", "--top=0.001", "-c", ENDING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    # Of loops that end at the same time one more may be left out.
    assert 5 < done.stderr.count("  turns ") <= 10
