"""The command line of ``python -m tornado4``: its page of help, and what it refuses."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import tornado4
from helpers.programs import everywhere
from tornado4 import _command


def run(*arguments: str, python: str = sys.executable) -> tuple[int, str, str]:
    command = [python, "-m", "tornado4", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@everywhere
@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_the_page(arguments: tuple[str, ...], python: str) -> None:
    status, out, errors = run(*arguments, python=python)
    assert (status, errors) == (0, "")
    assert all(len(line) <= 80 for line in out.splitlines())
    assert len(out.splitlines()) < 45
    frameworks = out.partition("In native code")[0].splitlines()
    found = dict(line.split(maxsplit=1) for line in frameworks if line.startswith("  "))
    assert found["tornado4"] == tornado4.__version__
    assert found["Tornado"][0].isdigit()
    assert found["Twisted"][0].isdigit()
    if python == sys.executable:
        assert found["Tornado"] == version("tornado")
        assert found["Twisted"] == version("twisted")
        assert found["Python"].startswith(platform.python_version())
        for name, engine in tornado4.tls_engine().items():
            assert f"TLS, {name}" in out
            assert f" {engine.engine}" in out


def test_the_page_tells_why_tls_is_not_direct() -> None:
    code = "import os; os.environ['TORNADO4_TLS'] = 'fallback'\n"
    code += "from tornado4 import _about; _about.show()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    engines = {"ssl": "stock" if sys.version_info < (3, 11) else "fallback"}
    for name, engine in engines.items():
        line = next(line for line in done.stdout.splitlines() if f"TLS, {name}" in line)
        assert engine in line
        assert ":" in line


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("", r"pipe streams; HTTP/1\n"),
        (
            "import tornado.httputil as it\noriginal = it.parse_request_start_line\n"
            "it.parse_request_start_line = lambda line: original(line)\n",
            r"streams; HTTP/1 in part: the source of .*parse_request_start_line isn't one that",
        ),
        (
            "import tornado.httputil as it\nit.HTTPHeaders.__init__ = lambda self: None\n"
            "it.parse_response_start_line = lambda line: None\n",
            r"streams; HTTP/1 in part: .* and \d more\n",
        ),
        (
            "from tornado4 import _streams\n_streams._KNOWN = False\n",
            r"IOLoop only: streams and HTTP/1 of this version aren't known\n",
        ),
    ],
    ids=["all", "one is somebody's", "several are", "a newer Tornado"],
)
def test_the_page_tells_what_of_tornado_is_native(before: str, said: str) -> None:
    code = before + "from tornado4 import _about; _about.show()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    page = done.stdout.partition("In native code")[2]
    native = re.search(r"^  Tornado {9}(.*\n(?: {18}.*\n)*)", page, re.MULTILINE)
    assert native
    assert re.search(said, re.sub(r"\n {18}", " ", native[1])), native[1]


def test_the_version() -> None:
    assert run("--version") == run("-V") == (0, f"tornado4 {tornado4.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--nothing"], "unknown option --nothing"),
        (["--top=KILL", "x.py"], "no process can handle this signal: --top=KILL"),
        (["-x"], "unknown option -x"),
        (["--check"], "there is no program to run"),
        (["--no-twisted"], "there is no program to run"),
        (["--no-nothing", "x.py"], "unknown option --no-nothing"),
        (["-c"], "argument expected for the -c option"),
        (["-m"], "argument expected for the -m option"),
        (["--"], "there is no program behind --"),
    ],
)
def test_what_it_refuses(arguments: list[str], reason: str) -> None:
    with pytest.raises(_command.UsageError, match=reason):
        _command.parse(arguments)
    if arguments == ["--nothing"]:
        status, out, errors = run(*arguments)
        assert (status, out) == (2, "")
        assert reason in errors
        assert "--help" in errors


@pytest.mark.parametrize(
    ("arguments", "kind", "program", "rest"),
    [
        (["x.py"], "file", "x.py", []),
        (["x.py", "-c", "--check"], "file", "x.py", ["-c", "--check"]),
        (["-"], "file", "-", []),
        (["--", "--check"], "file", "--check", []),
        (["-m", "x", "--help"], "module", "x", ["--help"]),
        (["-mx", "-V"], "module", "x", ["-V"]),
        (["-c", "x", "-"], "code", "x", ["-"]),
        (["-cx"], "code", "x", []),
        (["--check", "-c", ""], "code", "", []),
    ],
)
def test_options_end_where_the_program_begins(
    arguments: list[str], kind: str, program: str, rest: list[str]
) -> None:
    options = _command.parse(arguments)
    assert (options.kind, options.program, options.arguments) == (kind, program, rest)


def test_the_parts_that_are_chosen() -> None:
    options = _command.parse(["--no-asyncio", "--no-streams", "--twisted", "--check", "x"])
    chosen = (options.without, options.reactor, options.check)
    assert chosen == ({"asyncio", "streams"}, True, "always")
    again = ["-m", "tornado4", "--no-asyncio", "--no-streams", "--twisted", "--check=used"]
    assert options.again() == again
    assert _command.parse([*again[2:], "x"]).again() == again
    assert _command.parse(["--top=USR1", "x"]).again() == ["-m", "tornado4", "--top=USR1"]
    assert _command.parse(["--no-twisted", "--twisted", "x"]).without == set()
    assert _command.parse(["--twisted", "--no-twisted", "x"]).reactor is False


MADE = """
import asyncio
l = asyncio.new_event_loop(); print(type(l).__module__); l.close()
from tornado.ioloop import IOLoop
i = IOLoop(make_current=False); print(type(i).__module__); i.close()
import sys
print("twisted.internet.reactor" in sys.modules)
from twisted.internet import reactor
print(type(reactor).__module__)
"""
OURS = ["tornado4.platform.asyncio", "tornado4.ioloop", "False", "tornado4.platform.twisted"]


@pytest.mark.parametrize(
    ("option", "at", "made"),
    [
        ("--no-asyncio", 0, "asyncio.unix_events"),
        ("--no-tornado", 1, "tornado.platform.asyncio"),
        ("--no-twisted", 3, "twisted.internet.epollreactor"),
        ("--no-streams", 0, OURS[0]),
        ("--twisted", 2, "True"),
    ],
)
def test_what_each_option_does(option: str, at: int, made: str) -> None:
    wanted = [*OURS[:at], made, *OURS[at + 1 :]]
    assert run(option, "-c", MADE) == (0, "\n".join(wanted) + "\n", "")


def test_check_tells_what_has_run() -> None:
    code = """
