"""Being told when a module has been imported, without importing it.

The import system finds and loads every module as ever: its spec, its loader and the
module itself are what they would be. Only that loader's ``exec_module`` is followed for
the one time that it is called.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["forget", "when_imported", "when_packages_are_complete"]

# By the name of a module: called with it whenever it has been executed.
_modules: dict[str, list[Callable[[ModuleType], object]]] = {}
# The packages that are followed, and who is called when nothing of theirs is being
# imported any more.
_packages: set[str] = set()
_followers: list[Callable[[], object]] = []
# How many of their modules are being executed in a thread, one importing another.
_depth = threading.local()
# Held by the thread that calls those who follow packages; whether there is news for them.
_telling = threading.Lock()
_news = False
# The names that a thread is asking the other finders for.
_asked = threading.local()


def when_imported(name: str, then: Callable[[ModuleType], object]) -> None:
    """Call `then` with a module: now if it is there, and each time it is executed."""
    _modules.setdefault(name, []).append(then)
    _follow()
    if sys.modules.get(name) is not None:
        # Another thread may have begun before its loader was followed: this waits for it.
        then(importlib.import_module(name))


def when_packages_are_complete(names: set[str], then: Callable[[], object]) -> None:
    """Call `then` now, and each time an import of something of these packages has ended.

    That is when the outermost one has: modules that import each other are complete then,
    and may be imported by whoever is called.
    """
    _packages.update(names)
    _followers.append(then)
    _follow()
    if not getattr(_depth, "modules", 0):
        _tell_of_packages()


def _tell_of_packages() -> None:
    """Call those who follow packages, in one thread at a time.

    They import modules, which another thread may have begun to import, and might wait for
    those that this one holds. So nobody waits: whoever is at it does it once more.
    """
    global _news
    _news = True
    while _news and _telling.acquire(blocking=False):
        try:
            _news = False
            for then in list(_followers):
                then()
        finally:
            _telling.release()


def forget(then: Callable[..., object]) -> None:
    """Call `then` no more."""
    for name in list(_modules):
        _modules[name] = [other for other in _modules[name] if other != then]
        if not _modules[name]:
            del _modules[name]
    _followers[:] = [other for other in _followers if other != then]
    if not _followers:
        _packages.clear()
    if not (_modules or _packages):
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not _FINDER]


def _follow() -> None:
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


class _Finder:
    """Has all the other finders find a module, and follows its loader."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _modules and not _is_of_package(fullname):
            return None
        # One of the others may ask all finders in its turn, this one too.
        asked: set[str] = vars(_asked).setdefault("names", set())
        if fullname in asked:
            return None
        asked.add(fullname)
        try:
            for finder in list(sys.meta_path):
                find_spec = getattr(finder, "find_spec", None)
                if find_spec is not None and finder is not self:
                    spec: ModuleSpec | None = find_spec(fullname, path, target)
                    if spec is not None:
                        _follow_loader(spec.loader, fullname)
                        return spec
        finally:
            asked.discard(fullname)
        return None


_FINDER = _Finder()


def _is_of_package(name: str) -> bool:
    return name.partition(".")[0] in _packages


def _follow_loader(loader: Any, fullname: str) -> None:
    """Replace the loader's `exec_module` by one that takes itself away again."""
    original = getattr(loader, "exec_module", None)
    if original is None or isinstance(loader, type):
        # What is frozen or built in has a class for a loader, which all such modules share.
        return

    def exec_module(module: ModuleType) -> None:
        if module.__name__ != fullname:  # the loader of a zip archive has several
            original(module)
            return
        if vars(loader).get("exec_module") is exec_module:
            del loader.exec_module
        depth: int = getattr(_depth, "modules", 0)
        of_package = _is_of_package(fullname)
        _depth.modules = depth + of_package
        try:
            original(module)
        finally:
            _depth.modules = depth
        for then in list(_modules.get(fullname, ())):
            then(module)
        if of_package and not depth:
            _tell_of_packages()

    try:
        loader.exec_module = exec_module
    except AttributeError:
        # One of somebody's own, with slots: nobody is told of its modules.
        return
