"""UDP ports of a reactor that a foreign loop drives."""

import asyncio

from helpers.datagrams import TracedDatagrams, udp_socket
from helpers.foreign_hosts import factory, host, reactor  # noqa: F401


def test_on_a_foreign_host(reactor, host):  # noqa: F811
    trace = []
    protocol = TracedDatagrams(trace, received=lambda self, *got: self.transport.write(*got))
    port = reactor.listenUDP(0, protocol, interface="127.0.0.1")

    async def main():
        with udp_socket() as peer:
            protocol.known[peer.getsockname()[1]] = "peer"
            peer.connect(("127.0.0.1", port.getHost().port))
            for data in [b"one", b"two"]:
                peer.send(data)
                while True:
                    await asyncio.sleep(0.001)
                    try:
                        assert peer.recv(100) == data
                        break
                    except BlockingIOError:
                        pass
        port.stopListening()
        while not protocol.stopped:
            await asyncio.sleep(0.001)

    host.run_until_complete(asyncio.wait_for(main(), 30))
    shown = [("bytes", data, "tuple", ("127.0.0.1", "peer")) for data in [b"one", b"two"]]
    assert trace == ["started", *shown, "stopped"]
