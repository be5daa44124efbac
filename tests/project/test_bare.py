"""A clean install: the wheel and what it requires, and nothing else. In particular no
pyOpenSSL, without which Twisted has no TLS. Every test runs programs; those that can,
also in the tests' own environment with pyOpenSSL hidden."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from helpers.programs import BARE, everywhere, in_bare, output_of

HIDDEN = """
import sys
sys.modules["OpenSSL"] = None  # as if it were not installed
"""


def run(code: str, python: str) -> list[str]:
    return output_of(HIDDEN + code, python).splitlines()


@in_bare
def test_nothing_is_there_that_is_not_required() -> None:
    code = """
import importlib.metadata, json
print(json.dumps({found.metadata["Name"]: found.requires or []
                  for found in importlib.metadata.distributions()}))
"""
    installed = {
        canonical(name): requires for name, requires in json.loads(output_of(code, BARE)).items()
    }
    wanted, left = set(), ["tornado4"]
    while left:
        name = left.pop()
        if name in installed and name not in wanted:
            wanted.add(name)
            left += [
                canonical(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])
                for requirement in installed[name]
                if "extra ==" not in requirement
            ]
    assert {"tornado4", "tornado", "twisted"} <= wanted
    # What a new environment has.
    assert set(installed) - wanted <= {"pip", "setuptools"}
    assert "pyopenssl" not in installed


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@everywhere
def test_every_module_can_be_imported(python: str) -> None:
    code = """
import importlib, pkgutil, tornado4, warnings
warnings.filterwarnings("error", module="tornado4")
for found in pkgutil.walk_packages(tornado4.__path__, "tornado4."):
    # What these are written for isn't required.
    without = {"tornado4.curl_httpclient", "tornado4.platform.caresresolver"}
    if not found.name.endswith("__main__") and found.name not in without:
        importlib.import_module(found.name)
        print(found.name)
import twisted.plugins.tornado4_reactor
print("twisted.internet.reactor" in sys.modules)
"""
    *modules, installed = run(code, python)
    assert {"tornado4._core", "tornado4.demo.report", "tornado4.platform.twisted"} <= set(modules)
    assert len(modules) > 30
    assert installed == "False"


WITHOUT_TLS = """
import os, shutil, tempfile, warnings
warnings.simplefilter("ignore", ResourceWarning)  # of EPollReactor's descriptor in reserve
if {ours}:
    import tornado4.platform.twisted
    tornado4.platform.twisted.install()
from twisted.internet import interfaces, protocol, reactor

def attempt(function, *args):
    try:
        return function(*args)
    except Exception as error:
        return f"{{type(error).__name__}}: {{error}}"

class Server(protocol.Protocol):
    def connectionMade(self):
        transport = self.transport
        print(hasattr(transport, "startTLS"), transport.TLS,
              interfaces.ITLSTransport.providedBy(transport))
        kind, _, message = attempt(lambda: transport.startTLS(None)).partition(": ")
        print(kind)
        if {ours}:
            print(message)
    def dataReceived(self, data):
        self.transport.write(data)
    def connectionLost(self, reason):
        print(reason.type.__name__)
        lost.append(self)
        if len(lost) == 4:
            reactor.stop()
        elif len(lost) == 2:
            path = os.path.join(directory, "socket")
            reactor.listenUNIX(path, factory)
            reactor.connectUNIX(path, client)

class Client(Server):
    def connectionMade(self):
        super().connectionMade()
        self.transport.write(b"hello")
    def dataReceived(self, data):
        print(data)
        self.transport.loseConnection()

