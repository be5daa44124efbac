"""Klein and treq on tornado4's loop, beside Tornado.

To run it:

    pip install tornado4 klein treq
    python klein_treq.py               # asks itself, and ends
    python klein_treq.py serve [PORT]  # until Ctrl-C
"""

import asyncio
import json
import sys

import tornado4
from tornado4.platform.twisted import install

reactor = install()  # Before Klein and treq are imported.

import treq
from klein import Klein
from tornado.httpclient import AsyncHTTPClient
from twisted.internet.task import deferLater
from twisted.web.server import Site

app = Klein()


@app.route("/")
async def index(request):
    """Klein's coroutines are Twisted's: they await Deferreds."""
    await deferLater(reactor, 0.05)
    return f"Klein on {type(asyncio.get_running_loop())}\n"


@app.route("/echo", methods=["POST"])
def echo(request):
    request.setHeader("Content-Type", "application/json")
    return json.dumps({"got": request.content.read().decode()})


def listen(port):
    return reactor.listenTCP(port, Site(app.resource()), interface="127.0.0.1")


async def main():
    port = listen(0)
    url = f"http://127.0.0.1:{port.getHost().port}/"

    # treq's Deferreds and Tornado's Futures, in an asyncio task.
    text = await treq.text_content(await treq.get(url))
    posted = await treq.post(url + "echo", data=b"hello")
    print("treq:", text.strip(), await treq.json_content(posted))
    fetched = await AsyncHTTPClient().fetch(url + "echo", method="POST", body="hello")
    print("Tornado:", json.loads(fetched.body))
    await port.stopListening()


if sys.argv[1:2] == ["serve"]:
    port = listen(int(sys.argv[2]) if sys.argv[2:] else 8080).getHost().port
    print(f"On {type(reactor)}: http://127.0.0.1:{port}/")
    reactor.run()
    print("Stopped")
else:
    tornado4.run(main())
