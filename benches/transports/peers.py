"""How the servers start."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import which

from .certificate import write_certificate
from .rows import ALONE, FALLBACK, OURS, Row

BENCHES = Path(__file__).parent.parent
BUILD_SECONDS = 900

# Those that can serve Twisted's protocols; all others serve asyncio's.
TWISTED = (OURS, ALONE, FALLBACK, "epoll")

# Tells ours to do without what it does with the OpenSSL that it knows.
DO_WITHOUT = "TORNADO4_TLS=fallback"

# What must be installed for a peer.
NEEDS = {"uvloop": ("uvloop",), "aiofastnet": ("aiofastnet", "uvloop"), "rloop": ("rloop",)}


class Programs:
    """The programs that a comparison needs, made in a folder."""

    def __init__(self, folder: Path) -> None:
        self.load = _built_load()
        self._folder = folder
        self._echo = _compiled(folder, "epoll_echo")
        # Without OpenSSL's headers there is none.
        self._tls_echo = _compiled(folder, "tls_echo", "-lssl", "-lcrypto", may_fail=True)
        if find_spec("cryptography"):
            write_certificate(folder)

    def has(self, row: Row, peer: str) -> bool:
        """Whether that peer can do the row's work here."""
        needs = (*row.needs, *NEEDS.get(peer, ()))
        if row.tls:
            # For the certificate.
            needs += ("cryptography",)
        if peer == "C" and (self._tls_echo if row.tls else self._echo) is None:
            return False
        return all(find_spec(package) for package in needs)

    def server(self, row: Row, peer: str) -> list[str]:
        """Tell the command that has the peer serve; it prints its port."""
        if peer == "C":
            if row.tls:
                return [str(self._tls_echo), "echo", str(self._folder)]
            return [str(self._echo), row.mode]
        face = row.face
        if face == "twisted" and peer not in TWISTED:
            face = "asyncio"
        name = OURS if peer in (ALONE, FALLBACK) else peer
        return [
            *(("env", DO_WITHOUT) if peer == FALLBACK else ()),
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


def _compiled(folder: Path, name: str, *libraries: str, may_fail: bool = False) -> Path | None:
    """Compile a server in C, if there is a compiler."""
    compiler = which("cc")
    if compiler is None:
        return None
    program = folder / name
    command = [compiler, "-O2", "-o", program, BENCHES / "peers" / f"{name}.c", *libraries]
    done = subprocess.run(
        command, capture_output=may_fail, timeout=BUILD_SECONDS, check=not may_fail
    )
    return program if done.returncode == 0 else None
