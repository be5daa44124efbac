"""It is said when a loop of ours has work and another one runs; and never without need."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from helpers.programs import output_of

PRELUDE = """
import asyncio, threading
import tornado4, tornado4.ioloop, tornado.ioloop
from tornado4.platform import _forgotten

current = tornado.ioloop.IOLoop.current

async def uses_tornado():
    current().add_callback(print, "done")
    await asyncio.sleep(0.01)
"""

WORK = {
    "callback": "current().add_callback(print)",
    "timer": "current().call_later(0, print)",
    "server": "from tornado.web import Application; Application().listen(0, '127.0.0.1')",
    "task": "current().asyncio_loop.create_task(asyncio.sleep(0)) and None",
}

OTHERS = {
    "asyncio.run": "asyncio.run(asyncio.sleep(0))",
    "tornado4.run": "tornado4.run(asyncio.sleep(0))",
    "nest_asyncio's": "import nest_asyncio; loop = tornado4.new_event_loop()\n"
    "nest_asyncio.apply(loop); loop.run_until_complete(asyncio.sleep(0))",
    "our new loop": "tornado4.new_event_loop().run_until_complete(asyncio.sleep(0))",
    "a stock loop": "asyncio.new_event_loop().run_until_complete(uses_tornado())",
    "a stock reactor": """
from twisted.internet import reactor
from tornado4.platform.twisted import TwistedIOLoop
io_loop = TwistedIOLoop(make_current=False)
reactor.callLater(0.01, reactor.stop)
reactor.run()
""",
    "a guest": """
from tornado4.platform.twisted import TornadoReactor
reactor = TornadoReactor(asyncio.new_event_loop())
reactor.callLater(0.01, reactor.stop)
reactor.run()
""",
}


def errors_of(code: str) -> str:
    command = [sys.executable, "-c", PRELUDE + textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("work", WORK)
def test_work_of_each_kind_is_noticed_at_the_end(work: str) -> None:
    errors = errors_of(f"{WORK[work]}\n{OTHERS['asyncio.run']}")
    assert errors.count("RuntimeWarning: <EventLoop running=False") == 1
    assert "never ran, while another event loop did" in errors


@pytest.mark.parametrize("other", OTHERS)
def test_other_loops_of_each_kind_are_noticed(other: str) -> None:
    errors = errors_of(f"{WORK['timer']}\n{OTHERS[other]}")
    assert errors.count("never ran, while another event loop did") == 1


@pytest.mark.parametrize(
    "other",
    [
        "asyncio.new_event_loop().run_until_complete(waits())",
        "tornado4.run(waits())",
        "tornado4.new_event_loop().run_until_complete(waits())",
    ],
)
def test_it_is_said_while_the_other_one_runs_and_once(other: str) -> None:
    out = output_of(
        PRELUDE
        + textwrap.dedent(
            f"""
            import warnings
            warnings.filterwarnings("ignore", category=ResourceWarning)
            _forgotten.PATIENCE = 0.01
            said = asyncio.Event()

            def show(message, category, *args):
                print(category.__name__)
                said.set()

            warnings.showwarning = show

            async def waits():
                current()
                await said.wait()
                await asyncio.sleep(0.05)

            {WORK["timer"]}
            {other}
            """
        )
    )
    assert out == "RuntimeWarning\n"


SILENT = {
    "a guest that runs": """
from twisted.internet import reactor
from tornado4.platform.twisted import TwistedIOLoop
io_loop = TwistedIOLoop()
io_loop.add_callback(print, "done")
reactor.callWhenRunning(lambda: print(*_forgotten._watching))
io_loop.call_later(0.01, reactor.stop)
reactor.run()
""",
    "nothing ran": WORK["timer"],
    "closed": f"{WORK['timer']}; current().close(); asyncio.run(asyncio.sleep(0))",
    "it ran later": f"{WORK['callback']}; tornado4.run(asyncio.sleep(0))\n"
    "current().run_sync(uses_tornado)",
    "it ran before": "current().run_sync(uses_tornado); current().call_later(9, print)\n"
    "asyncio.run(asyncio.sleep(0)); tornado4.run(asyncio.sleep(0))",
    "no work": "current(); asyncio.run(uses_tornado()); tornado4.run(uses_tornado())",
    "work removed": "c = current(); c.remove_timeout(c.call_later(9, print))\n"
    "asyncio.run(asyncio.sleep(0))",
    "an idle reactor": "import tornado4.platform.twisted; tornado4.platform.twisted.install()\n"
    "asyncio.run(asyncio.sleep(0))",
    "another thread": "t = threading.Thread(target=asyncio.run, args=(uses_tornado(),))\n"
    f"{WORK['timer']}; t.start(); t.join()",
    "collected": "loop = tornado4.new_event_loop(); loop.call_soon(print)\n"
    "asyncio.run(asyncio.sleep(0)); loop.close(); del loop",
    "a forked child's own loop": """
import os, sys
current().add_callback(print, "done")
child = os.fork()
if not child:
    asyncio.run(asyncio.sleep(0))
    tornado4.run(asyncio.sleep(0))
    sys.exit()
os.waitpid(child, 0)
current().run_sync(uses_tornado)
""",
    "refused": """
refused = tornado4.ioloop.IOLoop(make_current=False)
async def main():
    try:
        refused.run_sync(uses_tornado)
    except RuntimeError:
        print("done")
tornado4.run(main())
""",
    "iterated by hand": """
loop = current().asyncio_loop
loop.call_soon(print, "done")
loop.call_later(9, print)
asyncio._set_running_loop(loop)
loop._run_once()
asyncio._set_running_loop(None)
tornado4.run(asyncio.sleep(0))
""",
    "run by nest_asyncio": """
import nest_asyncio
later = tornado4.ioloop.IOLoop.current()
nest_asyncio.apply(later.asyncio_loop)
later.run_sync(uses_tornado)
later.call_later(9, print)
other = asyncio.new_event_loop()
other.run_until_complete(uses_tornado())
other.close()
""",
    "a policy that makes loops unasked": """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
class Policy(asyncio.AbstractEventLoopPolicy):
    def get_event_loop(self):
        print("asked")
asyncio.set_event_loop_policy(Policy())
""",
    "another one is current": "a = tornado4.ioloop.IOLoop(make_current=False)\n"
    "a.call_later(9, print); b = tornado4.ioloop.IOLoop()",
}


@pytest.mark.parametrize("name", SILENT)
def test_nothing_is_said_without_need(name: str) -> None:
    assert set(output_of(f"{PRELUDE}\n{SILENT[name]}").split()) <= {"done"}
