"""The documentation: its links lead somewhere, its programs are files in `examples`, which
run here, and each prints what the page shows below it. `make docs` builds the pages."""

from __future__ import annotations

import importlib
import inspect
import itertools
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.documented import DOCUMENTED, IOLOOP_DOCUMENTED, IOSTREAM_DOCUMENTED
from helpers.examples import EXAMPLES, FIRST, served_until_interrupted
from helpers.markdown import ROOT, blocks, leads_nowhere, links

DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
LIMIT = 30.0  # seconds. Only a hang takes this long.
# They have their own tests.
RECIPES = EXAMPLES / "recipes"


def included() -> dict[Path, str | None]:
    """Return the programs that pages show, and what the page says that they print."""
    found: dict[Path, str | None] = {}
    for page in PAGES:
        shown = blocks(page.read_text())
        for block, after in itertools.zip_longest(shown, shown[1:]):
            if block.info.startswith("{literalinclude}"):
                path = (page.parent / block.info.split()[1]).resolve()
                # On a site that shows the page as it is, this is all that is seen.
                assert (
                    f":caption: {path.relative_to(ROOT)}\n" in block.text or RECIPES in path.parents
                )
                printed = after.text if after is not None and after.info == "text" else None
                if printed is not None or path not in found:
                    found[path] = printed
    return found


PROGRAMS = {
    path: printed for path, printed in included().items() if not path.is_relative_to(RECIPES)
}
# Those that serve until somebody interrupts them: what one who asks gets.
SERVERS = {
    EXAMPLES / "tutorial" / "tornado_main.py": b"Hello from Tornado\n",
    EXAMPLES / "tutorial" / "together_server.py": b"asyncio has slept\nTwisted's word by Tornado\n",
    EXAMPLES / "tutorial" / "graceful.py": b"That took a while\n",
}
# These have tests of their own, the first ones as README's.
CHAT = EXAMPLES / "tutorial" / "twisted_chat.py"
TAC = EXAMPLES / "tutorial" / "echo.tac"
ENGINE = EXAMPLES / "tutorial" / "tls_engine.py"
TESTS = EXAMPLES / "faq" / "tests_of_mine.py"
ELSEWHERE = {CHAT, TAC, ENGINE, TESTS, *FIRST.glob("*.py")}
ENDING = [path for path in PROGRAMS if path not in {*SERVERS, *ELSEWHERE}]


def name(path: Path) -> str:
    return str(path.relative_to(EXAMPLES))


