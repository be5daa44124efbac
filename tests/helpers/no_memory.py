"""Programs in which each allocation of Python's fails once, the n-th one in the n-th round.

Run as `python -m helpers.no_memory SCENARIO`, in a process of its own. `rounds` says how many
allocations there are at most; each scenario is a function that is given a guard, in which they
fail.
"""

from __future__ import annotations

# CPython's own: it isn't in every build.
import _testcapi
import asyncio
import contextlib
import gc
import importlib
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

Guard = Callable[[], contextlib.AbstractContextManager[None]]
SCENARIOS: dict[str, Callable[[], Callable[[Guard], None]]] = {}


def scenario(make: Callable[[], Callable[[Guard], None]]) -> Callable[[], Callable[[Guard], None]]:
    SCENARIOS[make.__name__] = make
    return make


@contextlib.contextmanager
def failing(number: int) -> Iterator[None]:
    """Let the allocation of this number fail, and what that raises pass."""
    try:
        _testcapi.set_nomemory(number, number + 1)
        yield
    except (MemoryError, SystemError):
        # SystemError: CPython itself has lost the exception, or returns one without.
        pass
    finally:
        _testcapi.remove_mem_hooks()


def new_loop() -> Any:
    import tornado4

    loop = tornado4.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)
    return loop


def turns(loop: Any, count: int = 6) -> None:
    for _ in range(count):
        loop._turn(0)


def drain(end: socket.socket) -> None:
    end.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while end.recv(100):
            pass


def answer_of(client: socket.socket, turn: Callable[[], None], data: bytes) -> bytes:
    client.settimeout(0.01)
    client.sendall(data)
    for _ in range(200):
        turn()
        try:
            return client.recv(len(data))
        except TimeoutError:
            pass
    return b"no answer"


def served(address: Any, turn: Callable[[], None]) -> None:
    """Make sure that the server is there still."""
    with socket.create_connection(address) as client:
        assert answer_of(client, turn, b"still there") == b"still there"


def visits(loop: Any, address: Any) -> Callable[[Guard], None]:
    """A visit to a server that echoes: a little, much, and the end; and one more, served."""

    def once(guard: Guard) -> None:
        with socket.create_connection(address) as client:
            client.sendall(b"x" * 100)
            with guard():
                turns(loop)
            with contextlib.suppress(OSError):
                client.sendall(b"x" * 300_000)
            with guard():
                turns(loop)
        with guard():
            turns(loop)
        turns(loop)
        served(address, lambda: turns(loop, 1))

    return once


@scenario
def asyncio_stream() -> Callable[[Guard], None]:
    loop = new_loop()

    class Echo(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(data)
            loop.call_later(0, int)
            self.transport.write(bytearray(data[:0]))

    server = loop.run_until_complete(loop.create_server(Echo, "127.0.0.1", 0))
    address = server.sockets[0].getsockname()

    return visits(loop, address)


@scenario
def asyncio_calls() -> Callable[[Guard], None]:
    loop = new_loop()
    one, other = socket.socketpair()

    def once(guard: Guard) -> None:
        ran = []
        with guard():
            loop.call_soon(ran.append, 1)
            timer = loop.call_later(0, ran.append, 2)
            repr(timer), hash(timer), timer.when(), timer == timer
            loop.call_soon_threadsafe(ran.append, 3)
            loop.add_reader(one, ran.append, 4)
            loop.call_later(5, ran.append, 5).cancel()
            loop.time(), loop._ready_calls(), loop._timer_handles()
            other.send(b"x")
            turns(loop)
        turns(loop)
        loop.remove_reader(one)
        drain(one)
        assert len(ran) < 20
        loop.call_soon(ran.clear)
        turns(loop, 1)
        assert ran == []

    return once


@scenario
def asyncio_datagrams() -> Callable[[Guard], None]:
    loop = new_loop()

    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, address: Any) -> None:
            self.transport.sendto(data, address)

    def once(guard: Guard) -> None:
        made = loop.create_datagram_endpoint(Echo, ("127.0.0.1", 0))
        transport, _ = loop.run_until_complete(made)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"x", transport.get_extra_info("sockname"))
            with guard():
                turns(loop)
        transport.abort()
        turns(loop)

    return once


@scenario
def tornado_calls() -> Callable[[Guard], None]:
    from tornado4.ioloop import IOLoop

    logging.disable()
    io_loop = IOLoop(make_current=False)
    loop: Any = io_loop.asyncio_loop
    loop.set_exception_handler(lambda loop, context: None)
    one, other = socket.socketpair()

    def once(guard: Guard) -> None:
        ran: list[int] = []

        # Python 3.13.0 crashes when there is no memory for a function.
        def handle(fd: Any, events: int) -> None:
            ran.append(4)

        with guard():
            io_loop.add_callback(ran.append, 1)
            timeout = io_loop.call_later(0, ran.append, 2)
            io_loop.add_timeout(io_loop.time() + 9, ran.append, 3)
            io_loop.add_handler(one, handle, io_loop.READ)
            io_loop.update_handler(one, io_loop.READ | io_loop.WRITE)
            io_loop.remove_timeout(timeout)
            other.send(b"x")
            turns(loop)
        turns(loop)
        io_loop.remove_handler(one)
        drain(one)
        io_loop.add_callback(ran.clear)
        turns(loop, 1)
        assert ran == []

    return once


