"""Whom TwistedResolver asks: several servers, resolv.conf, its cache."""

import asyncio
import os
import socket

import pytest
from twisted.names import dns

import tornado4
from helpers.dns_server import bad_server, header
from helpers.resolvers import BOTH_ONCE, LONG, SHORT, V4, _server, pairs, resolved, run, server
from tornado4.platform.twisted import TwistedResolver

__all__ = ["_server", "server"]


# More than one server


def test_the_servers_are_asked_in_order(server):
    server.add("order.test", "10.1.2.3")
    asked = []
    with bad_server(lambda query: asked.append(query) or []) as second:
        assert resolved([server.address, second], "order.test") == pairs("10.1.2.3")
    assert asked == []


def answering_with(number):
    return lambda query: [header(query, 0x8180 | number, 1, 0, 0, 0) + query[12:]]


@pytest.mark.parametrize(
    "reply",
    [lambda query: [], *map(answering_with, [dns.ESERVER, dns.EREFUSED, dns.ENOTIMP])],
    ids=["silent", "failing", "refusing", "not implementing"],
)
def test_the_next_server_is_asked_if_one_is_of_no_help(server, reply):
    server.add("next.test", "10.1.2.3")
    with bad_server(reply) as first:
        servers = [first, server.address]
        assert resolved(servers, "next.test", timeout=(0.2, *LONG)) == pairs("10.1.2.3")


def test_the_next_server_is_not_asked_for_what_does_not_exist(server):
    server.add("missing.test", "10.1.2.3")
    with bad_server(answering_with(dns.ENAME)) as first:
        servers = [first, server.address]
        assert resolved(servers, "missing.test") == socket.EAI_NONAME
    assert server.queries == []


def test_the_next_server_is_asked_if_there_is_no_way_to_one(server):
    server.add("way.test", "10.1.2.3")
    # Sending to the broadcast address needs permission, so it fails at once.
    broadcast = ("255.255.255.255", 53)
    assert resolved([broadcast, server.address], "way.test") == pairs("10.1.2.3")
    assert resolved(broadcast, "way.test") == socket.EAI_AGAIN


@pytest.mark.parametrize("host", ["::1", "0:0:0:0:0:0:0:1"])
def test_a_server_by_ipv6(server, host):
    if not server.has_ipv6:
        pytest.skip("no IPv6 here")
    server.add("six.test", "10.1.2.3")
    assert resolved((host, server.address[1]), "six.test") == pairs("10.1.2.3")


# resolv.conf


def write(path, text, time=0):
    path.write_text(text)
    os.utime(path, (time, time))


def by_file(use, path, **options):
    async def main():
        resolver = TwistedResolver(resolvconf=path, hosts=os.devnull, **options)
        try:
            return await use(resolver)
        finally:
            resolver.close()

    return tornado4.run(main())


@pytest.fixture
def resolvconf(server, tmp_path, monkeypatch):
    # The file can't say so.
    monkeypatch.setattr(dns, "PORT", server.address[1])
    return tmp_path / "resolv.conf"


@pytest.mark.parametrize(
    "text",
    [
        "nameserver 127.0.0.1\n",
        "",
        "nameserver\nnameserver dns.example\nnameserver 127.0.0.1 # that one\noptions edns0\n",
        "search example\n\n# nameserver 10.6.6.6\n\tnameserver\t127.0.0.1",
        "nameserver \xff\nnameserver 127.0.0.1\n",
    ],
    ids=["plain", "empty", "bad lines", "comments", "not ASCII"],
)
def test_the_servers_of_resolv_conf(server, resolvconf, text):
    server.add("file.test", "10.1.2.3")
    resolvconf.write_bytes(text.encode("latin-1"))
    found = by_file(lambda resolver: resolver.resolve("file.test", 80), resolvconf)
    assert found == pairs("10.1.2.3")


