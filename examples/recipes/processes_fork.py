"""A server in several processes, which share a listening socket: Tornado's fork_processes.

    pip install tornado4
    python processes_fork.py [PORT]

A process that dies is started again.
"""

import os
import signal
import sys

from tornado.netutil import bind_sockets
from tornado.process import fork_processes

sockets = bind_sockets(int(sys.argv[1]) if sys.argv[1:] else 8888, "127.0.0.1")
parent = os.getpid()
signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the children; we wait for them.
number = fork_processes(2)  # Before there is any loop: each process has its own.
signal.signal(signal.SIGINT, signal.default_int_handler)

# From here on we are a child.
from tornado4.platform.twisted import install

reactor = install()

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler
from twisted.internet.task import LoopingCall, deferLater


class Slow(RequestHandler):
    async def get(self):
        self.write(await deferLater(reactor, 0.05, lambda: f"process {os.getpid()}\n"))


def check_parent():
    """End with the parent: SIGTERM may reach it alone."""
    if os.getppid() != parent:
        reactor.stop()


HTTPServer(Application([("/", Slow)])).add_sockets(sockets)
LoopingCall(check_parent).start(1)
loop = type(reactor._asyncioEventloop)
# In one piece, as the processes share a terminal.
print(f"Process {os.getpid()} on {loop} and {type(reactor)}\n", end="", flush=True)
reactor.run()
