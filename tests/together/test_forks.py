"""Processes that fork while a loop runs: the parent goes on as if nothing had happened, and
the child is told."""

import subprocess
import sys
import textwrap

import pytest

from helpers.forks import WORLDS, before_3_14, check
from helpers.forks_world import ACTIONS


@pytest.mark.parametrize(
    ("face", "kind"),
    [
        pytest.param(*world, marks=before_3_14) if world[0] == "tornado" else world
        for world in WORLDS
    ],
)
def test_every_way_to_go_on(face, kind):
    check(face, kind, 1, [".", *ACTIONS, "t", "."])


# Loops that don't run when the process forks


def printed(program, *arguments):
    """What a program prints, which ends well and without a word of complaint."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


PREFORK = {
    "asyncio": """
        import tornado4
        loop = tornado4.new_event_loop()
        server = loop.run_until_complete(
            asyncio.start_server(lambda reader, writer: serve(writer), "127.0.0.1", 0))
        port = server.sockets[0].getsockname()[1]
        def serve(writer):
            writer.write(b"%d" % os.getpid())
            writer.close()
        run, stop, call_later = loop.run_forever, loop.stop, loop.call_later
    """,
    "tornado": """
        import tornado4
        tornado4.install()
        from tornado.ioloop import IOLoop
        from tornado.tcpserver import TCPServer
        io_loop = IOLoop.current()
        loop = io_loop.asyncio_loop
        class Server(TCPServer):
            async def handle_stream(self, stream, address):
                await stream.write(b"%d" % os.getpid())
                stream.close()
        server = Server()
        server.listen(0, "127.0.0.1")
        [sock] = server._sockets.values()
        port = sock.getsockname()[1]
        run, stop, call_later = io_loop.start, io_loop.stop, io_loop.call_later
    """,
    "twisted": """
        from tornado4.platform.twisted import install
        reactor = install()
        loop = reactor._asyncioEventloop
        from twisted.internet import protocol
        class Serve(protocol.Protocol):
            def connectionMade(self):
                self.transport.write(b"%d" % os.getpid())
                self.transport.loseConnection()
        port = reactor.listenTCP(0, protocol.Factory.forProtocol(Serve), interface="127.0.0.1")
        port = port.getHost().port
        run, stop, call_later = reactor.run, reactor.stop, reactor.callLater
    """,
}

SERVE = """
import asyncio, os, signal, socket, sys, time
{face}
PARENT = os.getpid()
WATCHED, TO_IT = socket.socketpair()
seen = []
loop.add_reader(WATCHED, lambda: seen.append(WATCHED.recv(10)))
loop.add_signal_handler(signal.SIGUSR1, lambda: seen.append("a signal"))
call_later(0, lambda: seen.append("a timer"))

def talk(answers):
    answers.add(int(socket.create_connection(("127.0.0.1", port)).recv(100)))

{then}
"""


def on_face(face, then):
    text = SERVE.format(face=textwrap.dedent(PREFORK[face]), then=textwrap.dedent(then))
    return printed(text)


@pytest.mark.parametrize("face", PREFORK)
def test_a_daemon(face):
    """The parent ends, and the child runs the loop that was made before, with all it has."""
    then = """
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        sys.stdout.write(os.fdopen(reading).read())
        sys.stdout.flush()
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    answers = set()
    def work():
        TO_IT.send(b"hello")
        os.kill(os.getpid(), signal.SIGUSR1)
        call_later(0.2, stop)
    import threading
    thread = threading.Thread(target=talk, args=(answers,))
    call_later(0, thread.start)
    call_later(0.1, work)
    run()
    thread.join()
    os.write(writing, b"%s %s" % (repr(seen).encode(), repr(answers == {os.getpid()}).encode()))
    """
    [said] = on_face(face, then)
    assert said in [
        "['a timer', b'hello', 'a signal'] True",
        "['a timer', 'a signal', b'hello'] True",
    ]


@pytest.mark.parametrize("face", PREFORK)
def test_children_that_serve_beside_their_parent(face):
    """Each has a poll of its own, and the signals that it gets."""
    then = """
    children = []
    for _ in range(2):
        child = os.fork()
        if not child:
            call_later(60, os._exit, 1)
            loop.add_signal_handler(signal.SIGTERM, stop)
            run()
            # Two signals that nobody has handled yet are one.
            os._exit(3 if seen.count("a signal") == 1 else 4)
        children.append(child)
    import threading
    answers = set()
    def ask():
        while len(answers) < 3:
            talk(answers)
        for child in children:
            os.kill(child, signal.SIGUSR1)
        time.sleep(0.3)
        for child in children:
            os.kill(child, signal.SIGTERM)
        print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
        loop.call_soon_threadsafe(stop)
    thread = threading.Thread(target=ask)
    call_later(0, thread.start)
    run()
    thread.join()
    print(sorted(answers) == sorted([PARENT, *children]), seen)
    """
    # The pipe's end is in all of them, and nobody has written.
    assert on_face(face, then) == ["[3, 3]", "True ['a timer']"]


CLEAN_UPS = {
    "exits": "sys.exit(0)",
    "closes": "loop.close()",
    "unwatches": "loop.remove_reader(WATCHED); loop.remove_signal_handler(signal.SIGUSR1)",
    "closes descriptors": "os.closerange(3, 100); os._exit(0)",
    "collects": "del loop, run, stop, call_later; import gc; gc.collect()",
    "uses it": "call_later(0.01, stop); run()",
}


@pytest.mark.parametrize("face", PREFORK)
@pytest.mark.parametrize("end", CLEAN_UPS)
def test_a_child_that_cleans_up(face, end):
    """The parent's poll still has what was in it."""
    then = f"""
    child = os.fork()
    if not child:
        {CLEAN_UPS[end]}
        sys.exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    TO_IT.send(b"hello")
    os.kill(os.getpid(), signal.SIGUSR1)
    import threading
    answers = set()
    thread = threading.Thread(target=talk, args=(answers,))
    call_later(0, thread.start)
    call_later(0.3, stop)
    run()
    thread.join()
    print(answers == {{PARENT}}, sorted(map(str, seen)))
    """
    assert on_face(face, then) == ["0", "True ['a signal', 'a timer', \"b'hello'\"]"]


