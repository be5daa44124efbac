"""`tornado4.metrics`: what the numbers say of loops whose work is known."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
import threading
import time
import weakref
from typing import Any

import pytest
from tornado.ioloop import IOLoop as StockIOLoop

import tornado4
from helpers.programs import output_of
from tornado4._metrics import Measured, Metrics
from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor


def run(reactor: Any) -> None:
    reactor.run(installSignalHandlers=False)


def test_what_is_not_measured_has_no_numbers() -> None:
    loop = tornado4.new_event_loop()
    loop.run_until_complete(asyncio.sleep(0.01))
    measured = Metrics(loop).read()
    assert (measured.turns, measured.waited, measured.worked) == (0, 0.0, 0.0)
    assert set(measured.calls.values()) == {0}
    assert measured.busy == 0
    loop.close()


def test_calls_by_kind() -> None:
    io_loop = IOLoop(make_current=False)
    loop = io_loop.asyncio_loop
    reactor: Any = TornadoReactor(io_loop)
    metrics = tornado4.metrics(loop)

    def begin() -> None:
        metrics.reset()
        for _ in range(3):
            loop.call_soon(int)
            io_loop.add_callback(int)
            io_loop.add_callback(int)
            reactor.callFromThread(int)
            reactor.callLater(0, int)
        loop.call_later(0, int)
        io_loop.call_later(0, int)
        reactor.callLater(0.05, reactor.stop)

    reactor.callWhenRunning(begin)
    run(reactor)
    calls = metrics.read().calls
    assert calls["tornado"] == 6
    assert calls["tornado_timers"] == 1
    assert calls["twisted_timers"] == 4
    assert calls["twisted_threads"] >= 3
    assert calls["asyncio"] >= 4
    io_loop.close()


def test_time_and_lag() -> None:
    loop = tornado4.new_event_loop()

    async def main() -> Measured:
        metrics = tornado4.metrics()
        # On a busy machine there may be nothing left to wait for.
        while metrics.read().waited < 0.04:
            await asyncio.sleep(0.05)
        time.sleep(0.1)
        # Turns that take no time, so that the median is one of theirs.
        for _ in range(100):
            await asyncio.sleep(0)
        return metrics.read()

    begin = time.monotonic()
    measured = loop.run_until_complete(main())
    took = time.monotonic() - begin
    assert measured.waited >= 0.04
    assert 0.1 <= measured.worked <= took
    assert 0.1 <= measured.longest_call <= measured.lag_max <= took
    assert measured.lag_p50 < 0.1
    assert measured.lag_p99 <= measured.lag_max
    assert measured.waited + measured.worked <= took
    assert 0 < measured.busy < 1
    assert sum(measured.lag_counts.values()) == measured.turns
    assert max(measured.lag_counts) >= 0.1
    loop.close()


def slept_and_worked(loop: Any, metrics: Any) -> tuple[Measured, float, float]:
    """Have a loop wait and work in two runs; what it took in all, and the pause between."""

    async def main(waited: float) -> None:
        for _ in range(5):
            await asyncio.sleep(0.02)
            time.sleep(0.01)
        # On a busy machine there may have been nothing left to wait for.
        while metrics.read().waited < waited:
            await asyncio.sleep(0.02)

    began = time.perf_counter()
    loop.run_until_complete(main(0.08))
    paused = time.perf_counter()
    time.sleep(0.2)
    paused = time.perf_counter() - paused
    loop.run_until_complete(main(0.16))
    return metrics.read(), time.perf_counter() - began, paused


@pytest.mark.parametrize("how", ["whole turns", "half turns", "with a tick"])
def test_all_time_in_runs_is_counted_once(how: str) -> None:
    loop = tornado4.new_event_loop()
    metrics = tornado4.metrics(loop)
    ticks: list[tuple[float, float]] = []
    if how == "with a tick":
        metrics.on_tick(lambda *times: ticks.append(times))
    elif how == "half turns":
        select = loop._selector.select  # type: ignore[attr-defined]
        loop._selector.select = lambda timeout=None: select(timeout)  # type: ignore[attr-defined]
    measured, in_all, paused = slept_and_worked(loop, metrics)
    assert measured.waited >= 0.16
    # The last turn of a run is over with it.
    assert measured.worked >= 10 * 0.01
    assert measured.waited + measured.worked <= in_all - paused
    if ticks:
        assert len(ticks) == measured.turns
        assert sum(worked for _, worked in ticks) == pytest.approx(measured.worked)
    metrics.on_tick(None)
    loop.close()


def test_many_short_calls_are_not_one_long_one() -> None:
    loop = tornado4.new_event_loop()
    metrics = tornado4.metrics(loop)
    for _ in range(5_000):
        loop.call_soon(time.sleep, 0)
    loop.call_later(0.05, loop.stop)
    loop.run_forever()
    measured = metrics.read()
    assert measured.longest_call < measured.lag_max
    assert measured.calls["asyncio"] >= 5_001
    loop.close()


@pytest.mark.parametrize("face", ["asyncio", "Twisted"])
def test_bytes_and_connections(face: str) -> None:
    from twisted.internet.protocol import Factory, Protocol

    class Echo(Protocol):
        def dataReceived(self, data: bytes) -> None:
            self.transport.write(data)  # type: ignore[union-attr]

    class AsyncioEcho(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(data)

    io_loop = IOLoop(make_current=False)
    loop = io_loop.asyncio_loop
    reactor: Any = None
    if face == "Twisted":
        reactor = TornadoReactor(io_loop)
        port = reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
        number = port.getHost().port
    else:
        making = loop.create_server(AsyncioEcho, "127.0.0.1", 0)
        server = loop.run_until_complete(making)
        number = server.sockets[0].getsockname()[1]
    metrics = tornado4.metrics(reactor if face == "Twisted" else loop)

    def client() -> None:
        try:
            for _ in range(4):
                with socket.create_connection(("127.0.0.1", number), timeout=30) as sock:
                    sock.sendall(b"x" * 10_000)
                    left = 10_000
                    while left:
                        left -= len(sock.recv(left))
        finally:
            descriptors.append(metrics.read().descriptors)
            stop = reactor.stop if face == "Twisted" else loop.stop
            loop.call_soon_threadsafe(stop)

    descriptors: list[int] = []
    thread = threading.Thread(target=client)
    loop.call_soon(thread.start)
    if face == "Twisted":
        run(reactor)
    else:
        loop.run_forever()
    thread.join()
    measured = metrics.read()
    assert (measured.received, measured.sent, measured.accepted) == (40_000, 40_000, 4)
    assert descriptors[0] in (1, 2)  # the last connection may be there still
    if face == "asyncio":
        server.close()
    io_loop.close()


def test_another_thread_s_loop_has_its_own_numbers() -> None:
    def other() -> None:
        loop = tornado4.new_event_loop()
        tornado4.metrics(loop)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.sendall(b"x" * 100)

            async def main() -> None:
                reader, _ = await asyncio.open_connection(sock=ours)
                await reader.readexactly(100)
                ended.append(Metrics(loop).read().received)

            loop.run_until_complete(main())
        loop.close()

    ended: list[int] = []
    loop = tornado4.new_event_loop()
    metrics = tornado4.metrics(loop)
    thread = threading.Thread(target=other)
    thread.start()
    while thread.is_alive():
        loop.run_until_complete(asyncio.sleep(0.001))
    thread.join()
    assert metrics.read().received == 0
    assert ended in ([0], [100])  # those of the turn that is under way come at its end
    loop.close()


def test_pausing_and_beginning_anew() -> None:
    loop = tornado4.new_event_loop()
    metrics = tornado4.metrics(loop)

    def turns() -> int:
        loop.run_until_complete(asyncio.sleep(0))
        return metrics.read().turns

    first = turns()
    assert turns() > first > 0
    metrics.stop()
    stopped = metrics.read()
    assert turns() == stopped.turns
    metrics.start()
    metrics.start()
    assert turns() > stopped.turns
    earlier = metrics.read()
    turns()
    done = metrics.read().since(earlier)
    assert 0 < done.turns < 10
    assert sum(done.lag_counts.values()) == done.turns
    assert done.lag_p50 <= done.lag_p99 <= done.lag_max
    metrics.reset()
    assert metrics.read().turns == 0
    assert earlier.since(earlier).lag_max == 0
    loop.close()


def test_the_tick() -> None:
    loop = tornado4.new_event_loop()
    metrics = tornado4.metrics(loop)
    ticks: list[tuple[float, float]] = []
    metrics.on_tick(lambda *times: ticks.append(times))
    loop.run_until_complete(asyncio.sleep(0.02))
    assert len(ticks) == metrics.read().turns
    assert sum(waited for waited, _ in ticks) == pytest.approx(metrics.read().waited, rel=1e-6)
    assert sum(worked for _, worked in ticks) == pytest.approx(metrics.read().worked, rel=1e-6)
    metrics.on_tick(None)
    before = len(ticks)
    loop.run_until_complete(asyncio.sleep(0))
    assert len(ticks) == before
    with pytest.raises(TypeError, match="not callable"):
        metrics.on_tick("tick")  # type: ignore[arg-type]
    loop.close()


def test_a_tick_that_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = tornado4.new_event_loop()
    metrics = tornado4.metrics(loop)
    seen: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda raised: seen.append(raised.exc_value))
    error = ValueError("of a tick")

    def fails(*_: float) -> None:
        raise error

    metrics.on_tick(fails)
    loop.run_until_complete(asyncio.sleep(0.01))
    assert seen == [error] * metrics.read().turns

    def interrupts(*_: float) -> None:
        raise KeyboardInterrupt

    metrics.on_tick(interrupts)
    loop.call_soon(int)
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    metrics.on_tick(lambda *_: metrics.on_tick(None))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_a_tick_may_turn_and_close_the_loop() -> None:
    loop = tornado4.new_event_loop()
    metrics = tornado4.metrics(loop)
    turned: list[int] = []

    def tick(*_: float) -> None:
        metrics.on_tick(None)
        loop._turn(0)
        turned.append(metrics.read().turns)
        metrics.on_tick(tick)
        metrics.stop()
        loop.stop()

    metrics.on_tick(tick)
    loop.call_soon(int)
    loop.run_forever()
    assert turned
    loop.close()
    assert metrics.read().turns >= 1
    metrics.start()
    metrics.reset()


def test_a_tick_that_holds_the_loop_is_collected_with_it() -> None:
    class Tick:
        def __init__(self, loop: object) -> None:
            self.loop = loop

        def __call__(self, *_: float) -> None:
            pass

    loop = tornado4.new_event_loop()
    tick = Tick(loop)
    tornado4.metrics(loop).on_tick(tick)
    loop.run_until_complete(asyncio.sleep(0))
    gone = weakref.ref(tick)
    loop.close()
    del loop, tick
    gc.collect()
    assert gone() is None


def test_nested_turns_are_a_part_of_their_call() -> None:
    loop = tornado4.new_event_loop()
    metrics = tornado4.metrics(loop)

    def nests() -> None:
        loop.call_soon(time.sleep, 0.05)
        loop._run_once()
        metrics.read()

    loop.call_soon(nests)
    loop.call_later(0.08, loop.stop)
    began = time.monotonic()
    loop.run_forever()
    took = time.monotonic() - began
    measured = metrics.read()
    assert measured.worked >= 0.05
    assert measured.waited + measured.worked <= took
    loop.close()


def test_whose_numbers_one_may_ask_for() -> None:
    io_loop = IOLoop(make_current=False)
    loop = io_loop.asyncio_loop
    reactor = TornadoReactor(io_loop)
    host = asyncio.new_event_loop()
    guest: Any = TornadoReactor(host)
    for ours in (io_loop, loop, reactor):
        tornado4.metrics(ours)
    loop.run_until_complete(asyncio.sleep(0))
    numbers = {tornado4.metrics(ours).read().turns for ours in (io_loop, loop, reactor)}
    assert len(numbers) == 1
    metrics = tornado4.metrics(guest)
    guest.callLater(0, guest.stop)
    run(guest)
    assert metrics.read().calls["twisted_timers"] == 1
    stock = StockIOLoop(make_current=False)
    for foreign in (host, 1, "loop", stock if not isinstance(stock, IOLoop) else host):
        refused = r"not a loop, IOLoop or reactor of tornado4: .*run the program by"
        with pytest.raises(TypeError, match=refused):
            tornado4.metrics(foreign)
    stock.close()
    host.close()
    io_loop.close()


def test_the_loop_that_is_current() -> None:
    out = output_of(
        """
        import tornado4, tornado4.ioloop
        try:
            tornado4.metrics()
        except RuntimeError as error:
            print(error)
        io_loop = tornado4.ioloop.IOLoop.current()
        metrics = tornado4.metrics()
        async def main(): pass
        io_loop.run_sync(main)
        print(metrics.read().turns > 0)
        io_loop.close()
        """
    )
    told, _, same = out.partition("\n")
    assert told.startswith("no loop runs or is current in this thread: call metrics() in a ")
    assert same == "True\n"
