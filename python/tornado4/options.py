"""For type checkers and editors; at run time it is `tornado.options` itself."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tornado.options import *  # noqa: F403
else:
    raise ModuleNotFoundError(f"No module named {__name__!r}", name=__name__)
