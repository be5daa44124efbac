"""Bokeh's own command on tornado4's loop.

To run it:

    pip install tornado4 bokeh
    python bokeh_command.py serve app.py --show
"""

from tornado.ioloop import IOLoop

IOLoop.configure("tornado4.ioloop.IOLoop")  # Before anything asks for the current one.

if __name__ == "__main__":
    from bokeh.__main__ import main

    main()
