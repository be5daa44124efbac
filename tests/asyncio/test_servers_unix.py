"""Servers of asyncio on UNIX sockets: paths, names without one, and what is there already."""

import asyncio
import contextlib
import os
import socket
import tempfile

import pytest

from helpers.servers import ask, echoing, outcome_of
from helpers.transports import (
    Plain,
    on_transports,
)


@on_transports
@pytest.mark.parametrize("where", ["path", "abstract", "abstract bytes", "pathlike", "sock"])
def test_unix_servers(run, where):
    def scenario(loop, trace):
        async def main(place):
            path = os.path.join(place, "socket")
            options = {
                "path": {"path": path},
                "abstract": {"path": "\0" + path},
                "abstract bytes": {"path": b"\0" + path.encode()},
                "pathlike": {"path": PathLike(path)},
            }.get(where)
            if options is None:
                sock = socket.socket(socket.AF_UNIX)
                sock.bind(path)
                options = {"sock": sock}
            made = []
            server = await loop.create_unix_server(echoing([], made), **options)
            if where.startswith("abstract"):
                again = await outcome_of(loop.create_unix_server(Plain, **options))
                trace.append((again[0], again[1].replace(place, "PLACE")))
            client = Plain(trace)
            address = server.sockets[0].getsockname()
            transport, _ = await loop.create_unix_connection(lambda: client, address)
            transport.write(b"hello")
            while not client.data:
                await asyncio.sleep(0)
            trace.append(transport.get_extra_info("peername") == address)
            trace.append(made[0].transport.get_extra_info("peername"))
            server.close()
            transport.close()
            await server.wait_closed()
            await asyncio.sleep(0.01)
            # Left behind until Python 3.13.
            trace.append(os.path.exists(path))

        with tempfile.TemporaryDirectory() as place:
            loop.run_until_complete(main(place))

    trace = run(scenario)
    assert ("data", b"hello") in trace
    assert trace[-2] == ("connection_lost", None)
    if where.startswith("abstract"):
        assert trace[0][0] == "OSError"


class PathLike:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return self.path


@on_transports
def test_a_stale_path_is_taken_over_and_a_file_is_not(run):
    def scenario(loop, trace):
        async def main(place):
            path = os.path.join(place, "socket")
            with socket.socket(socket.AF_UNIX) as sock:
                sock.bind(path)
            server = await loop.create_unix_server(echoing([], []), path)
            trace.append(await ask(loop, path))
            server.close()
            file = os.path.join(place, "file")
            with open(file, "w"):
                pass
            for wrong in (file, place, path + "x" * 200, os.path.join(place, "no", "such")):
                found = await outcome_of(loop.create_unix_server(Plain, wrong))
                trace.append((found[0], found[1].replace(place, "PLACE")))
            # Python 3.13 has done so.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            for wrong in ({}, {"path": path, "sock": 1}):
                trace.append(await outcome_of(loop.create_unix_server(Plain, **wrong)))

        with tempfile.TemporaryDirectory() as place:
            loop.run_until_complete(main(place))

    trace = run(scenario)
    assert trace[0] == b"hello"
    assert {event[0] for event in trace[1:]} <= {
        "OSError",
        "ValueError",
        "FileNotFoundError",
        "TypeError",
    }
