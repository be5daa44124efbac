"""TLS connections leave nothing behind: no cycle outlives a connection, and what nobody
ends is collected."""

import gc
import weakref

import pytest

from helpers.loops import tornado4_reactor, trace_reactor
from helpers.scenarios import run_turns
from helpers.streams import reset, run_until, until_lost
from helpers.tls_secured import Shaken, secured, wants_todays_writing

pytestmark = wants_todays_writing


def exchanged(reactor, server, peer):
    peer.write(b"hello")
    run_until(reactor, lambda: server.data)
    server.transport.write(b"back")
    run_until(reactor, lambda: peer.pump() and peer.data)


@pytest.mark.parametrize("how", ["lose", "abort", "goodbye", "reset", "garbled", "kept write"])
def test_nothing_is_left_to_the_collector(how):
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            exchanged(reactor, server, peer)
            kept = server.transport.write
            refs = [weakref.ref(server.transport), weakref.ref(server.transport._tlsConnection)]
            gc.collect()
            gc.disable()
            try:
                if how == "abort":
                    server.transport.abortConnection()
                elif how == "goodbye":
                    peer.say_goodbye()
                elif how == "reset":
                    reset(peer.sock)
                elif how == "garbled":
                    peer.garble()
                else:
                    server.transport.write(b"last")
                    server.transport.loseConnection()
                run_until(reactor, lambda: server.lost or peer.ended or not peer.pump())
                until_lost(reactor, server)
                run_turns(reactor)
                if how != "kept write":
                    kept = None
                server.transport = None
                if how in ("abort", "reset"):
                    # Twisted's own: the failure is in the traceback that it has.
                    gc.collect()
                trace.extend(ref() for ref in refs)
            finally:
                gc.enable()
            if kept is not None:
                kept(b"late")

    assert trace_reactor(tornado4_reactor, scenario) == [None, None]


def test_what_nobody_ends_is_collected():
    refs = []

    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            exchanged(reactor, server, peer)
            server.transport.write(b"never sent")
            refs.append(weakref.ref(server.transport))
            refs.append(weakref.ref(server.transport._tlsConnection))
            refs.append(weakref.ref(server))
            reactor.removeReader(server.transport.transport)

    trace_reactor(tornado4_reactor, scenario)
    gc.collect()
    assert [ref() for ref in refs] == [None] * 3


# pytest keeps each warning: pyOpenSSL's of its own objects, two for each connection.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_many_connections_leave_no_memory():
    def scenario(reactor, trace):
        def once():
            server = Shaken([])
            with secured(reactor, server) as peer:
                exchanged(reactor, server, peer)
                server.transport.loseConnection()
                run_until(reactor, lambda: peer.pump() and server.lost)

        def held():
            run_turns(reactor)
            gc.collect()
            return len(gc.get_objects())

        before = held()
        grown = []
        for _ in range(3):
            for _ in range(20):
                once()
            grown.append(held() - before)
            before += grown[-1]
        # Each has dozens. What is made once, such as the caches of classes, comes once.
        trace.append(min(grown) < 100)

    assert trace_reactor(tornado4_reactor, scenario) == [True]
