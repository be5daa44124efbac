"""Programs as their authors wrote them, unedited, under ``python -m tornado4``."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from helpers.programs import with_path

OURS = "tornado4.platform.asyncio"

FILES = {
    # Each answers with the module of the loop that it runs on.
    "asgi.py": """
import asyncio
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": kind + ".complete"})
            if kind == "lifespan.shutdown":
                return
    body = type(asyncio.get_running_loop()).__module__.encode()
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})
""",
    "aiohttp_server.py": """
import asyncio, sys
from aiohttp import web
async def handle(request):
    return web.Response(text=type(asyncio.get_running_loop()).__module__)
app = web.Application()
app.add_routes([web.get("/", handle)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]))
""",
    "asyncio_server.py": """
import asyncio, sys
async def serve(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    body = type(asyncio.get_running_loop()).__module__.encode()
    writer.write(b"HTTP/1.0 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
    await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    async with server:
        await server.serve_forever()
asyncio.run(main())
""",
    "tornado6.py": """
import asyncio, sys
from tornado.web import Application, RequestHandler
class Hello(RequestHandler):
    def get(self):
        self.write(type(asyncio.get_running_loop()).__module__)
async def main():
    Application([(r"/", Hello)]).listen(int(sys.argv[1]), address="127.0.0.1")
    await asyncio.Event().wait()
asyncio.run(main())
""",
    "tornado4_names.py": """
import asyncio, sys
import tornado4.ioloop, tornado4.web
class Hello(tornado4.web.RequestHandler):
    def get(self):
        self.write(type(asyncio.get_running_loop()).__module__)
tornado4.web.Application([(r"/", Hello)]).listen(int(sys.argv[1]), "127.0.0.1")
tornado4.ioloop.IOLoop.current().start()
""",
    "tornado4_5.py": """
import asyncio, sys
import tornado.ioloop, tornado.web
class Hello(tornado.web.RequestHandler):
    def get(self):
        self.write(type(asyncio.get_running_loop()).__module__)
tornado.web.Application([(r"/", Hello)]).listen(int(sys.argv[1]), "127.0.0.1")
tornado.ioloop.IOLoop.current().start()
""",
    "forks.py": """
import asyncio, sys
import tornado.httpserver, tornado.ioloop, tornado.web
class Hello(tornado.web.RequestHandler):
    def get(self):
        self.write(type(asyncio.get_running_loop()).__module__)
server = tornado.httpserver.HTTPServer(tornado.web.Application([(r"/", Hello)]))
server.bind(int(sys.argv[1]), "127.0.0.1")
server.start(2)
tornado.ioloop.IOLoop.current().start()
""",
    "twisted_server.py": """
import asyncio, sys
from twisted.internet import endpoints, reactor
from twisted.web import resource, server
class Hello(resource.Resource):
    isLeaf = True
    def render_GET(self, request):
        return type(asyncio.get_running_loop()).__module__.encode()
endpoint = endpoints.serverFromString(reactor, f"tcp:{sys.argv[1]}:interface=127.0.0.1")
endpoint.listen(server.Site(Hello()))
reactor.run()
""",
    "resource.rpy": """
import asyncio
from twisted.web import static
resource = static.Data(type(asyncio.get_running_loop()).__module__.encode(), "text/plain")
""",
    "pools.py": """
import asyncio, concurrent.futures, multiprocessing, sys
async def kind():
    return type(asyncio.get_running_loop()).__module__
def work(_):
    return asyncio.run(kind())
async def main(method):
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        print(await asyncio.get_running_loop().run_in_executor(pool, work, 0))
if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
""",
    "reloads.py": """
import asyncio, os, pathlib, sys
import tornado.autoreload, tornado.ioloop
async def main():
    print(type(asyncio.get_running_loop()).__module__, flush=True)
    module = pathlib.Path("reloaded.py")
    if module.exists():
        import reloaded
        sys.exit(3)
    module.write_text("x = 1")
    import reloaded
    os.utime(module, (1, 1))
    tornado.autoreload.start(check_time=20)
    await asyncio.sleep(0.1)
    os.utime(module)
    await asyncio.sleep(60)
if __name__ == "__main__":
    asyncio.run(main())
""",
    "test_pytest_.py": """
import asyncio, unittest
async def kind():
    return type(asyncio.get_running_loop()).__module__
def test_run():
    assert asyncio.run(kind()) == "tornado4.platform.asyncio"
class Test(unittest.IsolatedAsyncioTestCase):
    async def test(self):
        self.assertEqual(await kind(), "tornado4.platform.asyncio")
""",
    "test_pytest_asyncio_.py": """
import asyncio, pytest
@pytest.fixture
async def kind():
    yield type(asyncio.get_running_loop()).__module__
async def test_fixture(kind):
    assert kind == type(asyncio.get_running_loop()).__module__ == "tornado4.platform.asyncio"
@pytest.mark.parametrize("number", [1, 2])
async def test_streams(number):
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read() == b""
        writer.close()
""",
    "trial_.py": """
from twisted.internet import reactor, task
from twisted.trial import unittest
class Test(unittest.TestCase):
    def test_reactor(self):
        self.assertEqual(type(reactor).__module__, "tornado4.platform.twisted")
        return task.deferLater(reactor, 0.01, lambda: None)
""",
}

TWISTD = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"

SERVERS = {
    "uvicorn": ["-m", "uvicorn", "--loop", "asyncio", "--port", "PORT", "asgi:app"],
    "uvicorn --loop": [
        *("-m", "uvicorn", "--loop", "tornado4:new_event_loop"),
        *("--port", "PORT", "asgi:app"),
    ],
    "uvicorn --workers": [
        *("-m", "uvicorn", "--loop", "asyncio", "--workers", "2"),
        *("--port", "PORT", "asgi:app"),
    ],
    "hypercorn": ["-m", "hypercorn", "-b", "127.0.0.1:PORT", "asgi:app"],
    "aiohttp": ["aiohttp_server.py", "PORT"],
    "asyncio": ["asyncio_server.py", "PORT"],
    "Tornado 6": ["tornado6.py", "PORT"],
    "Tornado 4.5": ["tornado4_5.py", "PORT"],
    "Tornado 4.5 by our names": ["tornado4_names.py", "PORT"],
    "fork_processes": ["forks.py", "PORT"],
    "Twisted": ["twisted_server.py", "PORT"],
    "twistd web": ["-c", TWISTD, "-n", "web", "--listen=tcp:PORT", "--path=."],
    "twist web": ["-m", "twisted", "web", "--listen=tcp:PORT", "--path=."],
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("programs")
    for name, text in FILES.items():
        (path / name).write_text(text)
    return path


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def answer_of(url: str, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                return str(response.read().decode())
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def check_report(said: str, name: str) -> None:
    """What --check has said at the end: all of it is ours."""
    assert "not tornado4's" not in said, said
    if name in ("uvicorn --workers", "hypercorn"):
        # Their workers end by a signal; the parent has no loop.
        return
    assert "event loop  tornado4.platform.asyncio.EventLoop, " in said, said
    if name.startswith("twist") or name == "Twisted":
        assert "reactor     tornado4.platform.twisted.TornadoReactor on tornado4." in said, said
    if name in ("Tornado 6", "Tornado 4.5", "Tornado 4.5 by our names", "fork_processes"):
        assert "IOLoop      tornado4.ioloop.IOLoop\n" in said, said
        assert "streams     native" in said, said


@pytest.mark.parametrize("name", SERVERS)
def test_servers(name: str, directory: Path) -> None:
    if name.split()[0] in ("uvicorn", "hypercorn", "aiohttp"):
        pytest.importorskip(name.split()[0], reason=f"{name.split()[0]} isn't installed")
    port = free_port()
    program = [word.replace("PORT", str(port)) for word in SERVERS[name]]
    with (directory / f"{port}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tornado4", "--check", *program],
            cwd=directory,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=with_path(directory),
        )
    try:
        page = "resource.rpy" if name.startswith("twist") else ""
        answer = answer_of(f"http://127.0.0.1:{port}/{page}", process)
        # As a terminal does it: the interpreter ends by itself, and --check has its say.
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    said = (directory / f"{port}.log").read_text()
    assert answer == OURS, said
    assert "never ran" not in said
    check_report(said, name)


def run(directory: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tornado4", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=100,
        env=with_path(directory),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_pytest(directory: Path) -> None:
    out = run(directory, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_pytest_.py")
    assert "2 passed" in out


def test_pytest_asyncio(directory: Path) -> None:
    pytest.importorskip("pytest_asyncio", reason="pytest-asyncio isn't installed")
    options = ["-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto"]
    out = run(directory, "-m", "pytest", *options, "test_pytest_asyncio_.py")
    assert "3 passed" in out


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pools_of_processes(directory: Path, method: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tornado4", "--check", "pools.py", method],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=100,
        env=with_path(directory),
    )
    assert (done.stdout, done.returncode) == (f"{OURS}\n", 0), done.stderr
    # Of the worker, which has its say however it was started, and of the program itself.
    says = done.stderr.count("event loop  tornado4.platform.asyncio.EventLoop, in MainThread")
    assert says == 2, done.stderr


def test_autoreload(directory: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tornado4", "--check", "reloads.py"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=100,
        env=with_path(directory),
    )
    assert (done.stdout, done.returncode) == (f"{OURS}\n" * 2, 3), done.stderr
    assert "not tornado4's" not in done.stderr


def test_trial(directory: Path) -> None:
    assert "PASSED (successes=1)" in run(directory, "-m", "twisted.trial", "trial_")


def test_ipython(directory: Path) -> None:
    pytest.importorskip("IPython", reason="IPython isn't installed")
    code = "import asyncio; await asyncio.sleep(0)\nprint(asyncio.get_running_loop())"
    out = run(directory, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", code)
    assert "<EventLoop running=True" in out


def test_a_kernel(directory: Path) -> None:
    nbclient = pytest.importorskip("nbclient", reason="nbclient isn't there to drive a kernel")
    nbformat = pytest.importorskip("nbformat", reason="nbformat isn't there to make a notebook")
    manager_of = pytest.importorskip("jupyter_client.manager", reason="there is no Jupyter")
    pytest.importorskip("ipykernel", reason="there is no Jupyter kernel to test with")
    kernelspec = pytest.importorskip("jupyter_client.kernelspec", reason="there is no Jupyter")

    class Manager(manager_of.AsyncKernelManager):  # type: ignore[misc, name-defined]
        @property
        def kernel_spec(self) -> object:
            command = [sys.executable, "-m", "tornado4", "-m", "ipykernel_launcher", "-f"]
            return kernelspec.KernelSpec(
                argv=[*command, "{connection_file}"], display_name="ours", language="python"
            )

    cell = "import asyncio; print(type(asyncio.get_running_loop()).__module__)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    client = nbclient.NotebookClient(notebook, timeout=60, kernel_manager_class=Manager)
    client.execute()
    assert notebook.cells[0].outputs[0]["text"] == f"{OURS}\n"


def test_starting_takes_little(directory: Path) -> None:
    # By what is loaded, as no time may be asserted.
    code = "import sys; print(sorted({'asyncio', 'ssl', 'tornado', 'twisted'} & set(sys.modules)))"
    assert run(directory, "-c", code) == "[]\n"
