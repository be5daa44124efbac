"""On what something was measured."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any


def environment() -> dict[str, Any]:
    """Describe the machine, and what is installed on it."""
    packages = (
        "tornado4",
        "twisted",
        "tornado",
        "uvloop",
        "aiofastnet",
        "rloop",
        "uvicorn",
        "aiohttp",
    )
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
        "versions": {name: _version(name) for name in packages},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
