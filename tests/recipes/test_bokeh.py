"""Bokeh's server."""

import signal
import time

import pytest

from helpers.recipes import LIMIT, fetch, free_port, needs, recipe, running

needs("bokeh")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

IO_LOOP = "<class 'tornado4.ioloop.IOLoop'>"
REACTOR = "<class 'tornado4.platform.twisted.TornadoReactor'>"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_plot_that_grows(number):
    from bokeh.client import pull_session

    port = free_port()
    with running(recipe("bokeh_server.py"), str(port)) as program:
        program.says(f"on {IO_LOOP} and {REACTOR}")
        url = f"http://127.0.0.1:{port}/"
        assert b"<title>Bokeh Application</title>" in fetch(url)
        end = time.monotonic() + LIMIT
        measured = []
        # Anew each time, and looked at once: a pull during an update stops the updates of
        # that session for good, on stock asyncio as well.
        while len(measured) < 5 and time.monotonic() < end:
            with pull_session(url=url) as session:
                time.sleep(2)
                session.pull()
                measured = [*session.document.get_model_by_name("measured").data["y"]]
                title = session.document.roots[0].title.text
        assert measured[:5] == [0, 1, 4, 9, 16]
        assert title == "On tornado4.platform.asyncio"
        output = program.ends(number)
    assert ("Interrupted" in output) == (number == signal.SIGINT)


def test_its_own_command(tmp_path):
    (tmp_path / "app.py").write_text(
        "import asyncio\n"
        "from bokeh.io import curdoc\n"
        "from bokeh.models import Div\n"
        "curdoc().add_root(Div(text=str(type(asyncio.get_running_loop()))))\n"
    )
    from bokeh.client import pull_session

    port = free_port()
    command = ["-m", "tornado4", "-m", "bokeh", "serve", "app.py", "--port", str(port)]
    with running(*command, cwd=tmp_path) as program:
        program.says("Bokeh app running at")
        with pull_session(url=f"http://127.0.0.1:{port}/app") as session:
            [root] = session.document.roots
            assert root.text == "<class 'tornado4.platform.asyncio.EventLoop'>"
        program.ends(signal.SIGINT)
