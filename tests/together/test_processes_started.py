"""Pools and processes of Python's own, started while a loop runs that has connections."""

import subprocess
import sys

import pytest

BEGINNING = """\
import asyncio, concurrent.futures, multiprocessing, os, socket, sys, threading
import tornado4

def in_child(number):
    # A child may run a loop of its own, on any of its threads.
    async def main():
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection(sock=socket.socketpair()[0])
        writer.close()
        return await asyncio.to_thread(lambda: (number, type(loop).__name__))
    return tornado4.run(main())

class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        self.transport.write(data)

def talk(port, go_on):
    with socket.create_connection(("127.0.0.1", port)) as sock:
        count = 0
        while not go_on.is_set():
            count += 1
            sock.sendall(b"%d" % count)
            assert int(sock.recv(100)) == count, count
        # Nobody else has a hand in it.
        sock.settimeout(0.2)
        try:
            raise AssertionError(sock.recv(100))
        except TimeoutError:
            pass

async def beside_a_connection(work):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    over = threading.Event()
    talking = loop.run_in_executor(None, talk, server.sockets[0].getsockname()[1], over)
    try:
        return await work()
    finally:
        over.set()
        await talking
        server.close()
"""

POOL = """
async def work():
    loop = asyncio.get_running_loop()
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        return await asyncio.gather(
            *(loop.run_in_executor(pool, in_child, number) for number in range(6)))
"""

PROCESSES = """
def send(number, pipe):
    pipe.send(in_child(number))

async def work():
    # Each ends while the others begin.
    results = []
    for number in range(6):
        receiving, sending = context.Pipe(duplex=False)
        process = context.Process(target=send, args=(number, sending))
        process.start()
        # Such as the sentinel of the process, a descriptor.
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(process.sentinel, ended.set)
        await ended.wait()
        loop.remove_reader(process.sentinel)
        results.append(receiving.recv())
        process.join()
        assert process.exitcode == 0, process.exitcode
    return results
"""

MAPS = """
async def work():
    loop = asyncio.get_running_loop()
    with context.Pool(2) as pool:
        mapped = loop.create_future()
        pool.map_async(in_child, range(6),
            callback=lambda result: loop.call_soon_threadsafe(mapped.set_result, result))
        return await mapped
"""

END = """
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    results = {run}(beside_a_connection(work))
    print(results == [(number, "EventLoop") for number in range(6)])
"""

FACES = {
    "asyncio": "tornado4.run",
    "tornado": "(lambda coroutine: __import__('tornado4.ioloop').ioloop.IOLoop.current()"
    ".run_sync(lambda: coroutine))",
    "twisted": "run_by_reactor",
}

BY_REACTOR = """
def run_by_reactor(coroutine):
    from tornado4.platform.twisted import as_deferred, install
    reactor = install()
    results = []
    def begin():
        deferred = as_deferred(coroutine)
        deferred.addBoth(results.append)
        deferred.addBoth(lambda _: reactor.stop())
    reactor.callWhenRunning(begin)
    reactor.run()
    return results[0]
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize(
    ("face", "kind"),
    [
        ("asyncio", "pool"),
        ("asyncio", "processes"),
        ("asyncio", "maps"),
        ("tornado", "pool"),
        ("twisted", "pool"),
    ],
)
def test_processes_beside_a_running_loop(face, kind, method, tmp_path):
    work = {"pool": POOL, "processes": PROCESSES, "maps": MAPS}[kind]
    by_reactor = BY_REACTOR if face == "twisted" else ""
    program = tmp_path / "program.py"
    program.write_text(BEGINNING + work + by_reactor + END.format(run=FACES[face]))
    done = subprocess.run(
        # From Python 3.12 on forking beside threads is warned of.
        [sys.executable, "-W", "ignore::DeprecationWarning", str(program), method],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("True\n", "", 0)
