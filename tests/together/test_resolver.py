"""What `TwistedResolver.resolve` returns, as documented, and that it never blocks."""

import asyncio
import gc
import socket
import threading
from unittest import mock

import pytest
from twisted.python import log

from helpers import dns_server
from helpers.resolvers import (
    BOTH_ONCE,
    V4,
    V6,
    _server,
    literal,
    pairs,
    resolved,
    run,
    server,
    without_server,
)

__all__ = ["_server", "server"]


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
    assert server.asked("pairs.test") == BOTH_ONCE


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
    assert server.asked("popular.test") == BOTH_ONCE
