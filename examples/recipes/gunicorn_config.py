"""Gunicorn's ASGI workers on tornado4's loop.

To run it:

    gunicorn asgi_app:app --config gunicorn_config.py
"""

import asyncio

import tornado4

worker_class = "asgi"
asgi_loop = "asyncio"  # Else it takes uvloop if that is installed.
workers = 2


class OurLoops(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self):
        return tornado4.new_event_loop()


def post_fork(server, worker):
    # In the worker, before it makes its loop.
    asyncio.set_event_loop_policy(OurLoops())
