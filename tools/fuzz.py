"""Fuzz for as long as is wanted: `python tools/fuzz.py --minutes 60 [KIND...]`, from the root.

Each program runs in a process of its own, with the next seed, and has to end well:

* hostile: every class and method with hostile arguments (`helpers.hostile`),
* memory: the same, and each n-th allocation of Python's fails meanwhile,
* deep: the same, with few frames of recursion left,
* threads: the same, in several threads at once,
* differential: random programs, stock beside ours (the tests that take `TORNADO4_SEED`).

`make fuzz` runs it on a build with debug assertions. What fails is printed with its seed and kept
in a folder, and the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
HOSTILE = ("hostile", "memory", "deep", "threads")
KINDS = (*HOSTILE, "differential")
# These take a seed from the environment.
DIFFERENTIAL = (
    "tests/together/test_differential_random.py",
    "tests/together/test_forks_random.py",
    "tests/together/test_tls_engine_random.py",
    "tests/asyncio/test_stream_random.py",
    "tests/asyncio/test_datagrams_random.py",
    "tests/asyncio/test_pipes_random.py",
    "tests/asyncio/test_tls_random.py",
    "tests/tornado/test_differential_native_streams.py",
    "tests/twisted/test_differential_random_fds.py",
    "tests/twisted/test_transports_random.py",
    "tests/twisted/test_transports_tls_random.py",
)


def command(kind: str, seed: int, steps: int) -> list[str]:
    if kind in HOSTILE:
        more = [] if kind == "hostile" else [kind]
        return [sys.executable, "-m", "helpers.hostile", str(seed), str(steps), *more]
    file = DIFFERENTIAL[seed % len(DIFFERENTIAL)]
    words = ["pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", str(ROOT / file)]
    return [sys.executable, "-m", *words]


# PyO3's own: it panics, or aborts, where there is no memory for what the `TypeError` of a wrong
# argument says. Our errors' texts are made by functions that can fail.
PYO3S_OWN = ("raise_lazy", "argument_extraction_error")


def went_well(kind: str, done: subprocess.CompletedProcess[str]) -> bool:
    if kind == "memory" and any(name in done.stderr for name in PYO3S_OWN):
        # Whatever else may have come of it, such as memory that was freed already.
        return done.returncode in (0, 1, 120, -signal.SIGABRT)
    if "panic" in done.stderr + done.stdout or "Fatal Python error" in done.stderr:
        return False
    # Hostile steps may take from the program what it ends with: an attribute of its loop, the
    # descriptor that it prints to. Python says so by 1 and by 120.
    return done.returncode in ((0, 1, 120) if kind in HOSTILE else (0,))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []], help="all by default")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the first one")
    parser.add_argument("--steps", type=int, default=3000, help="of a hostile program")
    parser.add_argument("--keep", type=Path, help="where the output of what fails is kept")
    wanted = parser.parse_args()
    keep = wanted.keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    keep.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + wanted.minutes * 60
    seed, failed, ran = wanted.seed, 0, Counter[str]()
    while time.monotonic() < until:
        kind = (wanted.kinds or KINDS)[seed % len(wanted.kinds or KINDS)]
        try:
            done = subprocess.run(
                command(kind, seed, wanted.steps),
                env=os.environ | {"TORNADO4_SEED": str(seed), "RUST_BACKTRACE": "1"},
                cwd=ROOT / "tests",
                capture_output=True,
                text=True,
                errors="replace",
                timeout=600,
            )
        except subprocess.TimeoutExpired:
            done = subprocess.CompletedProcess([], -1, "", "no end after ten minutes")
        ran[kind] += 1
        if not went_well(kind, done):
            failed += 1
            (keep / f"{kind}-{seed}.txt").write_text(done.stdout + done.stderr)
            print(f"{kind}, seed {seed}: status {done.returncode}, see {keep}", flush=True)
        seed += 1
    print(f"seeds {wanted.seed} to {seed - 1}: {dict(ran)}, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
