"""A small service built like Matrix's Synapse: twisted.web, a database in threads, log
contexts and metrics, on tornado4's loop.

    pip install tornado4 prometheus-client
    python homeserver.py [PORT [DATABASE]]

    curl -X POST -d hello http://127.0.0.1:8008/rooms/lounge
    curl 'http://127.0.0.1:8008/rooms/lounge?since=0'  # since=1 waits for the next one
    curl http://127.0.0.1:8008/metrics
"""

import asyncio
import contextvars
import itertools
import json
import logging
import sys
import time

from tornado4.platform.twisted import as_deferred, install

reactor = install()  # Before anything else of Twisted.

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.twisted import MetricsResource
from twisted.enterprise.adbapi import ConnectionPool
from twisted.internet.defer import Deferred, TimeoutError, ensureDeferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

REQUESTS = Counter("requests", "Requests answered", ["method", "code"])
SECONDS = Histogram("request_seconds", "Time to answer", ["method"])
WAITING = Gauge("waiting_requests", "Requests that wait for a message")
LAG = Histogram("loop_lag_seconds", "How late the loop makes its calls")

# Which request a line of the log is about: through every await, and into the threads.
request_name = contextvars.ContextVar("request_name", default="-")
numbers = itertools.count(1)
logger = logging.getLogger("homeserver")


def add_request_name(record):
    record.request = request_name.get()
    return True


class Store:
    """Messages in a database, whose calls are made in a thread."""

    def __init__(self, path):
        # SQLite has one writer at a time anyway.
        self.pool = ConnectionPool("sqlite3", path, check_same_thread=False, cp_min=1, cp_max=1)

    async def run(self, function, *args):
        context = contextvars.copy_context()
        return await self.pool.runInteraction(lambda cursor: context.run(function, cursor, *args))

    def create(self, cursor):
        cursor.execute("CREATE TABLE IF NOT EXISTS messages (room, number, body)")

    def insert(self, cursor, room, body):
        cursor.execute("SELECT count(*) FROM messages WHERE room = ?", (room,))
        [number] = cursor.fetchone()
        logger.info("message %d of %s", number + 1, room)
        cursor.execute("INSERT INTO messages VALUES (?, ?, ?)", (room, number + 1, body))
        return number + 1

    def select(self, cursor, room, since):
        query = "SELECT number, body FROM messages WHERE room = ? AND number > ? ORDER BY number"
        return cursor.execute(query, (room, since)).fetchall()


class Room(Resource):
    isLeaf = True

    def __init__(self, store, name):
        self.store, self.name = store, name
        self.waiting = set()

    async def on_POST(self, request):
        number = await self.store.run(self.store.insert, self.name, request.content.read().decode())
        for waiter in list(self.waiting):
            waiter.callback(None)
        return 200, {"number": number}

    async def on_GET(self, request):
        since = int(request.args.get(b"since", [b"0"])[0])
        end = reactor.seconds() + 30
        while not (messages := await self.store.run(self.store.select, self.name, since)):
            waiter = Deferred()
            waiter.addTimeout(max(0, end - reactor.seconds()), reactor)
            self.waiting.add(waiter)
            try:
                with WAITING.track_inprogress():
                    await waiter
            except TimeoutError:
                break
            finally:
                self.waiting.discard(waiter)
        # asyncio's code, as a Synapse module may have it.
        await as_deferred(asyncio.sleep(0))
        return 200, {"messages": messages}

    def render(self, request):
        gone = []
        request.notifyFinish().addErrback(gone.append)
        # In a context of its own, which the coroutine keeps.
        contextvars.copy_context().run(ensureDeferred, self.answer(request, gone))
        return NOT_DONE_YET

    async def answer(self, request, gone):
        method = request.method.decode()
        request_name.set(f"{method}-{next(numbers)}")
        began = time.monotonic()
        try:
            code, body = await getattr(self, f"on_{method}")(request)
        except Exception:
            logger.exception("failed")
            code, body = 500, {"error": "see the log"}
        logger.info("%d for %s", code, self.name)
        REQUESTS.labels(method, code).inc()
        SECONDS.labels(method).observe(time.monotonic() - began)
        if not gone:
            request.setResponseCode(code)
            request.setHeader("Content-Type", "application/json")
            request.write(json.dumps(body).encode() + b"\n")
            request.finish()


class Rooms(Resource):
    def __init__(self, store):
        super().__init__()
        self.store = store

    def getChild(self, name, request):
        room = Room(self.store, name.decode())
        self.putChild(name, room)
        return room


def measure_lag(due):
    LAG.observe(max(0, time.monotonic() - due))
    reactor.callLater(0.1, measure_lag, time.monotonic() + 0.1)


async def start(port, path):
    store = Store(path)
    await store.run(store.create)
    root = Resource()
    root.putChild(b"rooms", Rooms(store))
    root.putChild(b"metrics", MetricsResource())
    reactor.listenTCP(port, Site(root), interface="127.0.0.1")
    measure_lag(time.monotonic())
    loop = type(asyncio.get_running_loop())
    logger.info("http://127.0.0.1:%d/ on %s and %s", port, loop, type(reactor))


logging.basicConfig(level=logging.INFO, format="%(levelname)s %(request)s %(message)s")
logging.getLogger().handlers[0].addFilter(add_request_name)
port = int(sys.argv[1]) if sys.argv[1:] else 8008
path = sys.argv[2] if sys.argv[2:] else "homeserver.sqlite"
reactor.callWhenRunning(lambda: ensureDeferred(start(port, path)))
reactor.run()
logger.info("stopped")
