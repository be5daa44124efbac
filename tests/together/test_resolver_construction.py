"""How a TwistedResolver is made, and which loops and reactors it runs on."""

import asyncio
import contextlib
import os
import re
import socket
import sys

import pytest
import tornado.ioloop
from tornado.netutil import Resolver

import tornado4
from helpers import dns_server
from helpers.loops import epoll_reactor
from helpers.programs import output_of
from helpers.resolvers import V4, _server, pairs, resolver_for, server
from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TwistedResolver

__all__ = ["_server", "server"]

NAME = "tornado4.platform.twisted.TwistedResolver"


@pytest.fixture
def configuration():
    saved = Resolver._save_configuration()
    yield Resolver.configure
    Resolver._restore_configuration(saved)


# How it is made


def test_it_is_a_resolver_of_tornado():
    assert issubclass(TwistedResolver, Resolver)


def test_configured_by_its_name(configuration):
    configuration(NAME)

    async def main():
        resolver = Resolver()
        try:
            return type(resolver), await resolver.resolve("127.0.0.1", 1)
        finally:
            resolver.close()

    assert tornado4.run(main()) == (TwistedResolver, pairs("127.0.0.1", port=1))


def test_configured_with_options(configuration, server):
    server.add("configured.test", "10.1.2.3")
    configuration(NAME, servers=[server.address], hosts=os.devnull)

    async def main():
        resolver = Resolver()
        try:
            return await resolver.resolve("configured.test", 80)
        finally:
            resolver.close()

    assert tornado4.run(main()) == pairs("10.1.2.3")


@pytest.mark.parametrize("made", ["given", "current"])
def test_it_runs_on_the_io_loop_given_or_the_current_one(server, made):
    server.add("loop.test", "10.1.2.3")
    io_loop = IOLoop(make_current=made == "current")
    try:
        options = {"io_loop": io_loop} if made == "given" else {}
        resolver = resolver_for(server.address, **options)
        assert resolver.io_loop is io_loop
        assert resolver.reactor._asyncioEventloop is io_loop.asyncio_loop
        found = io_loop.run_sync(lambda: resolver.resolve("loop.test", 80))
        assert found == pairs("10.1.2.3")
        resolver.close()
    finally:
        io_loop.close()


def test_resolvers_on_a_loop_share_a_reactor_that_is_nobody_elses():
    async def main():
        first, second = resolver_for(("127.0.0.1", 9)), resolver_for(("127.0.0.1", 9))
        await asyncio.sleep(0)
        assert first.reactor is second.reactor
        # It never starts: signals and child processes are none of its business.
        assert not first.reactor.running
        return first.reactor

    assert tornado4.run(main()) is not tornado4.run(main())
    assert "twisted.internet.reactor" not in sys.modules


@pytest.mark.parametrize("bad", [3, "loop", object()])
def test_what_is_no_io_loop(bad):
    with pytest.raises(TypeError, match="not an IOLoop"):
        TwistedResolver(bad)


def test_an_asyncio_loop_without_an_io_loop():
    with (
        contextlib.closing(asyncio.SelectorEventLoop()) as loop,
        pytest.raises(TypeError, match="not an IOLoop"),
    ):
        TwistedResolver(loop)


def test_a_closed_io_loop():
    io_loop = IOLoop(make_current=False)
    io_loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        TwistedResolver(io_loop)


@pytest.mark.parametrize(
    "options",
    [
        {"servers": []},
        {"servers": [("dns.example", 53)]},
        {"servers": [("", 53)]},
        {"servers": [("fe80::1%1", 53)]},
        {"servers": [("127.0.0.1", 0)]},
        {"servers": [("127.0.0.1", 65536)]},
        {"timeout": ()},
        {"timeout": (1, 0)},
        {"timeout": (-1,)},
        {"timeout": (float("nan"),)},
    ],
    ids=str,
)
def test_options_that_cannot_be_used(options):
    async def main():
        with pytest.raises(ValueError, match=r"name ?server|time-out"):
            TwistedResolver(**options)

    tornado4.run(main())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"servers": ["192.0.2.1"]}, "(IP address, port) pairs, not '192.0.2.1'"),
        ({"servers": "192.0.2.1"}, "(IP address, port) pairs, not '192.0.2.1'"),
        ({"servers": b"192.0.2.1"}, "(IP address, port) pairs, not b'192.0.2.1'"),
        ({"servers": ("192.0.2.1", 53)}, "(IP address, port) pairs, not '192.0.2.1'"),
        ({"servers": [("192.0.2.1", "53")]}, "pairs, not ('192.0.2.1', '53')"),
        ({"servers": [(b"192.0.2.1", 53)]}, "pairs, not (b'192.0.2.1', 53)"),
        ({"servers": [("::1", 53, 0, 0)]}, "pairs, not ('::1', 53, 0, 0)"),
        ({"servers": [("127.0.0.1", 53), None]}, "pairs, not None"),
        ({"servers": 53}, "pairs, not 53"),
        ({"timeout": 5}, "a sequence of seconds such as (1, 3), not 5"),
        ({"timeout": None}, "a sequence of seconds such as (1, 3), not None"),
        ({"timeout": "5"}, "a sequence of seconds such as (1, 3), not '5'"),
        ({"timeout": (1, "3")}, "numbers of seconds: (1, '3')"),
    ],
    ids=str,
)
def test_options_of_another_type(options, said):
    async def main():
        with pytest.raises(TypeError, match=f"{re.escape(said)}$"):
            TwistedResolver(**options)

    tornado4.run(main())


