"""Writes the files by which type checkers and editors see Tornado's modules under our name.

`python tests/project/alias_files.py` writes those that `tornado4._alias.MODULES` lists.
"""

from __future__ import annotations

from pathlib import Path

from tornado4 import _alias

PACKAGE = Path(_alias.__file__).parent

TEXT = '''\
"""For type checkers and editors; at run time it is `tornado.{name}` itself."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tornado.{name} import *  # noqa: F403
else:
    raise ModuleNotFoundError(f"No module named {{__name__!r}}", name=__name__)
'''


def file_of(name: str) -> Path:
    return PACKAGE.joinpath(*name.split(".")).with_suffix(".py")


def main() -> None:
    for name in _alias.MODULES:
        file_of(name).write_text(TEXT.format(name=name))


if __name__ == "__main__":
    main()
