"""Autobahn's WebSockets."""

import signal

import pytest

from helpers.recipes import free_port, needs, output_of, recipe, running

needs("autobahn", "websockets")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

REACTOR = "<class 'tornado4.platform.twisted.TornadoReactor'>"


def test_server_and_clients():
    assert output_of("autobahn_websocket.py") == (
        "Answers: [b'HELLO', b'BYE'] and 200000 bytes\n"
        f"On {REACTOR} and <class 'tornado4.platform.asyncio.EventLoop'>\n"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_for_others(number):
    from websockets.sync.client import connect

    port = free_port()
    with running(recipe("autobahn_websocket.py"), "serve", str(port)) as program:
        program.says(f"On {REACTOR}: ws")
        with connect(f"ws://127.0.0.1:{port}") as one, connect(f"ws://127.0.0.1:{port}") as other:
            for message in ["hello", b"bytes", "x" * 1_000_000, ""]:
                one.send(message)
                other.send(message)
                assert one.recv(timeout=60) == other.recv(timeout=60) == message.upper()
        assert program.ends(number).endswith("Stopped\n")
