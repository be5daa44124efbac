"""A quiet connection beside flooding ones: how long its messages take to be answered, and
how much the others get through.

`python fairness.py [--streams 5] [--seconds 2] [--rounds 5] [SERVER...]`. The servers are
measured in turn, each in a process of its own. One connection sends 100 bytes at a time, every
two milliseconds, and waits for them to come back; the others send as fast as they are read. For
each server the medians of the rounds are printed: half of the answers, and 99 of 100, took less
than p50 and p99; the flood's rate as it arrived; the server's CPU time for a megabyte of it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import socket
import statistics
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

SERVERS = [
    "twisted-tornado4",
    "twisted-epoll",
    "asyncio-tornado4",
    "asyncio-stock",
    "asyncio-uvloop",
]


class Counter:
    """What has arrived, and what that took."""

    received = 0

    def report(self) -> tuple[int, float]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return self.received, used.ru_utime + used.ru_stime


def serve_twisted(reactor: Any, counter: Counter, pipe: Connection) -> None:
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
    reactor.run(installSignalHandlers=False)


def serve_asyncio(loop: Any, counter: Counter, pipe: Connection) -> None:
    import asyncio

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
    loop.run_forever()


def answer(pipe: Connection, counter: Counter) -> None:
    while True:
        pipe.recv()
        pipe.send(counter.report())


def serve(name: str, pipe: Connection) -> None:
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
        serve_twisted(reactor, counter, pipe)
        return
    if kind == "tornado4":
        import tornado4

        loop: Any = tornado4.new_event_loop()
    elif kind == "uvloop":
        import uvloop

        loop = uvloop.new_event_loop()
    else:
        import asyncio

        loop = asyncio.SelectorEventLoop()
    serve_asyncio(loop, counter, pipe)


def flood(port: int, stop: Any) -> None:
    piece = bytes(1 << 20)
    with socket.create_connection(("127.0.0.1", port)) as client:
        while not stop.is_set():
            client.sendall(piece)


def measured(name: str, streams: int, seconds: float) -> tuple[float, float, float, float]:
    """Return p50 and p99 in milliseconds, megabytes a second, milliseconds of CPU for each."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    server = context.Process(target=serve, args=(name, theirs), daemon=True)
    server.start()
    port = mine.recv()
    stop = context.Event()
    floods = [context.Process(target=flood, args=(port, stop), daemon=True) for _ in range(streams)]
    for process in floods:
        process.start()
    times = []
    with socket.create_connection(("127.0.0.1", port)) as quiet:
        quiet.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        time.sleep(0.7)
        mine.send(None)
        (received, used), start = mine.recv(), time.perf_counter()
        while (now := time.perf_counter()) < start + seconds:
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
    megabytes = (received_then - received) / 1e6
    percentiles = statistics.quantiles(times, n=100)
    return (
        percentiles[49] * 1e3,
        percentiles[98] * 1e3,
        megabytes / took,
        (used_then - used) / megabytes * 1e3,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("servers", nargs="*", default=SERVERS)
    parser.add_argument("--streams", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    results: dict[str, list[tuple[float, ...]]] = {name: [] for name in options.servers}
    for _ in range(options.rounds):
        for name in options.servers:
            results[name].append(measured(name, options.streams, options.seconds))
    print(f"{'server':18}{'p50 ms':>9}{'p99 ms':>9}{'MB/s':>9}{'CPU ms/MB':>11}")
    for name, rounds in results.items():
        p50, p99, rate, cpu = map(statistics.median, zip(*rounds, strict=True))
        print(f"{name:18}{p50:9.2f}{p99:9.2f}{rate:9.0f}{cpu:11.3f}")


if __name__ == "__main__":
    main()
