"""Klein and treq."""

import json
import signal

import pytest

from helpers.recipes import fetch, free_port, needs, output_of, recipe, running

needs("klein", "treq")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

KLEIN = "Klein on <class 'tornado4.platform.asyncio.EventLoop'>"


def test_it_asks_itself():
    expected = f"treq: {KLEIN} {{'got': 'hello'}}\nTornado: {{'got': 'hello'}}\n"
    assert output_of("klein_treq.py") == expected


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_others_ask_it(number):
    port = free_port()
    with running(recipe("klein_treq.py"), "serve", str(port)) as program:
        program.says("On <class 'tornado4.platform.twisted.TornadoReactor'>: http")
        url = f"http://127.0.0.1:{port}/"
        assert fetch(url).decode() == f"{KLEIN}\n"
        much = "x" * 1_000_000
        assert json.loads(fetch(url + "echo", much.encode())) == {"got": much}
        assert program.ends(number).endswith("Stopped\n")
