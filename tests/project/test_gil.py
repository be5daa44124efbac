"""What the native code relies on the GIL for is listed, and without one it isn't imported."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from helpers.markdown import ROOT

MARK = re.compile(r"^\s*// GIL: \S", re.MULTILINE)
ROW = re.compile(r"^\| `((?:core|py)/[\w/]+\.rs)` \| (.+) \|$", re.MULTILINE)
REFUSED = (
    "tornado4 needs the GIL, which PYTHON_GIL=0 or -X gil=0 has switched off: start Python "
    "without that, and importing tornado4 switches it on"
)


def test_the_list_has_every_file_with_a_mark() -> None:
    sources = ROOT / "src"
    marked = [
        path.relative_to(sources).as_posix()
        for path in sources.rglob("*.rs")
        if MARK.search(path.read_text())
    ]
    text = (ROOT / "ARCHITECTURE.md").read_text()
    _, _, section = text.partition("### What the GIL is relied on for\n")
    section, _, _ = section.partition("\n## ")
    listed = [path for path, _ in ROW.findall(section)]
    assert len(listed) > 10
    assert listed == sorted(marked)


def test_nothing_that_looks_like_a_mark_is_missed() -> None:
    for path in (ROOT / "src").rglob("*.rs"):
        text = path.read_text()
        assert text.count("GIL:") == len(MARK.findall(text)), path


@pytest.mark.parametrize("enabled", [True, False], ids=["with it", "without it"])
def test_an_interpreter_without_the_gil_is_refused(enabled: bool) -> None:
    # A free-threaded build says so by this function; here it is somebody else's.
    program = f"""
import sys
sys._is_gil_enabled = lambda: {enabled}
try:
    import tornado4._core
except ImportError as error:
    print(error)
else:
    print("imported")
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert run.stderr == ""
    assert run.stdout == ("imported" if enabled else REFUSED) + "\n"
