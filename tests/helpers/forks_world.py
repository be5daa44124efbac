"""A server that forks in the middle of its work, on each of the faces: a program of its own.

It sends back what it gets, has timers, a watched pipe and a child process, and writes down
what happens in which process. What a child does, and what becomes of it, is the frame's
first byte; see `ACTIONS`. At the end it prints all of that as JSON.
"""

import asyncio
import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading

import tornado4
from helpers.forks_peer import Frames, frame

PARENT = os.getpid()
LOG = os.open(tempfile.mkstemp()[1], os.O_RDWR | os.O_APPEND)
REFUSED = 40  # the status of a child whose loop has said that it is the parent's
WENT_ON = 41
TICKS = 51


def note(event):
    os.write(LOG, f"{os.getpid() == PARENT} {event}\n".encode())


class World:
    """What the faces share. `loop` is the asyncio loop, `close` closes a connection."""

    def __init__(self, kind, stock):
        self.kind = kind
        # Seconds until a child that goes on is ended.
        self.patience = 2 if stock else 60
        self.children = {}
        self.connections = []
        self.pipe = os.pipe()
        os.set_blocking(self.pipe[0], False)
        self.peer = None
        # What of that which runs beside the connections isn't over.
        self.left = TICKS
        self.beside = {"ticks", "child"}

    def act(self, action, connection):
        """Fork; return true in a child that is to leave the callback."""
        if action == "t":
            thread = threading.Thread(target=self.fork_in_thread)
            thread.start()
            thread.join()
            return False
        child = os.fork()
        if child:
            self.children[child] = action
            return False
        self.peer = None
        signal.alarm(self.patience)
        ACTIONS[action](self, connection)
        return True

    def fork_in_thread(self):
        child = os.fork()
        if child:
            self.children[child] = "t"
            return
        try:
            self.call_from_thread(note, "called")
        except RuntimeError as error:
            os._exit(REFUSED if "parent" in str(error) else WENT_ON)
        os._exit(WENT_ON)

    def leave(self, connection):
        """Go back to the loop."""

    def leave_by_exit(self, connection):
        sys.exit(5)

    def exit_at_once(self, connection):
        os._exit(6)

    def execute(self, connection):
        os.execv(sys.executable, [sys.executable, "-c", "import sys; sys.exit(7)"])

    def run_own_loop(self, connection):
        async def main():
            server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1")
            address = server.sockets[0].getsockname()
            reader, writer = await asyncio.open_connection(*address)
            await reader.read()
            writer.close()
            server.close()

        asyncio.run(main())

    def collect(self, connection):
        self.connections.clear()
        gc.collect()

    def misuse(self, connection):
        """Do whatever a clean-up may do, and more."""
        with contextlib.suppress(RuntimeError):
            self.loop.close()
        self.loop.remove_reader(self.pipe[0])
        for each in self.connections:
            self.close(each)
        self.stop_listening()
        self.loop.call_later(0, note, "timer")
        self.loop.call_soon(note, "soon")

    def connected(self, connection):
        self.connections.append(connection)
        # Others wait to be accepted.
        return len(self.connections) == 2 and self.act("r", connection)

    def send_back(self, connection, frames, data, write):
        for body in frames.feed(data):
            if body[:1] != b"." and self.act(body[:1].decode(), connection):
                return
            write(frame(body))

    # What runs beside it

    def tick(self, left=TICKS - 1):
        note(f"tick {left}")
        os.write(self.pipe[1], b"x")
        if left:
            self.call_later(0.01, self.tick, left - 1)

    def read_pipe(self, *_):
        for _ in os.read(self.pipe[0], 100):
            note("read")
            self.left -= 1
        if not self.left:
            self.beside.discard("ticks")

    def child_ended(self, status):
        note(f"child {status}")
        self.beside.remove("child")

    def start_peer(self, address, arguments):
        words = json.dumps([address, self.kind, *arguments])
        self.peer = subprocess.Popen(
            [sys.executable, "-m", "helpers.forks_peer", words], stdout=subprocess.PIPE
        )
        self.wait_for_peer()

    def wait_for_peer(self):
        if self.peer.poll() is None or self.beside:
            self.call_later(0.05, self.wait_for_peer)
            return
        self.stop()

    def report(self):
        statuses = []
        for child, action in self.children.items():
            _, status = os.waitpid(child, 0)
            statuses.append([action, os.waitstatus_to_exitcode(status)])
        os.lseek(LOG, 0, os.SEEK_SET)
        with open(LOG) as log:
            lines = log.read().splitlines()
        said = json.loads(self.peer.stdout.read() or "null")
        print(json.dumps({"peer": said, "children": statuses, "log": lines}))


