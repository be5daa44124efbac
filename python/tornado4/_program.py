"""Running a program as Python itself does: as the module ``__main__``.

What a program can see of it is what it sees when the interpreter runs it: `sys.argv`,
`sys.path`, its module's attributes, its uncaught exceptions and its exit status. Only a
look at the stack below its first line shows more than that.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import os
import pkgutil
import runpy
import sys
from collections.abc import Callable
from importlib import machinery
from types import CodeType, ModuleType, TracebackType
from typing import Any

__all__ = ["Program"]


class Program:
    """A program to be run, with what it finds behind its own name in `sys.argv`.

    ``place`` is the directory that the interpreter has first on the path for ``-m``; None
    if it is to have none. With ``reactor``, Twisted's global reactor is made before the
    program's first line, when its directories are on the path.
    """

    def __init__(self, arguments: list[str], place: str | None, reactor: bool) -> None:
        self._arguments = arguments
        self._place = place
        self._reactor = reactor

    def run_file(self, path: str) -> None:
        """Run a script, a compiled one, standard input (``-``), a directory or an archive."""
        sys.argv[:] = [path, *self._arguments]
        if path == "-":
            read = sys.stdin.buffer.read
            self._run_script("<stdin>", lambda: _compiled(read(), "<stdin>"), "")
            return
        # As the interpreter does it: joined, and not normalized.
        full = path
        with contextlib.suppress(OSError):  # there may be no such directory any more
            full = os.path.join(os.getcwd(), path)
        if pkgutil.get_importer(path) is not None:
            # A directory or an archive: as if its module __main__ were imported. Its
            # place is on the path in any case.
            sys.path.insert(0, full)
            self._run_named("__main__", alter_argv=False)
            return
        try:
            # Also when the file is a pipe, it is read once.
            with open(full, "rb") as file:
                source = file.read()
        except OSError as error:
            print(
                f"{sys.executable}: can't open file {full!r}: "
                f"[Errno {error.errno}] {os.strerror(error.errno or 0)}",
                file=sys.stderr,
            )
            sys.exit(2)
        self._run_script(
            full, lambda: _compiled(source, full), os.path.dirname(os.path.realpath(full))
        )

    def run_module(self, name: str) -> None:
        """Run a module or package as ``python -m`` does."""
        sys.argv[:] = ["-m", *self._arguments]
        self._set_first_path(self._place)
        self._run_named(name, alter_argv=True)

    def run_code(self, code: str) -> None:
        """Run a program that is given as text, as ``python -c`` does."""
        sys.argv[:] = ["-c", *self._arguments]
        if sys.version_info >= (3, 14):
            code = importlib.import_module("textwrap").dedent(code)
        if sys.version_info >= (3, 13):
            # Python shows these lines in tracebacks.
            cache = importlib.import_module("linecache").cache
            cache["<string>"] = (len(code), None, code.splitlines(keepends=True), "<string>")
        self._run(lambda: _compiled(code, "<string>"), _main_module(), "")

    def _set_first_path(self, path: str | None) -> None:
        if self._place is not None and path is not None:
            sys.path.insert(0, path)

    def _prepare(self) -> None:
        if self._reactor:
            importlib.import_module("twisted.internet.reactor")

    def _run_script(self, name: str, code: Callable[[], Any], path: str) -> None:
        module = _main_module()
        module.__file__ = name
        module.__cached__ = None  # type: ignore[attr-defined]
        if name.endswith(".pyc"):
            compiled = machinery.SourcelessFileLoader("__main__", name)
            module.__loader__, code = compiled, lambda: compiled.get_code("__main__")
        else:
            module.__loader__ = machinery.SourceFileLoader("__main__", name)
        try:
            self._run(code, module, path)
        finally:
            # The interpreter does so too: what runs later, at exit or in the interactive
            # mode, doesn't find them.
            vars(module).pop("__file__", None)
            vars(module).pop("__cached__", None)

    def _run(self, code: Callable[[], Any], module: ModuleType, path: str) -> None:
        self._set_first_path(path)
        try:
            compiled = code()
        except Exception as error:
            _show_without(error, None)
            raise
        self._prepare()
        try:
            exec(compiled, vars(module))
        except BaseException as error:
            _show_without(error, error.__traceback__.tb_next if error.__traceback__ else None)
            raise

    def _run_named(self, name: str, alter_argv: bool) -> None:
        _main_module()
        self._prepare()
        run: Any = runpy._run_module_as_main  # type: ignore[attr-defined]
        try:
            run(name, alter_argv)
        except BaseException as error:
            _show_without(error, error.__traceback__.tb_next if error.__traceback__ else None)
            raise


def _compiled(source: str | bytes, name: str) -> CodeType:
    # Without what this module imports from __future__.
    code: CodeType = compile(source, name, "exec", dont_inherit=True)
    return code


def _main_module() -> ModuleType:
    """Return a new module ``__main__``, in its place, with what the interpreter gives it."""
    module = ModuleType("__main__")
    vars(module)["__builtins__"] = builtins
    module.__loader__ = machinery.BuiltinImporter
    if sys.version_info < (3, 14):
        module.__annotations__ = {}
    sys.modules["__main__"] = module
    return module


def _show_without(error: BaseException, shown: TracebackType | None) -> None:
    """Have the interpreter show an uncaught exception without our own lines.

    It goes up to the interpreter all the same, which knows what becomes of the process. By
    then the program has had its last word on the hook.
    """
    if isinstance(error, SystemExit):
        return
    hook = getattr(sys, "excepthook", None)

    def show(kind: type[BaseException], value: BaseException, trace: Any) -> None:
        if hook is None:
            del sys.excepthook
            print("sys.excepthook is missing", file=sys.stderr)
        else:
            sys.excepthook = hook
        if value is error:
            error.__traceback__ = trace = sys.last_traceback = shown
        try:
            (hook or sys.__excepthook__)(kind, value, trace)
        except SystemExit:
            raise
        except BaseException as other:
            # As the interpreter says it, but for this function's own line.
            print("Error in sys.excepthook:", file=sys.stderr)
            other.__traceback__ = other.__traceback__ and other.__traceback__.tb_next
            sys.__excepthook__(type(other), other, other.__traceback__)
            print("\nOriginal exception was:", file=sys.stderr)
            sys.__excepthook__(kind, value, trace)

    sys.excepthook = show