@scenario
def tornado_http() -> Callable[[Guard], None]:
    from tornado import gen, http1connection, httputil

    import tornado4.http

    class Stream:
        max_buffer_size = 1 << 20

        def set_close_callback(self, callback: Any) -> None:
            pass

        def closed(self) -> bool:
            return False

        def write(self, data: bytes) -> Any:
            return written

    logging.disable()
    loop = new_loop()
    asyncio.set_event_loop(loop)
    tornado4.http.install()
    assert tornado4.http.is_native()
    written = loop.create_future()
    written.set_result(None)
    connection: Any = http1connection.HTTP1Connection(Stream(), False)
    head = b"GET /a?b=c HTTP/1.1\r\nHost: here:80\r\nX: y\r\nx: z\r\n\r\n"
    second = 0.5

    def read() -> Any:
        line, headers = connection._parse_headers(head)
        start_line = httputil.parse_request_start_line(line)
        httputil.parse_response_start_line("HTTP/1.1 200 OK")
        connection._request_start_line, connection._request_headers = start_line, headers
        return httputil.HTTPServerRequest(
            start_line=start_line, headers=headers, connection=connection
        )

    def write() -> None:
        nonlocal second
        second += 1
        headers = httputil.HTTPHeaders({"a-b": "c", "Date": httputil.format_timestamp(second)})
        start_line = httputil.ResponseStartLine("", 200, "OK")
        connection.write_headers(start_line, headers, b"abc")

    def wait() -> None:
        for seconds, error in ((-1.0, None), (-1.0, KeyError()), (99.0, None), (99.0, KeyError())):
            future = loop.create_future()
            gen.with_timeout(loop.time() + seconds, future).add_done_callback(repr)
            turns(loop, 2)
            if error is None:
                future.set_result(1)
            else:
                future.set_exception(error)
            turns(loop, 2)

    def once(guard: Guard) -> None:
        for part in (read, write, wait, lambda: repr(gen.with_timeout)):
            # A module that has changed is looked at again.
            vars(httputil)["other"] = vars(gen)["other"] = object()
            with guard():
                part()
        request = read()
        assert (request.arguments, request.headers["x"]) == ({"b": [b"c"]}, "y,z")
        turns(loop)

    return once


@scenario
def tornado_websocket() -> Callable[[Guard], None]:
    from tornado import websocket
    from tornado.iostream import IOStream

    import tornado4.http
    import tornado4.iostream

    class Handler:
        def __init__(self) -> None:
            self.got: list[Any] = []

        def on_message(self, message: Any) -> Any:
            self.got.append(message)
            if message == "wait":
                return asyncio.sleep(0)
            return None

        def on_ws_connection_close(self, *args: Any) -> None:
            pass

        def log_exception(self, *args: Any) -> None:
            pass

        on_ping = on_ws_connection_close

    logging.disable()
    loop = new_loop()
    asyncio.set_event_loop(loop)
    tornado4.iostream.install()
    tornado4.http.install()
    assert tornado4.http.is_native()
    first = b"\x81\x84abcd\x16\x03\x0a\x10\x82\x03abc\x81\x01a\x89\x01p\x82\x7e\x01\x00xyz"

    def visit(guard: Guard, masks: bool) -> list[Any]:
        one, other = socket.socketpair()
        handler: Any = Handler()
        protocol: Any = websocket.WebSocketProtocol13(handler, masks, websocket._WebSocketParams())
        protocol.stream = IOStream(one)
        receiving = loop.create_task(protocol._receive_frame_loop())
        with guard():
            turns(loop)
        for data in (first, b"x" * 253 + b"\x82\0", b"\x81"):
            with contextlib.suppress(OSError):
                other.send(data)
            with guard():
                turns(loop)
                with contextlib.suppress(websocket.WebSocketClosedError):
                    protocol.write_message("text").add_done_callback(repr)
                    protocol.write_message(b"x" * 200, binary=True).cancel()
                turns(loop)
            turns(loop)
        other.close()
        turns(loop)
        protocol.stream.close()
        turns(loop)
        if receiving.done():
            receiving.exception()
        return handler.got

    def once(guard: Guard) -> None:
        visit(guard, False)
        visit(guard, True)
        got = visit(contextlib.nullcontext, False)
        assert got == ["wait", b"abc", "a", b"xyz" + b"x" * 253, b""], got

    return once