def run(path: Path) -> str:
    """Run a program where it is; return what it prints, but no complaint."""
    done = subprocess.run(
        [sys.executable, path.name], capture_output=True, text=True, timeout=LIMIT, cwd=path.parent
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_every_example_is_on_a_page() -> None:
    there = {path for kind in ("*.py", "*.tac") for path in EXAMPLES.rglob(kind)}
    there = {path for path in there if not path.is_relative_to(RECIPES)}
    assert there == set(PROGRAMS)
    assert len(ENDING) > 15


@pytest.mark.parametrize("path", ENDING, ids=name)
def test_a_program_prints_what_is_shown(path: Path) -> None:
    printed = PROGRAMS[path]
    assert printed is not None, "the page doesn't show what it prints"
    assert run(path) == printed


@pytest.mark.parametrize("path", SERVERS, ids=name)
def test_a_server_ends_by_an_interrupt(path: Path, tmp_path: Path) -> None:
    answer = served_until_interrupted(sys.executable, path.read_text(), tmp_path / path.name)
    assert SERVERS[path] in answer


def test_the_chat_is_used_by_another_program() -> None:
    assert "from twisted_chat import" in (CHAT.parent / "twisted_react.py").read_text()


def test_what_twistd_runs(tmp_path: Path) -> None:
    code = TAC.read_text()
    assert code.count("tcp:8000") == 1
    (tmp_path / "echo.tac").write_text(code.replace("tcp:8000", "tcp:0"))
    twistd = "from twisted.scripts.twistd import run; run()"
    options = ["--reactor=tornado4", "--nodaemon", "--pidfile=", "--python=echo.tac"]
    with subprocess.Popen(
        [sys.executable, "-c", twistd, *options], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout
        try:
            said = ""
            while "Factory starting on" not in said:
                line = process.stdout.readline()
                assert line, said
                said += line
            # Once it answers, it runs, and handles signals.
            with socket.create_connection(("127.0.0.1", int(said.split()[-1])), LIMIT) as client:
                client.send(b"x")
                assert client.recv(10) == b"x"
            process.terminate()
            said += process.communicate(timeout=LIMIT)[0]
        finally:
            process.kill()
    assert "reactor class: tornado4.platform.twisted.TornadoReactor" in said
    assert "Server Shut Down" in said
    assert process.returncode == -signal.SIGTERM  # as twistd has it


def test_the_tests_pass() -> None:
    done = subprocess.run(
        [sys.executable, TESTS.name],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        cwd=TESTS.parent,
    )
    assert done.returncode == 0
    assert done.stderr.startswith("..\n")
    assert done.stderr.endswith("OK\n")


def test_how_tls_is_done_here() -> None:
    pytest.importorskip("OpenSSL", reason="only Twisted's TLS needs pyOpenSSL")
    line = re.compile(r"(ssl|pyOpenSSL): (direct|fallback|stock), .*")
    shown, printed = (PROGRAMS[ENGINE] or "").splitlines(), run(ENGINE).splitlines()
    for lines in (shown, printed):
        assert len(lines) == 2
        assert all(line.fullmatch(each) for each in lines)


def test_who_asks_last_gets_an_answer(tmp_path: Path) -> None:
    code = (EXAMPLES / "tutorial" / "graceful.py").read_text()
    # It is interrupted by one who is inside.
    told = "under_way.add(done)"
    assert code.count(told) == 1
    code = code.replace(told, f"{told}; __import__('os').kill(__import__('os').getpid(), 15)")
    path = tmp_path / "graceful.py"
    answer = served_until_interrupted(sys.executable, code, path, interrupts_itself=True)
    assert answer == b"That took a while\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    assert [link for link in links(text) if leads_nowhere(page, link)] == []
    # One that only a reader of this tree could follow would be lost on the site.
    for link in links(text):
        if "://" not in link and not link.startswith("#"):
            assert (page.parent / link.partition("#")[0]).resolve().is_relative_to(DOCS)


def test_every_page_is_in_a_table_of_contents() -> None:
    listed = {DOCS / "index.md"}
    for page in PAGES:
        for block in blocks(page.read_text()):
            if block.info == "{toctree}":
                for entry in re.findall(r"^[^:\s].*$", block.text, re.MULTILINE):
                    listed |= set(page.parent.glob(f"{entry}.md"))
    assert set(PAGES) <= listed


PUBLIC = {
    "tornado4": "tornado4",
    "tornado4.http": "http",
    "tornado4.ioloop": "ioloop",
    "tornado4.iostream": "iostream",
    "tornado4.platform.asyncio": "asyncio",
    "tornado4.platform.twisted": "twisted",
}


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_in_the_reference(module: str) -> None:
    text = (DOCS / "api" / f"{PUBLIC[module]}.md").read_text()
    assert f".. automodule:: {module}\n" in text
    names = importlib.import_module(module).__all__
    assert names
    told = set(re.findall(r"^\.\. (?:auto|py:)\w+:: (\w+)", text, re.MULTILINE))
    assert set(names) <= told


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_says_what_it_is(module: str) -> None:
    loaded = importlib.import_module(module)
    silent = []
    for name in loaded.__all__:
        thing = getattr(loaded, name)
        members = vars(thing).items() if inspect.isclass(thing) else [(name, thing)]
        # A method that documents itself by the class that it overrides has no text either.
        for member, value in members:
            if not member.startswith("_") and inspect.isroutine(value):
                text = inspect.getdoc(getattr(thing, member) if inspect.isclass(thing) else thing)
                if not text:
                    silent.append(f"{name}.{member}")
    assert silent == []


def test_tornado_4_5_item_by_item() -> None:
    """Every name that its documentation has is on the page."""
    text = (DOCS / "tornado-4.5.md").read_text()
    told = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]*)`", text))))
    documented = {name for names in DOCUMENTED.values() for name in names}
    plumbing = {"initialize", "configurable_base", "configurable_default"}
    of_classes = set(IOLOOP_DOCUMENTED.split()) | set(IOSTREAM_DOCUMENTED.split())
    assert (documented | of_classes) - plumbing <= told


# These have tests of their own.
TESTED_ELSEWHERE = ["install-switch.md", "metrics.md", "mistakes.md"]


def snippets() -> dict[str, str]:
    """Return the code that stands on a page, and what the page says that it prints."""
    found = {}
    for page in PAGES:
        if page.parent.name != RECIPES.name and page.name not in TESTED_ELSEWHERE:
            shown = blocks(page.read_text())
            for block, after in itertools.zip_longest(shown, shown[1:]):
                if block.info == "python":
                    prints = after is not None and after.info == "text"
                    found[block.text] = after.text if prints else ""
    return found


@pytest.mark.parametrize("code", snippets())
def test_what_is_too_short_for_a_file(code: str) -> None:
    """It runs, and what it names in its texts is there."""
    names = re.findall(r'"(tornado4\.[.\w]+)"', code)
    check = "\nfrom twisted.python.reflect import namedAny\n"
    check += "\n".join(f"namedAny({name!r})" for name in names)
    done = subprocess.run(
        [sys.executable, "-c", code + check], capture_output=True, text=True, timeout=LIMIT
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, snippets()[code], "")


def test_pictures_are_shown_and_there() -> None:
    text = "".join(page.read_text() for page in PAGES)
    pictures = {path.name for path in (DOCS / "images").iterdir()}
    assert set(re.findall(r"images/([\w.-]+)", text)) == pictures
    for path in (DOCS / "images").iterdir():
        svg = path.read_text()
        assert re.search(r"prefers-color-scheme: ?dark", svg)
        assert "<title" in svg


def test_the_commands_are_there() -> None:
    targets = re.findall(r"^([\w-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    text = "".join(page.read_text() for page in PAGES)
    named = re.findall(r"(?:`|^\$ )make ([\w-]+)", text, re.MULTILINE)
    assert named
    assert set(named) <= set(targets)
