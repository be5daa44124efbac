"""A server on Tornado: ``python -m transports.serve_tornado LOOP WORK FOLDER``.

It prints its port, and after the first connection the class of its stream.
"""

from __future__ import annotations

import asyncio
import sys

from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpserver import TCPServer

from .say import say_transport
from .serve_asyncio import BUFFER, new_loop, secured
from .serve_web import bound


class Echo(TCPServer):
    """Sends everything back."""

    told = False

    async def handle_stream(self, stream: IOStream, address: object) -> None:
        if not self.told:
            self.told = True
            say_transport(stream)
        # The load generator leaves in the middle.
        try:
            while True:
                await stream.write(await stream.read_bytes(BUFFER, partial=True))
        except StreamClosedError:
            stream.close()


async def serve() -> None:
    """Serve by TLS until somebody ends this process."""
    Echo(ssl_options=secured()).add_socket(bound())
    await asyncio.Event().wait()


def main() -> None:
    """Serve on that loop."""
    name, _work, _folder = sys.argv[1:]
    if name == "tornado4":
        from tornado4.ioloop import IOLoop

        IOLoop(make_current=False).run_sync(serve)
    else:
        new_loop(name).run_until_complete(serve())


if __name__ == "__main__":
    main()
