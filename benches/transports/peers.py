"""How the servers start."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import which

from .rows import ALONE, OURS, Row

BENCHES = Path(__file__).parent.parent
BUILD_SECONDS = 900

# Those that can serve Twisted's protocols; all others serve asyncio's.
TWISTED = (OURS, ALONE, "epoll")

# What must be installed for a peer.
NEEDS = {"uvloop": ("uvloop",), "aiofastnet": ("aiofastnet", "uvloop"), "rloop": ("rloop",)}


class Programs:
    """The programs that a comparison needs, made in a folder."""

    def __init__(self, folder: Path) -> None:
        self.load = _built_load()
        self._folder = folder
        self._echo = _compiled_echo(folder)

    def has(self, row: Row, peer: str) -> bool:
        """Whether that peer can do the row's work here."""
        if peer == "C":
            return self._echo is not None
        return all(find_spec(package) for package in (*row.needs, *NEEDS.get(peer, ())))

    def server(self, row: Row, peer: str) -> list[str]:
        """Tell the command that has the peer serve; it prints its port."""
        if peer == "C":
            return [str(self._echo), row.mode]
        face = "twisted" if row.face == "twisted" and peer in TWISTED else "asyncio"
        name = OURS if peer == ALONE else peer
        return [
            sys.executable,
            "-m",
            f"transports.serve_{face}",
            name,
            row.serve,
            str(self._folder),
        ]


def _built_load() -> str:
    """Build the load generator, and tell where it is."""
    command = ["cargo", "build", "--locked", "--release", "--no-default-features"]
    command += ["--example", "load", "--message-format=json-render-diagnostics"]
    try:
        built = subprocess.run(
            command, cwd=BENCHES, stdout=subprocess.PIPE, timeout=BUILD_SECONDS, check=False
        )
    except FileNotFoundError:
        raise SystemExit("cargo, which builds the load generator, isn't there") from None
    if built.returncode:
        raise SystemExit("the load generator wasn't built")
    messages = map(json.loads, built.stdout.splitlines())
    made = (message.get("executable") for message in messages if "executable" in message)
    return next(executable for executable in made if executable)


def _compiled_echo(folder: Path) -> Path | None:
    """Compile the server in C, if there is a compiler."""
    compiler = which("cc")
    if compiler is None:
        return None
    program = folder / "epoll_echo"
    source = BENCHES / "peers" / "epoll_echo.c"
    subprocess.run([compiler, "-O2", "-o", program, source], check=True, timeout=BUILD_SECONDS)
    return program