print(interfaces.IReactorSSL.providedBy(reactor))
print(attempt(reactor.listenSSL, 0, protocol.Factory(), None))
print(attempt(reactor.connectSSL, "127.0.0.1", 1, protocol.Factory(), None))
lost, directory = [], tempfile.mkdtemp()
factory, client = protocol.Factory.forProtocol(Server), protocol.ClientFactory.forProtocol(Client)
client.noisy = factory.noisy = False
port = reactor.listenTCP(0, factory, interface="127.0.0.1")
reactor.connectTCP("127.0.0.1", port.getHost().port, client)
reactor.run()
shutil.rmtree(directory)
"""


@everywhere
def test_without_tls_all_is_as_in_twisteds_own_reactor(python: str) -> None:
    stock, ours = (run(WITHOUT_TLS.format(ours=ours), python) for ours in (False, True))
    assert stock[:3] == ["False", *["AssertionError: SSL support is not present"] * 2]
    assert stock.count("AttributeError") == 4
    assert stock.count("b'hello'") == 2
    # Ours says in addition what to do.
    install = "pip install 'twisted[tls]'"
    assert ours[1:3] == [f"AssertionError: SSL support is not present: {install}"] * 2
    told = [line for line in ours if install in line and line not in ours[1:3]]
    assert told == [f"without pyOpenSSL there is no startTLS: {install}"] * 4
    ours = [*stock[:3], *(line for line in ours[3:] if line not in told)]
    # Which of the two ends is first is the reactor's own affair.
    assert sorted(ours) == sorted(stock)


MIXED = """
import asyncio, tornado4
import tornado4.platform.twisted
{before}
from tornado.ioloop import IOLoop
from tornado.tcpclient import TCPClient
from twisted.internet import protocol
from twisted.internet.task import deferLater
from tornado4.platform.twisted import TwistedResolver, as_deferred, as_future

class Echo(protocol.Protocol):
    def dataReceived(self, data):
        self.transport.write(data)

async def use(reactor):
    port = reactor.listenTCP(0, protocol.Factory.forProtocol(Echo), interface="127.0.0.1")
    resolver = TwistedResolver()
    stream = await TCPClient(resolver).connect("127.0.0.1", port.getHost().port)
    await stream.write(b"tornado")
    print(await stream.read_bytes(7))
    reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
    writer.write(b"asyncio")
    print(await reader.readexactly(7))
    print(await as_future(deferLater(reactor, 0, lambda: "Twisted")))
    stream.close()
    writer.close()
    await writer.wait_closed()
    resolver.close()
    await as_future(port.stopListening())

{start}
"""
ON_EPOLL = "from twisted.internet import epollreactor; epollreactor.install()"


@everywhere
@pytest.mark.parametrize(
    ("before", "start"),
    [
        ("reactor = tornado4.platform.twisted.install()", "tornado4.run(use(reactor))"),
        (
            "reactor = tornado4.platform.twisted.install()",
            "reactor.callWhenRunning(lambda: as_deferred(use(reactor)).addBoth(\n"
            "    lambda failed: (failed and print(failed), reactor.stop())))\n"
            "reactor.run()",
        ),
        ("", "tornado4.platform.twisted.run_once(use)"),
        (
            ON_EPOLL,
            "loop = tornado4.platform.twisted.TwistedIOLoop()\n"
            "loop.run_sync(lambda: use(loop.reactor))",
        ),
        (
            "",
            "async def main():\n"
            "    await use(tornado4.platform.twisted.TornadoReactor(IOLoop.current()))\n"
            "asyncio.run(main())",
        ),
    ],
    ids=["run", "reactor.run", "run_once", "TwistedIOLoop", "guest"],
)
def test_the_three_together(python: str, before: str, start: str) -> None:
    told = ["b'tornado'", "b'asyncio'", "Twisted"]
    assert run(MIXED.format(before=before, start=start), python) == told


@everywhere
def test_asyncio_has_tls_of_its_own(python: str) -> None:
    # asyncio and Tornado use the ssl module, which Python brings.
    code = """
import asyncio, ssl, tornado4
async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        connecting = loop.create_connection(
            asyncio.Protocol, "127.0.0.1", port, ssl=ssl.create_default_context())
        await asyncio.wait_for(connecting, 0.1)
    except asyncio.TimeoutError:
        print("began")
    server.close()
tornado4.run(main())
"""
    assert run(code, python) == ["began"]


def test_with_pyopenssl_there_is_tls() -> None:
    # That the tests above have hidden something.
    pytest.importorskip("OpenSSL", reason="the tests' own environment has it")
    code = "from tornado4.platform.twisted import _tcp; print(hasattr(_tcp.Server, 'startTLS'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "True\n"
