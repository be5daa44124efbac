"""What TwistedResolver leaves behind: nothing."""

import asyncio
import contextlib
import gc
import os
import resource
import socket
import weakref

import pytest
import tornado.ioloop

import tornado4
from helpers import dns_server
from helpers.dns_server import bad_server
from helpers.loops import as_global, epoll_reactor, tornado4_reactor
from helpers.resolvers import V4, _server, pairs, resolver_for, run, server
from helpers.scenarios import open_fds
from tornado4.ioloop import IOLoop

__all__ = ["_server", "server"]


@pytest.fixture(autouse=True)
def no_automatic_collection():
    # It would close descriptors of others while they are counted.
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def left(resolver):
    """What a resolver's reactor still holds."""
    reactor = resolver.reactor
    return reactor.getDelayedCalls() + reactor.getReaders() + reactor.getWriters()


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0.001)


@contextlib.contextmanager
def own(server):
    io_loop = IOLoop(make_current=False)
    yield io_loop
    io_loop.close()


@contextlib.contextmanager
def foreign(server):
    io_loop = tornado.ioloop.IOLoop(make_current=False)
    yield io_loop
    io_loop.close()


@contextlib.contextmanager
def with_global_reactor(server):
    with tornado4_reactor() as reactor, as_global(reactor):
        yield reactor._io_loop


@contextlib.contextmanager
def on_epoll(server):
    twisted = pytest.importorskip("tornado4.platform.twisted._io_loop")
    with epoll_reactor() as reactor:
        io_loop = twisted.TwistedIOLoop(reactor, make_current=False)
        yield io_loop
        io_loop.close()


on_each_loop = pytest.mark.parametrize("loops", [own, foreign, with_global_reactor, on_epoll])


# What may be under way when the resolver, or the loop, is closed. Each gives the
# addresses of servers, and a condition for being as far as that.


@contextlib.contextmanager
def asking_by_udp(server):
    server.oddities["busy.test"] = dns_server.silent
    yield server.address, lambda: ("AAAA", "UDP") in server.asked("busy.test")


@contextlib.contextmanager
def asking_by_tcp(server):
    server.oddities["busy.test"] = dns_server.silent_by_tcp
    yield server.address, lambda: ("AAAA", "TCP") in server.asked("busy.test")


@contextlib.contextmanager
def connecting(server):
    with bad_server(dns_server.truncated, listens=0) as address, contextlib.ExitStack() as stack:
        # They fill the queue of the socket that nobody accepts from.
        for _ in range(4):
            filling = stack.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(address)
        yield address, None


@contextlib.contextmanager
def waiting_for_the_next_time(server):
    server.oddities["busy.test"] = dns_server.silent
    yield server.address, lambda: len(server.asked("busy.test")) >= 4


@contextlib.contextmanager
def nothing(server):
    server.add("busy.test", "10.1.2.3")
    yield server.address, lambda: len(server.asked("busy.test")) == 2


busy = pytest.mark.parametrize(
    "busy", [asking_by_udp, asking_by_tcp, connecting, waiting_for_the_next_time, nothing]
)


async def be_busy(resolver, reached):
    """Resolves; the Future is what comes of it when it is as far as wanted."""
    future = resolver.resolve("busy.test", 80)
    if reached is None:
        while not resolver.reactor.getWriters():  # connecting
            await asyncio.sleep(0.001)
    else:
        while not reached():
            await asyncio.sleep(0.001)
        await turns()
    return future


def outcome(future):
    if not future.done():
        return "pending"
    return future.exception() or future.result()


def options(busy):
    return {"timeout": (0.1 if busy is waiting_for_the_next_time else 1000, 1000)}