ACTIONS = {
    "r": World.leave,
    "s": World.leave_by_exit,
    "x": World.exit_at_once,
    "e": World.execute,
    "o": World.run_own_loop,
    "g": World.collect,
    "m": World.misuse,
}


class Asyncio(World):
    def __init__(self, kind, stock):
        super().__init__(kind, stock)
        self.loop = asyncio.SelectorEventLoop() if stock else tornado4.new_event_loop()
        self.call_later = self.loop.call_later
        self.call_from_thread = self.loop.call_soon_threadsafe
        self.stop = self.loop.stop

    def close(self, transport):
        transport.close()
        transport.abort()

    def stop_listening(self):
        self.server.close()

    async def start(self, arguments):
        world = self

        class Echo(asyncio.Protocol):
            def connection_made(self, transport):
                self.transport, self.frames = transport, Frames()
                world.connected(transport)

            def data_received(self, data):
                world.send_back(self.transport, self.frames, data, self.transport.write)

        class Datagrams(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(self, data, address):
                def write(data):
                    self.transport.sendto(data, address)

                world.send_back(self.transport, Frames(), data, write)

        loop = self.loop
        if self.kind == "udp":
            self.server, _ = await loop.create_datagram_endpoint(
                Datagrams, local_addr=("127.0.0.1", 0)
            )
            address = self.server.get_extra_info("sockname")
        elif self.kind == "unix":
            address = tempfile.mktemp()
            self.server = await loop.create_unix_server(Echo, address)
        else:
            tls = tls_context() if self.kind == "tls" else None
            self.server = await loop.create_server(Echo, "127.0.0.1", 0, ssl=tls)
            address = self.server.sockets[0].getsockname()
        loop.add_reader(self.pipe[0], self.read_pipe)
        self.tick()
        self.waiting = loop.create_task(self.wait_for_child())
        self.start_peer(address, arguments)

    async def wait_for_child(self):
        child = await asyncio.create_subprocess_exec("sh", "-c", "sleep 0.3; exit 3")
        self.child_ended(await child.wait())

    def run(self, arguments):
        self.loop.run_until_complete(self.start(arguments))
        self.loop.run_forever()


class Tornado(World):
    def __init__(self, kind, stock):
        super().__init__(kind, stock)
        if not stock:
            tornado4.install(asyncio=False, twisted=False)
        from tornado.ioloop import IOLoop

        self.io_loop = IOLoop.current()
        self.loop = self.io_loop.asyncio_loop
        self.call_later = self.io_loop.call_later
        self.call_from_thread = self.io_loop.add_callback
        self.stop = self.io_loop.stop

    def close(self, stream):
        stream.close()

    def stop_listening(self):
        self.server.stop()

    def run(self, arguments):
        from tornado.iostream import StreamClosedError
        from tornado.process import Subprocess
        from tornado.tcpserver import TCPServer

        world = self

        class Echo(TCPServer):
            async def handle_stream(self, stream, address):
                if world.connected(stream):
                    return
                frames = Frames()
                with contextlib.suppress(StreamClosedError):
                    while True:
                        data = await stream.read_bytes(65536, partial=True)
                        world.send_back(stream, frames, data, stream.write)
                        if os.getpid() != PARENT:
                            return

        self.server = Echo(ssl_options=tls_context() if self.kind == "tls" else None)
        self.server.listen(0, "127.0.0.1")
        [sock] = self.server._sockets.values()
        self.io_loop.add_handler(self.pipe[0], self.read_pipe, self.io_loop.READ)
        self.tick()
        child = Subprocess(["sh", "-c", "sleep 0.3; exit 3"])
        child.set_exit_callback(self.child_ended)
        self.start_peer(sock.getsockname(), arguments)
        self.io_loop.start()


class Twisted(World):
    def __init__(self, kind, stock):
        super().__init__(kind, stock)
        if not stock:
            tornado4.install(asyncio=False)
        from twisted.internet import reactor

        self.reactor = reactor
        self.loop = getattr(reactor, "_asyncioEventloop", None)
        self.call_later = self.reactor.callLater
        self.call_from_thread = self.reactor.callFromThread
        self.stop = self.reactor.stop

    def close(self, transport):
        # The first one wants the reactor to watch the connection.
        with contextlib.suppress(RuntimeError):
            transport.loseConnection()
        transport.abortConnection()

    def stop_listening(self):
        self.port.stopListening()

    def run(self, arguments):
        from twisted.internet import protocol
        from twisted.internet.abstract import FileDescriptor

        world, reactor = self, self.reactor

        class Echo(protocol.Protocol):
            def connectionMade(self):
                self.frames = Frames()
                world.connected(self.transport)

            def dataReceived(self, data):
                world.send_back(self.transport, self.frames, data, self.transport.write)

        class Datagrams(protocol.DatagramProtocol):
            def datagramReceived(self, data, address):
                def write(data):
                    self.transport.write(data, address)

                world.send_back(self.transport, Frames(), data, write)

        class Pipe(FileDescriptor):
            def fileno(self):
                return world.pipe[0]

            def doRead(self):
                world.read_pipe()

            def connectionLost(self, reason):
                pass

        class Child(protocol.ProcessProtocol):
            def processEnded(self, reason):
                world.child_ended(reason.value.exitCode)

        factory = protocol.Factory.forProtocol(Echo)
        if self.kind == "unix":
            address = tempfile.mktemp()
            self.port = reactor.listenUNIX(address, factory)
        elif self.kind == "udp":
            self.port = reactor.listenUDP(0, Datagrams(), interface="127.0.0.1")
        elif self.kind == "tls":
            from helpers.certificates import server_context

            self.port = reactor.listenSSL(0, factory, server_context(), interface="127.0.0.1")
        else:
            self.port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        if self.kind != "unix":
            address = ["127.0.0.1", self.port.getHost().port]
        self.watched = Pipe(reactor)
        reactor.addReader(self.watched)
        self.tick()
        reactor.spawnProcess(Child(), "sh", ["sh", "-c", "sleep 0.3; exit 3"], os.environ)
        reactor.callWhenRunning(self.start_peer, address, arguments)
        reactor.run()


def tls_context():
    from helpers.certificates import ssl_contexts

    return ssl_contexts()[0]


FACES = {"asyncio": Asyncio, "tornado": Tornado, "twisted": Twisted}


def main():
    face, kind, stock, *arguments = json.loads(sys.argv[1])
    signal.alarm(100)  # a child that hangs has an end
    world = FACES[face](kind, stock)
    try:
        world.run(arguments)
    except RuntimeError as error:
        if os.getpid() == PARENT:
            raise
        # By the interpreter's own end, with all destructors.
        sys.exit(REFUSED if "parent process's" in str(error) else WENT_ON)
    if os.getpid() != PARENT:
        sys.exit(WENT_ON)
    world.report()


if __name__ == "__main__":
    main()
