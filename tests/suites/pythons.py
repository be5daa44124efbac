"""Run CPython's tests of asyncio with every Python of this machine.

For each version it looks for an interpreter, builds the package for it in an environment
of its own, and runs ``test_suite_asyncio.py`` there.  Finding them is
``tools/interpreters.py``, to be put on PYTHONPATH.  A version is skipped, and said to
be, where there is no interpreter for it or where it comes without these tests.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from interpreters import interpreter

ROOT = Path(__file__).parent.parent.parent
TESTS = "test.test_asyncio.test_events"  # not every interpreter comes with them


def built(version: str, python: str, args: argparse.Namespace) -> str:
    """Build the package and install it, with what runs its tests; return the interpreter."""
    place = Path(f"{args.environments}-{version}")
    wheels = place / "wheel"
    shutil.rmtree(wheels, ignore_errors=True)
    subprocess.run([python, "-m", "venv", str(place)], check=True)
    subprocess.run(
        [
            *(str(args.maturin), "build", "--quiet", "--locked", "--profile", "quick"),
            *("--interpreter", python, "--out", str(wheels)),
        ],
        cwd=ROOT,
        check=True,
    )
    mine = str(place / "bin" / "python")
    (wheel,) = wheels.glob("*.whl")
    install = [mine, "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, str(wheel), "pytest", "pytest-timeout"], check=True)
    # The version is the same as that of an older one.
    subprocess.run([*install, "--force-reinstall", "--no-deps", str(wheel)], check=True)
    return mine


def tested(python: str) -> subprocess.CompletedProcess[str]:
    """Run the suite; return what it came to."""
    suite = Path(__file__).with_name("test_suite_asyncio.py")
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", str(suite)]
    return subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def main() -> int:
    """Do as the command line says; return the exit code."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("versions", nargs="+", help="such as 3.12")
    options.add_argument(
        "--environments", type=Path, required=True, help="how their paths begin, absolute"
    )
    options.add_argument("--maturin", type=Path, required=True)
    args = options.parse_args()
    pythons = {}
    for version in args.versions:
        here = version == f"{sys.version_info.major}.{sys.version_info.minor}"
        if here and importlib.util.find_spec("test.test_asyncio"):
            print(f"Python {version}: skipped, the other tests run with it", flush=True)
        elif (python := interpreter(version, TESTS)) is None:
            print(f"Python {version}: skipped, there is none with asyncio's tests", flush=True)
        else:
            print(f"Python {version}: {python}", flush=True)
            pythons[version] = built(version, python, args)
    failed = False
    # Most of the time they wait.
    with concurrent.futures.ThreadPoolExecutor(max(1, len(pythons))) as pool:
        for version, done in zip(pythons, pool.map(tested, pythons.values()), strict=True):
            print(f"Python {version}:\n{done.stdout}", flush=True)
            failed = failed or done.returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
