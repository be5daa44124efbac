"""Who has imported Twisted's global reactor, and so has installed Twisted's own."""

from __future__ import annotations

import ast
import contextlib
import linecache
import os
import sys
from collections.abc import Iterator

_REACTOR = "twisted.internet.reactor"

# How the line begins that has its name.
_BEGINNINGS = ("from twisted", "import twisted", "reactor")


def importers_of_reactor() -> list[tuple[str, int]]:
    """Return where it is imported: files and lines.

    By modules, in the order in which they were imported, but the main program last: what
    that imports first is most often what did it. If there are none, it was imported by a
    function; then these are the functions that may have been it, but Twisted's and ours.
    """
    main = _main()
    for in_functions in (False, True):
        found = [
            (file, line)
            for file, tree in _sources(in_functions)
            for line in _lines(tree, in_functions)[:1]
        ]
        if found:
            return sorted(found, key=lambda place: place[0] == main)
    return []


def told(importers: list[tuple[str, int]]) -> str:
    """Return who it was, for a message; empty if it isn't known."""
    places = [f"{file}, line {line}" for file, line in importers[:3]]
    more = len(importers) - len(places)
    return " and in ".join([*places, f"{more} more"] if more > 0 else places)


def _main() -> str | None:
    # At its end Python has taken the file's name from the module.
    return getattr(sys.modules.get("__main__"), "__file__", None) or os.path.abspath(sys.argv[0])


def _sources(in_functions: bool) -> Iterator[tuple[str, ast.Module]]:
    """Return the files that may import it, and what is in them."""
    modules = dict(sys.modules)
    for name, module in modules.items():
        file = _main() if name == "__main__" else getattr(module, "__file__", None)
        package = name.partition(".")[0]
        if in_functions:
            passes = package not in {"twisted", "tornado4", *sys.stdlib_module_names}
        else:
            # Such an import leaves one of these names.
            passes = not {"reactor", "twisted"}.isdisjoint(getattr(module, "__dict__", ()))
        if isinstance(file, str) and file.endswith(".py") and (passes or name == "__main__"):
            lines = linecache.getlines(file)
            if any("reactor" in line and line.lstrip().startswith(_BEGINNINGS) for line in lines):
                with contextlib.suppress(SyntaxError, ValueError):
                    yield file, ast.parse("".join(lines))


def _lines(tree: ast.Module, in_functions: bool) -> list[int]:
    """Return the lines of the imports in a module, in functions or outside of them."""
    lines: list[int] = []
    nodes: list[ast.AST] = list(tree.body)
    while nodes:
        node = nodes.pop(0)
        is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        if not is_function or in_functions:
            nodes[:0] = ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported = [f"{node.module}.{alias.name}" for alias in node.names]
            imported.append(str(node.module))
        else:
            continue
        if _REACTOR in imported:
            lines.append(node.lineno)
    return lines
