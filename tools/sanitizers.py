"""Runs tests with the compiler's sanitizers, which see what goes wrong without a crash.

    python tools/sanitizers.py core        # address: the core's tests, without Python
    python tools/sanitizers.py package     # address: the module in the interpreter; arguments
                                           # are pytest's
    python tools/sanitizers.py thread      # data races: the core's tests

Each begins with a program that is wrong, and fails if the sanitizer doesn't say so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONTROL = ROOT / "tools" / "sanitizers" / "control.rs"
BUILT = ROOT / "target" / "sanitizers"
# A part of the tests, in which native code does all kinds of things: they take five times
# as long as usual.
QUICK = [
    "-q",
    "-m",
    "not slow",
    "tests/asyncio/test_datagrams_random.py",
    "tests/asyncio/test_stream_writing.py",
    "tests/asyncio/test_tls_native.py",
    "tests/tornado/test_native_streams.py",
    "tests/twisted/test_transports_native.py",
    "tests/together/test_long_chains.py",
    "tests/together/test_other_threads.py",
]
OPTIONS = {
    # Python keeps much until its end. What it is short of it says itself. How much of the
    # stack is left is seen by where a variable is, which must not be elsewhere.
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=0",
    "TSAN_OPTIONS": "halt_on_error=1",
    # The tests' random programs take twenty times as long.
    "PROPTEST_CASES": os.environ.get("PROPTEST_CASES", "16"),
    # As a release of the compiler, it has the option that is wanted.
    "RUSTC_BOOTSTRAP": "1",
}


def host() -> str:
    """Return the compiler's name of this machine."""
    said = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    return next(line.removeprefix("host: ") for line in said.splitlines() if "host: " in line)


def run(*command: str | Path, **variables: str) -> None:
    """Run a command, and end with its status if that isn't 0."""
    print("+", *command, flush=True)
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **OPTIONS, **variables})
    if done.returncode != 0:
        sys.exit(f"it ended with the status {done.returncode}")


def must_report(report: str, *command: str | Path, **variables: str) -> None:
    """Run a command that is wrong. End if the sanitizer doesn't report it."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **OPTIONS, **variables},
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode == 0 or report not in done.stderr:
        sys.exit(f"the control went unnoticed: there is no {report!r} in\n{done.stderr}")
    print(f"the control is reported: {report}", flush=True)


def control(name: str, *options: str) -> Path:
    """Return the control with the address sanitizer, built under this name."""
    BUILT.mkdir(parents=True, exist_ok=True)
    built = BUILT / name
    flags = ("-Zsanitizer=address", "--edition=2021", *options)
    run("rustc", *flags, "-o", built, CONTROL)
    return built


def core() -> None:
    """Run the core's tests with the address sanitizer."""
    must_report("heap-use-after-free", control("control"))
    run(
        *("cargo", "test", "--locked", "--no-default-features", "--lib"),
        *("--target", host(), "--target-dir", BUILT / "core"),
        RUSTFLAGS="-Zsanitizer=address",
    )


def thread() -> None:
    """Run the core's tests with the thread sanitizer."""
    # The standard library takes part, or each of its own locks would be a race.
    sysroot = subprocess.run(
        ["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True
    ).stdout.strip()
    source = Path(sysroot, "lib/rustlib/src/rust/library/Cargo.lock")
    if (
        not source.exists()
        and subprocess.run(["rustup", "component", "add", "rust-src"]).returncode
    ):
        sys.exit("left out: the standard library's sources (rust-src) can't be had")
    common = ("-Zbuild-std", "--target", host(), "--target-dir", BUILT / "thread")
    flags = {"RUSTFLAGS": "-Zsanitizer=thread"}
    package = BUILT / "race"
    (package / "src").mkdir(parents=True, exist_ok=True)
    shutil.copy(CONTROL, package / "src" / "main.rs")
    manifest = package / "Cargo.toml"
    manifest.write_text('[package]\nname = "race"\nedition = "2021"\n[workspace]\n')
    run("cargo", "build", "--manifest-path", manifest, *common, **flags)
    must_report("data race", BUILT / "thread" / host() / "debug" / "race", "thread")
    run("cargo", "test", "--locked", "--no-default-features", "--lib", *common, **flags)


def package(arguments: list[str]) -> None:
    """Run tests of the module in an interpreter that has the sanitizer's allocator."""
    found = subprocess.run(["cc", "-print-file-name=libasan.so"], capture_output=True, text=True)
    runtime = Path(found.stdout.strip()).resolve()
    if not runtime.is_absolute() or not runtime.exists():
        sys.exit("left out: there is no libasan.so, which comes with GCC")
    inside = {"LD_PRELOAD": str(runtime), "PYTHONMALLOC": "malloc"}
    library = control("control.so", "--crate-type=cdylib")
    call = f"import ctypes; ctypes.CDLL({str(library)!r}).use_after_free()"
    must_report("heap-use-after-free", sys.executable, "-c", call, **inside)
    run(
        *("cargo", "build", "--locked", "--lib", "--profile", "quick"),
        *("--target", host(), "--target-dir", BUILT / "package"),
        RUSTFLAGS="-Zsanitizer=address -Cdebug-assertions=on",
        PYO3_PYTHON=sys.executable,
    )
    # Before the package that is installed, and without touching it.
    copy = BUILT / "python"
    shutil.rmtree(copy, ignore_errors=True)
    ignored = shutil.ignore_patterns("_core*.so", "__pycache__")
    shutil.copytree(ROOT / "python", copy, ignore=ignored)
    built = BUILT / "package" / host() / "quick" / "lib_core.so"
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    shutil.copy(built, copy / "tornado4" / f"_core{suffix}")
    inside["PYTHONPATH"] = str(copy)
    where = "import tornado4._core as core; print(core.__file__)"
    run(sys.executable, "-c", where, **inside)
    # pytest keeps what is written to the terminal, and with the process that is lost.
    reports = BUILT / "reports"
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir()
    inside["ASAN_OPTIONS"] = f"{OPTIONS['ASAN_OPTIONS']}:log_path={reports}/report"
    try:
        run(sys.executable, "-m", "pytest", *(arguments or QUICK), **inside)
    finally:
        for report in reports.iterdir():
            print(report.read_text(), flush=True)


def main() -> None:
    """Run what is asked for."""
    match sys.argv[1:]:
        case ["core"]:
            core()
        case ["thread"]:
            thread()
        case ["package", *arguments]:
            package(arguments)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
