"""What pokes at asyncio's private parts: nested runs, queues, a selector of somebody's own."""

import asyncio
import gc
import heapq
import os
import selectors
import time
import weakref

import pytest

import tornado4
from helpers.loops import on_asyncio, ours_asyncio
from helpers.programs import output_of
from helpers.scenarios import pipe, turns

PATCHES = ["nest_asyncio", "nest_asyncio2"]
KINDS = {"stock": "asyncio.SelectorEventLoop", "ours": "tornado4.new_event_loop"}

BEGIN = """
import asyncio, os, sys, threading, time
import tornado4
import PATCH

loop = FACTORY()
asyncio.set_event_loop(loop)
"""

# Everything is nested in a running loop, some of it twice.
NESTED = """
PATCH.apply(loop)
trace = []

async def value(n):
    await asyncio.sleep(0.01 * n)
    return n

async def inner():
    loop = asyncio.get_running_loop()
    loop.call_later(0.005, trace.append, "timer")
    trace.append(await asyncio.gather(value(2), value(1)))
    trace.append(loop.run_until_complete(value(3)))
    return "inner"

async def echo(reader, writer):
    writer.write(await reader.readline())
    await writer.drain()
    writer.close()

async def network():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    writer.write(b"hello\\n")
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    server.close()
    return line

async def child():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "print(7)", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return out, process.returncode

async def fails():
    await asyncio.sleep(0)
    raise ValueError("mine")

async def ticks(count):
    while True:
        await asyncio.sleep(0.001)
        count.append(None)

async def until_more(count, than):
    while len(count) <= than:
        await asyncio.sleep(0.001)
    return len(count) > than

async def main():
    trace.append(asyncio.run(inner()))
    trace.append(loop.run_until_complete(asyncio.to_thread(lambda: "thread")))
    trace.append(asyncio.run(network()))
    trace.append(asyncio.run(child()))
    try:
        asyncio.run(fails())
    except ValueError as error:
        trace.append(str(error))
    # The outer loop's tasks go on meanwhile.
    count = []
    task = asyncio.ensure_future(ticks(count))
    trace.append(asyncio.run(until_more(count, 5)))
    task.cancel()
    mine = asyncio.current_task()
    asyncio.run(value(0))
    trace.append(asyncio.current_task() is mine)
    await asyncio.sleep(0.01)
    return "main"

trace.append(loop.run_until_complete(main()))
trace.append(asyncio.run(value(1)))
loop.call_later(0.02, loop.stop)
loop.run_forever()
trace.append(loop.is_running())
loop.close()
for event in trace:
    print(event)
"""

NESTED_TRACE = """timer
[2, 1]
3
inner
thread
b'hello\\n'
(b'7\\n', 0)
mine
True
True
main
1
False
"""

# In a notebook the loop runs already.
APPLIED_LATE = """
async def value(n):
    await asyncio.sleep(0.01)
    return n

async def main():
    PATCH.apply()
    print(asyncio.run(value(1)))
    print(loop.run_until_complete(asyncio.gather(value(2), value(3))))
    await asyncio.sleep(0.01)
    print("main")
    loop.stop()

task = loop.create_task(main())
loop.run_forever()
loop.close()
"""

# Of other loops of the same kind, which others have made and who don't nest.
OTHERS = """
other = FACTORY()
PATCH.apply(loop)

async def value(n):
    await asyncio.sleep(0.01)
    return n

def in_thread():
    mine = FACTORY()
    print(mine.run_until_complete(value(2)))
    mine.close()

print(other.run_until_complete(value(1)))
thread = threading.Thread(target=in_thread)
thread.start()
thread.join()
print(loop.run_until_complete(value(3)))
new = FACTORY()
new.call_later(0.01, new.stop)
new.run_forever()
for each in (loop, other, new):
    each.close()
"""


def output(kind, patch, code):
    if patch == "nest_asyncio2":
        pytest.importorskip("nest_asyncio2", reason="nest_asyncio2 isn't there")
    program = BEGIN + code
    return output_of(program.replace("PATCH", patch).replace("FACTORY", KINDS[kind]))


@pytest.mark.parametrize("patch", PATCHES)
@pytest.mark.parametrize("kind", KINDS)
def test_nested_runs(kind, patch):
    assert output(kind, patch, NESTED) == NESTED_TRACE


