"""Deferreds converted where no loop runs and none is set: as `asyncio.Future()` has it."""

import subprocess
import sys

import pytest

from helpers.programs import output_of

# Whether this Python's `asyncio.Future()` can be made on the main thread without a loop.
MAKES_A_LOOP = sys.version_info < (3, 14)

START = """
import asyncio, threading
from tornado import gen
from twisted.internet.defer import Deferred, fail, inlineCallbacks, succeed
from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor, as_deferred, as_future, install
"""


def in_thread(code):
    body = "\n".join(f"    {line}" for line in code.strip().splitlines())
    return f"""
def work():
{body}
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


def test_asyncio_says_the_same():
    code = "import asyncio\nasyncio.Future()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == MAKES_A_LOOP


@pytest.mark.skipif(not MAKES_A_LOOP, reason="asyncio.Future() can't be made there either")
def test_tornados_own_test_of_conversion():
    code = """
@inlineCallbacks
def returns():
    if False:
        yield
    return 42
@inlineCallbacks
def fails():
    if False:
        yield
    1 / 0
print(gen.convert_yielded(returns()).result())
try:
    gen.convert_yielded(fails()).result()
except ZeroDivisionError:
    print("failed")
"""
    assert output_of(START + code) == "42\nfailed\n"


@pytest.mark.skipif(not MAKES_A_LOOP, reason="asyncio.Future() can't be made there either")
def test_what_is_converted_before_the_loop_runs_is_awaited_in_it():
    code = """
deferred = Deferred()
future = as_future(deferred)
loop = asyncio.get_event_loop()
assert future.get_loop() is loop
loop.call_soon(deferred.callback, "value")
print(loop.run_until_complete(future))
loop.close()
"""
    assert output_of(START + code) == "value\n"


@pytest.mark.parametrize("convert", ["as_future(deferred)", "gen.convert_yielded(deferred)"])
def test_with_the_global_reactor_it_is_its_loops(convert):
    code = f"""
reactor = install(IOLoop(make_current=False))
deferred = Deferred()
future = {convert}
assert future.get_loop() is reactor._asyncioEventloop
future.add_done_callback(lambda future: print(future.result()))
future.add_done_callback(lambda future: reactor.stop())
reactor.callLater(0.01, deferred.callback, "value")
reactor.run()
reactor._io_loop.close()
"""
    assert output_of(START + code) == "value\n"


def test_a_coroutine_of_tornados_that_is_called_before_the_reactor_runs():
    code = """
reactor = install(IOLoop(make_current=False))
IOLoop.clear_current()
deferred = Deferred()
async def main():
    print(await deferred)
    reactor.stop()
as_deferred(main())
reactor.callLater(0.01, deferred.callback, "value")
reactor.run()
reactor._io_loop.close()
"""
    assert output_of(START + code) == "value\n"


def test_a_set_loop_comes_first():
    code = """
reactor = install(IOLoop(make_current=False))
io_loop = IOLoop(make_current=True)
assert as_future(Deferred()).get_loop() is io_loop.asyncio_loop
io_loop.close()
reactor._io_loop.close()
"""
    assert output_of(START + code) == ""


@pytest.mark.parametrize("installs", [False, True])
@pytest.mark.parametrize("what", ["as_future(succeed(1))", "as_deferred(coroutine())"])
def test_another_thread_has_none(installs, what):
    code = f"""
async def coroutine():
    pass
try:
    {what}
except RuntimeError as error:
    print(error)
"""
    before = "reactor = install(IOLoop(make_current=False))\n" if installs else ""
    after = "reactor._io_loop.close()\n" if installs else ""
    found = output_of(START + before + in_thread(code) + after)
    assert found == "no running event loop, and none is set for this thread\n"


def test_the_thread_of_the_reactor_may_be_another():
    code = """
reactor = install(IOLoop(make_current=False))
"""
    work = """
reactor.callLater(0.01, reactor.stop)
reactor.run(installSignalHandlers=False)
print(as_future(succeed(1)).get_loop() is reactor._asyncioEventloop)
"""
    after = "reactor._io_loop.close()\n"
    assert output_of(START + code + in_thread(work) + after) == "True\n"


def test_a_closed_reactor_has_none():
    code = """
reactor = install(IOLoop(make_current=False))
reactor._io_loop.close()
try:
    as_deferred(asyncio.sleep(0))
except RuntimeError as error:
    print(error)
"""
    assert output_of(START + code) == "no running event loop, and none is set for this thread\n"


def test_a_coroutine_needs_a_loop_that_is_going_to_run():
    # A new one, that nobody runs, would never step it.
    code = """
try:
    as_deferred(asyncio.sleep(0))
except RuntimeError as error:
    print(error)
"""
    assert output_of(START + code) == "no running event loop, and none is set for this thread\n"
