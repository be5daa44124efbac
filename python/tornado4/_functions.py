"""Functions of Tornado's that are replaced by native ones, and what those leave out.

A function is named by its module in Tornado and where it is there: ``httputil:HTTPHeaders.add``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from tornado4._sources import digest_of
from tornado4._sources_known import KNOWN

__all__ = ["Functions", "Owned"]

#: A class or a module's names, and of some of them what each may be; nothing: there may be none.
Owned = tuple[Any, dict[str, tuple[Any, ...]]]

_installing = threading.Lock()


class Functions:
    """Some functions of Tornado's, each under the name of the native step that it is done by.

    ``left_out`` has for each step the names of what it leaves out: functions, and others that a
    module or a class has. A version needn't have each of them. ``no_code`` says what of that
    has to be a certain object; ``as_it_is`` is what of it may be anything; ``of_base`` is what
    a class has of its base, and only there.
    """

    def __init__(
        self,
        modules: Iterable[ModuleType],
        functions: dict[str, str],
        left_out: dict[str, tuple[str, ...]],
        no_code: dict[str, Any],
        as_it_is: Iterable[str] = (),
        of_base: dict[str, Any] | None = None,
    ) -> None:
        self.of_base = of_base or {}
        self.modules = {module.__name__.partition(".")[2]: module for module in modules}
        self.functions = functions
        self.left_out = left_out
        names = {*functions.values(), *(name for names in left_out.values() for name in names)}
        #: What has to be known, to the letter.
        self.sources = tuple(sorted(names - {*as_it_is, *no_code}))
        #: All of it, as it is in Tornado.
        self.stock = {name: found for name in names if (found := self.present(name)) is not None}
        #: What is to be known, and isn't.
        self.unknown = frozenset(
            name
            for name in (*self.sources, *no_code)
            if (
                # Some versions haven't everything; but what is done natively has to be there.
                name in functions.values()
                if name not in self.stock
                else self.stock[name] is not no_code[name]
                if name in no_code
                else digest_of(self.stock[name]) not in KNOWN.get(name, ())
            )
        )
        self.native: dict[str, Any] = {}

    def find(self, name: str) -> Any:
        """Return what has such a name in Tornado, as its class has it; None if nothing has."""
        module, _, path = name.partition(":")
        found: Any = self.modules[module]
        for part in path.split("."):
            found = getattr(found, "__dict__", {}).get(part)
        return found

    def present(self, name: str) -> Any:
        """Return what has such a name in Tornado, if only by a class's base."""
        found = self.find(name)
        return self.of_base.get(name) if found is None else found

    def originals(self, step: str, others: Iterable[tuple[Any, str, tuple[Any, ...]]]) -> Any:
        """Return what has to be Tornado's own, as the native code wants it, and what others."""
        if not self.unknown.isdisjoint((self.functions[step], *self.left_out[step])):
            # Nothing is this.
            return [({}, {"": (None,)})]
        found: dict[int, Owned] = {}

        def add(owner: Any, name: str, *values: Any) -> None:
            where = vars(owner) if isinstance(owner, ModuleType) else owner
            found.setdefault(id(owner), (where, {}))[1][name] = values

        for name in self.left_out[step]:
            if name not in self.stock:
                continue
            module, _, path = name.partition(":")
            owner: Any = self.modules[module]
            class_, _, last = path.rpartition(".")
            if class_:
                add(owner, class_, vars(owner)[class_])
                owner = vars(owner)[class_]
            add(owner, last, self.stock[name])
        for owner, name, values in others:
            add(owner, name, *values)
        return list(found.values())

    def make(self, make: Callable[[str, Any], Any]) -> None:
        """Make what stands in for Tornado's functions, each of its step and Tornado's own."""
        self.native = {
            step: make(step, self.stock[name])
            for step, name in self.functions.items()
            if name not in self.unknown
        }

    def install(self) -> None:
        """Put the native ones in the place of Tornado's."""
        with _installing:
            for step, native in self.native.items():
                name = self.functions[step]
                self._replace(name, self.stock[name], native)

    def uninstall(self) -> None:
        """Put Tornado's functions back."""
        with _installing:
            for step, native in self.native.items():
                name = self.functions[step]
                self._replace(name, native, self.stock[name])

    def _replace(self, name: str, old: Any, new: Any) -> None:
        """Put another one in the place of a function, if it has that place."""
        if self.present(name) is not old:
            return
        module, _, path = name.partition(":")
        class_, _, last = path.rpartition(".")
        owner: Any = self.modules[module]
        owner = getattr(owner, class_) if class_ else owner
        if new is self.of_base.get(name):
            delattr(owner, last)
        else:
            setattr(owner, last, new)

    def reasons(self, does: Callable[[str], bool]) -> dict[str, str]:
        """Return the functions that are Tornado's own at the moment, each with the reason."""
        reasons = {}
        for step, name in self.functions.items():
            unknown = sorted(self.unknown.intersection((name, *self.left_out[step])))
            if unknown:
                why = f"the source of {_spoken(unknown[0])} isn't one that is known"
            elif self.present(name) is not self.native[step]:
                own = self.present(name) is self.stock[name]
                why = "it isn't installed" if own else "it was replaced"
            elif not does(step):
                why = "something that it calls was replaced"
            else:
                continue
            reasons[_spoken(name)] = why
        return reasons


def _spoken(name: str) -> str:
    return f"tornado.{name.replace(':', '.')}"
