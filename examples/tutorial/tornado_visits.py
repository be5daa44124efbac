"""A server, a client that asks it, and something that happens all the time."""

from tornado.gen import sleep
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from tornado4.ioloop import IOLoop, PeriodicCallback

visits = []


class Visit(RequestHandler):
    async def get(self, name):
        await sleep(0.01)  # others are served meanwhile
        visits.append(name)
        self.write(f"Visitor {len(visits)}: {name}")


async def main():
    [socket] = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(Application([("/(.*)", Visit)]))
    server.add_socket(socket)
    ticks = []
    ticking = PeriodicCallback(lambda: ticks.append(1), 1)  # in milliseconds
    ticking.start()
    for name in ("Ann", "Bob"):
        port = socket.getsockname()[1]
        answer = await AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}/{name}")
        print(answer.body.decode())
    ticking.stop()
    print("it ticked:", len(ticks) > 1)
    server.stop()


loop = IOLoop.current()
loop.run_sync(main)
print("on ours:", isinstance(loop, IOLoop), type(loop.asyncio_loop).__module__)
