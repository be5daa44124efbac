"""For type checkers and editors; at run time it is `tornado.autoreload` itself."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tornado.autoreload import *  # noqa: F403
else:
    raise ModuleNotFoundError(f"No module named {__name__!r}", name=__name__)
