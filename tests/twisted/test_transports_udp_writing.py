"""What UDP ports are asked to write, where to, and what comes of it."""

import errno
import socket

import pytest
from twisted.internet.error import MessageLengthError

from helpers.datagrams import (
    LOCAL,
    TracedDatagrams,
    listening,
    on_internets,
    taken,
    udp_socket,
    waiting,
)
from helpers.loops import on_reactors
from helpers.scenarios import closed_number, outcome, run_turns
from helpers.streams import fail, run_until


class Pair(tuple):
    pass


class Text(str):
    pass


class Data(bytes):
    pass


class Index:
    def __init__(self, number):
        self.number = number

    def __index__(self):
        return self.number


def written(run, family, write):
    """The outcomes of `write(port, host, number)`, and what came of it."""

    def scenario(reactor, trace):
        protocol = TracedDatagrams([])
        opened = listening(reactor, protocol, family)
        with opened as (port, peer), udp_socket(family) as other:
            host, number = other.getsockname()[:2]
            result = write(port, host, number)
            trace.append(named(result, {number: "OTHER", peer.getsockname()[1]: "PEER"}))
            run_turns(reactor)
            trace.append(waiting(other))

    return run(scenario)


def named(result, numbers):
    if not isinstance(result, tuple):
        return result
    text = result[1]
    for number, name in numbers.items():
        text = text.replace(str(number), name)
    return result[0], text


ADDRESSES = {
    "plain": lambda host, number: (host, number),
    "tuple subclass": lambda host, number: Pair((host, number)),
    "list": lambda host, number: [host, number],
    "str subclass": lambda host, number: (Text(host), number),
    "bytes host": lambda host, number: (host.encode(), number),
    "bytearray host": lambda host, number: (bytearray(host.encode()), number),
    "hostname": lambda host, number: ("localhost", number),
    "hostname with port": lambda host, number: (f"{host}:{number}", number),
    "empty host": lambda host, number: ("", number),
    "no host": lambda host, number: (None, number),
    "number host": lambda host, number: (1, number),
    "surrogate host": lambda host, number: ("\udc80", number),
    "zeros": lambda host, number: ("127.000.000.001", number),
    "few parts": lambda host, number: ("127.1", number),
    "octal": lambda host, number: ("0177.0.0.1", number),
    "spaces": lambda host, number: (" 127.0.0.1", number),
    "nul": lambda host, number: (host + "\0", number),
    "other digits": lambda host, number: ("127.0.0.\u0661", number),
    "long ipv6": lambda host, number: ("0:0:0:0:0:0:0:1", number),
    "mapped": lambda host, number: ("::ffff:127.0.0.1", number),
    "scoped": lambda host, number: ("::1%lo", number),
    "bad scope": lambda host, number: ("::1%nothing", number),
    "brackets": lambda host, number: ("[::1]", number),
    "ipv4": lambda host, number: ("127.0.0.1", number),
    "ipv6": lambda host, number: ("::1", number),
    "broadcast": lambda host, number: ("<broadcast>", number),
    "255": lambda host, number: ("255.255.255.255", number),
    "nothing": lambda host, number: None,
    "empty": lambda host, number: (),
    "one": lambda host, number: (host,),
    "three": lambda host, number: (host, number, 0),
    "four": lambda host, number: (host, number, 0, 0),
    "flow": lambda host, number: (host, number, 5, 0),
    "five": lambda host, number: (host, number, 0, 0, 0),
    "text": lambda host, number: host,
    "number": lambda host, number: number,
    "port 0": lambda host, number: (host, 0),
    "port -1": lambda host, number: (host, -1),
    "port 65536": lambda host, number: (host, 65536),
    "port 2**64": lambda host, number: (host, 2**64),
    "port text": lambda host, number: (host, "1"),
    "port float": lambda host, number: (host, 1.0),
    "port nan": lambda host, number: (host, float("nan")),
    "port None": lambda host, number: (host, None),
    "port true": lambda host, number: (host, True),
    "port index": lambda host, number: (host, Index(number)),
}


@on_reactors
@on_internets
@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_addresses(run, family, address):
    def write(port, host, number):
        return outcome(port.write, b"hello", address(host, number))

    result = written(run, family, write)
    if address is ADDRESSES["plain"]:
        assert result == [5, [b"hello"]]


