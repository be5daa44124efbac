"""aiohttp's server and client."""

import asyncio
import signal

import pytest

from helpers.recipes import fetch, free_port, needs, recipe, running

needs("aiohttp")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def echoes(port, texts):
    import aiohttp

    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(f"http://127.0.0.1:{port}/echo") as socket,
    ):
        for text in texts:
            await socket.send_str(text)
        return [(await socket.receive()).data for _ in texts]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_server(number):
    port = free_port()
    with running(recipe("aiohttp_server.py"), str(port)) as program:
        program.says("Running on http")
        url = f"http://127.0.0.1:{port}/"
        assert fetch(url) == b"a Deferred's result\n"
        assert fetch(url + "twisted") == b"Twisted got: GET /hello HTTP/1.1"
        texts = ["hello", "x" * 200_000, "again"]
        assert asyncio.run(echoes(port, texts)) == [text.upper() for text in texts]
        output = program.ends(number)
    on = "On <class 'tornado4.platform.asyncio.EventLoop'>"
    assert f"{on} with <class 'tornado4.platform.twisted.TornadoReactor'>\n" in output
    assert output.endswith("Stopped\n")
