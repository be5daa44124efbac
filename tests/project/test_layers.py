"""Dependencies point one way, in Rust and in Python."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tornado4 import _alias

ROOT = Path(__file__).parent.parent.parent
RUST = ROOT / "src"
PYTHON = ROOT / "python" / "tornado4"

# What each layer of the Rust sources may name of the crate beside itself, lowest first. A
# module belongs to the layer with the longest name that its path begins with.
CORE = {"core/interest", "core/sys", "core"}
LOOP = {*CORE, "py/support", "py/dispatch", "py/event_loop"}
FACE = {*LOOP, "py/transport"}
RUST_LAYERS = {
    "core/interest": set(),
    "core/sys": {"core/interest"},
    "core": CORE,
    "py/support": CORE,
    "py/event_loop": LOOP,
    "py/transport": FACE,
    "py/asyncio": FACE,
    "py/tornado": FACE,
    "py/twisted": FACE,
    # The enums that list the faces look upwards, so that nobody else has to.
    "py/dispatch": {*FACE, "py/asyncio", "py/tornado", "py/twisted"},
    # What Python finds in the native module.
    "py/module": {*FACE, "py/asyncio", "py/tornado", "py/twisted"},
    # The list of the modules.
    "py": set(),
}

# The Python modules, lowest first: each may import those before it only.
PYTHON_LAYERS = [
    "tornado4._alias",
    # Files that are never run.
    *(f"tornado4.{name}" for name in _alias.MODULES),
    "tornado4._imports",
    # They name frameworks and layers above by name, when those are there.
    "tornado4._switch",
    "tornado4._core",
    "tornado4._private_names",
    "tornado4._tls",
    "tornado4._streams",
    "tornado4.iostream",
    "tornado4._sources",
    "tornado4._sources_known",
    "tornado4._functions",
    "tornado4._http",
    "tornado4._websocket",
    "tornado4.http",
    "tornado4.platform._naming",
    "tornado4.platform._guest",
    "tornado4.platform._selector",
    "tornado4.platform._advice",
    "tornado4.platform._importers",
    "tornado4.platform._thread",
    "tornado4.platform._forgotten",
    "tornado4._metrics",
    "tornado4.platform._forking",
    "tornado4.platform._wakeup",
    "tornado4.platform._handling",
    "tornado4.platform._asyncio_signals",
    "tornado4.platform._asyncio_reports",
    "tornado4.platform._runner",
    "tornado4.platform._asyncio_transports",
    "tornado4.platform._asyncio_transports.stream",
    "tornado4.platform._asyncio_transports._borrowing",
    "tornado4.platform._asyncio_transports.datagram",
    "tornado4.platform._asyncio_transports.pipes",
    "tornado4.platform._asyncio_transports.making",
    "tornado4.platform.asyncio",
    "tornado4._current_io_loop",
    "tornado4._io_loop",
    "tornado4.platform.twisted._checks",
    "tornado4.platform.twisted._reports",
    "tornado4.platform.twisted._signals",
    "tornado4.platform.twisted._futures",
    "tornado4.platform.twisted._awaiting",
    "tornado4.platform.twisted._hosts",
    "tornado4.platform.twisted._attributes",
    "tornado4.platform.twisted._tcp",
    "tornado4.platform.twisted._unix",
    "tornado4.platform.twisted._udp",
    "tornado4.platform.twisted._unix_datagram",
    "tornado4.platform.twisted._transports",
    "tornado4.platform.twisted._types",
    "tornado4.platform.twisted._descriptors",
    "tornado4.platform.twisted._reactor",
    "tornado4.platform.twisted._dns_client",
    "tornado4.platform.twisted._names",
    "tornado4.platform.twisted._resolver",
    "tornado4.platform.twisted._install",
    "tornado4.platform.twisted._run_once",
    "tornado4.platform.twisted._reactor_loop",
    "tornado4.platform.twisted._io_loop",
    "tornado4.platform.twisted",
    # To import it is to ask for our loop, so nothing else of ours may.
    "tornado4.ioloop",
    "tornado4.demo",
    "tornado4._about",
    "tornado4._children",
    "tornado4._check",
    "tornado4._top",
    "tornado4._program",
    "tornado4._command",
    "tornado4.__main__",
]

# Imports that point upwards on purpose, each when a function is called: the
# package's front door names the layer that does the work, and the runner makes
# its loop there. The finder alone is loaded, and put in place, by `import tornado4`.
UPWARDS = {
    ("tornado4", "tornado4._alias"),
    ("tornado4", "tornado4._switch"),
    ("tornado4", "tornado4._metrics"),
    ("tornado4", "tornado4._tls"),
    ("tornado4", "tornado4.iostream"),
    ("tornado4", "tornado4.platform.asyncio"),
    ("tornado4.platform._runner", "tornado4"),
    # By type checkers alone.
    *(("tornado4", f"tornado4.{name}") for name in (*_alias.MODULES, "http", "ioloop", "platform")),
    *(("tornado4.platform", f"tornado4.platform.{name}") for name in ("asyncio", "twisted")),
}


def rust_module(path: Path) -> tuple[str, ...]:
    parts = path.relative_to(RUST).with_suffix("").parts
    return parts[:-1] if parts[-1] == "mod" else parts


def rust_layer(module: tuple[str, ...]) -> str:
    while module and "/".join(module) not in RUST_LAYERS:
        module = module[:-1]
    return "/".join(module)


def rust_named(source: str, module: tuple[str, ...]) -> set[tuple[str, ...]]:
    """The paths of this crate that a module's source names, from the crate on."""
    source = re.sub(r"//.*|\bpub\((?:in [\w:]+|crate)\)", "", source)
    group = re.compile(r"((?:\w+::)+)\{([^{}]*)\}")
    while match := group.search(source):
        names = [name.strip() for name in match[2].split(",")]
        flat = ", ".join(match[1] + name for name in names if name)
        source = source[: match.start()] + flat + source[match.end() :]
    named = set()
    for path in re.findall(r"(?<![\w:])(?:crate|super)(?:::\w+)*", source):
        first, *rest = path.split("::")
        where = () if first == "crate" else module[:-1]
        for name in rest:
            where = where[:-1] if name == "super" else (*where, name)
        named.add(where)
    return named


