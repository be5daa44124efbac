"""Hundreds of thousands of native objects, each held by the next one, are freed; calls that
go from one to the next end in a RecursionError. Each in a process of its own."""

from __future__ import annotations

import pytest

from helpers.programs import output_of

# Makes a chain, which the name `last` holds.
CHAINS = {
    "call_soon": "for _ in range(N): last = loop.call_soon(last)",
    "call_soon, as an argument": "for _ in range(N): last = loop.call_soon(print, last)",
    "call_later": "for _ in range(N): last = loop.call_later(9, last)",
    "call_at, through others": (
        "import functools\n"
        "for _ in range(N): last = loop.call_at(9, functools.partial(print, last))"
    ),
    "a subclass in between": (
        "class Thing: pass\n"
        "for _ in range(N):\n"
        "    last, thing = Thing(), last\n"
        "    last.it = loop.call_soon(thing)\n"
    ),
    "cancelled": (
        "for _ in range(N): last = loop.call_soon(last)\n"
        "last.cancel()\n"  # Frees the one before, and so on.
    ),
    "Tornado's add_timeout": "for _ in range(N): last = io_loop.call_later(9, print, last)",
    "Twisted's callLater": "for _ in range(N): last = reactor.callLater(9, print, last)",
    "Coroutine": (
        "from tornado4._core import Coroutine\nfor _ in range(N): last = Coroutine(last)"
    ),
    "TaskMaker": (
        "from tornado4._core import TaskMaker\nfor _ in range(N): last = TaskMaker(last)"
    ),
    "asyncio's transports": (
        "from tornado4._core import SocketTransport\n"
        "for _ in range(N):\n"
        "    last, protocol = SocketTransport(), last\n"
        "    last.set_protocol(protocol)\n"
    ),
    "Twisted's transports": (
        "from tornado4.platform.twisted._tcp import Server\n"
        "for _ in range(N):\n"
        "    last, protocol = Server.__new__(Server), last\n"
        "    last.protocol = protocol\n"
    ),
    "datagrams": (
        "from tornado4._core import DatagramEndpoint\n"
        "for _ in range(N):\n"
        "    last, protocol = DatagramEndpoint(), last\n"
        "    last._protocol = protocol\n"
    ),
    "pipes": (
        "from tornado4._core import ReadPipe\n"
        "for _ in range(N):\n"
        "    last, protocol = ReadPipe(), last\n"
        "    last._protocol = protocol\n"
    ),
}

BEGINNING = """
import gc
import tornado4
from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor
gc.disable()
N, last = 200_000, None
loop = tornado4.new_event_loop()
io_loop = IOLoop(asyncio_loop=loop, make_current=False)
reactor = TornadoReactor(io_loop)
"""
ENDS = {
    "freed with the loop": "loop.close(); del loop, io_loop, reactor, last",
    "freed by the collector": "last = [last]; last.append(last); loop.close(); del last",
    "freed in a small thread": (
        "import threading\n"
        "threading.stack_size(128 * 1024)\n"
        "loop.close(); all = [last]; del last\n"
        "thread = threading.Thread(target=all.clear); thread.start(); thread.join()\n"
    ),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("chain", CHAINS)
def test_a_long_chain_is_freed(chain, end):
    program = f"{BEGINNING}\n{CHAINS[chain]}\n{ENDS[end]}\ngc.collect()\nprint('freed')"
    assert output_of(program) == "freed\n"


@pytest.mark.parametrize(
    "call",
    [
        "last.send(None)",
        "next(last)",
        "last.throw(ValueError)",
        "last.close()",
        "last.missing",
        "repr(last)",
    ],
)
@pytest.mark.parametrize("size", [0, 64])
def test_a_call_through_a_long_chain_of_coroutines(call, size):
    """`size`: of the thread's stack, in KiB."""
    program = f"""
        import threading
        from tornado4._core import Coroutine

        async def main(): pass
        last = main()
        for _ in range(200_000):
            last = Coroutine(last)

        def run():
            try:
                {call}
            except RecursionError as error:
                print("RecursionError")

        if {size}:
            threading.stack_size({size} * 1024)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        run()
        last.__class__  # That it has itself.
        import warnings
        warnings.simplefilter("ignore")
    """
    assert output_of(program) == "RecursionError\n" * 2
