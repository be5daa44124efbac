"""Autobahn on tornado4's loop: a WebSocket server and clients.

To run it:

    pip install tornado4 'autobahn[twisted]'
    python autobahn_websocket.py               # both, and ends
    python autobahn_websocket.py serve [PORT]  # until Ctrl-C
"""

import asyncio
import sys

import tornado4
from tornado4.platform.twisted import install

reactor = install()  # Before Autobahn is imported.

from autobahn.twisted.websocket import (
    WebSocketServerFactory,
    WebSocketServerProtocol,
    create_client_agent,
)


class Shout(WebSocketServerProtocol):
    """Says everything again, louder."""

    def onMessage(self, payload, isBinary):
        self.sendMessage(payload.upper(), isBinary)


def listen(port):
    factory = WebSocketServerFactory()
    factory.protocol = Shout
    return reactor.listenTCP(port, factory, interface="127.0.0.1")


async def ask(url, messages):
    """Say something to a server; return its answers. Awaits Deferreds and asyncio alike."""
    client = await create_client_agent(reactor).open(url, {})
    answers = asyncio.Queue()
    client.on("message", lambda payload, is_binary: answers.put_nowait(payload))
    for message in messages:
        client.sendMessage(message)
    answered = [await answers.get() for _ in messages]
    client.sendClose()
    await client.is_closed
    return answered


async def main():
    port = listen(0)
    url = f"ws://127.0.0.1:{port.getHost().port}"
    both = await asyncio.gather(ask(url, [b"hello", b"bye"]), ask(url, [b"x" * 200_000]))
    print("Answers:", both[0], "and", len(both[1][0]), "bytes")
    print("On", type(reactor), "and", type(asyncio.get_running_loop()))
    await port.stopListening()


if sys.argv[1:2] == ["serve"]:
    port = listen(int(sys.argv[2]) if sys.argv[2:] else 9000).getHost().port
    print(f"On {type(reactor)}: ws://127.0.0.1:{port}")
    reactor.run()
    print("Stopped")
else:
    tornado4.run(main())
