"""Sockets that somebody else has made blocking: nobody waits in a system call for them."""

import subprocess
import sys
import textwrap

import pytest

LIMIT = 20  # seconds. Only what waits takes so long.

PREPARED = """
import asyncio, os, socket, threading
import tornado4

BIG = bytes(20_000_000)

def make_blocking(sock, how):
    if how == "object":
        sock.setblocking(True)
    else:
        os.set_blocking(sock.fileno(), True)

async def until(condition):
    while not condition():
        await asyncio.sleep(0.01)

class Kept(asyncio.Protocol, asyncio.DatagramProtocol):
    def __init__(self):
        self.transport = None
        self.got, self.paused, self.resumed, self.lost = 0, 0, 0, False
        self.calls = 0
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data): self.got += len(data)
    def datagram_received(self, data, addr): self.got += len(data)
    def pause_writing(self): self.paused += 1
    def resume_writing(self): self.resumed += 1
    def connection_lost(self, error): self.lost = True

async def ticks():
    # The loop goes on meanwhile.
    for _ in range(5):
        await asyncio.sleep(0.001)
"""


def run_python(program, *args):
    """Runs it in a process of its own, which a system call may make hang."""
    source = PREPARED + textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-c", source, *args],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


hows = pytest.mark.parametrize("how", ["object", "descriptor"])


@hows
@pytest.mark.parametrize("family", ["AF_INET", "AF_UNIX"])
def test_a_stream(how, family):
    """It is read to its end, and what the socket doesn't take waits."""
    program = """
    import sys
    how, family = sys.argv[1:]

    async def main():
        loop = asyncio.get_running_loop()
        if family == "AF_INET":
            with socket.create_server(("127.0.0.1", 0)) as server:
                peer = socket.create_connection(server.getsockname())
                sock = server.accept()[0]
        else:
            sock, peer = socket.socketpair()
        protocol = Kept()
        await loop.connect_accepted_socket(lambda: protocol, sock)
        make_blocking(sock, how)
        with peer:
            peer.sendall(b"question")
            await until(lambda: protocol.got == 8)
            await ticks()
            protocol.transport.write(bytearray(BIG))
            protocol.transport.writelines([bytearray(BIG)])
            assert protocol.transport.get_write_buffer_size() > 0 and protocol.paused
            make_blocking(sock, how)
            def read():
                left = 2 * len(BIG)
                while left:
                    left -= len(peer.recv(1 << 20))
            await asyncio.to_thread(read)
            await until(lambda: protocol.resumed)
            protocol.transport.close()
            await until(lambda: protocol.lost)

    tornado4.run(main())
    print("done")
    """
    assert run_python(program, how, family) == "done\n"


@hows
@pytest.mark.parametrize("debug", ["", "debug"])
@pytest.mark.parametrize("family", ["AF_INET", "AF_UNIX"])
def test_accepting(how, debug, family, tmp_path):
    program = """
    import sys
    how, debug, family, path = sys.argv[1:]

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_debug(bool(debug))
        sock = socket.socket(getattr(socket, family))
        sock.bind(("127.0.0.1", 0) if family == "AF_INET" else path)
        sock.listen()
        made = []
        def factory():
            made.append(Kept())
            return made[-1]
        create = loop.create_server if family == "AF_INET" else loop.create_unix_server
        server = await create(factory, sock=sock)
        for count in (1, 2, 3):
            make_blocking(sock, how)
            peers = []
            for _ in range(count):
                peers.append(socket.socket(sock.family))
                peers[-1].connect(sock.getsockname())
            await until(lambda: len(made) == count and all(each.transport for each in made))
            await ticks()
            for peer in peers:
                peer.close()
            await until(lambda: all(each.lost for each in made))
            made.clear()
        server.close()

    tornado4.run(main())
    print("done")
    """
    assert run_python(program, how, debug, family, str(tmp_path / "s")) == "done\n"


@hows
def test_datagrams(how):
    program = """
    import sys
    how = sys.argv[1]

    async def main():
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        transport, protocol = await loop.create_datagram_endpoint(Kept, sock=sock)
        make_blocking(sock, how)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            for count in range(1, 4):
                peer.sendto(b"data", sock.getsockname())
                await until(lambda: protocol.got == 4 * count)
                await ticks()
            port = peer.getsockname()[1]
            for data in (b"bytes", bytearray(b"mutable")):
                for host in ("127.0.0.1", "localhost"):
                    make_blocking(sock, how)
                    transport.sendto(data, (host, port))
                    assert peer.recv(100) == data
        transport.close()
        await until(lambda: protocol.lost)

    tornado4.run(main())
    print("done")
    """
    assert run_python(program, how) == "done\n"