def test_forks_beside_loops_in_other_threads():
    """They wait without the GIL, spin, or have it next: a child never meets their locks."""
    program = """
        import asyncio, os, sys, threading, tornado4

        def run(ready):
            async def serve(reader, writer):
                while data := await reader.read(100):
                    writer.write(data)

            async def main():
                server = await asyncio.start_server(serve, "127.0.0.1", 0)
                address = server.sockets[0].getsockname()
                pairs = [await asyncio.open_connection(*address) for _ in range(5)]
                ready.set()
                while True:
                    for reader, writer in pairs:
                        writer.write(b"x")
                        await reader.read(10)

            tornado4.run(main())

        for _ in range(3):
            ready = threading.Event()
            threading.Thread(target=run, args=(ready,), daemon=True).start()
            ready.wait()
        left_open = tornado4.new_event_loop()
        left_open.call_later(1000, print)
        children = []
        for number in range(30):
            child = os.fork()
            if not child:
                if number % 3 == 1:
                    asyncio.run(asyncio.sleep(0.001))
                elif number % 3 == 2:
                    left_open.call_soon(left_open.stop)
                    left_open.run_forever()
                sys.exit(0)
            children.append(child)
        print({os.waitpid(child, 0)[1] for child in children})
    """
    assert printed(program) == ["{0}"]


def test_what_was_written_between_runs_is_sent_once():
    program = """
        import os, socket
        from tornado4.platform.twisted import install
        reactor = install()
        from twisted.internet import protocol
        listening = socket.create_server(("127.0.0.1", 0))
        transports = []
        class Client(protocol.Protocol):
            def connectionMade(self):
                transports.append(self.transport)
        factory = protocol.ClientFactory.forProtocol(Client)
        factory.noisy = False
        reactor.connectTCP(*listening.getsockname(), factory)
        while not transports:
            reactor.iterate(0.01)
        peer, _ = listening.accept()
        transports[0].write(b"hello")
        child = os.fork()
        for _ in range(5):
            reactor.iterate(0.01)
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        peer.settimeout(10)
        data = peer.recv(100)
        peer.settimeout(0.2)
        try:
            data += peer.recv(100)
        except TimeoutError:
            pass
        print(data)
    """
    assert printed(program) == ["b'hello'"]


@pytest.mark.parametrize("opens", [0, 8])
def test_a_daemon_that_closes_all_descriptors(opens):
    """The loop works, and none of those that have the numbers next is closed."""
    program = f"""
        import asyncio, os, tornado4
        loop = tornado4.new_event_loop()
        loop.run_until_complete(asyncio.sleep(0))
        others = [tornado4.new_event_loop() for _ in range(2)]
        child = os.fork()
        if child:
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        os.closerange(3, 100)
        opened = [os.open(os.devnull, os.O_WRONLY) for _ in range({opens})]
        files = [os.fstat(fd).st_rdev for fd in opened]
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()
        others.pop().close()
        others.clear()
        print([os.fstat(fd).st_rdev for fd in opened] == files)
    """
    assert printed(program) == ["True"]


def test_a_child_without_descriptors_tries_again():
    program = """
        import os, resource, tornado4
        loop = tornado4.new_event_loop()
        child = os.fork()
        if child:
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
        taken = []
        for left in range(5):
            try:
                while True:
                    taken.append(os.dup(0))
            except OSError:
                pass
            for _ in range(left):
                os.close(taken.pop())
            loop.call_soon(loop.stop)
            try:
                loop.run_forever()
            except OSError as error:
                print(os.strerror(error.errno))
            else:
                # asyncio's own count of what it watches for itself.
                print(loop._internal_fds)
                break
        loop.close()
    """
    *refused, ran = printed(program)
    assert set(refused) == {"Too many open files"}
    assert ran == "1"


@pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="nest_asyncio's tasks aren't current ones for its timeouts"
)
def test_signals_of_a_child_whose_loop_others_drive():
    program = """
        import asyncio, os, signal, nest_asyncio, tornado4
        loop = tornado4.new_event_loop()
        nest_asyncio.apply(loop)
        loop.run_until_complete(asyncio.sleep(0))
        ended = loop.create_future()
        loop.add_signal_handler(signal.SIGUSR1, ended.set_result, "a signal")
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            print(ended.done(), flush=True)
            os._exit(0)
        loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
        print(loop.run_until_complete(asyncio.wait_for(ended, 60)), flush=True)
        os._exit(0)
    """
    assert printed(program) == ["a signal", "False"]


@before_3_14
@pytest.mark.parametrize("runner", ["asyncio.run", "tornado4.run"])
def test_a_child_that_exits_by_an_exception(runner):
    """asyncio's clean-up, which runs the loop, is none of it."""
    program = f"""
        import asyncio, os, sys, tornado4
        tornado4.install()
        async def main():
            child = os.fork()
            if not child:
                sys.exit(9)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            print(status, await asyncio.sleep(0.1, "slept"))
        {runner}(main())
    """
    assert printed(program) == ["9 slept"]