import asyncio, selectors, tornado.web
from tornado.ioloop import IOLoop
from twisted.internet import reactor
async def main(): IOLoop.current()
asyncio.run(main())
asyncio.run(main())
stock = asyncio.SelectorEventLoop(selectors.DefaultSelector())
stock.run_until_complete(asyncio.sleep(0))
stock.close()
"""
    status, out, errors = run("--check", "-c", code)
    assert (status, out) == (0, "")
    lines = errors.splitlines()
    assert lines[0].startswith("tornado4: process ")
    assert lines[1:] == [
        "  event loop  asyncio.unix_events._UnixSelectorEventLoop (not tornado4's), in MainThread",
        "              tornado4.platform.asyncio.EventLoop, 2 of them in MainThread",
        "  IOLoop      tornado4.ioloop.IOLoop",
        "  reactor     tornado4.platform.twisted.TornadoReactor on "
        "tornado4.platform.asyncio.EventLoop, never started",
        *lines[-2:],
    ]
    assert lines[-2:] in (
        ["  streams     native", "  HTTP/1      native"],
        ["  streams     Tornado's own", "  HTTP/1      Tornado's own"],
    )


RUNS_OF_A_REACTOR = {
    "stopped": "reactor.callLater(0, reactor.stop); reactor.run()",
    "crashed": "reactor.callLater(0, reactor.crash); reactor.run()",
    "by the IOLoop": "from tornado.ioloop import IOLoop; loop = IOLoop.current()\n"
    "reactor.callLater(0, loop.stop); loop.start()",
    "by asyncio": "import tornado4, asyncio; tornado4.run(asyncio.sleep(0))",
}


@pytest.mark.parametrize("how", RUNS_OF_A_REACTOR)
def test_check_tells_of_a_reactor_that_ran(how: str) -> None:
    code = f"from twisted.internet import reactor\n{RUNS_OF_A_REACTOR[how]}"
    status, _, errors = run("--check", "-c", code)
    assert status == 0
    assert "  reactor     tornado4.platform.twisted.TornadoReactor on " in errors
    assert "never started" not in errors


def test_check_tells_of_a_program_that_chooses_another_loop() -> None:
    pytest.importorskip("uvloop", reason="uvloop isn't there to be chosen")
    code = "import uvloop, asyncio; uvloop.run(asyncio.sleep(0)); 1/0"
    status, _, errors = run("--check", "-c", code)
    assert status == 1
    assert "  event loop  uvloop.Loop (not tornado4's), in MainThread\n" in errors
    assert "  reactor     none\n" in errors


def test_nothing_of_ours_is_imported_from_where_one_stands(tmp_path: Path) -> None:
    for name in ("signal", "textwrap", "platform", "linecache", "multiprocessing"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')")
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "program.py").write_text("import sys; print(sys.path[0])")
    for arguments in ([], ["--top=USR1", "programs/program.py"], ["programs/program.py"]):
        command = [sys.executable, "-m", "tornado4", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        if arguments:
            assert done.stdout == f"{tmp_path / 'programs'}\n"
