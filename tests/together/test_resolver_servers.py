"""TwistedResolver and its name servers: what they answer, and what they fail to."""

import asyncio
import random
import socket

import pytest
from twisted.names import dns

from helpers import dns_server
from helpers.dns_server import bad_server, code, header
from helpers.loops import LIMIT
from helpers.resolvers import BOTH_ONCE, LONG, SHORT, V4, V6, _server, pairs, resolved, run, server

__all__ = ["_server", "server"]


def ask_any(address):
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(LIMIT)
        message = dns.Message(1)
        message.addQuery(b"any.test", dns.ALL_RECORDS)
        sock.sendto(message.toStr(), address)
        answer = dns.Message()
        answer.fromStr(sock.recv(512))
        return answer.rCode


def test_the_server_of_these_tests_refuses_any(server):
    server.add("any.test", "10.1.2.3")
    assert ask_any(server.address) == dns.EREFUSED
    assert server.asked("any.test") == [("ANY", "UDP")]
    server.queries.clear()
    assert resolved(server.address, "any.test") == pairs("10.1.2.3")


# Answers


def test_an_alias_whose_addresses_are_in_the_answer(server):
    server.add("alias.test", alias="real.test")
    server.add("real.test", "10.1.2.3")
    assert resolved(server.address, "alias.test", V4) == pairs("10.1.2.3")
    assert server.asked("real.test") == []


def test_a_chain_of_aliases_that_is_asked_for_link_by_link(server):
    server.add("a.test", alias="b.test")
    server.add("b.test", alias="c.test")
    server.add("c.test", alias="D.test")
    server.add("d.test", alias="e.test")
    server.add("e.test", "10.1.2.3", "2001:db8::1")
    assert resolved(server.address, "a.test") == pairs("2001:db8::1", "10.1.2.3")


def test_a_chain_of_aliases_in_one_answer(server):
    def alias(name, target):
        return dns.RRHeader(name, dns.CNAME, payload=dns.Record_CNAME(target))

    # Most servers keep the order of the chain, but none has to.
    address = dns.RRHeader("three.test", dns.A, payload=dns.Record_A("10.1.2.3"))
    server.oddities["one.test"] = dns_server.answering(
        address, alias("Two.test", "THREE.test"), alias("ONE.test", "two.TEST")
    )
    assert resolved(server.address, "one.test", V4) == pairs("10.1.2.3")
    assert len(server.queries) == 1


@pytest.mark.parametrize("links", [1, 2, 3])
def test_aliases_in_a_circle(server, links):
    for link in range(links):
        server.add(f"{link}.circle.test", alias=f"{(link + 1) % links}.circle.test")
    found = resolved(server.address, "0.circle.test")
    assert found == (socket.EAI_NONAME if links == 1 else socket.EAI_FAIL)


def test_the_message_for_aliases_without_end(server):
    server.add("round.test", alias="about.test")
    server.add("about.test", alias="round.test")

    async def use(resolver):
        with pytest.raises(socket.gaierror, match="too many aliases"):
            await resolver.resolve("round.test", 80)

    run(use, server.address)


def test_an_alias_for_nothing(server):
    server.add("dangling.test", alias="nothing.test")
    assert resolved(server.address, "dangling.test") == socket.EAI_NONAME


def test_records_that_were_not_asked_for_are_ignored(server):
    server.oddities["asked.test"] = dns_server.answering(
        dns.RRHeader("other.test", dns.A, payload=dns.Record_A("10.6.6.6")),
        dns.RRHeader("asked.test", dns.TXT, payload=dns.Record_TXT(b"10.6.6.6")),
    )
    assert resolved(server.address, "asked.test") == socket.EAI_NONAME


def test_a_name_without_addresses(server):
    server.records[b"mail.test"] = [dns.Record_MX(10, "other.test", ttl=60)]
    assert resolved(server.address, "mail.test") == socket.EAI_NONAME


@pytest.mark.parametrize(
    ("number", "errno"),
    [
        (dns.ENAME, socket.EAI_NONAME),
        (dns.ESERVER, socket.EAI_AGAIN),
        (dns.EREFUSED, socket.EAI_FAIL),
        (dns.EFORMAT, socket.EAI_FAIL),
        (dns.ENOTIMP, socket.EAI_FAIL),
        (15, socket.EAI_FAIL),
    ],
)
def test_what_the_servers_codes_mean(server, number, errno):
    server.oddities["code.test"] = code(number)
    assert resolved(server.address, "code.test") == errno
    assert server.asked("code.test") == BOTH_ONCE


def test_the_message_names_the_host_and_the_cause(server):
    server.oddities["cause.test"] = code(dns.ESERVER)

    async def use(resolver):
        with pytest.raises(socket.gaierror, match=r"cause\.test") as caught:
            await resolver.resolve("cause.test", 80)
        return caught.value.__cause__

    assert type(run(use, server.address)).__name__ == "DNSServerError"


def test_one_familys_failure_does_not_spoil_the_other(server):
    def failing_for_ipv6(server, message, *where):
        if message.queries[0].type == dns.A:
            return dns_server.NORMAL
        return code(dns.ESERVER)(server, message, *where)

    server.add("half.test", "10.1.2.3")
    server.oddities["half.test"] = failing_for_ipv6
    assert resolved(server.address, "half.test") == pairs("10.1.2.3")
    server.oddities["half.test"] = dns_server.silent_about(dns.AAAA)
    assert resolved(server.address, "half.test", timeout=SHORT) == pairs("10.1.2.3")
    assert resolved(server.address, "half.test", V6, timeout=SHORT) == socket.EAI_AGAIN


# Truncation


