"""Run the tests with both languages' coverage taken: ``covered.py PYTEST-ARGUMENT...``.

Builds the native module and the core's unit tests with LLVM's counters, runs the tests with
them and with coverage.py, and lists the lines of both that nothing has run, worst files first.
What it leaves in ``target/coverage`` is read by other tools as well: ``rust.lcov``,
``python.lcov``. It makes an editable install, as ``make dev`` does.

A test that fails doesn't matter here: those that count objects do, as coverage.py makes some.
Processes that end without their exit handlers (by a signal, by ``os._exit``) report nothing, so
what only they run is listed as not run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
PLACE = ROOT / "target" / "coverage"
BIN = Path(sys.prefix) / "bin"
#: Files that are listed. All are in the lcov files.
WORST = 40


def main(arguments: list[str]) -> int:
    llvm = tools()
    shutil.rmtree(PLACE / "profiles", ignore_errors=True)
    # %m: processes of one binary add to one file.
    counters = {
        "RUSTFLAGS": "-Cinstrument-coverage",
        "CARGO_TARGET_DIR": str(PLACE),
        "LLVM_PROFILE_FILE": str(PLACE / "profiles" / "%4m.profraw"),
        "VIRTUAL_ENV": sys.prefix,
        "COVERAGE_FILE": str(PLACE / "python"),
    }
    run([str(BIN / "maturin"), "develop", "--quiet", "--profile", "quick"], counters)
    core = ["cargo", "test", "--locked", "--no-default-features", "--lib"]
    run(core, counters)
    coverage = [str(BIN / "python"), "-m", "coverage"]
    run([*coverage, "erase"], counters)
    code = run([*coverage, "run", "-m", "pytest", *arguments], counters, check=False)
    run([*coverage, "combine", "--quiet"], counters)
    run([*coverage, "lcov", "--quiet", "-o", str(PLACE / "python.lcov")], counters)

    profiles = [str(path) for path in (PLACE / "profiles").glob("*.profraw")]
    data = str(PLACE / "rust.profdata")
    run([str(llvm / "llvm-profdata"), "merge", "--sparse", *profiles, "-o", data])
    (native,) = (ROOT / "python" / "tornado4").glob("_core.*.so")
    with open(PLACE / "rust.lcov", "w") as file:
        export = [str(llvm / "llvm-cov"), "export", "--format=lcov", f"--instr-profile={data}"]
        unit = max((PLACE / "debug" / "deps").glob("_core-*[!.d]"), key=os.path.getmtime)
        subprocess.run(
            [*export, str(native), f"--object={unit}", str(ROOT / "src")], check=True, stdout=file
        )
    for language in ("rust", "python"):
        report(language, missed(PLACE / f"{language}.lcov"))
    # 1: tests have failed. More: they didn't run.
    return code if code > 1 else 0


def tools() -> Path:
    """Return where LLVM's tools for this compiler are; have rustup install them."""
    sysroot = output("rustc", "--print", "sysroot")
    (host,) = (
        line.removeprefix("host: ")
        for line in output("rustc", "-vV").splitlines()
        if line.startswith("host: ")
    )
    found = Path(sysroot, "lib", "rustlib", host, "bin")
    if not (found / "llvm-cov").exists():
        run(["rustup", "component", "add", "llvm-tools"])
    return found


def missed(lcov: Path) -> dict[str, tuple[int, list[int]]]:
    """Return, for each file, how many lines can run, and those that haven't."""
    files: dict[str, dict[int, int]] = {}
    for line in lcov.read_text().splitlines():
        kind, _, value = line.partition(":")
        if kind == "SF":
            lines = files.setdefault(os.path.relpath(ROOT / value, ROOT), {})
        elif kind == "DA":
            number, count = map(int, value.split(",")[:2])
            lines[number] = lines.get(number, 0) + count
    return {
        name: (len(lines), sorted(number for number, count in lines.items() if not count))
        for name, lines in files.items()
    }


def report(language: str, files: Mapping[str, tuple[int, list[int]]]) -> None:
    total = sum(lines for lines, _ in files.values())
    left = sum(len(numbers) for _, numbers in files.values())
    say(f"\n{language}: {100 * (total - left) / max(total, 1):.1f} % of {total} lines have run")
    worst = sorted(files, key=lambda name: -len(files[name][1]))
    for name in worst[:WORST]:
        lines, numbers = files[name]
        if numbers:
            say(f"{len(numbers):5} of {lines:4}  {name}: {ranges(numbers)}")


def ranges(numbers: list[int]) -> str:
    """Return numbers as people write them: 3-5, 9."""
    groups: list[list[int]] = []
    for number in numbers:
        if groups and groups[-1][-1] == number - 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return ", ".join(
        f"{group[0]}-{group[-1]}" if len(group) > 1 else str(group[0]) for group in groups
    )


def run(
    command: list[str], environment: Mapping[str, str] | None = None, *, check: bool = True
) -> int:
    env = {**os.environ, **(environment or {})}
    return subprocess.run(command, cwd=ROOT, check=check, env=env).returncode


def output(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
