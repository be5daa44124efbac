"""Private names of Python, Tornado, Twisted and pyOpenSSL: each that the sources use is in the
one list of them, and the installed versions have them."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import importlib.util
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.programs import output_of
from tornado4._private_names import USED, missing, warn_if_newer

ROOT = Path(__file__).parent.parent.parent
PRIVATE = re.compile(r"_[A-Za-z]\w*")
LISTED = {name for homes in USED.values() for names in homes.values() for name in names.split()}

# Names of our own that a framework uses as well, for something else that ours has nothing to
# do with. Whoever adds one has looked whether a base class of ours has it.
OURS = {
    *("_T", "_accept", "_close", "_done", "_fail", "_host", "_key", "_installed", "_log", "_owner"),
    *("_release", "_resolver", "_running", "_start", "_step", "_thread", "_timeout", "_tls"),
    *("_sentinel", "_wakeup", "_tornado4", "_children", "_finished", "_open"),
}
# Asked for by name, by code that does without. They are the interpreter's.
MAY_BE_ABSENT = {"_pthread_cleanup_push", "_Py_IsFinalizing", "_is_gil_enabled"}


def installed(project: str) -> tuple[int, ...]:
    if project == "Python":
        return sys.version_info[:2]
    try:
        version = importlib.metadata.version(project)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{project} isn't installed")
    return tuple(map(int, version.split(".")[:2]))


@pytest.mark.parametrize("project", USED)
def test_the_installed_version_has_them(project: str) -> None:
    version = installed(project)
    gone = missing(project, version)
    assert not gone, (
        f"{project} {version} no longer has: {', '.join(gone)}. See what stands in their place, "
        "mend what uses them here, and say in _private_names.USED until which version they are "
        "wanted, and what is wanted since."
    )


def test_every_name_that_is_used_is_listed() -> None:
    unknown = {
        name: sorted(files)
        for name, files in used().items()
        if name not in LISTED | MAY_BE_ABSENT
        and (name not in defined() or name in frameworks() - OURS)
    }
    assert not unknown, (
        "private names that neither _private_names.USED nor OURS above has. If a framework's "
        f"object is asked for them or a base class has them, list them in USED: {unknown}"
    )


def test_what_is_listed_is_used() -> None:
    assert LISTED - set(used()) == set()
    assert OURS - defined() == set()
    assert set() == LISTED & OURS
    assert MAY_BE_ABSENT - set(used()) == set()


def test_a_name_that_is_not_listed_is_found() -> None:
    text = (
        "from a import _b\nclass C(D):\n    _e = f._g\n    def _h(self): self._i = getattr(j, '_k')"
    )
    assert set(named(ast.parse(text))) == {"_b", "_e", "_g", "_h", "_i", "_k"}
    assert {"_sslobj", "_SSLContext", "_getframe", "_AggregateSmallWrites"} <= set(used())
    assert {"_fatal_error", "_sendmsgQueue"} <= frameworks()


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A framework's next version, which we know nothing of."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "newer_framework").mkdir()
    (tmp_path / "newer_framework" / "__init__.py").write_text("")
    home = "newer_framework.thing"
    monkeypatch.setitem(
        USED,
        "Twisted",
        {
            home: "_kept _function _gone",
            f"{home}:Thing": "_kept _elsewhere",
            f"{home}:Thing since 99.0": "_from_99",
            f"{home}:Thing until 26.9": "_until_26_9",
            f"{home}:NoClass": "_name",
            "newer_framework": "_module _no_module",
            "newer_framework.nowhere": "_name",
            "_ssl": "_SSLContext _no_class",
            "_ssl:_SSLContext": "_wrap_bio _no_method",
        },
    )
    (tmp_path / "newer_framework" / "_module.py").write_text("")
    (tmp_path / "newer_framework" / "thing.py").write_text(
        "_kept = 1\n"
        "def _function(): ...\n"
        "class Thing(\n"
        "    object,\n"
        "):\n"
        "    def f(self):\n"
        "        self._kept = 1\n"
        "class Other:\n"
        "    _elsewhere = 1\n"
    )
    return tmp_path


GONE = [
    *("newer_framework.thing._gone", "newer_framework.thing.Thing._elsewhere"),
    *("newer_framework.thing.NoClass._name", "newer_framework._no_module"),
    *("newer_framework.nowhere._name", "_ssl._no_class", "_ssl._SSLContext._no_method"),
]


def test_what_a_newer_version_no_longer_has_is_named(newer: Path) -> None:
    assert missing("Twisted", (98, 0)) == GONE
    with_since = [*GONE[:2], "newer_framework.thing.Thing._from_99", *GONE[2:]]
    assert missing("Twisted", (99, 0)) == with_since
    with_until = [*GONE[:2], "newer_framework.thing.Thing._until_26_9", *GONE[2:]]
    assert missing("Twisted", (26, 8)) == with_until


def test_an_application_is_told(newer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = r"Twisted 98\.2\.1 is newer than .* \(26\.10\), and no longer has .*Thing\._elsewhere"
    with pytest.warns(RuntimeWarning, match=message):
        warn_if_newer("Twisted", "98.2.1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Tested with; nothing is gone.
        warn_if_newer("Twisted", "26.10.3")
        monkeypatch.setitem(USED, "Twisted", {"newer_framework": "_module"})
        warn_if_newer("Twisted", "98.2rc1")


IMPORTS = {
    "Python": ("sys", "tornado4.platform.asyncio"),
    "Tornado": ("tornado", "tornado4.ioloop"),
    "Twisted": ("twisted", "tornado4.platform.twisted"),
}


@pytest.mark.parametrize("project", IMPORTS)
def test_importing_a_face_looks(project: str) -> None:
    module, face = IMPORTS[project]
    done = output_of(f"""
        import warnings
        import {module}
        from tornado4 import _private_names
        _private_names.NEWEST_TESTED["{project}"] = (0, 0)
        _private_names.USED["{project}"] = {{"sys": "_no_such_name"}}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            import {face}
        print([str(warning.message) for warning in caught])
    """)
    assert re.match(
        rf"\['{project} \d+\.\d+[\w.+]* is newer .* uses of it: sys\._no_such_name", done
    )


def sources(pattern: str) -> Iterator[tuple[str, str]]:
    for path in sorted(ROOT.glob(pattern)):
        if path.name != "_private_names.py":
            yield str(path.relative_to(ROOT)), path.read_text()


@functools.cache
def used() -> dict[str, set[str]]:
    """The private names in our sources, with the files: attributes, imports, strings."""
    found: dict[str, set[str]] = {}
    for pattern in ("python/**/*.py", "python/**/*.pyi"):
        for path, text in sources(pattern):
            for name in named(ast.parse(text)):
                found.setdefault(name, set()).add(path)
    for path, text in sources("src/**/*.rs"):
        for name in re.findall(r'"(?:\w+\.)*(_[A-Za-z]\w*)"', re.sub(r"//.*", "", text)):
            found.setdefault(name, set()).add(path)
    return found


def named(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Attribute):
            names = [node.attr]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [node.value]
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            whole = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            whole += [alias.name for alias in node.names]
            names = [part for name in whole for part in name.split(".")]
        elif isinstance(node, ast.ClassDef):
            names = [name for statement in node.body for name in bound(statement)]
        yield from filter(PRIVATE.fullmatch, names)


def bound(statement: ast.stmt) -> list[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    return []


@functools.cache
def defined() -> set[str]:
    """The private names that our own sources bind: to modules, definitions, attributes."""
    found = {"_core", "_private_names", "_tornado4"}
    for path, text in sources("python/**/*.py"):
        found |= set(Path(path).with_suffix("").parts)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found.add(node.attr)
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                found.add(getattr(node.slice, "value", ""))
            elif isinstance(node, ast.stmt):
                found |= set(bound(node))
    for _, text in sources("python/**/*.pyi"):
        found |= set(named(ast.parse(text)))
    for _, text in sources("src/**/*.rs"):
        found |= set(re.findall(r"\bfn (_\w+)", text))
        found |= set(re.findall(r'\b(?:name = "|getter\(|setter\()(_\w+)', text))
    return found | set(re.findall(r'"(_\w+)"', slots()))


def slots() -> str:
    texts = " ".join(text for _, text in sources("python/**/*.py"))
    return " ".join(re.findall(r"__slots__ = \(([^)]*)\)", texts))


@functools.cache
def frameworks() -> set[str]:
    """The private names in the sources of the modules that the list names."""
    modules = {home.split()[0].split(":")[0] for homes in USED.values() for home in homes}
    found: set[str] = set()
    for module in modules:
        try:
            spec = importlib.util.find_spec(module)
        except ImportError:
            continue
        if spec and (spec.origin or "").endswith(".py"):
            text = Path(spec.origin or "").read_text(encoding="utf-8")
            found |= set(re.findall(r"\b_[A-Za-z]\w*", text))
    return found
