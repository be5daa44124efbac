"""Another class stands under the name of `socket.socket` before a native stream is used: its
objects' own methods are called."""

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, socket, sys

class Wrapper:
    def __init__(self, sock):
        self._sock = sock

    def __getattr__(self, name):
        return getattr(self._sock, name)

class Derived(socket.socket):
    def __init__(self, sock):
        super().__init__(sock.family, sock.type, sock.proto, sock.detach())

    def send(self, data):
        return super().send(bytes(data).upper())

class_ = globals()[sys.argv[1]]

async def main():
    if sys.argv[2] == "native":
        import tornado4.iostream
        tornado4.iostream.install()
    from tornado.iostream import IOStream
    pair = socket.socketpair()
    socket.socket = class_
    one, other = map(IOStream, map(class_, pair))
    reading = other.read_bytes(2)
    await one.write(b"hi")
    one.set_nodelay(True)
    print(await reading)

asyncio.run(main())
"""


@pytest.mark.parametrize(("class_", "sent"), [("Wrapper", "b'hi'"), ("Derived", "b'HI'")])
@pytest.mark.parametrize("kind", ["stock", "native"])
def test_a_socket_of_a_class_that_replaces_pythons_is_asked_itself(kind, class_, sent):
    command = [sys.executable, "-c", PROGRAM, class_, kind]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ran.stdout.strip(), ran.returncode) == (sent, 0), ran.stderr
