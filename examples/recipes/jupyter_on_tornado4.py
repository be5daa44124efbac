"""Jupyter's servers on tornado4's loop: Jupyter Server, JupyterLab, Notebook.

    pip install tornado4 jupyter-server          # or jupyterlab, or notebook
    python jupyter_on_tornado4.py server --no-browser

The arguments are those of the command `jupyter`.
"""

import asyncio
import sys
from importlib.metadata import entry_points

from tornado.ioloop import IOLoop

import tornado4


class OurLoops(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self):
        loop = tornado4.new_event_loop()
        loop.call_soon(lambda: print("Running on", type(asyncio.get_running_loop())))
        return loop


# Before Jupyter makes a loop.
asyncio.set_event_loop_policy(OurLoops())
IOLoop.configure("tornado4.ioloop.IOLoop")

if __name__ == "__main__":
    name = "jupyter-" + sys.argv.pop(1)
    [command] = entry_points(group="console_scripts", name=name)
    sys.exit(command.load()())
