"""For type checkers and editors; at run time it is `tornado.template` itself."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tornado.template import *  # noqa: F403
else:
    raise ModuleNotFoundError(f"No module named {__name__!r}", name=__name__)
