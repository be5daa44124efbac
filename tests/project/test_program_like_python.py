"""A program under ``python -m tornado4`` does and says what it does under ``python``."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SEEN = """
import sys
names = {k: repr(v) for k, v in sorted(globals().items()) if k[:2] == "__"}
for name in ("__builtins__", "__loader__", "__spec__"):
    names[name] = type(globals()[name]).__name__, getattr(globals()[name], "__name__", "")
print(names, getattr(__loader__, "path", None), __debug__)
print(sys.argv, sys.path, sys.flags, sys.warnoptions, sys._xoptions)
import __main__
print(vars(__main__) is globals(), sys.modules["__main__"] is __main__)
"""

FILES = {
    "seen.py": SEEN,
    "fails.py": "def f():\n    1/0\nf()\n",
    "fails_twice.py": "try:\n    1/0\nexcept Exception:\n    {}['a']\n",
    "syntax.py": "x = 1\ndef f(:\n",
    "indented.py": "x = 1\n  y = 2\n",
    "exits.py": "import sys\nsys.exit(eval(sys.argv[1]))\n",
    "at_exit.py": "import atexit\natexit.register(print, 'bye')\nx: int = 3\n"
    "print(__annotations__)\nraise KeyError('x')\n",
    "interrupted.py": "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\n"
    "time.sleep(20)\n",
    "terminated.py": "import os, signal, time\nos.kill(os.getpid(), signal.SIGTERM)\n"
    "time.sleep(20)\n",
    "hook.py": "import sys, traceback\ndef h(k, v, t):\n    print('hook', k, v)\n"
    "    traceback.print_tb(t)\n    traceback.print_exception(k, v, v.__traceback__)\n"
    "sys.excepthook = h\n1/0\n",
    "no_hook.py": "import sys\ndel sys.excepthook\n1/0\n",
    "bad_hook.py": "import sys\nsys.excepthook = lambda *a: 1/0\nraise KeyError\n",
    "caused.py": "raise ValueError('a\\nb') from TypeError('c')\n",
    "thread.py": "import threading\nt = threading.Thread(target=lambda: 1/0, name='T')\n"
    "t.start(); t.join()\n",
    "future.py": "x: undefined = 1\n" if sys.version_info < (3, 14) else "1/0\n",
    "warns.py": "import warnings\nwarnings.warn('w')\nprint(__debug__)\n",
    "unawaited.py": "async def f(): pass\nf()\n",
    "source.py": "import inspect\nclass A:\n    x = 1\nprint(inspect.getsource(A))\n",
    "pickled.py": "import pickle\nclass A: pass\n"
    "print(type(pickle.loads(pickle.dumps(A()))) is A, A.__module__)\n",
    "children.py": """
import multiprocessing, sys
class A:
    def __init__(self, x):
        self.x = x
def f(a):
    import asyncio
    return A((a.x * 2, __name__, sys.argv, sys.flags.dev_mode, sys.flags.optimize))
if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            print(method, [a.x for a in pool.map(f, [A(1), A(2)])])
            pool.close()
            pool.join()
""",
    "loops.py": """
import asyncio
from tornado.ioloop import IOLoop
async def main():
    IOLoop.current().add_callback(print, "Tornado")
    await asyncio.sleep(0.01)
    1/0
asyncio.run(main())
""",
    "reactor.py": """
from twisted.internet import reactor, task
def main(reactor):
    print("Twisted")
    return task.deferLater(reactor, 0.01, lambda: 1/0)