def test_twisted_names_is_imported_when_a_resolver_is_made():
    shown = output_of(
        "import sys, tornado4, tornado4.platform.twisted as t\n"
        "print('twisted.names' in sys.modules)\n"
        "async def main(): t.TwistedResolver().close()\n"
        "tornado4.run(main())\n"
        "print('twisted.names' in sys.modules, 'twisted.internet.reactor' in sys.modules)\n"
    )
    assert shown == "False\nTrue False\n"


@pytest.mark.parametrize("odd", [None, dns_server.too_long, dns_server.silent_by_tcp])
def test_no_reactor_is_installed(server, odd):
    server.add("reactor.test", "10.1.2.3")
    server.oddities["reactor.test"] = odd
    shown = output_of(
        "import sys, tornado4, tornado4.platform.twisted as t\n"
        "async def main():\n"
        f"    resolver = t.TwistedResolver(servers=[{server.address}], timeout=(0.5,))\n"
        "    try: print((await resolver.resolve('reactor.test', 80))[0][1][0])\n"
        "    except OSError as error: print(error.errno)\n"
        "tornado4.run(main())\n"
        "print('twisted.internet.reactor' in sys.modules)\n"
    )
    found = str(socket.EAI_AGAIN) if odd is dns_server.silent_by_tcp else "10.1.2.3"
    assert shown == f"{found}\nFalse\n"


def test_it_runs_on_the_global_reactor_of_its_loop(server):
    server.add("installed.test", "10.1.2.3")
    shown = output_of(
        "import tornado4, tornado4.platform.twisted as t\n"
        "reactor = t.install()\n"
        f"resolver = t.TwistedResolver(servers=[{server.address}])\n"
        "print(resolver.reactor is reactor)\n"
        "def done(found): print(found[0][1][0]); resolver.close(); reactor.stop()\n"
        "reactor.callWhenRunning(resolver.resolve, 'installed.test', 80, callback=done)\n"
        "reactor.run()\n"
        "async def main(): print(t.TwistedResolver().reactor is reactor)\n"
        "loop = tornado4.new_event_loop()\n"
        "loop.run_until_complete(main()); loop.close()\n"
    )
    assert shown == "True\n10.1.2.3\nFalse\n"


# Other loops


def test_on_a_stock_io_loop(server):
    server.add("stock.test", "10.1.2.3", "2001:db8::1")

    async def main():
        resolver = resolver_for(server.address)
        try:
            return await resolver.resolve("stock.test", 80)
        finally:
            resolver.close()

    with contextlib.closing(asyncio.SelectorEventLoop()) as loop:
        assert loop.run_until_complete(main()) == pairs("2001:db8::1", "10.1.2.3")
    io_loop = tornado.ioloop.IOLoop(make_current=False)
    resolver = resolver_for(server.address, io_loop=io_loop)
    found = io_loop.run_sync(lambda: resolver.resolve("stock.test", 80, V4))
    assert found == pairs("10.1.2.3")
    io_loop.close()


def test_on_a_twisted_io_loop(server):
    twisted = pytest.importorskip("tornado4.platform.twisted._io_loop")
    server.add("twisted.test", "10.1.2.3")
    with epoll_reactor() as reactor:
        io_loop = twisted.TwistedIOLoop(reactor, make_current=False)
        resolver = resolver_for(server.address, io_loop=io_loop)
        assert resolver.reactor is reactor
        found = io_loop.run_sync(lambda: resolver.resolve("twisted.test", 80))
        assert found == pairs("10.1.2.3")
        resolver.close()
        assert reactor.getDelayedCalls() == []
        io_loop.close()
