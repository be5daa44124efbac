"""Other threads beside a loop that never waits.

The interpreter is told to take the GIL away from nobody (for an hour, so to say). So
another thread runs only if the loop lets it, which it does for one that waits.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

PROGRAMS = {
    "asyncio": """
        import asyncio, sys, tornado4

        async def spin(stopped):
            while not stopped:
                await asyncio.sleep(0)

        async def main():
            stopped = []
            spinning = [asyncio.ensure_future(spin(stopped)) for _ in range(10)]
            for number in range(100):
                assert await asyncio.to_thread(abs, -number) == number
            stopped.append(True)
            await asyncio.wait(spinning)

        sys.setswitchinterval(3600)
        tornado4.run(main())
    """,
    "Tornado": """
        import sys
        from tornado4.ioloop import IOLoop
        io_loop = IOLoop()

        def spin():
            io_loop.add_callback(spin)

        async def main():
            for number in range(100):
                assert await io_loop.run_in_executor(None, abs, -number) == number

        sys.setswitchinterval(3600)
        io_loop.add_callback(spin)
        io_loop.run_sync(main)
    """,
    "Twisted": """
        import sys
        from tornado4.platform.twisted import install
        reactor = install()
        from twisted.internet.defer import inlineCallbacks
        from twisted.internet.task import react
        from twisted.internet.threads import deferToThread

        def spin():
            reactor.callLater(0, spin)

        @inlineCallbacks
        def main():
            for number in range(100):
                assert (yield deferToThread(abs, -number)) == number
            reactor.stop()

        def failed(failure):
            failure.printTraceback()
            reactor.stop()

        sys.setswitchinterval(3600)
        spin()
        reactor.callWhenRunning(lambda: main().addErrback(failed))
        reactor.run()
    """,
    "a loop that serves descriptors": """
        import asyncio, socket, sys, tornado4

        async def main():
            left, right = socket.socketpair()
            left.send(b"x")
            served = []
            # Never read, so it is ready all the time.
            asyncio.get_running_loop().add_reader(right, served.append, None)
            for number in range(100):
                assert await asyncio.to_thread(abs, -number) == number
            assert served

        sys.setswitchinterval(3600)
        tornado4.run(main())
    """,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_thread_that_waits_is_let_in(name: str) -> None:
    command = [sys.executable, "-c", textwrap.dedent(PROGRAMS[name])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