@pytest.mark.parametrize("patch", PATCHES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_that_runs_is_patched(kind, patch):
    assert output(kind, patch, APPLIED_LATE) == "1\n[2, 3]\nmain\n"


@pytest.mark.parametrize("patch", PATCHES)
@pytest.mark.parametrize("kind", KINDS)
def test_other_loops_go_on(kind, patch):
    assert output(kind, patch, OTHERS) == "1\n2\n3\n"


REACTOR = """
from tornado4.platform.twisted import install
PATCH.apply(loop)
reactor = install(loop)
from twisted.internet import utils
from twisted.internet.task import deferLater

async def value(n):
    await asyncio.sleep(0.01)
    return n

def nest():
    print(asyncio.run(value(1)))

async def main():
    nest()
    await deferLater(reactor, 0.01, nest)
    code = utils.getProcessValue("/bin/sh", ("-c", "exec <&- >&- 2>&-; sleep 0.1; exit 3"))
    code.addTimeout(20, reactor)
    print(loop.run_until_complete(code.asFuture(loop)))

loop.run_until_complete(main())
reactor.fireSystemEvent("shutdown")
reactor.disconnectAll()
loop.close()
"""


@pytest.mark.parametrize("patch", PATCHES)
def test_a_reactor_on_a_patched_loop(patch):
    assert output("ours", patch, REACTOR) == "1\n1\n3\n"


# An iteration by hand, and what shows the queues.


@on_asyncio
def test_run_once_by_hand_is_one_iteration(run):
    def scenario(loop, trace):
        loop.call_soon(trace.append, "soon")
        loop.call_soon(lambda: loop.call_soon(trace.append, "next"))
        loop._run_once()
        trace.append("once")
        loop._run_once()
        trace.append("twice")
        loop.call_later(0.01, trace.append, "later")
        loop._run_once()

    assert run(scenario) == ["soon", "once", "next", "twice", "later"]


def test_run_once_by_hand_while_the_loop_runs():
    """On stock the outer iteration then finds too little in its queue."""

    def scenario(loop, trace):
        def nest():
            loop.call_soon(trace.append, "inner")
            loop._run_once()
            trace.append("nested")

        loop.call_soon(nest)
        loop.call_soon(trace.append, "outer")
        turns(loop, 2)
        trace.append(loop.is_running())

    assert ours_asyncio(scenario) == ["outer", "inner", "nested", False]


@on_asyncio
def test_the_queues_show_what_waits(run):
    def scenario(loop, trace):
        trace.append((len(loop._ready), bool(loop._ready), loop._scheduled))
        first = loop.call_soon(int)
        loop.call_later(20, int)
        soon, later = loop.call_later(10, int), loop.call_later(30, int)
        later.cancel()
        trace.append((len(loop._ready), bool(loop._ready), loop._ready[0] is first))
        trace.append(list(loop._ready) == [first])
        waiting = [handle for handle in loop._scheduled if not handle.cancelled()]
        trace.append((len(waiting), waiting[0] is soon, soon._scheduled))
        turns(loop)
        trace.append((len(loop._ready), len(loop._scheduled) >= 2))

    assert run(scenario) == [
        *((0, False, []), (1, True, True), True, (2, True, True), (0, True)),
    ]


def iteration_of_somebodys_own(loop):
    """As asyncio has it, with other means."""
    scheduled, ready = loop._scheduled, loop._ready
    timeout = None
    if ready or loop._stopping:
        timeout = 0
    elif scheduled:
        timeout = max(0, scheduled[0].when() - loop.time())
    loop._process_events(loop._selector.select(timeout))
    while scheduled and scheduled[0].when() <= loop.time():
        ready.append(heapq.heappop(scheduled))
    for _ in range(len(ready)):
        handle = ready.popleft()
        if not handle._cancelled:
            handle._run()


@on_asyncio
def test_an_iteration_of_somebodys_own(run):
    def scenario(loop, trace):
        def count(n):
            trace.append(n)
            if n:
                loop.call_soon(count, n - 1)
            else:
                loop.call_later(0.01, timer)

        with pipe() as (r, w):

            def timer():
                trace.append("timer")
                os.write(w, b"x")
                loop.call_later(0.01, trace.append, "later")

            def read():
                trace.append("read")
                loop.remove_reader(r)

            loop.add_reader(r, read)
            loop.call_soon(count, 3)
            loop.call_soon(trace.append, "soon")
            loop.call_later(0, trace.append, "cancelled").cancel()
            while "later" not in trace:
                iteration_of_somebodys_own(loop)
                if not loop._ready:
                    trace.append("idle")
        trace[:] = [event for event in trace if event != "idle"]

    assert run(scenario) == [3, "soon", 2, 1, 0, "timer", "read", "later"]


@on_asyncio
def test_a_select_of_somebodys_own_makes_time_pass(run):
    """As looptime has it: nobody waits, the clock is moved on."""

    def scenario(loop, trace):
        now = [0.0]
        select = loop._selector.select

        def leap(timeout):
            events = select(0)
            if not events and timeout:
                now[0] += timeout
            return events

        async def sleeper(n):
            await asyncio.sleep(n)
            trace.append((n, loop.time()))

        async def main():
            loop.time = lambda: now[0]
            loop._selector.select = leap
            await asyncio.gather(sleeper(3600), sleeper(60), asyncio.sleep(7200))
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            trace.append(await reader.read())
            writer.close()
            del loop.time, loop._selector.select
            await asyncio.sleep(0.01)

        async def serve(reader, writer):
            writer.write(b"x")
            writer.close()

        server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
        start = time.monotonic()
        loop.run_until_complete(main())
        assert time.monotonic() - start < 3600
        server.close()
        turns(loop, 3)

    assert run(scenario) == [(60, 60.0), (3600, 3600.0), b"x"]


@on_asyncio
def test_what_select_returns(run):
    def scenario(loop, trace):
        with pipe() as (r, w):
            loop.add_reader(r, int)
            loop.add_writer(w, int)
            events = loop._selector.select(0)
            trace.append([(key.fd == w, mask) for key, mask in events])
            loop.remove_writer(w)
            loop.remove_reader(r)

    assert run(scenario) == [[(True, selectors.EVENT_WRITE)]]


def test_a_closed_loop_shows_empty_queues_and_is_freed_at_once():
    loop = tornado4.new_event_loop()
    loop.call_soon(int)
    loop.call_later(10, int)
    loop.close()
    assert (len(loop._ready), loop._scheduled) == (0, [])
    gone = weakref.ref(loop)
    gc.disable()
    try:
        del loop
        assert gone() is None
    finally:
        gc.enable()


def test_an_empty_queue_has_nothing_to_take_out():
    def scenario(loop, trace):
        with pytest.raises(IndexError):
            loop._ready.popleft()
        trace.append(repr(loop._ready))

    assert ours_asyncio(scenario) == ["deque([])"]


@on_asyncio
def test_a_slow_call_in_debug_mode_with_a_select_of_somebodys_own(run):
    def scenario(loop, trace):
        select = loop._selector.select
        loop._selector.select = lambda timeout=None: select(timeout)
        loop.set_debug(True)
        loop.slow_callback_duration = 0.001
        loop.call_soon(time.sleep, 0.002)
        loop.call_soon(trace.append, "next")
        loop.call_later(0.01, loop.stop)
        loop.run_forever()

    assert run(scenario) == ["next"]


def test_a_loop_has_few_attributes():
    # With more than 30 in its `__dict__`, CPython looks up every method more slowly.
    loop = tornado4.new_event_loop()
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert len(vars(loop)) <= 30
    loop.close()


def test_a_timer_of_another_loop_is_queued_for_no_other():
    mine, other = tornado4.new_event_loop(), tornado4.new_event_loop()
    trace = []
    timers = [loop.call_later(100, trace.append, loop) for loop in (mine, other)]
    mine._ready.append(timers[1])
    turns(mine, 2)
    assert trace == [other]
    assert timers[0] in mine._scheduled
    mine.close()
    other.close()


def test_a_closed_loop_is_in_no_cycle():
    gc.collect()
    gc.disable()
    try:
        loop = tornado4.new_event_loop()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        assert (len(loop._ready), list(loop._scheduled)) == (0, [])
        gone = weakref.ref(loop)
        del loop
        assert gone() is None
    finally:
        gc.enable()
