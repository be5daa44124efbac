"""Tornado's own modules under our name: `tornado4.web` is `tornado.web`.

Every module of the installed Tornado that this package doesn't provide itself
can be imported with the name ``tornado4`` in front, as ``import tornado4.web``,
``from tornado4 import gen`` or, after ``import tornado4``, as an attribute. What
comes is the module of Tornado, the same object, which knows nothing of its other
name: its ``__name__``, ``__spec__`` and ``__loader__``, and with them pickling and
`importlib.reload`, are Tornado's. Nothing of Tornado is imported before it is asked
for. ``python -m tornado4.NAME`` runs what ``python -m tornado.NAME`` runs.

Type checkers and editors don't ask finders but look for files. For them each name in
`MODULES` has one, which isn't run, and refuses to be.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.abc import Loader
else:
    # Loading importlib.abc would double the time that `import tornado4` takes.
    Loader = object

__all__ = ["MODULES", "NAMES", "attribute", "install", "uninstall"]

_HERE = "tornado4"
_THERE = "tornado"
_VERSIONS = {"version", "version_info"}

MODULES = (
    "auth",
    "autoreload",
    "concurrent",
    "curl_httpclient",
    "escape",
    "gen",
    "http1connection",
    "httpclient",
    "httpserver",
    "httputil",
    "locale",
    "locks",
    "log",
    "netutil",
    "options",
    "platform.caresresolver",
    "process",
    "queues",
    "routing",
    "simple_httpclient",
    "speedups",
    "tcpclient",
    "tcpserver",
    "template",
    "testing",
    "util",
    "web",
    "websocket",
    "wsgi",
)
"""Tornado's modules that this package has files for, without the package's name."""

NAMES = (
    *(name for name in MODULES if "." not in name and name != "curl_httpclient"),
    "http",
    "ioloop",
    "iostream",
    "platform",
    "version",
    "version_info",
)
"""What `attribute` finds, for ``__dir__``. Who lists names also looks them up, so what needs
another package (pycurl) isn't among them."""


def install() -> None:
    """Let the import system find Tornado's modules under our name; idempotent."""
    if not any(map(_is_ours, sys.meta_path)):
        # In front: the modules of a package of Tornado, such as tornado4.test, would
        # else be found on that package's path, and run a second time.
        sys.meta_path.insert(0, _Finder())


def uninstall() -> None:
    """Undo `install`: our names for Tornado's modules can't be imported any more.

    Modules that somebody has hold of stay as they are; idempotent.
    """
    sys.meta_path[:] = [finder for finder in sys.meta_path if not _is_ours(finder)]
    for name in [name for name in sys.modules if name.startswith(f"{_HERE}.")]:
        if _is_alias(name):
            del sys.modules[name]


def attribute(name: str) -> Any:
    """Return what this package takes from Tornado: its ``__getattr__``.

    That is Tornado's `version` and `version_info`, or the module `name`, imported.
    Raises `AttributeError` if there is none, or if the name is a private one.
    """
    wanted = _THERE if name in _VERSIONS else f"{_HERE}.{name}"
    # Private names are what tools probe for: nothing is imported for those.
    if not name.startswith("_"):
        try:
            module = importlib.import_module(wanted)
        except ModuleNotFoundError as error:
            if error.name != wanted:
                raise
        else:
            return getattr(module, name) if name in _VERSIONS else module
    raise AttributeError(f"module {_HERE!r} has no attribute {name!r}")


class _Finder:
    """Finds Tornado's modules under our name, but for those that we have ourselves.

    All the other finders are asked for ours first, but not for the files of `MODULES`.
    Nothing is imported here: the import system holds its global lock, and an import that
    waits for another thread's would never end.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(f"{_HERE}."):
            return None
        has_file = fullname.removeprefix(f"{_HERE}.") in MODULES
        if not has_file and not _is_alias(fullname.rpartition(".")[0]):
            ours = _search(fullname, path, target)
            if ours is not None:
                return ours
        real = _find(_real_name(fullname))
        if real is None:
            return None
        spec = ModuleSpec(fullname, _Loader(real), origin=real.origin)
        spec.submodule_search_locations = real.submodule_search_locations
        return spec


class _Loader(Loader):
    """Puts the module of Tornado into `sys.modules` under our name.

    The import system writes its spec into the module that `create_module` returns.
    That is a stand-in therefore, and Tornado's own module is never touched.
    """

    def __init__(self, real: ModuleSpec) -> None:
        self._real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        # Here and not in exec_module: as long as this takes, other threads that
        # import the name wait, and don't find the stand-in.
        return _StandIn(spec.name, importlib.import_module(self._real.name))

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = vars(module)["_stands_for"]

    def get_code(self, _fullname: str) -> CodeType | None:
        """Return the code to run for ``python -m``."""
        get_code = getattr(self._real.loader, "get_code", None)
        code: CodeType | None = get_code(self._real.name) if get_code is not None else None
        return code


class _StandIn(ModuleType):
    """What `sys.modules` holds for the moment before Tornado's module is there.

    Another thread's import may catch it, and takes what it needs from it.
    """

    def __init__(self, name: str, stands_for: ModuleType) -> None:
        super().__init__(name)
        self._stands_for = stands_for

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stands_for, name)


def _is_ours(finder: object) -> bool:
    # By name: this module may have been imported afresh.
    return (type(finder).__module__, type(finder).__qualname__) == (__name__, "_Finder")


def _real_name(name: str) -> str:
    return _THERE + name.removeprefix(_HERE)


def _is_alias(name: str) -> bool:
    """Tell whether `name` was imported, and is a module of Tornado."""
    return getattr(sys.modules.get(name), "__name__", None) == _real_name(name)


def _find(name: str) -> ModuleSpec | None:
    """Return the spec of a module; its packages needn't be imported, nor are they."""
    loaded = sys.modules.get(name)
    spec: ModuleSpec | None = getattr(loaded, "__spec__", None)
    if spec is not None:
        return spec
    if loaded is not None:
        # Made by hand, by a test perhaps.
        return ModuleSpec(name, None, is_package=hasattr(loaded, "__path__"))
    package = name.rpartition(".")[0]
    if not package:
        return _search(name, None)
    path = getattr(sys.modules.get(package), "__path__", None)
    if path is None:
        found = _find(package)
        path = found.submodule_search_locations if found is not None else None
    return _search(name, path) if path is not None else None


def _search(
    name: str, path: Sequence[str] | None, target: ModuleType | None = None
) -> ModuleSpec | None:
    """Ask all finders but ours, as the import system does."""
    for finder in sys.meta_path:
        find_spec = getattr(finder, "find_spec", None)
        if find_spec is not None and not _is_ours(finder):
            spec: ModuleSpec | None = find_spec(name, path, target)
            if spec is not None:
                return spec
    return None
