"""Dependencies point one way, in Rust and in Python."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
RUST = ROOT / "src"
PYTHON = ROOT / "python" / "tornado4"

# What each layer of the Rust sources may name of the crate, lowest first.
RUST_LAYERS = {
    "core/sys": {"core/sys", "core/interest"},
    "core": {"core", "core/sys"},
    "py": {"py", "core", "core/sys"},
}

# The Python modules, lowest first: each may import those before it only.
PYTHON_LAYERS = [
    "tornado4._alias",
    "tornado4._core",
    "tornado4.platform._guest",
    "tornado4.platform._selector",
    "tornado4.platform._thread",
    "tornado4.platform._forgotten",
    "tornado4.platform._wakeup",
    "tornado4.platform._handling",
    "tornado4.platform._runner",
    "tornado4.platform._asyncio_transports",
    "tornado4.platform._asyncio_transports.stream",
    "tornado4.platform._asyncio_transports.making",
    "tornado4.platform.asyncio",
    "tornado4._io_loop",
    "tornado4.platform.twisted._reports",
    "tornado4.platform.twisted._signals",
    "tornado4.platform.twisted._futures",
    "tornado4.platform.twisted._awaiting",
    "tornado4.platform.twisted._hosts",
    "tornado4.platform.twisted._tcp",
    "tornado4.platform.twisted._unix",
    "tornado4.platform.twisted._udp",
    "tornado4.platform.twisted._unix_datagram",
    "tornado4.platform.twisted._transports",
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
]

# Imports that point upwards on purpose, each when a function is called: the
# package's front door names the layer that does the work, and the runner makes
# its loop there. The finder alone is loaded, and put in place, by `import tornado4`.
UPWARDS = {
    ("tornado4", "tornado4._alias"),
    ("tornado4", "tornado4.platform.asyncio"),
    ("tornado4.platform._runner", "tornado4"),
}


def rust_layer(path: Path) -> str:
    parts = path.relative_to(RUST).parts
    return "core/sys" if parts[:2] == ("core", "sys") else parts[0]


@pytest.mark.parametrize("path", sorted(RUST.glob("*/**/*.rs")), ids=lambda p: p.name)
def test_rust_modules_name_lower_layers_only(path: Path) -> None:
    text = path.read_text()
    layer = rust_layer(path)
    named = set(re.findall(r"\bcrate::(core::sys|core|py)\b", text))
    assert {name.replace("::", "/") for name in named} <= RUST_LAYERS[layer]
    if layer == "core/sys":
        assert set(re.findall(r"\bsuper::super::(\w+)|super::interest", text)) <= {""}
    if layer != "py":
        assert "pyo3" not in re.sub(r"//.*", "", text)


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
    assert {rust_layer(path) for path in RUST.glob("*/**/*.rs")} == set(RUST_LAYERS)


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
