"""Connections of asyncio where the process does something else: it forks, ends, waits in
another thread or in an iteration within another, has descriptors of all kinds."""

import subprocess
import sys
import textwrap
import threading

import pytest

from helpers.forks import before_3_14
from helpers.scenarios import outcome
from helpers.transports import Peer, Plain, connected, in_callback, on_transports

MADE = ("connection_made",)

FACTORIES = {"stock": "asyncio.SelectorEventLoop", "tornado4": "tornado4.new_event_loop"}
on_both = pytest.mark.parametrize("factory", FACTORIES)

BEGINNING = """\
import asyncio, errno, os, resource, socket, sys, threading
import tornado4

loop = {factory}()
near, far = socket.socketpair()
near.setblocking(False)

def connect(protocol=asyncio.Protocol):
    return loop.run_until_complete(loop.connect_accepted_socket(protocol, near))[0]
"""


def printed(factory, program):
    """What a program prints, which is to end well and without a word of complaint."""
    text = BEGINNING.format(factory=FACTORIES[factory]) + textwrap.dedent(program)
    command = [sys.executable, "-W", "ignore", "-c", text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


# A read of ours takes 3 * 65 483 at most: one that is filled may have left nothing behind.
@on_both
@pytest.mark.parametrize("size", [1, 65_483, 3 * 65_483, 262_144])
def test_an_open_file_made_blocking_by_another_is_read(factory, size):
    """Nobody waits in a read: other threads go on, and so does the loop."""
    program = f"""
        far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)

        class Counting(asyncio.Protocol):
            count = 0

            def data_received(self, data):
                self.count += len(data)

        protocol = Counting()
        transport = connect(lambda: protocol)
        os.set_blocking(near.fileno(), True)

        def go_on():
            far.sendall(bytes({size}))
            for _ in range(3):
                # Each is done by the loop while this thread waits.
                done = threading.Event()
                loop.call_soon_threadsafe(done.set)
                done.wait()
            while protocol.count < {size}:
                threading.Event().wait(0.001)
            loop.call_soon_threadsafe(loop.stop)

        threading.Thread(target=go_on).start()
        loop.run_forever()
        print(protocol.count)
    """
    assert printed(factory, program) == [str(size)]


@on_both
def test_an_open_file_made_blocking_by_another_is_written_to(factory):
    program = """
        transport = connect()
        os.set_blocking(near.fileno(), True)
        size = 5_000_000
        got = 0

        def read():
            global got
            while got < size:
                got += len(far.recv(100_000))
            loop.call_soon_threadsafe(loop.stop)

        threading.Thread(target=read).start()
        loop.call_soon(transport.write, bytes(size))
        loop.run_forever()
        print(got)
    """
    assert printed(factory, program) == ["5000000"]


@on_both
def test_a_number_far_beyond_all_that_are_open(factory):
    """It is refused, and takes no memory; stock tells the exception handler."""
    program = """
        class Socket:
            family, type, proto = socket.AF_INET, socket.SOCK_STREAM, 6
            fileno = lambda self: 2**31 - 1
            getsockname = getpeername = lambda self: ("", 0)
            gettimeout = lambda self: 0
            setsockopt = close = lambda self, *args: None

        def tell(error):
            print(errno.errorcode[error.errno])

        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        loop.set_exception_handler(lambda loop, context: tell(context["exception"]))
        try:
            transport = loop._make_socket_transport(Socket(), asyncio.Protocol())
        except OSError as error:
            tell(error)
        loop.call_later(0.01, loop.stop)
        loop.run_forever()
        print("alive", flush=True)
        os._exit(0)
    """
    assert printed(factory, program) == ["EBADF", "alive"]


@on_both
@pytest.mark.parametrize("end", [pytest.param("sys.exit(0)", marks=before_3_14), "os._exit(0)"])
def test_what_was_written_before_a_fork_is_sent_once(factory, end):
    program = f"""
        transport = connect()

        async def main():
            transport.write(b"hello")
            child = os.fork()
            if not child:
                {end}
            os.waitpid(child, 0)

        try:
            loop.run_until_complete(main())
        except SystemExit:
            os._exit(0)
        far.setblocking(False)
        print(far.recv(100).decode())
    """
    assert printed(factory, program) == ["hello"]


@on_both
@pytest.mark.parametrize("how", ["open", "written", "paused", "closing"])
def test_the_process_ends_with_a_connection_open(factory, how):
    """Nothing is printed: no traceback of what is gone already."""
    program = f"""
        transport = connect()
        how = "{how}"
        if how == "written":
            transport.write(bytes(10_000_000))
        elif how == "paused":
            transport.pause_reading()
        elif how == "closing":
            transport.close()
        print("end")
    """
    assert printed(factory, program) == ["end"]


@on_transports
@pytest.mark.parametrize("kind", ["tcp server", "unix server"])
def test_another_thread_writes_while_an_iteration_within_another_waits(run, kind):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind) as sock:
            sock.setblocking(True)
            sock.settimeout(5)

            def write():
                # It waits by now; if not, it comes to the same.
                threading.Event().wait(0.05)
                protocol.transport.write(b"x")
                trace.append(outcome(sock.recv, 100))
                loop.call_soon_threadsafe(trace.append, "woken")

            def wait():
                thread = threading.Thread(target=write)
                thread.start()
                loop._run_once()
                thread.join()

            in_callback(loop, wait)

    assert run(scenario) == [MADE, b"x", "woken"]


@on_transports
@pytest.mark.parametrize("kind", ["tcp server", "unix server"])
@pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning")
def test_the_loop_is_closed_in_an_iteration_that_somebody_else_makes(run, kind):
    """What was written in it is out."""

    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind) as sock:
            peer = Peer(sock, protocol.transport)

            def write_and_close():
                protocol.transport.write(b"bye")
                loop.close()

            loop.call_soon(write_and_close)
            loop._run_once()
            trace.append(peer.received())

    assert run(scenario) == [MADE, b"bye"]


@pytest.mark.parametrize("closed", [False, True])
def test_used_in_a_destructor_at_the_exit(closed):
    """When the interpreter has already ended most of itself, and the socket too."""
    program = f"""
        class Last:
            def __init__(self):
                self.transport = connect()
                self.used = loop, near, far
                # Only the collector ends it, in the end.
                self.itself = self

            def __del__(self, out=sys.stdout):
                for name, *args in [
                    ("write", b"x"),
                    ("pause_reading",),
                    ("abort",),
                    ("write", b"x"),
                ]:
                    try:
                        print(name, getattr(self.transport, name)(*args), file=out)
                    except Exception as error:
                        print(name, type(error).__name__, file=out)
                out.flush()

        loop.set_exception_handler(lambda loop, context: None)
        last = sys.modules["last"] = Last()
        if {closed}:
            loop.close()
        del last
    """
    ours = printed("tornado4", program)
    # An open loop may be closed first, or not, by the collector.
    assert ours == printed("stock", program) or not closed
