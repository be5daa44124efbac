"""An ASGI application with Twisted in it, for uvicorn and gunicorn on tornado4's loop.

To run it:

    pip install tornado4 uvicorn websockets
uvicorn asgi_app:app --loop tornado4:new_event_loop

    pip install tornado4 gunicorn
    gunicorn asgi_app:app --config gunicorn_config.py
"""

import asyncio


async def app(scope, receive, send):
    await {"lifespan": lifespan, "http": http, "websocket": websocket}[scope["type"]](
        scope, receive, send
    )


async def lifespan(scope, receive, send):
    """What the server calls first: in each worker, on the loop that will run."""
    await receive()
    from tornado4.platform.twisted import install

    # In one piece, as the workers share a terminal.
    print(f"Worker on {type(asyncio.get_running_loop())} with {type(install())}\n", end="")
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def later(value):
    # Below install(), so not at the top of the file.
    from twisted.internet import reactor
    from twisted.internet.task import deferLater

    return await deferLater(reactor, 0.05, lambda: value)


async def http(scope, receive, send):
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message["more_body"]:
            break
    answer = await later(b"Twisted has waited for %d bytes\n" % len(body))
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def websocket(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": await later(message["text"].upper())})
