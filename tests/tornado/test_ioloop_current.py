"""Which loop Tornado uses where there is none: a matter of what the program has named.

Each test runs processes of its own, since a name once imported stays asked for.
"""

from __future__ import annotations

import sys
import textwrap

import pytest

from helpers.programs import output_of

OURS, STOCK = "tornado4.platform.asyncio", "asyncio.unix_events"

# A server in Tornado's names alone, and a client that says on which loop it is served.
SERVER = """
import asyncio, threading, urllib.request
import tornado.ioloop
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

class Main(RequestHandler):
    def get(self):
        self.write(type(asyncio.get_running_loop()).__module__)

sockets = bind_sockets(0, "127.0.0.1")

def listen():
    HTTPServer(Application([("/", Main)])).add_sockets(sockets)

def ask(stop):
    try:
        url = "http://127.0.0.1:%d/" % sockets[0].getsockname()[1]
        print(urllib.request.urlopen(url, timeout=50).read().decode())
    finally:
        stop()

def start(loop):
    thread = threading.Thread(target=ask, args=(lambda: loop.add_callback(loop.stop),))
    thread.start()
    loop.start()
    thread.join()

def run(reactor):
    thread = threading.Thread(target=ask, args=(lambda: reactor.callFromThread(reactor.stop),))
    thread.start()
    reactor.run()
    thread.join()
"""

ASK = {
    "import": "import tornado4.ioloop",
    "configure": "tornado.ioloop.IOLoop.configure('tornado4.ioloop.IOLoop')",
    "configure a class": "from tornado4._io_loop import IOLoop\n"
    "tornado.ioloop.IOLoop.configure(IOLoop)",
    "install": "import tornado4.platform.twisted as t; reactor = t.install()",
}

START = {
    "our current": "import tornado4.ioloop as i; start(i.IOLoop.current())",
    "our instance": "import tornado4.ioloop as i; start(i.IOLoop.instance())",
    "Tornado's current": "start(tornado.ioloop.IOLoop.current())",
    "Tornado's instance": "start(tornado.ioloop.IOLoop.instance())",
    "reactor": "import tornado4.platform.twisted as t\n"
    "run(globals().get('reactor') or t.install())",
}


def run(code: str, prelude: str = "") -> list[str]:
    return output_of(prelude + textwrap.dedent(code)).splitlines()


@pytest.mark.parametrize("start", START)
@pytest.mark.parametrize("ask", ASK)
def test_a_server_made_after_our_loop_was_asked_for_is_served_on_it(ask: str, start: str) -> None:
    assert run(f"{ASK[ask]}\nlisten()\n{START[start]}", SERVER) == [OURS]


@pytest.mark.parametrize("start", START)
@pytest.mark.parametrize("ask", ASK)
def test_a_server_made_before_that_is_served_on_the_loop_that_it_has(ask: str, start: str) -> None:
    assert run(f"listen()\n{ASK[ask]}\n{START[start]}", SERVER) == [STOCK]


@pytest.mark.parametrize(
    "named",
    [
        "",
        "import tornado4.web, tornado4.platform.twisted",
        "import tornado4; tornado4.new_event_loop().close()",
        "import tornado4; tornado4.run(asyncio.sleep(0))",
        "from tornado4.platform.twisted import run_once; run_once(lambda reactor: None)",
    ],
)
def test_who_names_nothing_of_ours_stays_on_the_stock_loop(named: str) -> None:
    assert run(f"{named}\nlisten()\nstart(tornado.ioloop.IOLoop.current())", SERVER) == [STOCK]


def test_the_front_page() -> None:
    out = run(
        """
        import asyncio, threading, urllib.request
        from tornado4.ioloop import IOLoop
        from tornado4.netutil import bind_sockets
        from tornado4.web import Application, RequestHandler
        from tornado4.httpserver import HTTPServer

        class Main(RequestHandler):
            def get(self):
                self.write(type(asyncio.get_running_loop()).__module__)

        sockets = bind_sockets(0, "127.0.0.1")
        HTTPServer(Application([("/", Main)])).add_sockets(sockets)
        loop = IOLoop.current()

        def client():
            url = "http://127.0.0.1:%d/" % sockets[0].getsockname()[1]
            print(urllib.request.urlopen(url, timeout=50).read().decode())
            loop.add_callback(loop.stop)

        threading.Thread(target=client).start()
        loop.start()
        """
    )
    assert out == [OURS]