task.react(main)
""",
    "a_directory/__main__.py": SEEN + "1/0\n",
    "a_directory/module.py": SEEN + "1/0\n",
    "empty/nothing.txt": "",
    "package/__init__.py": "",
    "package/__main__.py": SEEN + "1/0\n",
    "broken/__init__.py": "1/0\n",
    "bytes.py": "# -*- coding: latin-1 -*-\nprint(ascii('\xe9'))\n",
}

PROGRAMS = [
    "seen.py a -b --check",
    "./seen.py",
    "links/seen.py",
    "seen.pyc x",
    "archive.zip x",
    "archive.data",
    "a_directory x",
    "./a_directory/",
    "empty",
    "no_such.py",
    "no_such_directory/x.py",
    "exits.py None",
    "exits.py 3",
    "exits.py 256",
    "exits.py 'text'",
    "exits.py (1,2)",
    "- a",
    "-m package a",
    "-mpackage -m x",
    "-m a_directory.module",
    "-m no_such_module",
    "-m package.no_such",
    "-m broken",
    "-m empty",
    "-m json.tool --help",
    "-m unittest -h",
]
PROGRAMS += [name for name in FILES if "/" not in name and name not in ("seen.py", "exits.py")]

CODE = [
    SEEN,
    "1/0",
    "def f():\n  raise ValueError\nf()",
    "  x=1",
    "  print(1)\n  print(2)",
    "x = (",
    "import sys; sys.exit(5)",
    "from package import __main__",
]

STDIN = "import sys\nprint(sys.argv, sys.path[0], __name__, sorted(globals()))\n1/0\n"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("programs")
    for name, text in FILES.items():
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text(text, "latin-1" if name == "bytes.py" else "utf-8")
    py_compile.compile(str(path / "seen.py"), str(path / "seen.pyc"))
    for name in ("archive.zip", "archive.data"):
        with zipfile.ZipFile(path / name, "w") as archive:
            archive.writestr("__main__.py", SEEN + "1/0\n")
            archive.comment = b"a comment"
    (path / "links").mkdir()
    (path / "links" / "seen.py").symlink_to("../seen.py")
    return path


def outcomes(directory: Path, flags: list[str], *arguments: str) -> list[tuple[int, str, str]]:
    found = []
    for runs in ([], ["-m", "tornado4"]):
        done = subprocess.run(
            [sys.executable, *flags, *runs, *arguments],
            cwd=directory,
            input=STDIN,
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        )
        found.append((done.returncode, done.stdout, done.stderr))
    return found


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs(program: str, directory: Path) -> None:
    plain, ours = outcomes(directory, [], *program.split())
    if program == "reactor.py":
        # The traceback shows the reactor's own lines.
        assert (ours[:2], "ZeroDivisionError" in ours[2]) == (plain[:2], True)
    elif program == "loops.py":
        assert (ours[:2], ours[2].splitlines()[-4:]) == (plain[:2], plain[2].splitlines()[-4:])
    else:
        assert ours == plain


@pytest.mark.parametrize("code", CODE)
def test_code(code: str, directory: Path) -> None:
    plain, ours = outcomes(directory, [], "-c", code, "-c", "x")
    assert ours == plain


FLAGS = [
    ["-O"],
    ["-X", "dev"],
    ["-I"],
    ["-E", "-s"],
    ["-W", "error"],
    ["-bb", "-u"],
    ["-X", "utf8"],
]
if sys.version_info >= (3, 11):
    FLAGS.append(["-P"])


@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
def test_the_interpreters_own_options(flags: list[str], directory: Path) -> None:
    for arguments in (["seen.py"], ["-c", SEEN], ["a_directory"], ["-m", "package"], ["warns.py"]):
        if "-m" in arguments and flags[0] in ("-I", "-P"):
            continue  # nothing is found in the directory then
        plain, ours = outcomes(directory, flags, *arguments)
        assert ours == plain


@pytest.mark.parametrize("flags", [["-X", "dev"], ["-O"]], ids=" ".join)
def test_children_have_them_too(flags: list[str], directory: Path) -> None:
    plain, ours = outcomes(directory, flags, "children.py", "x")
    assert ours == plain


def test_interactively_afterwards(directory: Path) -> None:
    flags = ["-i", "-q"]
    for arguments in (["-c", "x = 5; 1/0"], ["fails.py"], ["-m", "package"]):
        plain, ours = outcomes(directory, flags, *arguments)
        assert ours == plain


def test_a_program_from_a_pipe(directory: Path) -> None:
    os.mkfifo(directory / "pipe")
    found = []
    for runs in ([], ["-m", "tornado4"]):
        command = [sys.executable, *runs, "pipe", "x"]
        with subprocess.Popen(
            command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            (directory / "pipe").write_text(SEEN)
            found.append((*process.communicate(timeout=60), process.returncode))
    assert found[1] == found[0]


def test_children_of_multiprocessing_are_on_our_loop(directory: Path) -> None:
    (directory / "workers.py").write_text(
        """
import asyncio, multiprocessing
async def kind():
    return type(asyncio.get_running_loop()).__module__
def work(_):
    return asyncio.run(kind())
if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            print(*pool.map(work, [0]))
"""
    )
    plain, ours = outcomes(directory, [], "workers.py")
    assert plain == (0, "asyncio.unix_events\n" * 3, "")
    assert ours == (0, "tornado4.platform.asyncio\n" * 3, "")


def test_autoreload_goes_on_as_it_began(directory: Path) -> None:
    (directory / "reloads.py").write_text(
        """
import os, sys
import tornado.autoreload
from tornado.ioloop import IOLoop
print(sys.argv, type(IOLoop.current()).__module__, sys.flags.dev_mode, flush=True)
if "RELOADED" not in os.environ:
    os.environ["RELOADED"] = "1"
    tornado.autoreload._reload()
"""
    )
    for arguments, name in (
        (["reloads.py"], "reloads.py"),
        (["-m", "reloads"], str(directory / "reloads.py")),
        (["-m", "tornado.autoreload", "--until-success", "reloads.py"], "reloads.py"),
    ):
        ours = outcomes(directory, ["-X", "dev"], *arguments, "a b")[1]
        line = f"{[name, 'a b']} tornado4.ioloop True\n"
        assert ours[:2] == (0, line * 2)
