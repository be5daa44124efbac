"""uvicorn and gunicorn."""

import re
import signal

import pytest

from helpers.recipes import PLACE, fetch, free_port, needs, running

needs("uvicorn", "gunicorn", "websockets")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

REACTOR = "<class 'tornado4.platform.twisted.TornadoReactor'>"
LOOP = "<class 'tornado4.platform.asyncio.EventLoop'>"
WORKER = f"Worker on {LOOP} with {REACTOR}"


def check(port):
    """Both kinds of requests, with little and with much in them."""
    from websockets.sync.client import connect

    for body in [b"x", b"x" * 3_000_000]:
        answer = fetch(f"http://127.0.0.1:{port}/", body)
        assert answer == b"Twisted has waited for %d bytes\n" % len(body)
    with connect(f"ws://127.0.0.1:{port}/") as socket:
        for text in ["hello", "x" * 200_000]:
            socket.send(text)
            assert socket.recv(timeout=60) == text.upper()


@pytest.mark.parametrize(
    ("workers", "number"), [(1, signal.SIGINT), (1, signal.SIGTERM), (2, signal.SIGINT)]
)
def test_uvicorn(workers, number):
    port = free_port()
    options = ["--loop", "tornado4:new_event_loop", "--port", str(port), "--workers", str(workers)]
    with running("-m", "uvicorn", "asgi_app:app", *options, cwd=PLACE) as program:
        program.says(rf"(?s)({re.escape(WORKER)}.*){{{workers}}}")
        program.says(rf"(?s)(Application startup complete.*){{{workers}}}")
        check(port)
        # A single process of uvicorn's ends by this signal itself.
        itself = workers == 1 and number == signal.SIGTERM
        output = program.ends(number, -number if itself else 0)
    assert output.count(WORKER) == output.count("Application shutdown complete") == workers


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_gunicorn(number):
    port = free_port()
    options = ["--config", "gunicorn_config.py", "--bind", f"127.0.0.1:{port}"]
    with running("-m", "gunicorn", "asgi_app:app", *options, cwd=PLACE) as program:
        program.says(rf"(?s)({re.escape(WORKER)}.*){{2}}")
        program.says(r"(?s)(ASGI server listening.*){2}")
        check(port)
        output = program.ends(number)
    assert output.count(WORKER) == 2
    assert "Shutting down: Master" in output
