"""Build what is to be published, and try it: ``wheels.py DIRECTORY VERSION...``.

Makes the sdist, and a wheel for each Python of the given versions that this machine has, in a
directory that is made anew. They are linked against the glibc of manylinux2014, by zig, so that
no old system is needed for it. Each is looked at by auditwheel and twine, then installed where
there is nothing else, and runs README's programs and the demo's checks there.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from interpreters import interpreter

ROOT = Path(__file__).parent.parent
#: The oldest that Rust's own library works with: glibc 2.17.
COMPATIBILITY = "manylinux2014"
GLIBC = "manylinux_2_17"
#: What a clean install must be able to do.
TESTS = [
    "tests/project/test_bare.py",
    "tests/project/test_readme.py",
    "tests/project/test_wheel.py",
    "tests/together/test_demo.py",
    "tests/twisted/test_plugin.py",
]


def main() -> int:
    """Do as the command line says; return the exit code."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("directory", type=Path)
    options.add_argument("versions", nargs="+", help="such as 3.12")
    args = options.parse_args()
    shutil.rmtree(args.directory, ignore_errors=True)

    pythons = {}
    for version in args.versions:
        if found := interpreter(version):
            pythons[version] = found
        else:
            say(f"Python {version}: skipped, there is none here")
    if not pythons:
        return 1
    say(f"Building for Python {', '.join(pythons)}")
    tool("maturin", "sdist", "--out", args.directory)
    tool(
        *("maturin", "build", "--release", "--locked", "--zig"),
        *("--compatibility", COMPATIBILITY, "--out", args.directory),
        *("--interpreter", *pythons.values()),
    )
    tool("twine", "check", "--strict", *sorted(args.directory.iterdir()))
    for version, python in pythons.items():
        (wheel,) = args.directory.glob(f"*-cp{version.replace('.', '')}-*.whl")
        audit(wheel)
        try_out(wheel, python)
    (sdist,) = args.directory.glob("*.tar.gz")
    # One is enough, and it isn't to be measured.
    try_out(sdist, python, {"MATURIN_PEP517_ARGS": "--profile quick"})
    say(f"All is well with what is in {args.directory}:")
    for path in sorted(args.directory.iterdir()):
        say(f"  {path.stat().st_size / 1e6:.1f} MB  {path.name}")
    return 0


def audit(wheel: Path) -> None:
    """Ask auditwheel on which systems the wheel runs, and compare that with what it says."""
    report = tool("auditwheel", "show", wheel, capture_output=True).stdout
    expected = f"{GLIBC}_{platform.machine()}"
    if f'"{expected}"' not in report or expected not in wheel.name:
        raise SystemExit(f"{wheel.name} should be {expected}, but auditwheel says:\n{report}")
    say(f"{wheel.name}: auditwheel says {expected} as well")


def try_out(distribution: Path, python: str, environment: Mapping[str, str] | None = None) -> None:
    """Install into an empty environment, and run what a clean install must be able to do."""
    say(f"{distribution.name}: trying it in an empty environment")
    with tempfile.TemporaryDirectory() as place:
        run([python, "-m", "venv", place])
        bare = str(Path(place, "bin", "python"))
        pip = [bare, "-m", "pip", "install", "--quiet", "--no-cache-dir"]
        run([*pip, str(distribution.absolute())], environment)
        run(
            [sys.executable, "-m", "pytest", "-q", "-k", "wheel or (bare and not here)", *TESTS],
            {
                "TORNADO4_BARE_PYTHON": bare,
                "TORNADO4_DISTRIBUTION": str(distribution.absolute()),
            },
        )


def tool(
    name: str, *arguments: str | Path, capture_output: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a tool of our own environment. maturin finds zig there, by python3."""
    here = Path(sys.prefix, "bin")
    path = os.pathsep.join([str(here), os.environ["PATH"]])
    command = [str(here / name), *map(str, arguments)]
    return run(command, {"PATH": path}, capture_output=capture_output)


def run(
    command: list[str],
    environment: Mapping[str, str] | None = None,
    *,
    capture_output: bool = False,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        check=True,
        cwd=ROOT,
        stdout=subprocess.PIPE if capture_output else None,
        text=True,
        env={**os.environ, **(environment or {})},
    )


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