USES = {
    "add_callback": "IOLoop.current().add_callback(done)",
    "call_later": "IOLoop.current().call_later(0.01, done)",
    "PeriodicCallback": "from tornado.ioloop import PeriodicCallback as P; P(done, 10).start()",
    "spawn_callback": "IOLoop.current().spawn_callback(done)",
}


@pytest.mark.parametrize("use", USES)
def test_work_given_to_tornado_before_the_start_is_done(use: str) -> None:
    out = run(
        f"""
        import asyncio
        import tornado4.ioloop
        from tornado.ioloop import IOLoop

        def done():
            print(type(asyncio.get_running_loop()).__module__)
            IOLoop.current().stop()

        {USES[use]}
        tornado4.ioloop.IOLoop.current().start()
        """
    )
    assert out == [OURS]


def test_what_tornado_makes_is_the_current_loop_of_both_and_of_asyncio() -> None:
    out = run(
        """
        import asyncio
        import tornado.ioloop, tornado4.ioloop
        ours, theirs = tornado4.ioloop.IOLoop, tornado.ioloop.IOLoop
        print(ours.current(instance=False), theirs.current(instance=False))
        made = theirs.current()
        print(type(made).__module__, made is theirs.current(), made is theirs.instance())
        print(made is ours.current(), made is ours.instance(), made is ours.current(False))
        print(asyncio.get_event_loop() is made.asyncio_loop)

        async def running():
            return theirs.current(), ours.current()

        print(set(theirs.current().run_sync(running)) == {made})
        # A run of asyncio's own leaves the thread without a loop.
        asyncio.run(asyncio.sleep(0))
        print(theirs.current(False) is made, theirs.current() is made, ours.current() is made)
        print(asyncio.get_event_loop() is made.asyncio_loop)
        made.close()
        print(theirs.current() is not made, type(theirs.current()).__module__)
        theirs.current().close()
        """
    )
    assert out == [
        "None None",
        "tornado4.ioloop True True",
        "True True True",
        "True",
        "True",
        "True True True",
        "True",
        "True tornado4.ioloop",
    ]


def test_each_thread_has_its_own() -> None:
    out = run(
        """
        import asyncio, threading
        import tornado.ioloop, tornado4.ioloop
        current = tornado.ioloop.IOLoop.current
        main = current()

        async def sleeps():
            await asyncio.sleep(0.01)
            return current()

        def thread():
            # Tornado 4.5's current one is the global one here, today's the thread's.
            print(current(False), tornado4.ioloop.IOLoop.current() is main)
            made = current()
            print(type(made).__module__, made is main, made.run_sync(sleeps) is made)
            print(tornado4.ioloop.IOLoop.current() is made)
            made.close()

        other = threading.Thread(target=thread)
        other.start()
        other.join()
        print(main.run_sync(sleeps) is main)
        """
    )
    assert out == ["None True", "tornado4.ioloop False True", "True", "True"]


@pytest.mark.parametrize("kind", ["asyncio.SelectorEventLoop()", "tornado4.new_event_loop()"])
def test_an_asyncio_loop_that_was_set_counts(kind: str) -> None:
    out = run(
        f"""
        import asyncio
        import tornado4, tornado4.ioloop, tornado4.platform.twisted, tornado.ioloop
        loop = {kind}
        asyncio.set_event_loop(loop)
        print(tornado4.ioloop.IOLoop.current(instance=False))
        reactor = tornado4.platform.twisted.install()
        print(reactor._asyncioEventloop is loop)
        print(tornado4.ioloop.IOLoop.current().asyncio_loop is loop)
        print(tornado4.ioloop.IOLoop.current() is tornado.ioloop.IOLoop.current())
        print(tornado4.ioloop.IOLoop.current() is tornado4.ioloop.IOLoop.instance())
        loop.call_later(0.01, reactor.callLater, 0, reactor.stop)
        reactor.run()
        print(loop.is_closed())
        loop.close()
        """
    )
    assert out == ["None", "True", "True", "True", "True", "False"]