@hows
def test_datagrams_that_find_no_room(how, tmp_path):
    """A UNIX socket's datagrams wait for their reader."""
    program = """
    import sys
    how, path = sys.argv[1:]

    async def main():
        loop = asyncio.get_running_loop()
        sock, peer = [socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)]
        peer.bind(path)
        sock.connect(path)
        transport, protocol = await loop.create_datagram_endpoint(Kept, sock=sock)
        make_blocking(sock, how)
        with peer:
            sent = 0
            while transport.get_write_buffer_size() < 100_000:
                make_blocking(sock, how)
                transport.sendto(bytes(1000))
                sent += 1
            make_blocking(sock, how)
            def read():
                for _ in range(sent):
                    peer.recv(2000)
            await asyncio.gather(ticks(), asyncio.to_thread(read))
            await until(lambda: protocol.resumed)
        transport.close()
        await until(lambda: protocol.lost)

    tornado4.run(main())
    print("done")
    """
    assert run_python(program, how, str(tmp_path / "socket")) == "done\n"


@hows
def test_sendfile(how, tmp_path):
    program = """
    import sys
    how, path = sys.argv[1:]

    async def main():
        loop = asyncio.get_running_loop()
        sock, peer = socket.socketpair()
        transport, protocol = await loop.connect_accepted_socket(Kept, sock)
        make_blocking(sock, how)
        with peer, open(path, "w+b") as file:
            file.write(BIG)
            file.flush()
            def read():
                left = len(BIG)
                while left:
                    left -= len(peer.recv(1 << 20))
            sending = loop.create_task(loop.sendfile(transport, file))
            await ticks()
            await asyncio.to_thread(read)
            assert await sending == len(BIG)
        transport.close()
        await until(lambda: protocol.lost)

    tornado4.run(main())
    print("done")
    """
    assert run_python(program, how, str(tmp_path / "file")) == "done\n"


@hows
def test_twisted(how):
    """Streams, datagrams and accepting on the reactor."""
    program = """
    import sys
    from tornado4.platform.twisted import install
    reactor = install()
    from twisted.internet import defer, protocol, task
    how = sys.argv[1]
    made = []

    class Echo(protocol.Protocol):
        got = 0
        def connectionMade(self):
            made.append(self)
            make_blocking(self.transport.socket, how)
        def dataReceived(self, data):
            self.got += len(data)
            self.transport.write(BIG)

    class Datagrams(protocol.DatagramProtocol):
        got = 0
        def datagramReceived(self, data, addr):
            self.got += len(data)
            self.transport.write(data, addr)

    @defer.inlineCallbacks
    def until(condition):
        while not condition():
            yield task.deferLater(reactor, 0.01)

    @defer.inlineCallbacks
    def main(reactor):
        port = reactor.listenTCP(0, protocol.Factory.forProtocol(Echo), interface="127.0.0.1")
        udp = reactor.listenUDP(0, Datagrams(), interface="127.0.0.1")
        make_blocking(port.socket, how)
        make_blocking(udp.socket, how)
        from twisted.internet.threads import deferToThread
        for count in range(1, 4):
            with socket.create_connection(("127.0.0.1", port.getHost().port)) as peer:
                yield until(lambda: len(made) == count)
                peer.sendall(b"question")
                def read():
                    left = len(BIG)
                    while left:
                        left -= len(peer.recv(1 << 20))
                yield until(lambda: made[-1].got)
                yield deferToThread(read)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            for _ in range(3):
                peer.sendto(b"data", ("127.0.0.1", udp.getHost().port))
                echoed = yield deferToThread(peer.recv, 100)
                assert echoed == b"data"
        yield port.stopListening()
        yield udp.stopListening()

    main(reactor).addErrback(lambda failure: failure.printTraceback()).addBoth(
        lambda _: reactor.callLater(0, reactor.stop))
    reactor.run()
    print("done")
    """
    assert run_python(program, how) == "done\n"
