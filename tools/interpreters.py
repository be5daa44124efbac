"""Where this machine's interpreters are."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path


def candidates(version: str) -> list[str]:
    """Return the interpreters of a version: on the path, and pyenv's, newest first."""
    found = [shutil.which(f"python{version}")]
    home = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")

    def patch(path: Path) -> int:
        digits = path.name.removeprefix(version + ".")
        return int(digits) if digits.isdecimal() else -1

    installed = sorted(home.glob(version + ".*"), key=patch, reverse=True)
    found += [str(path / "bin" / f"python{version}") for path in installed]
    return [path for path in found if path is not None]


def interpreter(version: str, *modules: str) -> str | None:
    """Return an interpreter of a version that has some modules, and venv."""
    needs = f"import {', '.join(('sys', 'venv', 'ensurepip', *modules))}"
    code = f"{needs}; print('%d.%d' % sys.version_info[:2])"
    for path in candidates(version):
        try:
            done = subprocess.run([path, "-c", code], capture_output=True, text=True, timeout=60)
        except OSError:
            continue
        # One of pyenv's shims runs whatever version is chosen.
        if done.stdout.strip() == version:
            return path
    return None