@on_each_loop
@busy
def test_close_frees_all_at_once(server, loops, busy):
    with loops(server) as io_loop, busy(server) as (address, reached):

        async def main():
            before = open_fds()
            resolver = resolver_for(address, io_loop=io_loop, **options(busy))
            # What a first resolver adds to a foreign loop.
            kept = len(resolver.reactor.getReaders())
            own = open_fds().keys() - before.keys()
            future = await be_busy(resolver, reached)
            resolver.close()
            assert len(left(resolver)) == kept
            if busy is not asking_by_tcp:  # the server's end of it is in this process
                assert open_fds().keys() - own == before.keys()
            assert isinstance(outcome(future), list if busy is nothing else socket.gaierror)
            resolver.close()
            await turns()
            assert len(left(resolver)) == kept

        io_loop.run_sync(main)


@on_each_loop
@busy
def test_closing_the_loop_frees_all_too(server, loops, busy):
    with busy(server) as (address, reached):
        with loops(server) as io_loop:
            # The first reactor and resolver in a process keep something.
            io_loop.run_sync(lambda: turns())
        before = open_fds()
        with loops(server) as io_loop:
            resolver = resolver_for(address, io_loop=io_loop, **options(busy))
            future = io_loop.run_sync(lambda: be_busy(resolver, reached))
        assert isinstance(outcome(future), list if busy is nothing else socket.gaierror)
        assert left(resolver) == []
        if busy is not asking_by_tcp:
            assert open_fds() == before


@busy
def test_run_with_a_resolver_that_nobody_closes(server, busy):
    with busy(server) as (address, reached):
        tornado4.run(turns())
        before = open_fds()
        kept = []

        async def main():
            kept.append(resolver_for(address, **options(busy)))
            await be_busy(kept[0], reached)

        tornado4.run(main())
        assert left(kept[0]) == []
        if busy is not asking_by_tcp:
            assert open_fds() == before


def test_the_connections_to_the_server_end(server):
    names = [f"{n}.long.test" for n in range(20)]
    for name in names:
        server.add(name, "10.1.2.3")
        server.oddities[name] = dns_server.too_long

    async def use(resolver):
        await asyncio.gather(*[resolver.resolve(name, 80) for name in names])
        # Before the resolver is closed: a connection is for one answer.
        while server.connections:
            await asyncio.sleep(0.001)

    run(use, server.address)


def test_a_connection_that_nobody_needs_any_more_ends(server):
    async def use(resolver):
        client, before = resolver._names._client, server.accepted
        client._reactor.connectTCP(*server.address, client.factory)
        while server.accepted == before or server.connections:
            await asyncio.sleep(0.001)

    run(use, server.address)


def test_connecting_takes_no_longer_than_it_may(server):
    async def use(resolver):
        with pytest.raises(socket.gaierror) as caught:
            await resolver.resolve("busy.test", 80)
        assert resolver.reactor.getWriters()  # they go on trying for a while
        return caught.value.errno

    with connecting(server) as (address, _):
        assert run(use, address, timeout=(0.1,)) == socket.EAI_AGAIN


def test_after_close_nothing_is_resolved(server):
    server.add("closed.test", "10.1.2.3")

    async def use(resolver):
        await resolver.resolve("closed.test", 80)
        resolver.close()
        for host in ["closed.test", "127.0.0.1", "other.test"]:
            with pytest.raises(socket.gaierror, match="closed") as caught:
                await resolver.resolve(host, 80)
            assert caught.value.errno == socket.EAI_FAIL

    run(use, server.address)


def test_closing_one_resolver_leaves_the_others_alone(server):
    server.add("other.test", "10.1.2.3")
    server.oddities["silent.test"] = dns_server.silent

    async def use(resolver):
        other = resolver_for(server.address)
        mine = resolver.reactor.callLater(1000, int)
        closing = other.resolve("silent.test", 80)
        going_on = resolver.resolve("other.test", 80)
        other.close()
        with pytest.raises(socket.gaierror):
            await closing
        assert mine.active()
        return await going_on

    assert run(use, server.address) == pairs("10.1.2.3")