def test_an_answer_that_does_not_fit_is_asked_for_by_tcp(server):
    server.add("long.test", *[f"10.0.0.{n}" for n in range(100)])
    server.oddities["long.test"] = dns_server.too_long
    assert sorted(resolved(server.address, "long.test")) == sorted(
        pairs(*[f"10.0.0.{n}" for n in range(100)])
    )
    assert server.asked("long.test") == [
        (kind, way) for kind in ["A", "AAAA"] for way in ["TCP", "UDP"]
    ]


def test_the_server_whose_answer_did_not_fit_is_asked_by_tcp(server):
    server.add("long.test", "10.1.2.3")
    server.oddities["long.test"] = dns_server.too_long
    with bad_server() as nobody:
        for servers in [server.address, nobody], [nobody, server.address, nobody]:
            found = resolved(servers, "long.test", V4, timeout=(0.2, *LONG))
            assert found == pairs("10.1.2.3")


def test_an_answer_that_does_not_fit_by_tcp_either(server):
    server.oddities["longer.test"] = dns_server.always_too_long
    assert resolved(server.address, "longer.test", V4) == pairs("127.0.0.7")
    assert server.asked("longer.test") == [("A", "TCP"), ("A", "UDP")]


def test_many_answers_that_do_not_fit(server):
    names = [f"{n}.many.test" for n in range(30)]
    for name in names:
        server.add(name, "10.1.2.3")
        server.oddities[name] = dns_server.too_long

    async def use(resolver):
        for _ in range(2):
            found = await asyncio.gather(*[resolver.resolve(name, 80, V4) for name in names])
            assert found == [pairs("10.1.2.3")] * 30
            names[:] = [name.upper() for name in names]

    run(use, server.address)


def test_a_server_that_hangs_up(server):
    server.oddities["hangs.test"] = dns_server.hanging_up
    # At once, and not when the time is up.
    assert resolved(server.address, "hangs.test", timeout=(LIMIT * 10,)) == socket.EAI_AGAIN


def test_a_server_that_is_silent_by_tcp(server):
    server.oddities["hush.test"] = dns_server.silent_by_tcp
    server.add("long.test", "10.1.2.3")
    server.oddities["long.test"] = dns_server.too_long

    async def use(resolver):
        with pytest.raises(socket.gaierror) as caught:
            await resolver.resolve("hush.test", 80, V4)
        assert caught.value.errno == socket.EAI_AGAIN
        # By a new connection.
        return await resolver.resolve("long.test", 80, V4)

    assert run(use, server.address, timeout=(0.3,)) == pairs("10.1.2.3")


@pytest.mark.parametrize("listens", [None, 5], ids=["refused", "never accepted"])
def test_a_server_that_cannot_be_reached_by_tcp(listens):
    with bad_server(dns_server.truncated, listens) as address:
        assert resolved(address, "long.test", timeout=SHORT) == socket.EAI_AGAIN


# No answer, and bad ones


def test_a_server_that_never_answers(server):
    server.oddities["silent.test"] = dns_server.silent
    assert resolved(server.address, "silent.test", timeout=SHORT) == socket.EAI_AGAIN
    assert server.asked("silent.test") == sorted(BOTH_ONCE * 2)


def test_nobody_listens():
    with bad_server() as address:
        pass
    assert resolved(address, "closed.test", timeout=SHORT) == socket.EAI_AGAIN


@pytest.mark.parametrize(
    "reply",
    [
        lambda query: [b""],
        lambda query: [b"\0"],
        lambda query: [bytes(512)],
        lambda query: [b"\xff" * 512],
        lambda query: [query],
        lambda query: [query[:2]],
        lambda query: [header(query, 0x8180, 1, 1, 1, 1)],
        lambda query: [header(query, 0x8180, 65535, 65535, 65535, 65535) + query[12:] * 4],
        lambda query: [header(query, 0x8180, 1, 0, 0, 0) + b"\xc0\x0c"],
        lambda query: [header(query, 0x8180, 0, 1, 0, 0) + b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4"],
        lambda query: [query[1::-1] + query[2:]] * 20,
    ],
    ids=[
        "nothing", "a byte", "zeros", "ones", "its query", "an id", "a header", "lies",
        "a circle", "half an answer", "another id",
    ],
)  # fmt: skip
def test_a_server_that_answers_rubbish(reply):
    with bad_server(reply) as address:
        errno = resolved(address, "rubbish.test", timeout=SHORT)
    assert errno in {socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_NONAME}


def test_a_server_that_answers_at_random():
    chance = random.Random(1)

    def reply(query):
        answer = dns.Message(int.from_bytes(query[:2], "big"), answer=1)
        name = f"{chance.random()}.test".encode()
        answer.answers = [
            dns.RRHeader(name, dns.CNAME, payload=dns.Record_CNAME(b"x.test")),
            dns.RRHeader(b"x.test", dns.A, payload=dns.Record_A("10.1.2.3")),
            dns.RRHeader(b"x.test", dns.AAAA, payload=dns.Record_AAAA("::5")),
        ]
        data = bytearray(header(query, 0x8180, 1, 3, 0, 0) + query[12:] + answer.toStr()[12:])
        for _ in range(chance.randrange(1, 20)):
            data[chance.randrange(2, len(data))] = chance.randrange(256)
        return [bytes(data[: chance.randrange(3, len(data) * 2)])]

    async def use(resolver):
        asking = [resolver.resolve(f"{n}.random.test", 80) for n in range(100)]
        return await asyncio.gather(*asking, return_exceptions=True)

    with bad_server(reply) as address:
        outcomes = run(use, address, timeout=SHORT)
    assert len(outcomes) == 100
    assert all(isinstance(outcome, (list, socket.gaierror)) for outcome in outcomes)
