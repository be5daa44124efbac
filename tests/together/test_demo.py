"""``python -m tornado4.demo``, run as its readers run it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from helpers.programs import everywhere

CHECKS = [
    "Tornado AsyncHTTPClient -> Twisted web",
    "Tornado IOStream -> Twisted lines",
    "Tornado IOStream -> asyncio lines",
    "Twisted Agent -> Tornado web",
    "Twisted endpoint -> Tornado lines",
    "Twisted endpoint -> asyncio lines",
    "asyncio streams -> Tornado web",
    "asyncio streams -> Tornado lines",
    "asyncio streams -> Twisted lines",
    "asyncio -> Tornado web -> Twisted lines",
    "one loop for all three",
    "coroutine awaits a Deferred",
    "coroutine used as a Deferred",
    "thread -> reactor.callFromThread",
    "thread -> IOLoop.add_callback",
    "thread -> loop.call_soon_threadsafe",
    "deferToThread and run_in_executor",
    "callLater and both call_later",
    "child by reactor.spawnProcess",
    "child by create_subprocess_exec",
]
WIDTH = 80  # columns, of the narrowest terminals in use
LOOP = r"tornado4\.\S+"


def run(*arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    command = [python, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def run_checks(code: str) -> subprocess.CompletedProcess[str]:
    """Run a script that sees the demo's checks and ends with a set of its own."""
    lines = [
        "import asyncio, sys, time",
        "from tornado4.demo import report",
        "from tornado4.demo.__main__ import main, run_checks",
        "from tornado4.demo.report import CHECKS",
        code,
    ]
    return run("-c", "\n".join(lines))


@everywhere
def test_check_passes_for_every_pair(python: str) -> None:
    done = run("-m", "tornado4.demo", "--check", python=python)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    for name in CHECKS:
        found = [line for line in lines if re.match(rf"ok +{re.escape(name)}  +\S", line)]
        assert len(found) == 1, (name, done.stdout)
    assert re.search(
        r"^ok +one loop for all three +EventLoop of tornado4$", done.stdout, re.MULTILINE
    )
    assert lines[-1] == f"{len(CHECKS)} of {len(CHECKS)} checks passed"
    assert len(lines) == len(CHECKS) + 1
    assert [line for line in lines if len(line) > WIDTH] == []
    assert done.stderr == ""


def test_the_names_above_are_all_checks() -> None:
    done = run_checks("print(*CHECKS, sep='\\n')")
    assert done.stdout.splitlines() == CHECKS


@everywhere
def test_plain_demo_shows_who_talks_to_whom(python: str) -> None:
    done = run("-m", "tornado4.demo", python=python)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in CHECKS[:9]:
        row = re.search(rf"^{re.escape(name)} +(\d+) +(\d+)$", done.stdout, re.MULTILINE)
        assert row, (name, done.stdout)
        assert int(row[1]) == 16
        assert int(row[2]) > 500
    for view in "asyncio.get_running_loop()", "IOLoop.current()", "reactor":
        assert re.search(rf"^{re.escape(view)} +{LOOP}$", done.stdout, re.MULTILINE), done.stdout
    assert [line for line in done.stdout.splitlines() if len(line) > WIDTH] == []
    assert "in one thread (MainThread), on the same loop" in done.stdout
    assert done.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@everywhere
def test_serve_answers_until_interrupted(python: str) -> None:
    command = [python, "-u", "-m", "tornado4.demo", "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                if relay := re.search(rb"http://\S+/relay/hello", line):
                    break
            else:
                pytest.fail("no URL was printed")
            with urllib.request.urlopen(relay[0].decode(), timeout=60) as answer:
                assert answer.read().startswith(b"Twisted lines says HELLO on tornado4.")
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0
    assert errors == b""


def test_a_failing_check_makes_the_exit_code_non_zero() -> None:
    done = run_checks(
        "async def broken(services): raise LookupError('the pair is broken')\n"
        "CHECKS['Twisted Agent -> Tornado web'] = broken\n"
        "sys.exit(main(['--check']))"
    )
    assert done.returncode == 1
    pattern = r"^FAILED +Twisted Agent -> Tornado web +LookupError: the pair is broken$"
    assert re.search(pattern, done.stdout, re.MULTILINE), done.stdout
    assert f"{len(CHECKS) - 1} of {len(CHECKS)} checks passed" in done.stdout
    assert "Traceback" in done.stderr


def test_a_wrong_answer_is_noticed() -> None:
    name = "asyncio streams -> Twisted lines"
    done = run_checks(
        "from tornado4.demo import services\n"
        "services.TwistedLines.lineReceived = (\n"
        "    lambda self, line: self.transport.write(services.said('Twisted lines', 'x')))\n"
        f"sys.exit(run_checks({{{name!r}: CHECKS[{name!r}]}}))"
    )
    assert done.returncode == 1
    assert re.search(rf"^FAILED +{name} +AssertionError: got ", done.stdout, re.MULTILINE)


def test_no_checks_is_no_success() -> None:
    assert run_checks("sys.exit(run_checks({}))").returncode == 1


def test_a_check_that_never_ends_is_timed_out() -> None:
    done = run_checks(
        "report.TIMEOUT = 0.3\n"
        "async def endless(services): await asyncio.Event().wait()\n"
        "sys.exit(run_checks({'endless': endless}))"
    )
    assert done.returncode == 1
    assert re.search(r"^FAILED +endless +TimeoutError", done.stdout, re.MULTILINE), done.stdout


def test_a_loop_that_hangs_is_ended() -> None:
    done = run_checks(
        "report.TIMEOUT = 0.3\n"
        "async def stuck(services): time.sleep(30)\n"
        "sys.exit(run_checks({'stuck': stuck}))"
    )
    assert done.returncode == 1
    assert "Timeout (" in done.stderr


def test_a_service_that_cannot_start_is_an_error() -> None:
    done = run_checks(
        "from tornado4.demo import services\n"
        "services.HOST = '203.0.113.1'  # not ours\n"
        "sys.exit(run_checks(CHECKS))"
    )
    assert done.returncode == 1
    assert "OSError" in done.stderr


def test_importing_the_demo_installs_no_reactor() -> None:
    done = run_checks("print('twisted.internet.reactor' in sys.modules)")
    assert done.stdout.strip() == "False"