def test_a_closed_loop_that_was_set_is_none() -> None:
    out = run(
        """
        import asyncio
        import tornado4.ioloop, tornado.ioloop
        closed = asyncio.new_event_loop()
        closed.close()
        for current in tornado4.ioloop.IOLoop.current, tornado.ioloop.IOLoop.current:
            asyncio.set_event_loop(closed)
            io_loop = current()
            print(type(io_loop).__module__, io_loop.run_sync(lambda: asyncio.sleep(0, "slept")))
            io_loop.close()
        """
    )
    assert out == ["tornado4.ioloop slept"] * 2


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="policies are on their way out there")
def test_the_loop_of_a_policy_of_somebodys_own_is_the_current_one() -> None:
    out = run(
        """
        import asyncio
        import tornado.ioloop, tornado4.ioloop

        class Policy(asyncio.AbstractEventLoopPolicy):
            loop = asyncio.new_event_loop()

            def get_event_loop(self):
                return self.loop

        asyncio.set_event_loop_policy(Policy())
        current = tornado4.ioloop.IOLoop.current()
        print(current.asyncio_loop is Policy.loop, current is tornado.ioloop.IOLoop.current())
        current.close()
        """
    )
    assert out == ["True True"]


def test_the_class_that_tornado_is_configured_with_is_made() -> None:
    out = run(
        """
        import tornado.ioloop
        from twisted.internet import reactor
        tornado.ioloop.IOLoop.configure("tornado4.platform.twisted.TwistedIOLoop")
        made = tornado.ioloop.IOLoop.current()
        print(type(made).__name__, made.reactor is reactor)
        made.call_later(0.01, reactor.stop)
        reactor.run()
        """
    )
    assert out == ["TwistedIOLoop True"]


def test_a_running_stock_loop_stays_as_it_is() -> None:
    out = run(
        """
        import asyncio
        import tornado.ioloop, tornado4.ioloop

        async def main():
            current = tornado.ioloop.IOLoop.current()
            print(current is tornado4.ioloop.IOLoop.current(), type(current).__module__)
            print(current.asyncio_loop is asyncio.get_running_loop())

        asyncio.run(main())
        """
    )
    assert out == ["True tornado.platform.asyncio", "True"]


FORKS = """
import asyncio, os, sys
import tornado.ioloop
current = tornado.ioloop.IOLoop.current

def fork():
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        print(current(instance=False) is None, end=" ")
        print(current() is before, current().run_sync(sleeps), flush=True)
    except RuntimeError as error:
        print(error, flush=True)
    finally:
        os._exit(0)

async def sleeps():
    await asyncio.sleep(0.01)
    return "slept"

async def forks():
    fork()

before = current()
print(before.run_sync(sleeps), flush=True)
fork()
before.run_sync(forks)
print(before is current(), before.run_sync(sleeps))
before.close()
"""


def test_what_is_current_in_a_forked_child_is_what_stock_has_there() -> None:
    # Which depends on the Python.
    assert run(FORKS, "import tornado4.ioloop\n") == run(FORKS)


def test_the_instance_of_a_forked_child() -> None:
    out = run(
        """
        import os
        import tornado4.ioloop
        from tornado4.ioloop import IOLoop
        before = IOLoop.instance()
        child = os.fork()
        if not child:
            print(IOLoop.instance() is IOLoop.current(), IOLoop.instance() is before, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print(IOLoop.instance() is before)
        before.close()
        """
    )
    kept = sys.version_info < (3, 12)
    assert out == [f"True {kept}", "True"]
