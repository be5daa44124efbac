"""TwistedResolver, as documented: how it is made, and what `resolve` does."""

import asyncio
import contextlib
import gc
import os
import socket
import subprocess
import sys
import threading
from unittest import mock

import pytest
import tornado.ioloop
from tornado.netutil import Resolver
from twisted.python import log

import dns_server
import tornado4
from loops import epoll_reactor
from resolvers import (
    V4,
    V6,
    _server,
    literal,
    pairs,
    resolved,
    resolver_for,
    run,
    server,
    without_server,
)
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


def child(code):
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_twisted_names_is_imported_when_a_resolver_is_made():
    shown = child(
        "import sys, tornado4, tornado4.platform.twisted as t\n"
        "print('twisted.names' in sys.modules)\n"
        "async def main(): t.TwistedResolver().close()\n"
        "tornado4.run(main())\n"
        "print('twisted.names' in sys.modules, 'twisted.internet.reactor' in sys.modules)\n"
    )
    assert shown == ["False", "True", "False"]


@pytest.mark.parametrize("odd", [None, dns_server.too_long, dns_server.silent_by_tcp])
def test_no_reactor_is_installed(server, odd):
    server.add("reactor.test", "10.1.2.3")
    server.oddities["reactor.test"] = odd
    shown = child(
        "import sys, tornado4, tornado4.platform.twisted as t\n"
        "async def main():\n"
        f"    resolver = t.TwistedResolver(servers=[{server.address}], timeout=(0.5,))\n"
        "    try: print((await resolver.resolve('reactor.test', 80))[0][1][0])\n"
        "    except OSError as error: print(error.errno)\n"
        "tornado4.run(main())\n"
        "print('twisted.internet.reactor' in sys.modules)\n"
    )
    found = str(socket.EAI_AGAIN) if odd is dns_server.silent_by_tcp else "10.1.2.3"
    assert shown == [found, "False"]


def test_it_runs_on_the_global_reactor_of_its_loop(server):
    server.add("installed.test", "10.1.2.3")
    shown = child(
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
    assert shown == ["True", "10.1.2.3", "False"]


# What `resolve` returns


def test_a_future_of_family_and_address_pairs(server):
    server.add("pairs.test", "10.1.2.3", "2001:db8::1")

    async def use(resolver):
        future = resolver.resolve("pairs.test", 8080)
        assert isinstance(future, asyncio.Future)
        return await future

    assert run(use, server.address) == [
        (V6, ("2001:db8::1", 8080, 0, 0)),
        (V4, ("10.1.2.3", 8080)),
    ]
    assert server.asked("pairs.test") == [("A", "UDP"), ("AAAA", "UDP")]


@pytest.mark.parametrize(("family", "ip"), [(V4, "127.0.0.1"), (V6, "::1")], ids=["IPv4", "IPv6"])
def test_the_address_is_what_connect_takes(server, family, ip):
    server.add("connect.test", ip)
    with socket.socket(family) as listening, socket.socket(family) as connecting:
        try:
            listening.bind((ip, 0))
        except OSError:
            pytest.skip("no IPv6 here")
        listening.listen()
        port = listening.getsockname()[1]
        [(found, address)] = resolved(server.address, "connect.test", family, port)
        assert found == family
        connecting.connect(address)


def test_more_than_one_result(server):
    addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "2001:db8::1", "2001:db8::2"]
    server.add("many.test", *addresses)
    found = resolved(server.address, "many.test")
    assert sorted(found) == sorted(pairs(*addresses))
    assert [family for family, _ in found] == [V6, V6, V4, V4, V4]


@pytest.mark.parametrize(("family", "kind"), [(V4, "A"), (V6, "AAAA")], ids=["IPv4", "IPv6"])
def test_any_family_may_be_asked_for(server, family, kind):
    server.add("family.test", "10.1.2.3", "2001:db8::1")
    [(found, _)] = resolved(server.address, "family.test", family)
    assert found == family
    assert server.asked("family.test") == [(kind, "UDP")]


