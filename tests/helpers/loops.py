"""The loops under test, and what runs a scenario on them.

A scenario is a function ``(loop, trace)``. It does things to the loop, runs it,
and appends to ``trace`` what happened, in order. What the loop itself reports
(asyncio's exception handler, Twisted's log) lands in the same list, so that the
order between calls and reports is seen too.

A test marked ``on_asyncio`` or ``on_reactors`` gets ``run``, which returns the
trace of a scenario. It is run once for the stock loop, which shows that what the
test expects is right, and once for ours, where the traces of both must be equal.
"""

import asyncio
import contextlib
import itertools
import logging
import sys
import threading
from unittest import mock

import pytest
import tornado.ioloop
import twisted.internet
from twisted.internet.epollreactor import EPollReactor
from twisted.logger import LogPublisher, globalLogBeginner
from twisted.python import log

from helpers.scenarios import described

LIMIT = 30.0  # seconds. Only a hang takes this long.

# Until somebody observes it, Twisted's log keeps every failure, and with it the
# frames and whatever a test wants to see collected.
globalLogBeginner.beginLoggingTo([LogPublisher()], discardBuffer=True, redirectStandardIO=False)


def stock_asyncio():
    return asyncio.SelectorEventLoop()


def tornado4_asyncio():
    import tornado4

    return tornado4.new_event_loop()


@contextlib.contextmanager
def epoll_reactor():
    reactor = EPollReactor()
    try:
        yield reactor
    finally:
        reactor.fireSystemEvent("shutdown")
        reactor.disconnectAll()
        for reader in list(reactor._internalReaders):
            reactor._removeInternalReader(reader)
            reader.connectionLost(None)
        reactor._poller.close()


@contextlib.contextmanager
def tornado4_reactor():
    from tornado4.ioloop import IOLoop
    from tornado4.platform.twisted import TornadoReactor

    io_loop = IOLoop(make_current=False)
    reactor = TornadoReactor(io_loop)
    try:
        yield reactor
    finally:
        reactor.fireSystemEvent("shutdown")
        reactor.disconnectAll()
        io_loop.close()


@contextlib.contextmanager
def watchdog(give_up):
    """Ends what hangs: `give_up` is called from another thread, then the test fails."""
    late = threading.Event()

    def bark():
        late.set()
        with contextlib.suppress(RuntimeError):  # closed in the meantime
            give_up()

    timer = threading.Timer(LIMIT, bark)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # it holds what it would end
    assert not late.is_set(), "the scenario hung"


def reporter(trace):
    """An exception handler for an asyncio loop."""

    def report(loop, context):
        trace.append(("reported", *described(context["exception"])))

    return report


def trace_asyncio(factory, scenario):
    trace = []
    loop = factory()
    loop.set_exception_handler(reporter(trace))
    try:
        with watchdog(lambda: loop.call_soon_threadsafe(loop.stop)):
            scenario(loop, trace)
    finally:
        loop.close()
    return trace


def trace_reactor(factory, scenario):
    trace = []

    def observe(event):
        if event["isError"]:
            trace.append(("logged", *described(event["failure"].value)))

    # Some of Twisted (LoopingCall) imports the global reactor only to replace it;
    # this keeps it from installing one for the whole process.
    with factory() as reactor, as_global(reactor):
        log.addObserver(observe)
        try:
            with watchdog(lambda: reactor.callFromThread(reactor.crash)):
                scenario(reactor, trace)
        finally:
            log.removeObserver(observe)
            result = list(trace)
    return result


def closing(io_loop):
    try:
        yield io_loop
    finally:
        if not io_loop.asyncio_loop.is_closed():
            io_loop.close()


@contextlib.contextmanager
def stock_io_loop():
    yield from closing(tornado.ioloop.IOLoop(make_current=False))


@contextlib.contextmanager
def tornado4_io_loop():
    from tornado4.ioloop import IOLoop

    yield from closing(IOLoop(make_current=False))


class TraceHandler(logging.Handler):
    """Appends what is logged to a trace, in the form of `described`."""

    def __init__(self, trace):
        super().__init__(logging.ERROR)
        self.trace = trace

    def emit(self, record):
        error = record.exc_info[1] if record.exc_info else record.getMessage()
        self.trace.append(("logged", *described(error)))


def trace_io_loop(factory, scenario):
    trace = []
    handler = TraceHandler(trace)
    logger = logging.getLogger("tornado.application")
    with factory() as io_loop:
        io_loop.asyncio_loop.set_exception_handler(reporter(trace))
        logger.addHandler(handler)
        try:
            with watchdog(lambda: io_loop.add_callback(io_loop.stop)):
                scenario(io_loop, trace)
        finally:
            logger.removeHandler(handler)
    return trace


@contextlib.contextmanager
def as_global(reactor):
    name = "twisted.internet.reactor"
    with (
        mock.patch.dict(sys.modules, {name: reactor}),
        mock.patch.object(twisted.internet, "reactor", reactor, create=True),
    ):
        yield


def difference(ours, stock):
    pairs = enumerate(itertools.zip_longest(ours, stock, fillvalue="nothing"))
    index, (mine, theirs) = next(x for x in pairs if x[1][0] != x[1][1])
    return f"event {index} of the trace is {mine} on ours and {theirs} on stock"


def marked(tracer, stock, ours, marks=()):
    """Parametrizes a test with `run`: on stock, and on ours beside stock, with `marks`."""

    def run_stock(scenario):
        return tracer(stock, scenario)

    def run_ours(scenario):
        trace, expected = tracer(ours, scenario), tracer(stock, scenario)
        assert trace == expected, difference(trace, expected)
        return trace

    return pytest.mark.parametrize(
        "run",
        [pytest.param(run_stock, id="stock"), pytest.param(run_ours, id="tornado4", marks=marks)],
    )


on_asyncio = marked(trace_asyncio, stock_asyncio, tornado4_asyncio)
on_io_loops = marked(trace_io_loop, stock_io_loop, tornado4_io_loop)
on_reactors = marked(trace_reactor, epoll_reactor, tornado4_reactor)


nested_run = pytest.mark.skipif(
    (3, 13) <= sys.version_info < (3, 13, 3),
    reason="a refused run_forever() ends the one that runs (python/cpython#130145)",
)


def ours_asyncio(scenario):
    """The trace on our loop alone, for where stock does what nobody wants."""
    return trace_asyncio(tornado4_asyncio, scenario)


def ours_io_loop(scenario):
    return trace_io_loop(tornado4_io_loop, scenario)


def ours_reactor(scenario):
    return trace_reactor(tornado4_reactor, scenario)
