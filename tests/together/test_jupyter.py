"""A notebook: the reactor is a guest of the loop of a real, running kernel.

And the other way round: the kernel runs on a loop of ours, in which cells nest others.
"""

import json
import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("ipykernel", reason="there is no Jupyter kernel to test with")
nbclient = pytest.importorskip("nbclient", reason="nbclient isn't there to drive a kernel")
nbformat = pytest.importorskip("nbformat", reason="nbformat isn't there to make a notebook")

CELLS = [
    """
import asyncio, json
from tornado4.platform.twisted import install
loop = asyncio.get_running_loop()
reactor = install()
events = []
reactor.callWhenRunning(events.append, "started")
reactor._asyncioEventloop is loop
""",
    """
from twisted.internet import reactor as installed
print(events, installed is reactor, reactor.running)
""",
    """
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.web import resource, server
from twisted.web.client import Agent, readBody

class Hello(resource.Resource):
    isLeaf = True
    def render_GET(self, request):
        events.append("asked")
        return b"hello from " + request.path

endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
port = await endpoint.listen(server.Site(Hello())).asFuture(asyncio.get_running_loop())
url = f"http://127.0.0.1:{port.getHost().port}/cell".encode()

async def fetch():
    loop = asyncio.get_running_loop()
    response = await Agent(reactor).request(b"GET", url).asFuture(loop)
    return response.code, await readBody(response).asFuture(loop)

await fetch()
""",
    """
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater
# Between cells the server goes on serving, and the kernel its messages.
later = asyncio.ensure_future(deferLater(reactor, 0.01, events.append, "later").asFuture(loop))
""",
    """
await later
await asyncio.gather(fetch(), fetch())
""",
    """
await port.stopListening().asFuture(loop)
stopped = loop.create_future()
reactor.addSystemEventTrigger("after", "shutdown", stopped.set_result, "stopped")
reactor.stop()
print(await stopped, loop.is_running(), events)
""",
    "6 * 7",
]

HELLO = "(200, b'hello from /cell')"
OUTPUTS = [
    ["True"],
    ["['started'] True True\n"],
    [HELLO],
    [],
    [f"[{HELLO}, {HELLO}]"],
    ["stopped True ['started', 'asked', 'later', 'asked', 'asked']\n"],
    ["42"],
]


def texts(cell):
    """What a cell printed and what its value is, without warnings."""
    shown = [output for output in cell.outputs if output.get("name") != "stderr"]
    return [output.get("text") or output["data"]["text/plain"] for output in shown]


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Runs a notebook of such cells; the kernel is a program, else this interpreter's."""
    # The kernel is a process of its own, with nobody's settings.
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    paths = [str(tmp_path / "jupyter"), str(Path(sys.prefix, "share", "jupyter"))]
    monkeypatch.setenv("JUPYTER_PATH", os.pathsep.join(paths))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))

    def execute(cells, kernel=None):
        name = "python3"
        if kernel is not None:
            name = "ours"
            place = tmp_path / "jupyter" / "kernels" / name
            place.mkdir(parents=True)
            argv = [sys.executable, "-c", kernel, "-f", "{connection_file}"]
            spec = {"argv": argv, "display_name": name, "language": "python"}
            (place / "kernel.json").write_text(json.dumps(spec))
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in cells]
        )
        client = nbclient.NotebookClient(notebook, timeout=30, startup_timeout=60, kernel_name=name)
        client.execute()
        return [texts(cell) for cell in notebook.cells]

    return execute


def test_a_notebook(execute):
    assert execute(CELLS) == OUTPUTS


KERNEL = """
import asyncio, tornado4
asyncio.set_event_loop(tornado4.new_event_loop())
from ipykernel import kernelapp
kernelapp.launch_new_instance()
"""

NESTING = [
    """
import asyncio
loop = asyncio.get_running_loop()
type(loop).__module__
""",
    """
import PATCH
PATCH.apply()

async def value(n):
    await asyncio.sleep(0.01)
    return n

print(asyncio.run(value(1)), loop.run_until_complete(asyncio.gather(value(2), value(3))))
""",
    "await value(4)",
    """
from tornado4.platform.twisted import install
from twisted.internet.task import deferLater
reactor = install()
later = deferLater(reactor, 0.01, lambda: 6)
print(asyncio.run(value(5)), loop.run_until_complete(later.asFuture(loop)))
""",
    "6 * 7",
]


@pytest.mark.parametrize("patch", ["nest_asyncio", "nest_asyncio2"])
def test_nested_runs_in_a_kernel_on_a_loop_of_ours(execute, patch):
    pytest.importorskip(patch, reason=f"{patch} isn't there")
    outputs = execute([cell.replace("PATCH", patch) for cell in NESTING], KERNEL)
    assert outputs == [
        *(["'tornado4.platform.asyncio'"], ["1 [2, 3]\n"], ["4"], ["5 6\n"], ["42"]),
    ]
