"""Daphne, with Django and Channels."""

import signal
import textwrap

import pytest

from helpers.recipes import fetch, free_port, needs, recipe, running

needs("daphne", "channels", "django", "websockets")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LOOP = "<class 'tornado4.platform.asyncio.EventLoop'>"


def check_chat(port):
    from websockets.sync.client import connect

    url = f"ws://127.0.0.1:{port}/chat"
    with connect(url) as one, connect(url) as other:
        for text in ["hello", "x" * 200_000, "bye"]:
            other.send(text)
            assert one.recv(timeout=60) == other.recv(timeout=60) == text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_file(number):
    port = free_port()
    with running(recipe("channels_server.py"), str(port)) as program:
        program.says("On <class 'tornado4.platform.twisted.TornadoReactor'>: http")
        assert fetch(f"http://127.0.0.1:{port}/") == f"Django on {LOOP}\n".encode()
        check_chat(port)
        assert program.ends(number).endswith("Stopped\n")


def test_daphnes_command(tmp_path):
    # Somebody's project, of one module.
    (tmp_path / "project.py").write_text(
        textwrap.dedent("""
        import asyncio

        async def application(scope, receive, send):
            body = str(type(asyncio.get_running_loop())).encode()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})
        """)
    )
    port = free_port()
    command = ["-m", "tornado4", "--twisted", "--check", "-m", "daphne"]
    options = ["-p", str(port), "project:application"]
    path = {"PYTHONPATH": str(tmp_path)}
    with running(*command, *options, cwd=tmp_path, env=path) as program:
        assert fetch(f"http://127.0.0.1:{port}/") == LOOP.encode()
        output = program.ends(signal.SIGINT)
    assert "Listening on TCP address" in output
    assert "reactor     tornado4" in output, output


@pytest.mark.parametrize("options", [["--noreload"], []], ids=["alone", "reloader"])
def test_djangos_runserver(options, tmp_path):
    (tmp_path / "manage.py").write_text(
        textwrap.dedent("""
        import asyncio, sys
        from tornado4.platform.twisted import install
        install()
        from django.conf import settings
        settings.configure(
            SECRET_KEY="x", DEBUG=True, ROOT_URLCONF="urls", INSTALLED_APPS=["daphne"],
            ASGI_APPLICATION="urls.application",
        )
        from django.core.management import execute_from_command_line
        execute_from_command_line(sys.argv)
        """)
    )
    (tmp_path / "urls.py").write_text(
        textwrap.dedent("""
        import asyncio
        from django.core.asgi import get_asgi_application
        from django.http import HttpResponse
        from django.urls import path

        async def index(request):
            return HttpResponse(str(type(asyncio.get_running_loop())))

        urlpatterns = [path("", index)]
        application = get_asgi_application()
        """)
    )
    port = free_port()
    command = [str(tmp_path / "manage.py"), "runserver", *options, str(port)]
    with running(*command, cwd=tmp_path) as program:
        assert fetch(f"http://127.0.0.1:{port}/") == LOOP.encode()
        program.ends(signal.SIGINT)