DATA = {
    "empty": b"",
    "large": b"x" * 60_000,
    "too long": b"x" * 65_536,
    "far too long": b"x" * 1_000_000,
    "bytes subclass": Data(b"hello"),
    "bytearray": bytearray(b"hello"),
    "memoryview": memoryview(b"hello"),
    "numbers": memoryview(b"hello   ").cast("q"),
    "gaps": memoryview(b"hello")[::2],
    "text": "hello",
    "None": None,
    "number": 5,
    "list": [b"hello"],
}


@on_reactors
@on_internets
@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_data(run, family, data):
    def write(port, host, number):
        return outcome(port.write, data, (host, number))

    result = written(run, family, write)
    if data == b"hello":
        assert result == [5, [b"hello"]]


@on_reactors
@on_internets
@pytest.mark.parametrize("size", [65_536, 1_000_000])
@pytest.mark.parametrize("is_connected", [False, True])
def test_too_long(run, family, size, is_connected):
    def scenario(reactor, trace):
        protocol = TracedDatagrams([])
        with listening(reactor, protocol, family) as (port, _peer), udp_socket(family) as other:
            address = other.getsockname()[:2]
            if is_connected:
                port.connect(*address)
                address = None
            with pytest.raises(MessageLengthError, match="message too long") as caught:
                port.write(bytes(size), address)
            trace.append(caught.value.__context__.errno == errno.EMSGSIZE)

    assert run(scenario) == [True]


@on_reactors
@pytest.mark.parametrize("size", [0, 1, 65_507, 65_508])
def test_the_longest(run, size):
    def write(port, host, number):
        return outcome(port.write, bytes(size), (host, number))

    too_long = [("MessageLengthError", "Message is too long to send: message too long."), []]
    result = written(run, socket.AF_INET, write)
    assert result == ([size, [bytes(size)]] if size < 65_508 else too_long)


@on_reactors
@on_internets
def test_in_order_and_by_every_method(run, family):
    def write(port, host, number):
        port.write(b"1", (host, number))
        port.write(datagram=b"2", addr=(host, number))
        port.writeSequence([b"3", b"4"], (host, number))
        port.write(bytearray(b"5"), (host, number))
        return port.write(b"6", addr=(host, number))

    assert written(run, family, write) == [1, [b"1", b"2", b"34", b"5", b"6"]]


@on_reactors
@pytest.mark.parametrize("args", [(), (b"", ("127.0.0.1", 1), 1), (b"",)])
def test_wrong_arguments(run, args):
    found = written(run, socket.AF_INET, lambda port, *_: outcome(port.write, *args)[0])
    assert found == ["AssertionError" if args == (b"",) else "TypeError", []]


@on_reactors
def test_broadcast(run):
    def scenario(reactor, trace):
        protocol = TracedDatagrams([])
        with listening(reactor, protocol) as (port, _peer):
            for allowed in [False, True]:
                port.setBroadcastAllowed(allowed)
                trace.append(port.getBroadcastAllowed())
                # There may be no way out, but it isn't refused.
                for host in ["<broadcast>", "255.255.255.255"]:
                    result = outcome(port.write, b"hello", (host, 9))
                    trace.append(result[0] if isinstance(result, tuple) else result)

    assert run(scenario)[:3] == [False, "PermissionError", "PermissionError"]


@on_reactors
@on_internets
def test_connected(run, family):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace)
        with listening(reactor, protocol, family) as (port, peer), udp_socket(family) as other:
            host, number = other.getsockname()[:2]
            protocol.known[number] = "other"
            port.connect(host, number)
            trace.append(outcome(port.connect, host, number))
            trace.append(port.write(b"one"))
            trace.append(port.write(b"two", None))
            trace.append(port.write(b"three", (host, number)))
            trace.append(port.write(b"", addr=None))
            trace.append(port.write(bytearray(b"four")))
            trace.append(outcome(port.write, b"five", (host, 1))[0])
            trace.append(outcome(port.write, b"five", [host, number])[0])
            trace.append(outcome(port.write, "five")[0])
            trace.append(outcome(port.write, None)[0])
            trace.extend(taken(reactor, other, 5))
            peer.send(b"not from other")
            other.sendto(b"hello", port.socket.getsockname()[:2])
            run_until(reactor, lambda: protocol.count)

    same = "AssertionError"
    assert run(scenario) == [
        "started",
        ("RuntimeError", "already connected, reconnecting is not currently supported"),
        *[3, 3, 5, 0, 4],
        *[same, same, "TypeError", "TypeError"],
        *[b"one", b"two", b"three", b"", b"four"],
        ("bytes", b"hello", "tuple", (LOCAL[family], "other")),
        "stopped",
    ]


