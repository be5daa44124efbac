"""Twisted's TLS where everything arrives in fragments, down to single bytes: each byte of the
data gets through, and nobody is told anything else than on stock."""

import contextlib
import random

import pytest

from helpers import authorities
from helpers.authorities import VERSIONS
from helpers.fragments import Fragmenting
from helpers.loops import on_reactors
from helpers.streams import Handing
from helpers.tls_twisted import LOCAL, Shaking, run_until

# Around the size of a record, and of what Twisted gathers.
SIZES = [1, 100, 16_383, 16_384, 16_385, 64_000, 64_001, 300_000]


def pattern(size, seed):
    return random.Random(seed).randbytes(size)


@contextlib.contextmanager
def fragmented(reactor, first, second, seed, largest, bytewise, version=None):
    """Both ends with a proxy between them, after the handshake."""
    rng = random.Random(seed)
    options = authorities.twisted_server(version=version)
    port = reactor.listenSSL(0, Handing(first), options, interface=LOCAL)
    proxy = Fragmenting(
        lambda function: reactor.callLater(0, function),
        (LOCAL, port.getHost().port),
        lambda: rng.randint(1, largest),
        bytewise,
    )
    try:
        options = authorities.twisted_client(version=version)
        reactor.connectSSL(*proxy.address, Handing(second), options)
        run_until(reactor, lambda: first.shaken and second.shaken)
        yield proxy
    finally:
        port.stopListening()
        proxy.stop()


@on_reactors
@pytest.mark.parametrize("version", VERSIONS)
def test_byte_by_byte(run, version):
    """The handshake, data in both directions, and the end."""

    def scenario(reactor, trace):
        first, second = Shaking([]), Shaking([])
        with fragmented(reactor, first, second, 0, 1, 6000, version) as proxy:
            for one, other in [(first, second), (second, first)]:
                for size in (1, 2, 700):
                    one.transport.write(pattern(size, size))
                    run_until(reactor, lambda other=other, size=size: len(other.data) >= size)
                    trace.append(other.data == pattern(size, size))
                    other.data = b""
            second.transport.loseConnection()
            run_until(reactor, lambda: first.lost and second.lost)
            trace.append(("fragments", proxy.fragments == proxy.handed_on > 2000))
        trace.extend([first.trace, second.trace])

    trace = run(scenario)
    assert trace[:-2] == [True] * 6 + [("fragments", True)]
    assert trace[-1][-1][:2] == trace[-2][-1][:2] == ("lost", "ConnectionDone")


@on_reactors
@pytest.mark.parametrize("seed", range(6))
def test_random_fragments(run, seed):
    """Much data both ways at the same time, and a client that pauses now and then."""

    def scenario(reactor, trace):
        rng = random.Random(seed)
        first, second = Shaking([]), Shaking([])
        largest = rng.choice([100, 5000, 20_000, 100_000])
        with fragmented(reactor, first, second, seed, largest, 0) as proxy:
            sent = {first: b"", second: b""}
            for number in range(rng.randint(1, 6)):
                size = rng.choice(SIZES) if largest > 100 else rng.randint(0, 10_000)
                for end in (first, second):
                    data = pattern(size, number)
                    sent[end] += data
                    if number % 2:
                        end.transport.write(data)
                    else:
                        cut = rng.randint(0, size)
                        end.transport.writeSequence([data[:cut], data[cut:]])
                if rng.random() < 0.3:
                    second.transport.pauseProducing()
                    reactor.callLater(0.002, second.transport.resumeProducing)
            total = len(sent[first])
            run_until(reactor, lambda: len(first.data) >= total and len(second.data) >= total)
            trace.append((first.data == sent[second], second.data == sent[first]))
            first.transport.loseConnection()
            run_until(reactor, lambda: first.lost and second.lost)
            assert proxy.handed_on > 2 * total
        trace.extend([first.trace, second.trace])

    assert run(scenario)[0] == (True, True)
