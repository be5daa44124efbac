"""What TwistedResolver resolves: literals, names, what the hosts file has."""

import socket

import pytest
from twisted.names import dns

from helpers.resolvers import V4, V6, _server, literal, pairs, resolved, run, server, without_server

__all__ = ["_server", "server"]


# Literals


@pytest.mark.parametrize(
    ("host", "ip"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("255.255.255.255", "255.255.255.255"),
        ("192.0.2.1.", "192.0.2.1"),
        ("::1", "::1"),
        ("::", "::"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
    ],
)
def test_literals_are_resolved_at_once(host, ip):
    async def use(resolver):
        future = resolver.resolve(host, 80)
        assert future.done()
        return await future

    assert without_server(use) == pairs(ip)


def test_a_literal_with_a_scope():
    index, name = socket.if_nameindex()[0]
    [(family, (ip, port, flow, scope))] = literal(f"fe80::1%{name}")
    assert (family, ip.partition("%")[0], port, flow, scope) == (V6, "fe80::1", 80, 0, index)
    assert literal(f"fe80::1%{index}")[0][1][3] == index
    assert literal("fe80::1%nosuchinterface") == socket.EAI_NONAME


@pytest.mark.parametrize(
    ("host", "family"), [("127.0.0.1", V6), ("::1", V4), ("fe80::1%1", V4)], ids=str
)
def test_a_family_that_does_not_fit_the_literal(host, family):
    assert literal(host, family) == socket.EAI_NONAME


# Names


@pytest.mark.parametrize("host", [None, 3, b"localhost", ["localhost"]], ids=str)
def test_a_host_that_is_no_string(host):
    async def use(resolver):
        future = resolver.resolve(host, 80)
        with pytest.raises(TypeError) as caught:
            await future
        return str(caught.value)

    assert without_server(use) == f"a host's name is a string, not {host!r}"


def test_a_host_that_cannot_be_resolved_is_an_os_error(server):
    async def use(resolver):
        with pytest.raises(IOError, match=r"nowhere\.test") as caught:
            await resolver.resolve("nowhere.test", 80)
        return caught.value

    error = run(use, server.address)
    assert isinstance(error, socket.gaierror)
    assert error.errno == socket.EAI_NONAME


@pytest.mark.parametrize(("address", "family"), [("10.1.2.3", V6), ("2001:db8::1", V4)], ids=str)
def test_a_family_that_does_not_fit_the_answer(server, address, family):
    server.add("mismatch.test", address)
    assert resolved(server.address, "mismatch.test", family) == socket.EAI_NONAME


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "..",
        ".leading.test",
        "double..dot.test",
        "a" * 64 + ".test",
        "ü" * 64 + ".test",
        ".".join(["a" * 49] * 6),
        "a" * 100_000,
        "ü" * 10_000,
        "white space.test",
        "line\nbreak.test",
        "null\0.test",
        "127.0.0.1\0.test",
        "[::1]",
        "127.0.0.1:80",
        "1:2:3",
        "\ud800.test",
    ],
    ids=lambda host: ascii(host[:20]),
)
def test_what_no_host_is_called(server, host):
    assert resolved(server.address, host) == socket.EAI_NONAME
    assert server.queries == []


@pytest.mark.parametrize("host", ["a" * 63 + ".test", ".".join(["a" * 49] * 5) + ".tes"])
def test_the_longest_names(server, host):
    server.records[host.encode()] = [dns.Record_A("10.1.2.3")]
    assert resolved(server.address, host) == pairs("10.1.2.3")


@pytest.mark.parametrize("host", ["bücher.test", "BÜCHER.test", "xn--bcher-kva.test"])
def test_an_international_name(server, host):
    server.add("bücher.test", "10.1.2.3")
    assert resolved(server.address, host) == pairs("10.1.2.3")
    assert server.asked("xn--bcher-kva.test")


@pytest.mark.parametrize("host", ["Mixed.TEST", "mixed.test."])
def test_case_and_a_dot_at_the_end_do_not_matter(server, host):
    server.add("mixed.test", "10.1.2.3")
    assert resolved(server.address, host) == pairs("10.1.2.3")


# The hosts file


@pytest.fixture
def hosts(tmp_path):
    path = tmp_path / "hosts"
    path.write_text(
        "# 10.9.9.9 comment.test\n"
        "10.0.0.1 one.test alias.test # trailing.test\n"
        "10.0.0.2 both.test\n2001:db8::2 both.test\n"
        "fe80::1%lo scoped.test\n10.0.0.3 scoped.test\n"
        "not-an-address bad.test\n"
    )
    return path


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        ("one.test", ["10.0.0.1"]),
        ("ALIAS.test.", ["10.0.0.1"]),
        ("both.test", ["2001:db8::2", "10.0.0.2"]),
        ("scoped.test", ["10.0.0.3"]),
    ],
)
def test_a_name_in_the_hosts_file(server, hosts, host, addresses):
    assert resolved(server.address, host, hosts=hosts) == pairs(*addresses)
    assert server.queries == []


@pytest.mark.parametrize("host", ["comment.test", "trailing.test", "bad.test", "missing.test"])
def test_a_name_that_is_not_in_the_hosts_file(server, hosts, host):
    server.add(host, "10.1.2.3")
    assert resolved(server.address, host, hosts=hosts) == pairs("10.1.2.3")


def test_the_servers_are_asked_for_a_family_that_the_hosts_file_lacks(server, hosts):
    server.add("one.test", "10.1.2.3", "2001:db8::1")
    assert resolved(server.address, "one.test", V6, hosts=hosts) == pairs("2001:db8::1")


def test_a_changed_hosts_file_is_read_again(server, hosts):
    async def use(resolver):
        assert await resolver.resolve("one.test", 80) == pairs("10.0.0.1")
        hosts.write_text("10.0.0.9 one.test\n")
        return await resolver.resolve("one.test", 80)

    assert run(use, server.address, hosts=hosts) == pairs("10.0.0.9")


def test_no_hosts_file(server, tmp_path):
    server.add("one.test", "10.1.2.3")
    missing = tmp_path / "missing"
    assert resolved(server.address, "one.test", hosts=missing) == pairs("10.1.2.3")
