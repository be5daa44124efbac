"""Jupyter: a notebook, a kernel and the server."""

import json
import os
import signal
import sys
import urllib.request
import uuid

import pytest

from helpers.notebooks import cells_of, execute_cells, isolated, kernel_on_our_loop
from helpers.recipes import fetch, free_port, needs, output_of, running

needs("jupyter_server", "nbclient", "ipykernel", "websockets")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

REACTOR = "<class 'tornado4.platform.twisted.TornadoReactor'>"
LOOP = "<class 'tornado4.platform.asyncio.EventLoop'>"


def test_the_notebook_in_a_kernel_on_our_loop(tmp_path, monkeypatch):
    cells = cells_of("jupyter_notebook.py")
    assert execute_cells(cells, tmp_path, monkeypatch, kernel_on_our_loop()) == [
        [f"{REACTOR} on {LOOP}\n"],
        [],
        ["[b'Hello from /a/cell', b'Hello from /a/cell']\n"],
        ["a tenth of a second later\n"],
    ]


def test_the_notebook_in_an_ordinary_kernel(tmp_path, monkeypatch):
    *cells, _ = cells_of("jupyter_notebook.py")
    [said], _, answers = execute_cells(cells, tmp_path, monkeypatch)
    assert said.startswith(f"{REACTOR} on <class 'asyncio.")
    assert answers == ["[b'Hello from /a/cell', b'Hello from /a/cell']\n"]


class Session:
    """A client of a running server."""

    def __init__(self, port, token):
        self.at = f"127.0.0.1:{port}"
        self.headers = {"Authorization": f"token {token}"}

    def ask(self, path, method="GET", body=None):
        request = urllib.request.Request(
            f"http://{self.at}{path}",
            method=method,
            headers=self.headers | {"Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            read = answer.read()
        return json.loads(read) if read else None

    def execute(self, kernel, code):
        """Run a cell by the kernel's WebSocket; return what it prints."""
        from websockets.sync.client import connect

        url = f"ws://{self.at}/api/kernels/{kernel}/channels"
        with connect(url, additional_headers=self.headers) as socket:
            header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request"}
            header |= {"username": "", "session": "test", "version": "5.3"}
            content = {"code": code, "silent": False, "allow_stdin": False}
            message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
            socket.send(json.dumps(message | {"channel": "shell", "buffers": []}))
            printed, states = "", {"idle": False, "reply": False}
            while not all(states.values()):
                answer = json.loads(socket.recv(timeout=60))
                if answer["parent_header"].get("msg_id") != header["msg_id"]:
                    continue
                content = answer["content"]
                if answer["msg_type"] == "stream":
                    printed += content["text"]
                elif answer["msg_type"] == "execute_reply":
                    assert content["status"] == "ok", content
                    states["reply"] = True
                elif content.get("execution_state") == "idle":
                    states["idle"] = True
            return printed


def test_the_server(tmp_path, monkeypatch):
    isolated(tmp_path, monkeypatch)
    place = output_of("jupyter_kernel.py", str(tmp_path / "prefix")).strip()
    assert os.listdir(place) == ["kernel.json"]
    shared = [str(tmp_path / "prefix" / "share" / "jupyter"), f"{sys.prefix}/share/jupyter"]
    monkeypatch.setenv("JUPYTER_PATH", os.pathsep.join(shared))

    command = ["-m", "tornado4", "--check", "-m", "jupyter_server", "--no-browser", "--allow-root"]
    token = uuid.uuid4().hex
    options = [f"--port={free_port()}", f"--IdentityProvider.token={token}"]
    with running(*command, *options, cwd=tmp_path) as program:
        [port] = program.says(r"http://127\.0\.0\.1:(\d+)/").groups()
        # It may not listen yet.
        assert "version" in json.loads(fetch(f"http://127.0.0.1:{port}/api"))
        session = Session(port, token)
        assert {"python3", "tornado4"} <= set(session.ask("/api/kernelspecs")["kernelspecs"])
        kernel = session.ask("/api/kernels", "POST", {"name": "tornado4"})["id"]
        printed = [session.execute(kernel, cell) for cell in cells_of("jupyter_notebook.py")]
        assert printed[0] == f"{REACTOR} on {LOOP}\n"
        assert printed[-1] == "a tenth of a second later\n"
        session.ask(f"/api/kernels/{kernel}", "DELETE")
        assert session.ask("/api/kernels") == []
        output = program.ends(signal.SIGTERM)
    assert "Shutting down" in output
    # What --check says at the end.
    assert "event loop  tornado4" in output, output
