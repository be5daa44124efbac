"""The order that doesn't work, and what is said then."""

import textwrap

from twisted.internet import reactor  # this installs Twisted's own

import tornado4.platform.twisted

try:
    tornado4.platform.twisted.install()
except Exception as error:
    said = f"{type(error).__name__}: {error}".replace(__file__, "two_reactors.py")
    print(textwrap.fill(said, 80))
    print("And there is", type(reactor).__name__)
