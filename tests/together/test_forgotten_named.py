"""The warning of a forgotten loop names both loops, where they were made, and what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from helpers.programs import output_of


def warnings_of(program: str, path: Path) -> list[str]:
    file = path / "program.py"
    file.write_text(program)
    command = [sys.executable, "-W", "ignore::ResourceWarning", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    return [
        line
        for line in lines
        if "RuntimeWarning" in line and ("never ran" in line or "not run so far" in line)
    ]


LISTEN = """from tornado.web import Application
Application().listen(0, "127.0.0.1")
"""

# What is forgotten, and what the warning says of it: the line, how it is used, what to do.
FORGOTTEN = {
    "IOLoop": (
        f"import tornado4.ioloop, asyncio\n{LISTEN}",
        (3, "EventLoop running=False", " with an IOLoop ", "IOLoop.current().start()"),
    ),
    "installed": (
        f"import tornado4, asyncio\ntornado4.install(asyncio=False)\n{LISTEN}",
        (4, "EventLoop running=False", " with an IOLoop ", "IOLoop.current().start()"),
    ),
    "asyncio": (
        "import tornado4, asyncio\nloop = tornado4.new_event_loop()\nloop.call_later(9, print)\n",
        (2, "EventLoop running=False", "", "its run_forever() or run_until_complete()"),
    ),
    "reactor": (
        "import tornado4.platform.twisted, asyncio\n"
        "reactor = tornado4.platform.twisted.install()\nreactor.callLater(9, print)\n",
        (2, "EventLoop running=False", " with Twisted's reactor ", "reactor.run()"),
    ),
    "default reactor": (
        "import tornado4, asyncio\ntornado4.install(asyncio=False)\n"
        "from twisted.internet import reactor\n"
        "from twisted.internet.protocol import Factory\nreactor.listenTCP(0, Factory())\n",
        (3, "EventLoop running=False", " with Twisted's reactor ", "reactor.run()"),
    ),
    "guest": (
        "import tornado4.platform.twisted, asyncio\nhost = asyncio.new_event_loop()\n"
        "reactor = tornado4.platform.twisted.TornadoReactor(host)\n"
        "reactor.callLater(9, print)\n",
        (3, "TornadoReactor driven by <_UnixSelectorEventLoop", "", "reactor.run()"),
    ),
}

# What runs instead, and what the warning calls it; with the line that makes it.
OTHERS = {
    "asyncio.run": (
        "asyncio.run(asyncio.sleep(0), **{'loop_factory': tornado4.new_event_loop})",
        "tornado4.platform.asyncio.EventLoop, made at {file}:{line}",
    ),
    "our loop": (
        "import tornado4; tornado4.new_event_loop().run_until_complete(asyncio.sleep(0))",
        "tornado4.platform.asyncio.EventLoop, made at {file}:{line}",
    ),
    "a stock loop": (
        "import tornado.ioloop as i, tornado4._io_loop\n"
        "async def main(): i.IOLoop.current()\n"
        "asyncio.new_event_loop().run_until_complete(main())",
        "asyncio.unix_events._UnixSelectorEventLoop.",
    ),
}
if sys.version_info < (3, 12):
    del OTHERS["asyncio.run"]


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("forgotten", FORGOTTEN)
def test_what_it_says(forgotten: str, other: str, tmp_path: Path) -> None:
    code, (line, name, use, advice) = FORGOTTEN[forgotten]
    more, called = OTHERS[other]
    program = f"{code}{more}\n"
    (said,) = warnings_of(program, tmp_path)
    file = tmp_path / "program.py"
    assert said.startswith(f"{file}:{line}: RuntimeWarning: <{name}")
    assert use in said
    assert f"by {advice}" in said
    last = len(program.splitlines())
    assert called.format(file=file, line=last) in said


def test_twisteds_own_reactor_is_named(tmp_path: Path) -> None:
    program = """
