"""Today's way to start Tornado: a coroutine. Runs until Ctrl-C."""

import asyncio

from tornado.web import Application, RequestHandler

import tornado4


class Hello(RequestHandler):
    def get(self):
        self.write("Hello from Tornado\n")


async def main():
    server = Application([("/", Hello)]).listen(8000, "127.0.0.1")
    print("See http://127.0.0.1:8000/ until Ctrl-C")
    try:
        await asyncio.Event().wait()
    finally:
        server.stop()
        await server.close_all_connections()


try:
    tornado4.run(main())
except KeyboardInterrupt:
    pass
