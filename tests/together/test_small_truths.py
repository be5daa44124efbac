"""What is small and was wrong once: each beside the stock loop or reactor."""

from __future__ import annotations

import contextlib
import itertools
import socket

import pytest
from twisted.internet import protocol

from helpers.loops import stock_asyncio, tornado4_asyncio, tornado4_reactor
from helpers.programs import output_of


class Unspeakable:
    def __init__(self):
        self.ran = []

    def __call__(self):
        self.ran.append(1)

    def __repr__(self):
        raise ValueError("repr")


@pytest.mark.parametrize("make", [stock_asyncio, tornado4_asyncio])
@pytest.mark.parametrize("schedule", ["call_soon", "call_later", "call_soon_threadsafe"])
def test_what_is_cancelled_in_debug_mode_never_runs(make, schedule):
    with contextlib.closing(make()) as loop:
        loop.set_debug(True)
        callback = Unspeakable()
        when = (0,) if schedule == "call_later" else ()
        handle = getattr(loop, schedule)(*when, callback)
        with contextlib.suppress(ValueError):
            handle.cancel()
        assert handle.cancelled()
        loop.call_later(0.01, loop.stop)
        loop.run_forever()
        assert callback.ran == []


NUMBERS = [2**31, 2**63, 10**30, -(2**63), -(10**30)]


@pytest.mark.parametrize("module", ["tornado.ioloop", "tornado4.ioloop"])
def test_a_number_that_is_no_descriptor_has_no_handler(module):
    output_of(
        f"""
        from {module} import IOLoop
        io_loop = IOLoop(make_current=False)
        for number in {NUMBERS!r}:
            io_loop.remove_handler(number)
        io_loop.close()
        """
    )


class Kept(protocol.Protocol):
    def connectionMade(self):
        self.factory.made.append(self.transport)


@pytest.mark.parametrize(
    "session", [0, 1, 2**32 - 1, 2**32, 2**63, 2**64 - 1, 2**64, 10**30, -1, True, 1.5]
)
def test_a_port_counts_its_connections_however_many_there_were(session):
    with tornado4_reactor() as reactor:
        factory = protocol.Factory.forProtocol(Kept)
        factory.made = []
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        port.sessionno = session
        address = ("127.0.0.1", port.getHost().port)
        for count in range(2):
            with socket.create_connection(address):
                while len(factory.made) <= count:
                    reactor.iterate(0.01)
            transport = factory.made[count]
            number = session + count if count else session
            assert (transport.sessionno, type(transport.sessionno)) == (number, type(number))
            assert transport.logstr == f"Kept,{number},127.0.0.1"
            assert repr(transport) == f"<Kept #{number} on {address[1]}>"
        assert port.sessionno == session + 2
        port.stopListening()
        for transport in factory.made:
            transport.abortConnection()
        reactor.iterate(0)


def test_delayed_calls_are_made_in_the_order_of_their_times():
    with tornado4_reactor() as reactor:
        made, times = [], []
        for number in range(3000):
            delay = (0.02 - number * 5e-6, 0.02)[number % 2]
            call = reactor.callLater(delay, made.append, number)
            times.append(call.getTime())
        while len(made) < len(times):
            reactor.iterate(0.01)
        in_order = [times[number] for number in made]
        # The resolution of a number of seconds since the epoch.
        assert all(one - other < 1e-6 for one, other in itertools.pairwise(in_order))


@pytest.mark.parametrize("close", ["loop.close()", "pass"])
def test_descriptors_that_somebody_has_closed(close):
    program = f"""
        import contextlib, os
        import tornado4

        loop = tornado4.new_event_loop()
        os.closerange(3, 1000)
        with contextlib.suppress(OSError):
            {close}
        del loop
        print("ended well", flush=True)
        os._exit(0)
    """
    assert output_of(program) == "ended well\n"


@pytest.mark.parametrize("end", ["closed", "aborted", "lost", "raises"])
def test_an_interrupt_out_of_connection_lost_is_logged(end):
    program = f"""
        import socket, sys
        from tornado4.ioloop import IOLoop
        from tornado4.platform.twisted import TornadoReactor
        from twisted.internet import protocol
        from twisted.python import log

        class Protocol(protocol.Protocol):
            def dataReceived(self, data):
                if {end!r} == "aborted":
                    self.transport.abortConnection()
                elif {end!r} == "lost":
                    self.transport.loseConnection()
                else:
                    raise KeyboardInterrupt
            def connectionLost(self, reason):
                raise KeyboardInterrupt

        reported = []
        def observe(event):
            if event["isError"]:
                reported.append(event["failure"].type.__name__)
        log.startLoggingWithObserver(observe, setStdout=False)
        reactor = TornadoReactor(IOLoop(make_current=False))
        factory = protocol.Factory.forProtocol(Protocol)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        client = socket.create_connection(("127.0.0.1", port.getHost().port))
        client.close() if {end!r} == "closed" else client.send(b"x")
        reactor.callLater(0.1, reactor.stop)
        reactor.run()
        client.close()
        print(set(reported))
    """
    assert output_of(program) == "{'KeyboardInterrupt'}\n"
