"""Running a program as Python itself does: as the module ``__main__``.

What a program can see of it is what it sees when the interpreter runs it: `sys.argv`,
`sys.path`, its module's attributes, its uncaught exceptions and its exit status. Only a
look at the stack below its first line shows more than that.
"""

from __future__ import annotations

import builtins
import importlib
import os
import pkgutil
import runpy
import sys
from collections.abc import Callable
from importlib import machinery
from types import CodeType, ModuleType, TracebackType
from typing import Any

__all__ = ["run_code", "run_file", "run_module"]

# Called when the program's paths are in place, before its first line.
Before = Callable[[], object] | None


def run_file(path: str, arguments: list[str], before: Before = None) -> None:
    """Run a script, a compiled one, standard input (``-``), or a directory or zip archive."""
    sys.argv[:] = [path, *arguments]
    # As the interpreter does it: joined, and not normalized.
    full = os.path.join(os.getcwd(), path)
    if path == "-":
        read = sys.stdin.buffer.read
        _run_script("<stdin>", lambda: _compiled(read(), "<stdin>"), "", before)
    elif pkgutil.get_importer(path) is not None:
        # A directory or an archive: as if its module __main__ were imported.
        _set_first_path(full, always=True)
        _run_named("__main__", before, alter_argv=False)
    else:
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
        _run_script(
            full,
            lambda: _compiled(source, full),
            os.path.dirname(os.path.realpath(full)),
            before,
        )


def run_module(name: str, arguments: list[str], before: Before = None) -> None:
    """Run a module or package as ``python -m`` does."""
    sys.argv[:] = ["-m", *arguments]
    _run_named(name, before, alter_argv=True)


def run_code(code: str, arguments: list[str], before: Before = None) -> None:
    """Run a program that is given as text, as ``python -c`` does."""
    sys.argv[:] = ["-c", *arguments]
    if sys.version_info >= (3, 14):
        code = importlib.import_module("textwrap").dedent(code)
    if sys.version_info >= (3, 13):
        # Python shows these lines in tracebacks.
        cache = importlib.import_module("linecache").cache
        cache["<string>"] = (len(code), None, code.splitlines(keepends=True), "<string>")
    _run(lambda: _compiled(code, "<string>"), _main_module(), "", before)


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


def _set_first_path(path: str, always: bool = False) -> None:
    """Put a program's place first on the path, where the interpreter had put this one's."""
    safe = bool(getattr(sys.flags, "safe_path", False) or sys.flags.isolated)
    if not safe:
        sys.path[0] = path
    elif always:
        sys.path.insert(0, path)


def _run_script(name: str, code: Callable[[], Any], path: str, before: Before) -> None:
    module = _main_module()
    module.__file__ = name
    module.__cached__ = None  # type: ignore[attr-defined]
    if name.endswith(".pyc"):
        compiled = machinery.SourcelessFileLoader("__main__", name)
        module.__loader__, code = compiled, lambda: compiled.get_code("__main__")
    else:
        module.__loader__ = machinery.SourceFileLoader("__main__", name)
    try:
        _run(code, module, path, before)
    finally:
        # The interpreter does so too: what runs later, at exit or in the interactive
        # mode, doesn't find them.
        vars(module).pop("__file__", None)
        vars(module).pop("__cached__", None)


def _run(code: Callable[[], Any], module: ModuleType, path: str, before: Before) -> None:
    _set_first_path(path)
    try:
        compiled = code()
    except Exception as error:
        _show_without(error, None)
        raise
    if before is not None:
        before()
    try:
        exec(compiled, vars(module))
    except BaseException as error:
        _show_without(error, error.__traceback__.tb_next if error.__traceback__ else None)
        raise


def _run_named(name: str, before: Before, alter_argv: bool) -> None:
    _main_module()
    if before is not None:
        before()
    run: Any = runpy._run_module_as_main  # type: ignore[attr-defined]
    try:
        run(name, alter_argv)
    except BaseException as error:
        _show_without(error, error.__traceback__.tb_next if error.__traceback__ else None)
        raise


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