def test_family_unspecified_with_one_family_only(server):
    server.add("only4.test", "10.1.2.3")
    server.add("only6.test", "2001:db8::1")
    assert resolved(server.address, "only4.test") == pairs("10.1.2.3")
    assert resolved(server.address, "only6.test") == pairs("2001:db8::1")


@pytest.mark.parametrize("port", [0, 80, 65535])
def test_the_port_is_given_back(server, port):
    server.add("port.test", "10.1.2.3")
    assert resolved(server.address, "port.test", port=port) == pairs("10.1.2.3", port=port)
    assert literal("10.1.2.3", port=port) == pairs("10.1.2.3", port=port)


def test_the_callback_gets_the_list(server):
    server.add("callback.test", "10.1.2.3")

    async def use(resolver):
        got = asyncio.Event()
        lists = []
        future = resolver.resolve(
            "callback.test", 80, callback=lambda found: (lists.append(found), got.set())
        )
        await got.wait()
        assert lists == [await future]
        # Never before `resolve` returns, even if all is known by then.
        resolver.resolve("127.0.0.1", 80, V4, lists.append)
        assert len(lists) == 1
        await asyncio.sleep(0.01)
        return lists

    assert run(use, server.address) == [pairs("10.1.2.3"), pairs("127.0.0.1")]


def test_a_callback_without_a_list_to_give_it(caplog):
    called = []

    async def use(resolver):
        with pytest.raises(socket.gaierror):
            await resolver.resolve("::1", 80, V4, called.append)
        await asyncio.sleep(0)

    without_server(use)
    assert called == []
    [record] = caplog.records
    assert (record.name, record.exc_info[0]) == ("tornado.application", socket.gaierror)


@pytest.mark.parametrize("family", [socket.AF_UNIX, -1, 12345])
def test_another_family_is_refused(family):
    assert literal("127.0.0.1", family) == socket.EAI_FAMILY


# It is asynchronous


def test_it_does_not_block(server):
    server.oddities["silent.test"] = dns_server.silent

    async def use(resolver):
        future = resolver.resolve("silent.test", 80)
        for _ in range(10):
            await asyncio.sleep(0)
        assert not future.done()
        server.add("other.test", "10.1.2.3")
        assert await resolver.resolve("other.test", 80) == pairs("10.1.2.3")
        assert not future.done()
        future.cancel()

    run(use, server.address)


def test_it_uses_no_threads(server):
    server.add("threads.test", "10.1.2.3")

    async def use(resolver):
        before = threading.enumerate()
        await resolver.resolve("threads.test", 80)
        return threading.enumerate() == before

    with mock.patch.object(threading.Thread, "start", side_effect=AssertionError):
        assert run(use, server.address)


def test_the_system_is_asked_for_no_name(server):
    server.add("system.test", "10.1.2.3")
    flags = []
    real = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        flags.append(kwargs["flags"])
        return real(host, *args, **kwargs)

    with mock.patch.object(socket, "getaddrinfo", getaddrinfo):
        assert resolved(server.address, "system.test") == pairs("10.1.2.3")
    assert flags
    assert all(flag & socket.AI_NUMERICHOST for flag in flags)


def test_a_future_that_is_cancelled_while_asking(server):
    server.add("cancelled.test", "10.1.2.3")
    logged = []

    async def use(resolver):
        future = resolver.resolve("cancelled.test", 80)
        future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future
        # The answer comes, and finds nobody waiting.
        return await resolver.resolve("cancelled.test", 80)

    log.addObserver(logged.append)
    try:
        assert run(use, server.address) == pairs("10.1.2.3")
        gc.collect()
    finally:
        log.removeObserver(logged.append)
    assert [event for event in logged if event["isError"]] == []


def test_many_who_ask_at_once_ask_once(server):
    server.add("popular.test", "10.1.2.3")

    async def use(resolver):
        asking = [resolver.resolve("popular.test", port) for port in range(50)]
        return await asyncio.gather(*asking)

    assert run(use, server.address) == [pairs("10.1.2.3", port=port) for port in range(50)]
    assert server.asked("popular.test") == [("A", "UDP"), ("AAAA", "UDP")]


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
