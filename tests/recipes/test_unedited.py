"""Programs as their authors wrote them, under ``python -m tornado4 --check``: each does its
job, and says at the end that all it ran on was ours. Those that need less are in
tests/together/test_switch_programs.py."""

import http.server
import json
import os
import signal
import threading

import pytest

from helpers.recipes import fetch, free_port, needs, running

needs("aiohttp", "bokeh", "distributed", "nbclient", "pytest_asyncio", "scrapy")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

OURS = ["-m", "tornado4", "--check"]
LOOP = "tornado4.platform.asyncio"


def check(said, reports=1, streams=False, reactor=False):
    """What --check has said in each process."""
    assert "not tornado4's" not in said, said
    assert "never ran" not in said, said
    assert said.count("event loop  tornado4.platform.asyncio.EventLoop") >= reports, said
    if streams:
        assert "IOLoop      tornado4.ioloop.IOLoop\n" in said, said
        assert "streams     native" in said, said
    if reactor:
        assert "reactor     tornado4.platform.twisted.TornadoReactor on tornado4." in said, said


AIOHTTP = """
import asyncio, sys
from aiohttp import ClientSession, web

async def handle(request):
    body = await request.read()
    return web.Response(text=f"{len(body)} bytes on {type(asyncio.get_running_loop()).__module__}")

async def socket(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data.upper())
    return socket

async def talks_to_itself(app):
    async with ClientSession() as session, session.ws_connect(
            f"http://127.0.0.1:{sys.argv[1]}/socket") as socket:
        await socket.send_str("hello" * 10_000)
        answer = await socket.receive_str()
        print("answer", answer == "HELLO" * 10_000, flush=True)

async def start(app):
    app["task"] = asyncio.get_running_loop().call_later(
        0.5, lambda: asyncio.ensure_future(talks_to_itself(app)))

app = web.Application(client_max_size=10**8)
app.on_startup.append(start)
app.add_routes([web.post("/", handle), web.get("/socket", socket)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]))
"""


def test_aiohttp(tmp_path):
    (tmp_path / "server.py").write_text(AIOHTTP)
    port = free_port()
    with running(*OURS, "server.py", str(port), cwd=tmp_path) as program:
        answer = fetch(f"http://127.0.0.1:{port}/", bytes(3_000_000))
        assert answer.decode() == f"3000000 bytes on {LOOP}"
        program.says("answer True")
        check(program.ends(signal.SIGINT))


DASK = """
import asyncio, logging, sys
from distributed import Client, LocalCluster
from distributed.security import Security

async def loop_here():
    return type(asyncio.get_running_loop()).__module__

def main():
    security = Security.temporary() if sys.argv[1] == "tls" else None
    protocol = f"{sys.argv[1]}://"
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=sys.argv[2] == "processes",
            dashboard_address=":0", security=security, protocol=protocol,
            silence_logs=logging.CRITICAL) as cluster, Client(cluster) as client:
        assert cluster.scheduler_address.startswith(protocol), cluster.scheduler_address
        squares = client.map(lambda number: number**2, range(100))
        print(client.submit(sum, squares).result())
        # From one worker to the other.
        first, second = client.scheduler_info()["workers"]
        data = client.submit(lambda: bytes(20_000_000), workers=[first])
        print(client.submit(len, data, workers=[second]).result())
        print({*client.run(loop_here).values()}, client.run_on_scheduler(loop_here))

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("processes", ["processes", "threads"])
@pytest.mark.parametrize("protocol", ["tcp", "tls"])
def test_a_dask_cluster(protocol, processes, tmp_path):
    (tmp_path / "cluster.py").write_text(DASK)
    with running(*OURS, "cluster.py", protocol, processes, cwd=tmp_path) as program:
        said = program.ends()
    assert f"328350\n20000000\n{{'{LOOP}'}} {LOOP}\n" in said, said
    # Nannies are in this process; their workers aren't.
    check(said, 3 if processes == "processes" else 1, streams=True)


STREAMLIT = """
import asyncio
import streamlit
streamlit.write(f"On {type(asyncio.get_event_loop_policy()).__module__}")
number = streamlit.slider("number", 0, 10, 3)
streamlit.write(f"Its square is {number**2}")
"""


def test_streamlit(tmp_path):
    pytest.importorskip("streamlit", reason="Streamlit isn't installed: 200 MB for one test")
    from websockets.sync.client import connect

    (tmp_path / "app.py").write_text(STREAMLIT)
    port = free_port()
    options = ["--server.headless=true", f"--server.port={port}", "--server.address=127.0.0.1"]
    options += ["--browser.gatherUsageStats=false", "--server.fileWatcherType=none"]
    with running(*OURS, "-m", "streamlit", "run", "app.py", *options, cwd=tmp_path) as program:
        program.says("You can now view your Streamlit app")
        assert fetch(f"http://127.0.0.1:{port}/_stcore/health") == b"ok"
        assert b"<title>Streamlit</title>" in fetch(f"http://127.0.0.1:{port}/")
        # A visit: the script runs, and its answer comes in protocol buffers.
        from streamlit.proto.BackMsg_pb2 import BackMsg
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        texts = []
        url = f"ws://127.0.0.1:{port}/_stcore/stream"
        with connect(url, subprotocols=["streamlit"], max_size=None) as socket:
            rerun = BackMsg()
            rerun.rerun_script.query_string = ""
            socket.send(rerun.SerializeToString())
            while "Its square is 9" not in texts:
                message = ForwardMsg.FromString(socket.recv(timeout=60))
                texts.append(message.delta.new_element.markdown.body)
        said = program.ends(signal.SIGINT)
    check(said, streams="IOLoop      none" not in said)


class Pages(http.server.BaseHTTPRequestHandler):
    """Pages 0 to 9; each links to the next one."""

    def do_GET(self):
        number = int(self.path.strip("/") or "0")
        link = f"<a href=/{number + 1}>next</a>" if number < 9 else ""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(f"<title>Page {number}</title>{link}".encode())

    def log_message(self, *args):
        pass


SPIDER = """
import scrapy
class Titles(scrapy.Spider):
    name = "titles"
    def parse(self, response):
        yield {"title": response.css("title::text").get()}
        yield from response.follow_all(css="a")
