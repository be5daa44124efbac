"""A Bokeh server on tornado4's loop, whose plot shows what Twisted fetches.

To run it:

    pip install tornado4 bokeh
    python bokeh_server.py [PORT]
"""

import asyncio
import sys

from tornado4.platform.twisted import install

reactor = install()  # Before Bokeh makes its server: it takes the current IOLoop.

from bokeh.models import ColumnDataSource
from bokeh.plotting import figure
from bokeh.server.server import Server
from twisted.internet.task import deferLater


def measure(number):
    """Stands for a client of Twisted's: gives a Deferred."""
    return deferLater(reactor, 0.01, lambda: number**2)


def plot(document):
    """One visitor's plot, which grows while it is looked at."""
    source = ColumnDataSource({"x": [], "y": []}, name="measured")
    figure_ = figure(title=f"On {type(asyncio.get_running_loop()).__module__}")
    figure_.line("x", "y", source=source)
    document.add_root(figure_)

    async def update():
        number = len(source.data["x"])
        source.stream({"x": [number], "y": [await measure(number)]}, rollover=200)

    document.add_periodic_callback(update, 100)  # milliseconds


port = int(sys.argv[1]) if sys.argv[1:] else 5006
server = Server({"/": plot}, port=port, address="127.0.0.1")
print(f"http://127.0.0.1:{port}/ on {type(server.io_loop)} and {type(reactor)}")
server.run_until_shutdown()
reactor.fireSystemEvent("shutdown")  # Ends the reactor's threads.