def new_reactor() -> Any:
    from twisted.python import log

    from tornado4.ioloop import IOLoop
    from tornado4.platform.twisted import TornadoReactor

    log.startLoggingWithObserver(lambda event: None, setStdout=False)
    return TornadoReactor(IOLoop(make_current=False))


@scenario
def twisted_stream() -> Callable[[Guard], None]:
    from twisted.internet import protocol

    reactor = new_reactor()
    loop = reactor._asyncioEventloop

    class Echo(protocol.Protocol):
        def dataReceived(self, data: bytes) -> None:
            self.transport.write(data)
            self.transport.writeSequence([b"", data[:0]])
            reactor.callLater(0, int)

    port = reactor.listenTCP(0, protocol.Factory.forProtocol(Echo), interface="127.0.0.1")
    address = ("127.0.0.1", port.getHost().port)

    return visits(loop, address)


@scenario
def twisted_calls() -> Callable[[Guard], None]:
    reactor = new_reactor()
    loop = reactor._asyncioEventloop

    def once(guard: Guard) -> None:
        ran: list[int] = []
        with guard():
            call = reactor.callLater(0, ran.append, 1)
            later = reactor.callLater(9, ran.append, 2)
            repr(call), call.getTime(), call.seconds(), call.time, later < call
            later.delay(1), later.reset(5), reactor.seconds(), reactor.getDelayedCalls()
            later.cancel()
            reactor.callFromThread(ran.append, 3)
            turns(loop)
        turns(loop)
        for call in reactor.getDelayedCalls():
            call.cancel()
        reactor.callFromThread(ran.clear)
        turns(loop, 1)
        assert ran == []

    return once


@scenario
def twisted_attributes() -> Callable[[Guard], None]:
    from twisted.internet import protocol

    reactor = new_reactor()
    loop = reactor._asyncioEventloop
    made: list[Any] = []

    class Keep(protocol.Protocol):
        def connectionMade(self) -> None:
            made.append(self.transport)

    port = reactor.listenTCP(0, protocol.Factory.forProtocol(Keep), interface="127.0.0.1")
    address = ("127.0.0.1", port.getHost().port)

    def once(guard: Guard) -> None:
        made.clear()
        with socket.create_connection(address):
            while not made:
                turns(loop, 1)
            transport = made[0]
            with guard():
                transport.write(b"x" * 1000)
                for name in list(vars(transport)):
                    getattr(transport, name)
                transport.dataBuffer, transport._tempDataBuffer, repr(transport)
                transport.getPeer(), transport.getHost(), transport.getTcpNoDelay()
                transport.logPrefix(), transport.sessionno, transport.bufferSize
                transport.dataBuffer = bytearray(b"other")
                transport.loseConnection()
            turns(loop)
            transport.abortConnection()
        turns(loop)

    return once


@scenario
def twisted_datagrams() -> Callable[[Guard], None]:
    from twisted.internet import protocol

    reactor = new_reactor()
    loop = reactor._asyncioEventloop

    class Echo(protocol.DatagramProtocol):
        def datagramReceived(self, data: bytes, address: Any) -> None:
            self.transport.write(data, address)

    def once(guard: Guard) -> None:
        port = reactor.listenUDP(0, Echo(), interface="127.0.0.1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"x", ("127.0.0.1", port.getHost().port))
            with guard():
                turns(loop)
        with contextlib.suppress(Exception):
            port.stopListening()
        turns(loop)

    return once


@scenario
def other_threads() -> Callable[[Guard], None]:
    reactor = new_reactor()
    loop = reactor._asyncioEventloop

    def once(guard: Guard) -> None:
        def call() -> None:
            for _ in range(20):
                with contextlib.suppress(MemoryError):
                    loop.call_soon_threadsafe(int)
                with contextlib.suppress(MemoryError):
                    reactor.callFromThread(int)

        thread = threading.Thread(target=call)
        thread.start()
        with guard():
            turns(loop)
        thread.join()
        turns(loop)

    return once


def main(name: str, rounds: int) -> None:
    once = SCENARIOS[name]()
    # PyO3 can do nothing but panic where there is no memory for a name that is used for the
    # first time.
    for _ in range(3):
        once(contextlib.nullcontext)
    gc.disable()
    for number in range(rounds):
        once(lambda number=number: failing(number))  # type: ignore[misc]
    for _ in range(3):
        once(contextlib.nullcontext)
    gc.collect()
    print("ended well")


if __name__ == "__main__":
    # Theirs are found in this module by its name.
    sys.modules["helpers.no_memory"] = sys.modules["__main__"]
    importlib.import_module("helpers.no_memory_tls")

    threading.excepthook = lambda args: None
    main(sys.argv[1], int(sys.argv[2]))
