"""``python -m tornado4 program.py``: run a program on our loop, without an edit."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # The program takes this module's place, whose names must not go with it.
    sys.modules["tornado4.__main__"] = sys.modules["__main__"]
    # Where the interpreter was started. Nothing of ours is looked for there.
    safe = bool(getattr(sys.flags, "safe_path", False) or sys.flags.isolated)
    place = None if safe else sys.path.pop(0)

    from tornado4 import _command

    _command.main(sys.argv[1:], place)