import tornado4.platform.twisted
from tornado4.ioloop import IOLoop
from twisted.internet import reactor
IOLoop.current().call_later(9, print)
reactor.callLater(0, reactor.stop)
reactor.run()
"""
    (said,) = warnings_of(program, tmp_path)
    assert "program.py:5: RuntimeWarning: <EventLoop" in said
    assert "did: twisted.internet.epollreactor.EPollReactor." in said


# Twisted's asyncio reactor, on a loop of ours or a stock one.
ASYNCIO_REACTOR = """import asyncio, tornado4
from twisted.internet import asyncioreactor
loop = {loop}
asyncioreactor.install(loop)
from twisted.internet import reactor
called = []
reactor.callLater(0, called.append, 1)
reactor.callLater(9, print)
"""


@pytest.mark.parametrize("loop", ["tornado4.new_event_loop()", "asyncio.new_event_loop()"])
@pytest.mark.parametrize("runs", [True, False])
def test_twisteds_asyncio_reactor_is_told_of_if_its_loop_never_ran(
    loop: str, runs: bool, tmp_path: Path
) -> None:
    program = ASYNCIO_REACTOR.format(loop=loop)
    if runs:
        # `reactor.run` isn't needed for it.
        program += (
            "async def main():\n"
            "    while not called:\n"
            "        await asyncio.sleep(0.001)\n"
            "    if loop.__module__.startswith('asyncio'):\n"
            "        await asyncio.to_thread(tornado4.run, waits())\n"
            "    else:\n"
            "        await waits()\n"
        )
    else:
        program += "async def main():\n    await waits()\n"
    program += (
        "from tornado4.platform import _forgotten\n"
        "_forgotten.PATIENCE = 0.01\n"
        "async def waits():\n"
        "    await asyncio.sleep(0.05)\n"
    )
    program += (
        "loop.run_until_complete(main())\nloop.close()\n" if runs else ("tornado4.run(main())\n")
    )
    assert len(warnings_of(program, tmp_path)) == (0 if runs else 1)


# What is there when the other loop begins to run, and the work that it is given then.
LATER = {
    "our reactor": (
        "from tornado4.platform.twisted import install\nreactor = install()",
        "reactor.callLater(9, print)",
        "tornado4.new_event_loop().run_until_complete(main())",
    ),
    "Twisted's reactor": (
        "from twisted.internet import reactor",
        "reactor.callLater(9, print)",
        "tornado4.run(main())",
    ),
    "IOLoop": (
        "from tornado4.ioloop import IOLoop\nio_loop = IOLoop.current()",
        "io_loop.call_later(9, print)",
        "tornado4.run(main())",
    ),
}


@pytest.mark.parametrize("what", LATER)
def test_work_that_is_given_while_the_other_one_runs(what: str) -> None:
    first, work, run = LATER[what]
    out = output_of(f"""
import asyncio, warnings, tornado4
{first}
from tornado4.platform import _forgotten
warnings.filterwarnings("ignore", category=ResourceWarning)
_forgotten.PATIENCE = 0.01
said = asyncio.Event()
def show(message, category, *args):
    print(category.__name__)
    said.set()
warnings.showwarning = show
async def main():
    await asyncio.sleep(0.1)
    print("given")
    {work}
    await said.wait()
    await asyncio.sleep(0.1)
{run}
""")
    assert out == "given\nRuntimeWarning\n"


def test_what_is_told_of_timers_leaves_it_out() -> None:
    out = output_of("""
import asyncio, tornado4
from tornado4.ioloop import IOLoop
from twisted.internet import reactor  # Twisted's own, which may be forgotten
io_loop = IOLoop()
async def main():
    io_loop.call_later(100, print)
    print(repr(io_loop), tornado4.metrics().read().timers)
