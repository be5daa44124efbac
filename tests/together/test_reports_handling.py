"""In a report of an exception it is the one that is handled, as in an `except` clause."""

import gc
import logging
import os
import signal
import sys
import traceback
import weakref

import pytest
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.python import log
from twisted.python.failure import Failure

from helpers.loops import on_asyncio, on_io_loops, on_reactors, ours_asyncio
from helpers.scenarios import pipe, run_turns, turns


def chain(error):
    """The exceptions that led to one."""
    found = []
    while error is not None:
        found.append((type(error).__name__, str(error)))
        error = error.__context__
    return found


def fail(*_args):
    try:
        raise KeyError("inner")
    except KeyError:
        raise ValueError("mine") from None


MINE = [("ValueError", "mine"), ("KeyError", "'inner'")]


def seen(error):
    """What a report sees of an exception, which it was given."""
    frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    # The first is the loop's, and each has its own.
    return sys.exc_info()[1] is error, chain(error), len(frames) > 1, frames[-1]


SEEN = (True, MINE, True, "fail")


@pytest.fixture
def ready():
    """A descriptor with input."""
    with pipe() as (r, w):
        os.write(w, b"x")
        yield r


WAYS = {
    "soon": lambda loop, fd: loop.call_soon(fail),
    "threadsafe": lambda loop, fd: loop.call_soon_threadsafe(fail),
    "later": lambda loop, fd: loop.call_later(0, fail),
    "at": lambda loop, fd: loop.call_at(loop.time(), fail),
    "reader": lambda loop, fd: (
        loop.add_reader(fd, lambda: (loop.remove_reader(fd), fail())),
        None,
    ),
    "signal": lambda loop, fd: (
        loop.add_signal_handler(signal.SIGUSR1, fail),
        os.kill(os.getpid(), signal.SIGUSR1),
    ),
}


@on_asyncio
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_asyncios_exception_handler(run, ready, way, debug):
    def scenario(loop, trace):
        loop.set_debug(debug)
        loop.set_exception_handler(lambda _, context: trace.append(seen(context["exception"])))
        WAYS[way](loop, ready)
        turns(loop, 4)
        assert sys.exc_info()[1] is None

    assert run(scenario) == [SEEN]


@on_asyncio
def test_asyncios_exception_handler_for_a_callback_without_a_frame(run):
    def scenario(loop, trace):
        def handler(_, context):
            error = context["exception"]
            count = len(traceback.extract_tb(error.__traceback__))
            trace.append((sys.exc_info()[1] is error, count))

        loop.set_exception_handler(handler)
        loop.call_soon(int, "x")
        turns(loop, 2)

    assert run(scenario) == [(True, 1)]


@on_asyncio
def test_a_failing_exception_handler_logs_the_first_exception_too(run, caplog):
    def scenario(loop, trace):
        def handler(_, context):
            raise RuntimeError("handler")

        loop.set_exception_handler(handler)
        loop.call_soon(fail)
        turns(loop, 2)
        for record in caplog.records:
            trace.append((record.getMessage().splitlines()[0], chain(record.exc_info[1])))
        caplog.clear()

    logged = ("Unhandled error in exception handler", [("RuntimeError", "handler"), *MINE])
    assert run(scenario) == [logged]


@on_asyncio
def test_a_failing_exception_handler_that_ends_the_loop(run):
    def scenario(loop, trace):
        def handler(_, context):
            raise SystemExit(3)

        loop.set_exception_handler(handler)
        loop.call_soon(fail)
        with pytest.raises(SystemExit) as caught:
            turns(loop, 2)
        trace.append(chain(caught.value))

    assert run(scenario) == [[("SystemExit", "3"), *MINE]]


def test_what_failed_is_freed_without_the_collector():
    class Noted(Exception):
        pass

    def scenario(loop, trace):
        def raises():
            error = Noted()
            made.append(weakref.ref(error))
            try:
                raise error
            finally:
                del error

        made = []
        loop.set_exception_handler(lambda *_: None)
        loop.call_soon(raises)
        turns(loop, 2)
        trace.append(made[0]())

    gc.disable()
    try:
        assert ours_asyncio(scenario) == [None]
    finally:
        gc.enable()


