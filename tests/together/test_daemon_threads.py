"""A process ends well while its daemon threads are in native code.

Up to Python 3.13 the interpreter ends such a thread when it wants the GIL back during
finalization; see `src/py/finalization.rs`. Whether one does is a matter of chance, so
each program runs some times.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

TIMES = 6

# Runs a daemon thread for a while, and ends.
MAIN = """
import socket, sys, threading, time

def in_thread(work):
    threading.Thread(target=work, daemon=True).start()
    time.sleep(0.05)
"""

PROGRAMS = {
    "asyncio callbacks": """
        import tornado4
        loop = tornado4.new_event_loop()

        def callback():
            time.sleep(0.001)
            loop.call_soon(callback)

        loop.call_soon(callback)
        in_thread(loop.run_forever)
    """,
    "asyncio callbacks, in iterations of somebody's own": """
        import tornado4
        loop = tornado4.new_event_loop()

        def callback():
            time.sleep(0.001)
            loop.call_soon(callback)

        def iterate():
            while True:
                loop._selector.select(0)
                loop._ready.popleft()._run()

        loop.call_soon(callback)
        in_thread(iterate)
    """,
    "asyncio timers": """
        import tornado4
        loop = tornado4.new_event_loop()

        def callback():
            sum(range(20_000))
            loop.call_later(0, callback)

        loop.call_later(0, callback)
        in_thread(loop.run_forever)
    """,
    "asyncio sockets": """
        import asyncio, tornado4
        loop = tornado4.new_event_loop()

        async def main():
            async def echo(reader, writer):
                while data := await reader.read(100):
                    writer.write(data)

            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            while True:
                writer.write(b"x")
                await reader.read(1)

        in_thread(lambda: loop.run_until_complete(main()))
    """,
    "Tornado callbacks": """
        from tornado4.ioloop import IOLoop
        io_loop = IOLoop(make_current=False)

        def callback():
            time.sleep(0.001)
            io_loop.add_callback(callback)

        io_loop.add_callback(callback)
        in_thread(io_loop.start)
    """,
    "Tornado handlers": """
        from tornado4.ioloop import IOLoop
        io_loop = IOLoop(make_current=False)
        left, right = socket.socketpair()
        left.send(b"x")
        io_loop.add_handler(right, lambda *_: time.sleep(0.001), IOLoop.READ)
        in_thread(io_loop.start)
    """,
    "Twisted delayed calls": """
        from tornado4.ioloop import IOLoop
        from tornado4.platform.twisted import TornadoReactor
        reactor = TornadoReactor(IOLoop(make_current=False))

        def call():
            time.sleep(0.001)
            reactor.callLater(0, call)

        reactor.callLater(0, call)
        in_thread(lambda: reactor.run(installSignalHandlers=False))
    """,
    "Twisted transports": """
        from twisted.internet.protocol import Factory, Protocol
        from tornado4.ioloop import IOLoop
        from tornado4.platform.twisted import TornadoReactor
        reactor = TornadoReactor(IOLoop(make_current=False))

        class Echo(Protocol):
            def dataReceived(self, data):
                sum(range(2_000))
                self.transport.write(data)

        port = reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
        client = socket.create_connection(("127.0.0.1", port.getHost().port))

        def load():
            while True:
                client.send(b"x")
                client.recv(1)

        in_thread(lambda: reactor.run(installSignalHandlers=False))
        in_thread(load)
    """,
    "a guest on a stock loop": """
        import asyncio
        from tornado4.platform.twisted import TornadoReactor
        loop = asyncio.SelectorEventLoop()
        reactor = TornadoReactor(loop)

        def call():
            time.sleep(0.001)
            reactor.callLater(0, call)

        reactor.callLater(0, call)
        in_thread(loop.run_forever)
    """,
    "coroutines that await Deferreds on a stock loop": """
        import asyncio
        from tornado4.platform.twisted import task_factory
        loop = asyncio.SelectorEventLoop()
        loop.set_task_factory(task_factory)

        async def main():
            while True:
                sum(range(20_000))
                await asyncio.sleep(0)

        in_thread(lambda: loop.run_until_complete(main()))
    """,
    "calls from threads": """
        import asyncio, tornado4
        from tornado4.ioloop import IOLoop
        from tornado4.platform.twisted import TornadoReactor
        io_loop = IOLoop(make_current=False)
        reactor = TornadoReactor(io_loop)
        loop = io_loop.asyncio_loop

        class Collected:
            # Python code that runs within the calls, since it is in a cycle.
            def __init__(self):
                self.me = self

            def __del__(self):
                sum(range(2_000))

        def flood():
            while True:
                loop.call_soon_threadsafe(Collected)
                reactor.callFromThread(Collected)
                io_loop.add_callback(Collected)

        loop.call_soon(in_thread, flood)
        loop.call_later(0.05, loop.stop)
        loop.run_forever()
    """,
    "a loop in an executor's thread": """
        import asyncio, tornado4
        inner = tornado4.new_event_loop()

        def callback():
            time.sleep(0.001)
            inner.call_soon(callback)

        async def main():
            inner.call_soon(callback)
            in_thread(inner.run_forever)
            await asyncio.to_thread(time.sleep, 0.01)

        tornado4.run(main())
    """,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_process_ends_well(name: str) -> None:
    code = MAIN + textwrap.dedent(PROGRAMS[name])
    for _ in range(TIMES):
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