def test_without_resolv_conf_this_machine_is_asked(server, resolvconf):
    server.add("file.test", "10.1.2.3")
    found = by_file(lambda resolver: resolver.resolve("file.test", 80), resolvconf)
    assert found == pairs("10.1.2.3")


def test_a_changed_resolv_conf_is_read_again(server, resolvconf):
    server.add("changed.test", "10.1.2.3")
    write(resolvconf, "nameserver 127.0.0.99\n", 1)

    async def use(resolver):
        with pytest.raises(socket.gaierror):
            await resolver.resolve("changed.test", 80)
        write(resolvconf, "nameserver 127.0.0.1\n", 2)
        found = await resolver.resolve("changed.test", 80)
        resolvconf.unlink()
        resolvconf.mkdir()  # which can't be read
        server.add("still.test", "10.1.2.3")
        assert await resolver.resolve("still.test", 80) == found
        return found

    assert by_file(use, resolvconf, timeout=(0.3,)) == pairs("10.1.2.3")


def test_a_resolv_conf_that_cannot_be_read(tmp_path):
    async def main():
        with pytest.raises(IsADirectoryError):
            TwistedResolver(resolvconf=tmp_path)

    tornado4.run(main())


def test_given_servers_are_asked_instead_of_those_of_resolv_conf(server, resolvconf):
    write(resolvconf, "nameserver 127.0.0.1\n")
    server.add("leak.test", "10.1.2.3")
    with bad_server() as silent:
        found = resolved(silent, "leak.test", resolvconf=resolvconf, timeout=SHORT)
    assert found == socket.EAI_AGAIN
    assert server.queries == []


# The cache


def test_a_second_time_nobody_is_asked(server):
    server.add("cached.test", "10.1.2.3", "2001:db8::1")

    async def use(resolver):
        first = await resolver.resolve("cached.test", 80)
        asked = len(server.queries)
        second = resolver.resolve("CACHED.test", 80)
        assert second.done()
        assert (await second, len(server.queries)) == (first, asked)

    run(use, server.address)


def test_that_there_is_no_such_address_is_cached(server):
    server.add("four.test", "10.1.2.3")

    async def use(resolver):
        for _ in range(3):
            assert await resolver.resolve("four.test", 80) == pairs("10.1.2.3")
        assert server.asked("four.test") == BOTH_ONCE

    run(use, server.address)


def test_aliases_are_cached(server):
    server.add("a.test", alias="b.test")
    server.add("b.test", alias="c.test")
    server.add("c.test", "10.1.2.3")

    async def use(resolver):
        await resolver.resolve("a.test", 80)
        asked = len(server.queries)
        await resolver.resolve("a.test", 80)
        assert len(server.queries) == asked

    run(use, server.address)


def test_what_is_too_old_is_asked_for_again(server):
    server.add("old.test", "10.1.2.3", ttl=1)

    async def use(resolver):
        await resolver.resolve("old.test", 80, V4)
        while resolver.reactor.getDelayedCalls():
            await asyncio.sleep(0.05)
        server.records.clear()
        server.add("old.test", "10.4.5.6")
        return await resolver.resolve("old.test", 80, V4)

    assert run(use, server.address) == pairs("10.4.5.6")


@pytest.mark.parametrize("ttl", [0, 2**31 - 1, 2**32 - 1])
def test_extreme_ages(server, ttl):
    server.add("extreme.test", "10.1.2.3", ttl=ttl)

    async def use(resolver):
        for _ in range(2):
            assert await resolver.resolve("extreme.test", 80, V4) == pairs("10.1.2.3")
            await asyncio.sleep(0.01)
        return server.asked("extreme.test")

    assert len(run(use, server.address)) == (2 if ttl == 0 else 1)


def test_each_resolver_has_a_cache_of_its_own(server):
    server.add("own.test", "10.1.2.3")
    for _ in range(2):
        assert resolved(server.address, "own.test", V4) == pairs("10.1.2.3")
    assert server.asked("own.test") == [("A", "UDP")] * 2
