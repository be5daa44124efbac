"""What is in the wheel, and in the sdist, that make has built."""

from __future__ import annotations

import json
import os
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

import tornado4

ROOT = Path(__file__).parent.parent.parent
BUILT = os.environ.get("TORNADO4_DISTRIBUTION", "")
VERSION = tornado4.__version__
INFO = f"tornado4-{VERSION}.dist-info"


@pytest.fixture(scope="module")
def wheel() -> zipfile.ZipFile:
    if not BUILT.endswith(".whl"):
        pytest.skip("only make tells of a wheel")
    return zipfile.ZipFile(BUILT)


@pytest.fixture(scope="module")
def sdist() -> set[str]:
    if not BUILT.endswith(".tar.gz"):
        pytest.skip("only `make wheels` tells of an sdist")
    with tarfile.open(BUILT) as file:
        return set(file.getnames())


def sources() -> set[str]:
    """Return the files of the package."""
    package = ROOT / "python" / "tornado4"
    found = [path for path in package.rglob("*") if path.suffix in (".py", ".pyi", ".typed")]
    return {str(path.relative_to(package.parent)) for path in found}


def test_the_wheel_has_the_package_and_the_plugin_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if not name.startswith(INFO)}
    (native,) = [name for name in names if name.endswith(".so")]
    assert native.startswith("tornado4/_core.")
    assert names - {native} == sources() | {"twisted/plugins/tornado4_reactor.py"}


def test_the_wheel_says_what_is_in_it(wheel: zipfile.ZipFile) -> None:
    assert wheel.read(f"{INFO}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    (name,) = [name for name in wheel.namelist() if name.startswith(f"{INFO}/sboms/")]
    sbom = json.loads(wheel.read(name))
    assert sbom["bomFormat"] == "CycloneDX"
    parts = {part["name"]: part for part in sbom["components"]}
    assert {"libc", "mio", "pyo3"} <= set(parts)
    assert all(part["licenses"] for part in parts.values())
    # What only tests and benchmarks use isn't in it.
    assert not {"criterion", "rustls"} & set(parts)


def test_the_wheels_metadata(wheel: zipfile.ZipFile) -> None:
    metadata = message_from_string(wheel.read(f"{INFO}/METADATA").decode())
    assert (metadata["Name"], metadata["Version"]) == ("tornado4", VERSION)
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Author"] == "The tornado4 developers"
    assert metadata["Requires-Python"] == ">=3.10"
    urls = dict(url.split(", ") for url in metadata.get_all("Project-URL", []))
    assert set(urls) == {"Homepage", "Source", "Documentation", "Changelog", "Issues"}
    assert "tls" in metadata.get_all("Provides-Extra", [])
    required = [name for name in metadata.get_all("Requires-Dist", []) if "extra" not in name]
    assert sorted(required) == ["tornado>=6.4", "twisted>=23.10"]


def test_the_wheels_sdist_has_what_it_is_built_of(sdist: set[str]) -> None:
    top = f"tornado4-{VERSION}"
    rust = {str(path.relative_to(ROOT)) for path in (ROOT / "src").rglob("*.rs")}
    wanted = {"Cargo.toml", "Cargo.lock", "build.rs", "pyproject.toml", "LICENSE", "README.md"}
    wanted |= rust | {f"python/{name}" for name in sources()}
    wanted |= {"python/twisted/plugins/tornado4_reactor.py"}
    assert {f"{top}/{name}" for name in wanted} - sdist == set()
    assert not [name for name in sdist if name.endswith((".so", ".pyc"))]
