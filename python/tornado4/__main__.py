"""``python -m tornado4 program.py``: run a program on our loop, without an edit."""

from __future__ import annotations

import sys

from tornado4 import _command

if __name__ == "__main__":
    # The program takes this module's place, whose names must not go with it.
    sys.modules["tornado4.__main__"] = sys.modules["__main__"]
    _command.main(sys.argv[1:])