io_loop.run_sync(main)
print(repr(io_loop), tornado4.metrics(io_loop).read().timers)
io_loop.close()
""")
    assert out.splitlines() == [
        "<IOLoop running, 0 handlers, 1 timer> 1",
        "<IOLoop stopped, 0 handlers, 1 timer> 1",
    ]


@pytest.mark.parametrize(
    "base", ["tornado4.platform.asyncio.EventLoop", "asyncio.SelectorEventLoop"]
)
@pytest.mark.parametrize("way", ["class", "object"])
def test_a_clock_of_somebodys_own_finds_no_timer_to_jump_to(base: str, way: str) -> None:
    out = output_of(f"""
import asyncio, time, tornado4.platform.asyncio
from tornado4.platform import _forgotten
class Own({base}):
    def time(self):
        return time.monotonic() + 1
unused = tornado4.new_event_loop()
loops = [{base}(), {base}() if {way == "object"} else Own()]
if {way == "object"}:
    loops[1].time = time.monotonic
for loop in loops:
    loop.call_soon(_forgotten.runs, loop)
    loop.run_until_complete(asyncio.sleep(0))
    print(_forgotten.timers_of(loop))
    loop.close()
unused.close()
""")
    assert out.split() == ["1", "0"]


def test_it_is_looked_for_less_and_less_often() -> None:
    out = output_of("""
import asyncio, tornado4
from tornado4.ioloop import IOLoop
from tornado4.platform import _forgotten
io_loop = IOLoop.current()
class Loop:
    def call_later(self, seconds, callback, *args):
        print(seconds, end=" ")
        asyncio.get_running_loop = lambda: self
        callback(*args)
_forgotten.runs(Loop())
io_loop.close()
print()
_forgotten.runs(Loop())
""")
    assert out.splitlines() == ["5.0 10.0 20.0 40.0 80.0 160.0 320.0 640.0 1280.0 2560.0 "]


def test_a_loop_whose_kind_is_unknown(tmp_path: Path) -> None:
    program = """
import asyncio
from tornado4.ioloop import IOLoop
IOLoop.current().call_later(9, print)
asyncio.run(asyncio.sleep(0))
"""
    (said,) = warnings_of(program, tmp_path)
    assert "did: one that isn't tornado4's." in said


SILENT = {
    "a guest that runs": "reactor.callLater(0.01, reactor.stop)\nreactor.run()\n"
    "asyncio.run(asyncio.sleep(0))\ntornado4.run(asyncio.sleep(0))",
    "a guest that is iterated": "reactor.callLater(9, print)\nreactor.iterate()\n"
    "tornado4.run(asyncio.sleep(0))",
    "a guest without work": "tornado4.run(asyncio.sleep(0))",
    "a guest whose host is closed": "reactor.callLater(9, print)\nhost.close()\n"
    "tornado4.run(asyncio.sleep(0))",
    "nothing else runs": "reactor.callLater(9, print)",
}


@pytest.mark.parametrize("name", SILENT)
def test_nothing_is_said_of_a_guest_without_need(name: str, tmp_path: Path) -> None:
    code = "import asyncio, tornado4\nfrom tornado4.platform.twisted import TornadoReactor\n"
    code += "host = asyncio.new_event_loop()\nreactor = TornadoReactor(host)\n"
    assert warnings_of(code + SILENT[name], tmp_path) == []


def test_the_reactors_loop_is_current_rather_than_a_second_one() -> None:
    out = output_of(
        """
        import asyncio
        import tornado4.platform.twisted
        from tornado.ioloop import IOLoop
        from tornado4.ioloop import IOLoop as Ours
        loop = tornado4.new_event_loop()
        reactor = tornado4.platform.twisted.install(loop)
        reactor.callLater(0.01, reactor.stop)
        print(Ours.current(instance=False))
        print(Ours.current().asyncio_loop is loop)
        print(IOLoop.current().asyncio_loop is loop)
        IOLoop.current().start()
        print("ended")
        loop.close()
        print(Ours.current().asyncio_loop is loop)
        """
    )
    assert out == "None\nTrue\nTrue\nended\nFalse\n"
