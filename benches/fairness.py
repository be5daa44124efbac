"""A quiet connection beside a flood: how long its messages take to be answered, and how much
the flood gets through.

`python fairness.py [--flood streams] [--size N] [--seconds 2] [--rounds 5] [SERVER...]`. The
servers are measured in turn, each in a process of its own. One connection sends 100 bytes at a
time, every two milliseconds, and waits for them to come back. Beside it there are, by `--flood`,

* streams: N connections (5) that send as fast as they are read,
* trickle: N connections (500) that send a byte each in turn, as fast as one process can,
* calls: a thread of the server's that makes calls as fast as they are made, N of them (1,000)
  waiting at most.

For each server the medians of the rounds are printed: half of the answers, and 99 of 100, took
less than p50 and p99; the flood's rate as it arrived, in megabytes or in thousands of bytes or
calls a second; the server's CPU time for one of these.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import socket
import statistics
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

SERVERS = [
    "twisted-tornado4",
    "twisted-epoll",
    "asyncio-tornado4",
    "asyncio-stock",
    "asyncio-uvloop",
    "tornado-tornado4",
    "tornado-asyncio",
    "tornado-uvloop",
]
# How many there are, and what the rate is counted in.
FLOODS = {"streams": (5, 1e6), "trickle": (500, 1e3), "calls": (1000, 1e3)}


class Counter:
    """What has arrived, and what that took."""

    received = 0

    def report(self) -> tuple[int, float]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return self.received, used.ru_utime + used.ru_stime


def make_calls(call: Callable[[Callable[[], None]], Any], counter: Counter, most: int) -> None:
    """Make calls from another thread, so many waiting at most. None: none."""
    made = 0

    def called() -> None:
        counter.received += 1

    def work() -> None:
        nonlocal made
        while True:
            if made - counter.received < most:
                call(called)
                made += 1
            else:
                time.sleep(0)

    if most:
        threading.Thread(target=work, daemon=True).start()


def serve_twisted(reactor: Any, counter: Counter, pipe: Connection, calls: int) -> None:
    from twisted.internet import protocol

    class Server(protocol.Protocol):
        transport: Any

        def dataReceived(self, data: bytes) -> None:
            if len(data) == 100:
                self.transport.write(data)
            else:
                counter.received += len(data)

    port = reactor.listenTCP(0, protocol.Factory.forProtocol(Server), interface="127.0.0.1")
    pipe.send(port.getHost().port)
    threading.Thread(target=answer, args=(pipe, counter), daemon=True).start()
    make_calls(reactor.callFromThread, counter, calls)
    reactor.run(installSignalHandlers=False)


def serve_asyncio(loop: Any, counter: Counter, pipe: Connection, calls: int) -> None:
    class Server(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            if len(data) == 100:
                self.transport.write(data)
            else:
                counter.received += len(data)

    server = loop.run_until_complete(loop.create_server(Server, "127.0.0.1", 0))
    pipe.send(server.sockets[0].getsockname()[1])
    threading.Thread(target=answer, args=(pipe, counter), daemon=True).start()
    make_calls(loop.call_soon_threadsafe, counter, calls)
    loop.run_forever()


def serve_tornado(loop: Any, counter: Counter, pipe: Connection, calls: int) -> None:
    from tornado.ioloop import IOLoop
    from tornado.iostream import IOStream, StreamClosedError
    from tornado.tcpserver import TCPServer

    class Server(TCPServer):
        async def handle_stream(self, stream: IOStream, address: Any) -> None:
            try:
                while data := await stream.read_bytes(1 << 18, partial=True):
                    if len(data) == 100:
                        await stream.write(data)
                    else:
                        counter.received += len(data)
            except StreamClosedError:
                pass

    async def main() -> None:
        server = Server()
        server.listen(0, "127.0.0.1")
        [listening] = server._sockets.values()
        pipe.send(listening.getsockname()[1])
        threading.Thread(target=answer, args=(pipe, counter), daemon=True).start()
        make_calls(IOLoop.current().add_callback, counter, calls)
        await asyncio.Event().wait()

    loop.run_until_complete(main())


def answer(pipe: Connection, counter: Counter) -> None:
    while True:
        pipe.recv()
        pipe.send(counter.report())


def serve(name: str, pipe: Connection, calls: int) -> None:
    face, kind = name.split("-")
    counter = Counter()
    if face == "twisted":
        reactor: Any
        if kind == "tornado4":
            from tornado4.ioloop import IOLoop
            from tornado4.platform.twisted import TornadoReactor

            reactor = TornadoReactor(IOLoop(make_current=False))
        else:
            from twisted.internet.epollreactor import EPollReactor

            reactor = EPollReactor()
        serve_twisted(reactor, counter, pipe, calls)
        return
    if kind == "tornado4":
        import tornado4
        import tornado4.iostream

        if face == "tornado":
            tornado4.iostream.install()
        loop: Any = tornado4.new_event_loop()
    elif kind == "uvloop":
        import uvloop

        loop = uvloop.new_event_loop()
    else:
        loop = asyncio.SelectorEventLoop()
    served = serve_tornado if face == "tornado" else serve_asyncio
    served(loop, counter, pipe, calls)


def flood(port: int, stop: Any) -> None:
    piece = bytes(1 << 20)
    with socket.create_connection(("127.0.0.1", port)) as client:
        while not stop.is_set():
            client.sendall(piece)


def trickle(port: int, stop: Any, size: int) -> None:
    ends = [socket.create_connection(("127.0.0.1", port)) for _ in range(size)]
    for end in ends:
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while not stop.is_set():
        for end in ends:
            end.send(b"x")


def arrived(pipe: Connection) -> None:
    """Wait until there is a flood."""
    received = 0
    while not received:
        time.sleep(0.05)
        pipe.send(None)
        received, _ = pipe.recv()


def measured(name: str, kind: str, size: int, seconds: float) -> tuple[float, float, float, float]:
    """Return p50 and p99 in milliseconds, the flood's rate, milliseconds of CPU for each."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    calls = size if kind == "calls" else 0
    server = context.Process(target=serve, args=(name, theirs, calls), daemon=True)
    server.start()
    port = mine.recv()
    stop = context.Event()
    floods: list[Any] = []
    if kind == "streams":
        for _ in range(size):
            floods.append(context.Process(target=flood, args=(port, stop), daemon=True))
    elif kind == "trickle":
        floods.append(context.Process(target=trickle, args=(port, stop, size), daemon=True))
    for process in floods:
        process.start()
    times = []
    with socket.create_connection(("127.0.0.1", port)) as quiet:
        quiet.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        arrived(mine)
        time.sleep(0.7)
        mine.send(None)
        (received, used), start = mine.recv(), time.perf_counter()
        # A server that starves it has answered once by then, if at all.
        while (now := time.perf_counter()) < start + seconds or len(times) < 2:
            quiet.sendall(bytes(100))
            quiet.recv(100, socket.MSG_WAITALL)
            times.append(time.perf_counter() - now)
            time.sleep(0.002)
        mine.send(None)
        received_then, used_then = mine.recv()
        took = time.perf_counter() - start
    stop.set()
    for process in [*floods, server]:
        process.terminate()
        process.join()
    count = (received_then - received) / FLOODS[kind][1]
    percentiles = statistics.quantiles(times, n=100)
    return (
        percentiles[49] * 1e3,
        percentiles[98] * 1e3,
        count / took,
        (used_then - used) / count * 1e3,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("servers", nargs="*", default=SERVERS)
    parser.add_argument("--flood", choices=FLOODS, default="streams")
    parser.add_argument("--size", type=int)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    size = options.size or FLOODS[options.flood][0]
    results: dict[str, list[tuple[float, ...]]] = {name: [] for name in options.servers}
    for _ in range(options.rounds):
        for name in options.servers:
            results[name].append(measured(name, options.flood, size, options.seconds))
    unit = "MB" if options.flood == "streams" else "k"
    print(f"{'server':18}{'p50 ms':>9}{'p99 ms':>9}{unit + '/s':>9}{'CPU ms/' + unit:>11}")
    for name, rounds in results.items():
        p50, p99, rate, cpu = map(statistics.median, zip(*rounds, strict=True))
        print(f"{name:18}{p50:9.2f}{p99:9.2f}{rate:9.0f}{cpu:11.3f}")


if __name__ == "__main__":
    main()