def rust_upwards(source: str, module: tuple[str, ...]) -> set[str]:
    """Those paths among them that a module of its layer must not name."""
    layer = rust_layer(module)
    lower = RUST_LAYERS[layer] | {layer}
    return {"::".join(to) for to in rust_named(source, module) if rust_layer(to) not in lower}


RUST_FILES = sorted(RUST.glob("*/**/*.rs"))


@pytest.mark.parametrize("path", RUST_FILES, ids=lambda path: str(path.relative_to(RUST)))
def test_rust_modules_name_lower_layers_only(path: Path) -> None:
    text, module = path.read_text(), rust_module(path)
    assert rust_upwards(text, module) == set()
    if module[0] != "py":
        assert "pyo3" not in re.sub(r"//.*", "", text)
    if rust_layer(module) == "py/dispatch":
        # Or it would hand on what others must not name.
        assert not re.search(r"\bpub(\([^)]*\))? use\b", text)


@pytest.mark.parametrize(
    ("module", "source", "upwards"),
    [
        ("py/event_loop/turn", "use crate::py::twisted::Reactor;", {"py::twisted::Reactor"}),
        ("py/event_loop/turn", "use super::super::twisted;", {"py::twisted"}),
        ("py/event_loop", "fn f() { super::twisted::g() }", {"py::twisted::g"}),
        ("py/event_loop/turn", "use super::clock; use crate::py::dispatch::call;", set()),
        ("py/event_loop/turn", "use crate::py::{support, transport::a};", {"py::transport::a"}),
        ("py/event_loop/turn", "use crate::py;", {"py"}),
        ("py/twisted/stream/mod", "use super::super::tornado::a;", {"py::tornado::a"}),
        ("py/twisted/stream/writing", "use super::super::Reactor;", set()),
        ("py/tornado/io_loop", "use crate::{core, py::{asyncio::{a}}};", {"py::asyncio::a"}),
        ("py/asyncio/handle", "use super::super::super::core::lock;", set()),
        ("py/support/context", "use crate::py::event_loop;", {"py::event_loop"}),
        ("core/poller", "use crate::py::support;", {"py::support"}),
        ("core/sys/epoll", "use super::super::{interest, poller};", {"core::poller"}),
    ],
)
def test_an_upwards_import_in_rust_is_found(module: str, source: str, upwards: set[str]) -> None:
    assert rust_upwards(source, rust_module(RUST / f"{module}.rs")) == upwards


def module_name(path: Path) -> str:
    name = ".".join(("tornado4", *path.relative_to(PYTHON).with_suffix("").parts))
    return name.removesuffix(".__init__")


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in full if (PYTHON.parent / f"{slashed(name)}.py").exists()}
            stubs = {name for name in full if (PYTHON.parent / f"{slashed(name)}.pyi").exists()}
            names |= modules | stubs or {node.module}
    return {name for name in names if name.split(".")[0] == "tornado4"}


def slashed(name: str) -> str:
    return name.replace(".", "/")


def height(name: str) -> int:
    if name.startswith("tornado4.demo."):
        name = "tornado4.demo"
    return PYTHON_LAYERS.index(name) if name in PYTHON_LAYERS else -1


@pytest.mark.parametrize("path", sorted(PYTHON.glob("**/*.py")), ids=module_name)
def test_python_modules_import_lower_layers_only(path: Path) -> None:
    module = module_name(path)
    for name in imported(path):
        if (module, name) in UPWARDS or module == name:
            continue
        if module.startswith("tornado4.demo") and name.startswith("tornado4.demo"):
            continue
        assert height(name) < height(module), f"{module} imports {name}"


def test_the_layers_are_those_of_the_tree() -> None:
    modules = {module_name(path) for path in PYTHON.glob("**/*.py")} | {"tornado4._core"}
    without_rank = {name for name in modules if height(name) < 0}
    assert without_rank == {"tornado4", "tornado4.platform"}
    assert {rust_layer(rust_module(path)) for path in RUST_FILES} == set(RUST_LAYERS)


def test_importing_tornado4_imports_no_framework() -> None:
    code = (
        "import sys, tornado4\n"
        "heavy = {'tornado', 'twisted', 'asyncio', 'tornado4._core'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_unsafe_code_is_in_marked_files_only() -> None:
    for path in RUST.glob("**/*.rs"):
        text = path.read_text()
        if re.search(r"\bunsafe\b\s*(\{|fn|impl)", text):
            assert "#![allow(unsafe_code)]" in text, path
            assert text.count("SAFETY:") >= len(re.findall(r"\bunsafe \{", text)), path
