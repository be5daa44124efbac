"""A server in several processes, each with a listening socket of its own: SO_REUSEPORT.

    pip install tornado4
    python processes_reuseport.py [PORT]

The kernel spreads the connections over the processes.
"""

import multiprocessing
import os
import signal
import sys

PROCESSES = 2


def serve(port, rope):
    """What each process does. It starts afresh, so nothing has made a loop in it."""
    # The parent gets these, and pulls the rope. So does its death.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

    from tornado4.platform.twisted import install

    reactor = install()

    from tornado.httpserver import HTTPServer
    from tornado.ioloop import IOLoop
    from tornado.netutil import bind_sockets
    from tornado.web import Application, RequestHandler
    from twisted.internet.task import deferLater

    class Slow(RequestHandler):
        async def get(self):
            self.write(await deferLater(reactor, 0.05, lambda: f"process {os.getpid()}\n"))

    def pulled(rope, events):
        IOLoop.current().remove_handler(rope)
        reactor.stop()

    IOLoop.current().add_handler(rope, pulled, IOLoop.READ)
    server = HTTPServer(Application([("/", Slow)]))
    server.add_sockets(bind_sockets(port, "127.0.0.1", reuse_port=True))
    loop = type(reactor._asyncioEventloop)
    # In one piece, as the processes share a terminal.
    print(f"Process {os.getpid()} on {loop} and {type(reactor)}\n", end="", flush=True)
    reactor.run(installSignalHandlers=False)


if __name__ == "__main__":
    port = int(sys.argv[1]) if sys.argv[1:] else 8888
    spawn = multiprocessing.get_context("spawn")
    theirs, ours = spawn.Pipe(duplex=False)
    signal.signal(signal.SIGINT, lambda *_: ours.close())
    signal.signal(signal.SIGTERM, lambda *_: ours.close())

    processes = [spawn.Process(target=serve, args=(port, theirs)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    print("Stopped:", *[process.exitcode for process in processes])
