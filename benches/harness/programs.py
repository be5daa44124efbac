"""The programs that aren't in Python: the load generator, and the servers in C."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from shutil import which

from .certificate import write_certificate
from .rows import Failed, Missing

BENCHES = Path(__file__).parent.parent
BUILD_SECONDS = 900


class Programs:
    """The programs that the rows of servers need, made in a folder when first asked for.

    What can't be made isn't tried again: `Failed` is raised each time, or `Missing`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[str, Path | Failed] = {}

    @property
    def load(self) -> Path:
        """The load generator."""
        return self._once("load", _built_load)

    @property
    def echo(self) -> Path:
        """The server in C."""
        return self._once("echo", lambda: _compiled(self.folder, "epoll_echo"))

    @property
    def tls_echo(self) -> Path:
        """The same with TLS. This needs OpenSSL's headers."""
        libraries = ("-lssl", "-lcrypto")
        return self._once("tls_echo", lambda: _compiled(self.folder, "tls_echo", *libraries))

    @property
    def certificate(self) -> Path:
        """What the servers with TLS have."""
        return self._once("certificate", lambda: write_certificate(self.folder))

    def _once(self, name: str, make: Callable[[], Path]) -> Path:
        if name not in self._made:
            try:
                self._made[name] = make()
            except ImportError as problem:
                self._made[name] = Missing(f"{problem.name} isn't installed")
            except Failed as problem:
                self._made[name] = problem
        made = self._made[name]
        if isinstance(made, Failed):
            raise made
        return made


def _built_load() -> Path:
    """Build the load generator, and tell where it is."""
    command = ["cargo", "build", "--locked", "--release", "--no-default-features"]
    command += ["--example", "load", "--message-format=json-render-diagnostics"]
    try:
        built = subprocess.run(
            command, cwd=BENCHES, stdout=subprocess.PIPE, timeout=BUILD_SECONDS, check=False
        )
    except FileNotFoundError:
        raise Missing("cargo, which builds the load generator, isn't there") from None
    if built.returncode:
        raise Failed("the load generator wasn't built; see what cargo said")
    messages = map(json.loads, built.stdout.splitlines())
    made = (message.get("executable") for message in messages if "executable" in message)
    return Path(next(executable for executable in made if executable))


def _compiled(folder: Path, name: str, *libraries: str) -> Path:
    """Compile a server in C."""
    compiler = which("cc")
    if compiler is None:
        raise Missing("there is no C compiler")
    program = folder / name
    source = BENCHES / "peers" / f"{name}.c"
    command = [compiler, "-O2", "-o", str(program), str(source), *libraries]
    done = subprocess.run(command, capture_output=True, timeout=BUILD_SECONDS, check=False)
    if done.returncode:
        raise Missing(f"{name}.c wasn't compiled: {done.stderr.decode().splitlines()[0]}")
    return program
