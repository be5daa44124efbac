"""Gunicorn's ASGI workers on tornado4's loop.

To run it:

    gunicorn asgi_app:app --config gunicorn_config.py
"""

worker_class = "asgi"
asgi_loop = "asyncio"  # Else it takes uvloop if that is installed.
workers = 2


def post_fork(server, worker):
    # In the worker, before it makes its loop.
    import tornado4

    tornado4.install()