def test_close_in_a_callback(server):
    server.add("callback.test", "10.1.2.3")

    async def use(resolver):
        closed = asyncio.Event()

        def close(found):
            resolver.close()
            closed.set()

        resolver.resolve("callback.test", 80, callback=close)
        await closed.wait()
        assert left(resolver) == []

    run(use, server.address)


def test_an_idle_resolver_has_nothing_to_do(server):
    # Such as looking after resolv.conf each minute.
    async def main():
        resolver = resolver_for(server.address)
        by_file = type(resolver)()
        return left(resolver) + left(by_file)

    assert tornado4.run(main()) == []


@pytest.mark.parametrize("make", [tornado4.new_event_loop, asyncio.SelectorEventLoop])
def test_the_loop_can_be_closed_as_before(server, make):
    server.add("open.test", "10.1.2.3")

    async def main():
        resolver = resolver_for(server.address)
        with pytest.raises(RuntimeError, match="running"):
            asyncio.get_running_loop().close()
        return await resolver.resolve("open.test", 80)

    loop = make()
    assert loop.run_until_complete(main()) == pairs("10.1.2.3")
    loop.close()
    loop.close()
    assert loop.is_closed()


@pytest.mark.parametrize("close", [False, True])
@pytest.mark.parametrize("loops", [own, foreign])
def test_the_resolver_and_its_loop_are_collected(server, loops, close):
    server.add("garbage.test", "10.1.2.3")

    def use():
        with loops(server) as io_loop:
            resolver = resolver_for(server.address, io_loop=io_loop)
            io_loop.run_sync(lambda: resolver.resolve("garbage.test", 80))
            if close:
                resolver.close()
            held = [resolver, resolver.reactor, io_loop, io_loop.asyncio_loop]
            return [weakref.ref(thing) for thing in held]

    gone = use()
    gc.collect()
    assert [reference() for reference in gone] == [None] * 4


def test_a_resolver_that_is_dropped_is_collected_while_its_loop_runs(server):
    server.add("dropped.test", "10.1.2.3")

    async def main():
        found = await resolver_for(server.address).resolve("dropped.test", 80)
        resolver = weakref.ref(resolver_for(server.address))
        gc.collect()
        return resolver(), found

    assert tornado4.run(main()) == (None, pairs("10.1.2.3"))


def test_the_reactor_of_the_program_is_stopped_while_asking(server):
    server.oddities["stopped.test"] = dns_server.silent
    with tornado4_reactor() as reactor, as_global(reactor):
        resolver = resolver_for(server.address, io_loop=reactor._io_loop)
        assert resolver.reactor is reactor
        futures = []
        reactor.callWhenRunning(lambda: futures.append(resolver.resolve("stopped.test", 80)))
        reactor.callLater(0.05, reactor.stop)
        reactor.run(installSignalHandlers=False)
        resolver.close()
        assert isinstance(outcome(futures[0]), socket.gaierror)
        assert left(resolver) == []


@pytest.mark.parametrize("ways", ["UDP", "TCP"])
def test_out_of_descriptors(server, ways):
    server.add("full.test", "10.1.2.3")
    if ways == "TCP":
        server.oddities["full.test"] = dns_server.too_long
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def use(resolver):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(open_fds()) + 8, before[1]))
        fill = []
        try:
            with contextlib.suppress(OSError):
                while True:
                    fill.append(os.open(os.devnull, os.O_RDONLY))
            if ways == "TCP":
                os.close(fill.pop())  # for the port
            with pytest.raises(OSError) as caught:  # noqa: PT011
                await resolver.resolve("full.test", 80, V4)
        finally:
            for fd in fill:
                os.close(fd)
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        if ways == "UDP":
            assert caught.match("Too many open files")
        # The same name, for which nobody waits any more.
        return await resolver.resolve("full.test", 80, V4)

    assert run(use, server.address) == pairs("10.1.2.3")