"""


@pytest.fixture
def site():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("setting", [None, "tornado4.platform.twisted.TornadoReactor"])
def test_a_scrapy_crawl(site, setting, tmp_path):
    """With Scrapy's own setting its reactor is asyncio's, on our loop."""
    (tmp_path / "spider.py").write_text(f"{SPIDER}    start_urls = [{site!r}]\n")
    chosen = ["-s", f"TWISTED_REACTOR={setting}"] if setting else []
    command = ["-m", "scrapy", "runspider", "spider.py", "-O", "titles.json", *chosen]
    with running(*OURS, *command, cwd=tmp_path) as program:
        said = program.ends()
    titles = [item["title"] for item in json.loads((tmp_path / "titles.json").read_text())]
    assert titles == [f"Page {number}" for number in range(10)]
    assert "event loop  tornado4.platform.asyncio.EventLoop, in MainThread" in said, said
    if setting:
        check(said, reactor=True)


def test_bokehs_server(tmp_path):
    (tmp_path / "app.py").write_text(
        "import asyncio\n"
        "from bokeh.io import curdoc\n"
        "from bokeh.models import Div\n"
        "curdoc().add_root(Div(text=type(asyncio.get_running_loop()).__module__))\n"
    )
    from bokeh.client import pull_session

    port = free_port()
    command = ["-m", "bokeh", "serve", "app.py", "--port", str(port)]
    with running(*OURS, *command, cwd=tmp_path) as program:
        program.says("Bokeh app running at")
        with pull_session(url=f"http://127.0.0.1:{port}/app") as session:
            [root] = session.document.roots
            assert root.text == LOOP
        check(program.ends(signal.SIGINT), streams=True)


TESTS = """
import asyncio
import pytest

@pytest.fixture
async def server():
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        yield server

async def test_connects(server):
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    assert await reader.read() == b""
    writer.close()

@pytest.mark.parametrize("number", [1, 2])
async def test_loop(number):
    assert type(asyncio.get_running_loop()).__module__ == "tornado4.platform.asyncio"
"""


def test_pytest_asyncio(tmp_path):
    (tmp_path / "test_it.py").write_text(TESTS)
    options = ["-q", "-p", "no:twisted", "-o", "asyncio_mode=auto", "test_it.py"]
    with running(*OURS, "-m", "pytest", *options, cwd=tmp_path) as program:
        said = program.ends()
    assert "3 passed" in said
    check(said)


def test_a_notebook_is_executed(tmp_path, monkeypatch):
    """nbclient's command, and the kernel that it starts, by a kernelspec of ours."""
    import nbformat

    from helpers.notebooks import isolated
    from helpers.recipes import output_of

    isolated(tmp_path, monkeypatch)
    output_of("jupyter_kernel.py", str(tmp_path / "prefix"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "prefix" / "share" / "jupyter"))
    cell = "import asyncio; print(type(asyncio.get_running_loop()).__module__)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    notebook.metadata["kernelspec"] = {"name": "tornado4", "display_name": "", "language": ""}
    path = tmp_path / "notebook.ipynb"
    nbformat.write(notebook, path)
    command = ["-c", "from nbclient.cli import main; main()", "--inplace", str(path)]
    with running(*OURS, *command, cwd=tmp_path, env=dict(os.environ)) as program:
        said = program.ends()
    done = nbformat.read(path, 4)
    assert done.cells[0].outputs[0]["text"] == f"{LOOP}\n"
    check(said)
