"""Daphne's own command on tornado4's loop.

    pip install tornado4 daphne
    python daphne_command.py -p 8000 yourproject.asgi:application

The same first lines, at the top of Django's manage.py, do it for `manage.py runserver`.
"""

from tornado4.platform.twisted import install

reactor = install()  # Before Daphne is imported.

if __name__ == "__main__":
    from daphne.cli import CommandLineInterface

    CommandLineInterface.entrypoint()
