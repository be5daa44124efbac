"""The order that doesn't work, and what is said then."""

from twisted.internet import reactor  # this installs Twisted's own

import tornado4.platform.twisted

try:
    tornado4.platform.twisted.install()
except Exception as error:
    print(f"{type(error).__name__}: {error}")
    print("and there is", type(reactor).__name__)