@on_io_loops
@pytest.mark.parametrize("way", ["callback", "timeout", "handler"])
def test_tornados_log(run, ready, caplog, way):
    def scenario(io_loop, trace):
        caplog.set_level(logging.ERROR)

        class Note(logging.Handler):
            def emit(self, record):
                trace.append(seen(record.exc_info[1]))

        def handler(fd, events):
            io_loop.remove_handler(fd)
            fail()

        note = Note()
        loggers = [logging.getLogger(name) for name in ("tornado.application", "asyncio")]
        for logger in loggers:
            logger.addHandler(note)
        io_loop.asyncio_loop.set_exception_handler(None)
        if way == "callback":
            io_loop.add_callback(fail)
        elif way == "timeout":
            io_loop.add_timeout(io_loop.time(), fail)
        else:
            io_loop.add_handler(ready, handler, io_loop.READ)
        io_loop.call_later(0.02, io_loop.stop)
        io_loop.start()
        for logger in loggers:
            logger.removeHandler(note)
        # The suite's own events of what is logged aren't meant.
        trace[:] = [event for event in trace if len(event) == len(SEEN)]

    assert run(scenario) == [SEEN]


class Reader:
    """Fails once, which ends it."""

    def __init__(self, fd):
        self._fd = fd

    def fileno(self):
        return self._fd

    def doRead(self):
        fail()

    def connectionLost(self, reason):
        pass

    def logPrefix(self):
        return "reader"


class Stream(Protocol):
    def connectionMade(self):
        self.transport.write(b"x")

    dataReceived = fail


class Datagram(DatagramProtocol):
    def startProtocol(self):
        host = self.transport.getHost()
        self.transport.write(b"x", (host.host, host.port))

    datagramReceived = fail


def connect(reactor):
    port = reactor.listenTCP(0, Factory.forProtocol(Stream), interface="127.0.0.1")

    class Client(Factory):
        protocol = Protocol

        def buildProtocol(self, address):
            client = Protocol()
            client.dataReceived = lambda data: client.transport.write(data)
            return client

        doStart = startedConnecting = clientConnectionLost = lambda *_: None

    reactor.connectTCP("127.0.0.1", port.getHost().port, Client())


WAYS_TWISTED = {
    "thread": lambda reactor, fd: reactor.callFromThread(fail),
    "later": lambda reactor, fd: reactor.callLater(0, fail),
    "reader": lambda reactor, fd: reactor.addReader(Reader(fd)),
    "datagram": lambda reactor, fd: reactor.listenUDP(0, Datagram(), interface="127.0.0.1"),
    "stream": lambda reactor, fd: connect(reactor),
}


@on_reactors
@pytest.mark.parametrize("way", WAYS_TWISTED)
def test_an_observer_of_twisteds_log(run, ready, way):
    def scenario(reactor, trace):
        def observe(event):
            if event["isError"]:
                trace.clear()
                trace.append(seen(event["failure"].value))
                trace.append(Failure().value is event["failure"].value)
                trace.append(len(event["failure"].frames) > 1)
                reactor.callLater(0.05, reactor.crash)

        log.addObserver(observe)
        WAYS_TWISTED[way](reactor, ready)
        reactor.run(installSignalHandlers=False)
        log.removeObserver(observe)
        # Only what was seen in the report itself; the suite's own observer notes it too.
        del trace[3:]

    assert run(scenario) == [SEEN, True, True]


@on_reactors
def test_a_turn_within_an_except_clause_leaves_the_context(run):
    def scenario(reactor, trace):
        def observe(event):
            if event["isError"]:
                trace.append(chain(event["failure"].value))

        def nest():
            try:
                raise TypeError("outer")
            except TypeError:
                reactor.callFromThread(fail)
                reactor.iterate()
                reactor.iterate()

        log.addObserver(observe)
        reactor.callWhenRunning(nest)
        run_turns(reactor)
        log.removeObserver(observe)
        del trace[:1]

    assert run(scenario) == [[*MINE, ("TypeError", "outer")]]
