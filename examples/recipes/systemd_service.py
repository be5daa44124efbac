"""A service of systemd's: a socket that it has opened, readiness, and its watchdog.

pip install tornado4
python systemd_service.py   # works without systemd, too, at port 8888
"""

import os
import socket

from tornado4.platform.twisted import install

reactor = install()

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from twisted.internet.task import LoopingCall, deferLater
from twisted.python.systemd import ListenFDs


class Hello(RequestHandler):
    async def get(self):
        self.write(await deferLater(reactor, 0.05, lambda: f"hello from {os.getpid()}\n"))


def sockets():
    """What systemd has opened for us, or else our own."""
    given = ListenFDs.fromEnvironment().inheritedDescriptors()
    return [socket.socket(fileno=fd) for fd in given] or bind_sockets(8888, "127.0.0.1")


def notify(state):
    """Tell systemd, if it wants to know: see the manual page of sd_notify."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(address.replace("@", "\0", 1) if address[0] == "@" else address)
            sock.send(state.encode())


def started():
    loop = type(reactor._asyncioEventloop)
    notify(f"READY=1\nSTATUS=On {loop.__module__}.{loop.__qualname__}")
    print("Started on", loop, flush=True)
    # The watchdog: a loop that hangs doesn't say this, and systemd restarts the service.
    microseconds = int(os.environ.get("WATCHDOG_USEC", 0))
    if microseconds:
        LoopingCall(notify, "WATCHDOG=1").start(microseconds / 1e6 / 2)


server = HTTPServer(Application([("/", Hello)]))
listening = sockets()
for sock in listening:
    sock.setblocking(False)
server.add_sockets(listening)
reactor.callWhenRunning(started)
reactor.addSystemEventTrigger("before", "shutdown", notify, "STOPPING=1")
reactor.run()
print("Stopped", flush=True)