@on_reactors
@pytest.mark.parametrize("host", ["localhost", "", "127.0.0.1:9", None, b"127.0.0.1", "::1", 5])
@pytest.mark.parametrize("number", [9, "9", None, -1, 2**70, float("nan")])
def test_connecting_to_what_is_no_address(run, host, number):
    def scenario(reactor, trace):
        protocol = TracedDatagrams([])
        with listening(reactor, protocol) as (port, _peer):
            trace.append(outcome(port.connect, host, number))
            trace.append(outcome(port.write, b"hello")[:1])
            trace.append(outcome(port.write, b"hello", ("127.0.0.1", 9)))

    def outcome(function, *args):
        try:
            return function(*args), None
        except Exception as error:
            return type(error).__name__, None

    found = run(scenario)
    assert len(found) == 3
    connected = host == b"127.0.0.1" and number in (9,)
    assert connected or found[0][0] is None or found[0][0].endswith("rror")


@on_reactors
@on_internets
@pytest.mark.parametrize("seen_by", ["reading", "writing"])
@pytest.mark.parametrize("data", [b"hello", bytearray(b"hello")])
def test_refused(run, family, seen_by, data):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace)
        with listening(reactor, protocol, family) as (port, _peer):
            with udp_socket(family) as other:
                address = other.getsockname()[:2]
            port.connect(*address)
            for _ in range(2):
                trace.append(port.write(data))
                if seen_by == "reading":
                    port.doRead()
            trace.append(port.write(data))

    seen = {"reading": [5, "refused", 5, "refused", 5], "writing": [5, "refused", None, 5]}
    assert run(scenario) == ["started", *seen[seen_by], "stopped"]


@on_reactors
@pytest.mark.parametrize("seen_by", ["reading", "writing"])
def test_refused_and_the_protocol_raises(run, seen_by):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace, refused=fail)
        with listening(reactor, protocol) as (port, _peer):
            with udp_socket() as other:
                address = other.getsockname()
            port.connect(*address)
            port.write(b"hello")
            if seen_by == "reading":
                trace.append(outcome(port.doRead))
            else:
                trace.append(outcome(port.write, b"hello"))

    assert run(scenario) == ["started", "refused", ("ValueError", "mine"), "stopped"]


@on_reactors
def test_refused_while_the_reactor_runs(run):
    # An error without input: a reactor with epoll(7) takes that for the end.
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace)
        with listening(reactor, protocol) as (port, _peer):
            with udp_socket() as other:
                port.connect(*other.getsockname())
            port.write(b"hello")
            run_until(reactor, lambda: protocol.stopped)

    assert run(scenario) == ["started", "stopped"]


@on_reactors
@pytest.mark.parametrize("data", [b"two", bytearray(b"two")])
def test_refused_without_being_connected(run, data):
    # The socket is connected past the port: the error is not the protocol's.
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace)
        with listening(reactor, protocol) as (port, _peer):
            with udp_socket() as gone:
                port.getHandle().connect(gone.getsockname())
            with udp_socket() as other:
                port.getHandle().send(b"one")
                trace.append(port.write(data, other.getsockname()))
                trace.append(port.write(b"three", other.getsockname()))
                trace.extend(taken(reactor, other))
            port.getHandle().send(b"one")
            run_turns(reactor)

    assert run(scenario) == ["started", None, 5, b"three", "stopped"]


@on_reactors
def test_no_room(run):
    def scenario(reactor, trace):
        protocol = TracedDatagrams([])
        with listening(reactor, protocol) as (port, _peer):
            real = port.socket

            class Closed:
                """A socket whose number nothing is open under."""

                def __init__(self):
                    self.number = closed_number()

                def fileno(self):
                    return self.number

                def sendto(self, data, address):
                    raise OSError(errno.EBADF, "Bad file descriptor")

            port.socket = Closed()
            trace.append(outcome(port.write, b"hello", ("127.0.0.1", 9)))
            port.socket = real

    assert run(scenario) == [("OSError", "[Errno 9] Bad file descriptor")]
