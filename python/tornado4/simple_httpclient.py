"""For type checkers and editors; at run time it is `tornado.simple_httpclient` itself."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tornado.simple_httpclient import *  # noqa: F403
else:
    raise ModuleNotFoundError(f"No module named {__name__!r}", name=__name__)
