"""For type checkers and editors; at run time it is `tornado.http1connection` itself."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tornado.http1connection import *  # noqa: F403
else:
    raise ModuleNotFoundError(f"No module named {__name__!r}", name=__name__)
