"""Each allocation of Python's fails once, and later ones don't: no panic, no abort, and the
loop serves whoever comes then. Each scenario is a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from twisted.protocols import tls

pytest.importorskip("_testcapi", reason="this Python was built without what makes them fail")

from helpers.no_memory import SCENARIOS

# CPython 3.12 and later crash where there is no memory for a function, and Tornado's code makes
# many; and PyO3 panics for the tuple of call_soon's arguments, which 3.11 has in a free list.
FAIL_THEMSELVES = dict.fromkeys(
    {"tornado_http", "tornado_tls", "tornado_websocket"} if sys.version_info >= (3, 12) else (),
    "Python itself fails there",
)
if sys.version_info[:2] == (3, 12):
    FAIL_THEMSELVES["asyncio_calls"] = "PyO3 itself fails there"
if not hasattr(tls._AggregateSmallWrites, "close"):
    # It forgets what it has gathered only after the write, which fails after OpenSSL took it.
    FAIL_THEMSELVES["twisted_tls"] = "an older Twisted's own writing sends it again"


def scenarios(names):
    return [
        pytest.param(name, marks=pytest.mark.skip(reason=FAIL_THEMSELVES[name]))
        if name in FAIL_THEMSELVES
        else name
        for name in names
    ]


PLAIN = scenarios(SCENARIOS)
TLS = scenarios(["asyncio_tls", "twisted_tls", "tornado_tls"])
TESTS = Path(__file__).parent.parent


def ends_well(scenario, rounds, engine="direct"):
    command = [sys.executable, "-m", "helpers.no_memory", scenario, str(rounds)]
    env = os.environ | {"TORNADO4_TLS": engine}
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, cwd=TESTS, env=env)
    assert "anic" not in done.stderr, done.stderr[-4000:]
    assert (done.returncode, done.stdout) == (0, "ended well\n"), done.stderr[-4000:]


@pytest.mark.parametrize("scenario", PLAIN)
def test_each_allocation_fails_once(scenario):
    ends_well(scenario, 150)


on_engines = pytest.mark.parametrize("engine", ["direct", "fallback"])


@on_engines
@pytest.mark.parametrize("scenario", TLS)
def test_each_allocation_fails_once_with_tls(scenario, engine):
    ends_well(scenario, 70, engine)


@pytest.mark.slow
@on_engines
@pytest.mark.parametrize("scenario", TLS)
def test_each_allocation_fails_once_with_tls_to_its_end(scenario, engine):
    ends_well(scenario, 200, engine)


# What a program can make grow until the process may have no more memory.
GROWING = {
    "asyncio's call_soon": "loop.call_soon(int)",
    "asyncio's call_soon_threadsafe": "loop.call_soon_threadsafe(int)",
    "asyncio's call_later": "loop.call_later(99, int)",
    "Tornado's add_callback": "io_loop.add_callback(int)",
    "Tornado's call_later": "io_loop.call_later(99, int)",
    "Twisted's callLater": "reactor.callLater(99, int)",
    "Twisted's callFromThread": "reactor.callFromThread(int)",
    "asyncio's write": "writer.transport.write(b'xx')",
    "asyncio's writelines": "writer.transport.writelines([b'xx'] * 1000)",
    "Twisted's write": "transport.write(b'xx')",
    "Twisted's writeSequence": "transport.writeSequence([b'xx'] * 1000)",
}
PROGRAM = """
import asyncio, gc, resource, socket
import tornado4
from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor
from twisted.internet import protocol

loop = tornado4.new_event_loop()
io_loop = IOLoop(asyncio_loop=loop, make_current=False)
reactor = TornadoReactor(io_loop)
transports = []

class Keep(protocol.Protocol):
    def connectionMade(self):
        transports.append(self.transport)

def connected(address, is_there):
    client = socket.create_connection(address)  # It never reads.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    while not is_there():
        loop._iterate(0.01)
    return client

port = reactor.listenTCP(0, protocol.Factory.forProtocol(Keep), interface="127.0.0.1")
one = connected(("127.0.0.1", port.getHost().port), lambda: transports)
[transport] = transports
writers = []

async def serve():
    async def keep(reader, writer):
        writers.append(writer)
    return await asyncio.start_server(keep, "127.0.0.1", 0)

server = loop.run_until_complete(serve())
other = connected(server.sockets[0].getsockname(), lambda: writers)
[writer] = writers
transport.write(bytes(9_000_000))
writer.write(bytes(9_000_000))
loop._iterate(0)
[used] = [int(line.split()[1]) for line in open("/proc/self/status") if "VmSize" in line]
gc.disable()
limit = (used + 40_000) * 1024
hard = resource.getrlimit(resource.RLIMIT_AS)[1]
resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
count = 0
try:
    while True:
        GROWN
        count += 1
except MemoryError:
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
print("MemoryError", count > 500)
ran = []
loop.call_soon(ran.append, 1)
loop.call_later(0, ran.append, 2)
loop._iterate(0)
loop._iterate(0)
print(sorted(ran))
"""


@pytest.mark.parametrize("growing", GROWING)
def test_what_grows_until_there_is_no_more(growing):
    program = PROGRAM.replace("GROWN", GROWING[growing])
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.stderr == ""
    assert (done.returncode, done.stdout) == (0, "MemoryError True\n[1, 2]\n")


@pytest.mark.parametrize("attribute", ["dataBuffer", "_tempDataBuffer"])
def test_a_copy_of_what_waits_that_there_is_no_memory_for(attribute):
    much = "for _ in range(4): transport.write(bytes(50 << 20))\nlimit += 250 << 20\nhard = "
    program = PROGRAM.replace("hard = ", much)
    program = program.replace("GROWN", f"copies = transport.{attribute}, locals().get('copies')")
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "MemoryError False\n[1, 2]\n"


IMPORT = """
import _testcapi, importlib.util, os, signal, sys
import asyncio, tornado.ioloop

spec = importlib.util.find_spec("tornado4._core")  # imports the package, which doesn't need it
assert "tornado4._core" not in sys.modules
for number in range(0, 500, 50):
    child = os.fork()
    if not child:
        signal.alarm(60)
        module = importlib.util.module_from_spec(spec)
        raised = None
        _testcapi.set_nomemory(number)
        try:
            spec.loader.exec_module(module)
        except MemoryError as error:
            raised = error
        _testcapi.remove_mem_hooks()
        import tornado4
        tornado4.run(asyncio.sleep(0))
        os._exit(0 if raised else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_the_import_fails_and_is_made_again():
    """From an allocation on, which is in what the import makes first, all fail."""
    command = [sys.executable, "-c", IMPORT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.stdout, done.stderr, done.returncode) == ("0\n" * 10, "", 0)
