"""Turns within turns, in threads with small stacks: a RecursionError, and the loop goes on.
Each in a process of its own."""

from __future__ import annotations

import textwrap

import pytest

from helpers.programs import output_of

TURNS = {
    "asyncio": """
        loop = tornado4.new_event_loop()
        again, turn, close = loop.call_soon, loop._run_once, loop.close
        outer_turn = turn
        loop.set_exception_handler(lambda _, context: failed(context["exception"]))
    """,
    "asyncio, run in run": """
        import nest_asyncio2
        loop = tornado4.new_event_loop()
        # It takes a RecursionError for a sign of something else, and then waits for ever.
        nest_asyncio2._context_entered = lambda context: False
        nest_asyncio2.apply(loop)
        asyncio.set_event_loop(loop)
        again, close = loop.call_soon, loop.close
        loop.set_exception_handler(lambda _, context: failed(context["exception"]))

        async def once():
            await asyncio.sleep(0)

        def rescue():
            if failures:
                loop.stop()
            loop.call_later(1, rescue)

        loop.call_later(1, rescue)

        def turn():
            coroutine = once()
            try:
                loop.run_until_complete(coroutine)
            except RuntimeError as error:
                # Where the stack ends in a task's step, the task never comes to its end.
                if str(error) != "Event loop stopped before Future completed.":
                    raise
                loop._stopping = False
            finally:
                coroutine.close()

        outer_turn = turn
    """,
    "asyncio, a loop in a loop": """
        loop = tornado4.new_event_loop()
        again, outer_turn, close = loop.call_soon, loop._run_once, loop.close
        loop.set_exception_handler(lambda _, context: failed(context["exception"]))

        def turn():
            other = tornado4.new_event_loop()
            other.set_exception_handler(lambda _, context: failed(context["exception"]))
            other.call_soon(nested)
            other.call_soon(other.stop)
            current = asyncio._get_running_loop()
            asyncio._set_running_loop(None)
            try:
                other.run_forever()
            finally:
                asyncio._set_running_loop(current)
                other.close()
    """,
    "Tornado": """
        import logging

        class Failures(logging.Handler):
            def emit(self, record):
                failed(record.exc_info[1])

        logging.getLogger("tornado.application").addHandler(Failures())
        logging.getLogger("tornado.application").propagate = False
        io_loop = IOLoop(make_current=False)
        again, turn = io_loop.add_callback, io_loop.asyncio_loop._run_once
        outer_turn, close = turn, io_loop.close
    """,
    "Twisted": """
        from twisted.python import log
        tell = lambda event: event["isError"] and failed(event["failure"].value)
        log.startLoggingWithObserver(tell, setStdout=False)
        reactor = TornadoReactor(IOLoop(make_current=False))
        again = lambda function: reactor.callLater(0, function)
        turn = outer_turn = lambda: reactor.iterate(0)
        close = lambda: None
    """,
    "Twisted, from a thread's call": """
        from twisted.python import log
        tell = lambda event: event["isError"] and failed(event["failure"].value)
        log.startLoggingWithObserver(tell, setStdout=False)
        reactor = TornadoReactor(IOLoop(make_current=False))
        again, close = reactor.callFromThread, lambda: None
        turn = outer_turn = lambda: reactor.iterate(0)
    """,
}


@pytest.mark.parametrize("size", [64, 128, 256, 512])
@pytest.mark.parametrize("face", TURNS)
def test_turns_in_turns_in_a_thread_with_a_small_stack(face, size):
    """`size` is in KiB."""
    made = textwrap.indent(textwrap.dedent(TURNS[face]), "    ")
    program = f"""
import asyncio, threading, warnings
import tornado4
from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor

warnings.simplefilter("ignore")
failures = []
failed = failures.append

def run():
    depth = 0

    def nested():
        nonlocal depth
        if failures:
            return
        depth += 1
        again(nested)
        turn()

{made}
    again(nested)
    try:
        outer_turn()
    except RecursionError as error:
        failed(error)
    assert failures, "it went on"
    assert all(isinstance(error, RecursionError) for error in failures), failures
    assert depth > 2, depth
    # It goes on as if nothing had been.
    nested = lambda: None
    ran = []
    again(lambda: ran.append(1))
    for _ in range(3):
        again(lambda: None)
        outer_turn()
    assert ran == [1]
    close()
    print("ended well")

threading.stack_size({size} * 1024)
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""
    assert output_of(program) == "ended well\n"
