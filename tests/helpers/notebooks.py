"""Notebooks of the recipes, executed cell by cell in a real kernel of its own."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from helpers.recipes import PLACE


def cells_of(name: str) -> list[str]:
    """The cells of a recipe in the percent format, without the text above the first one."""
    return re.split(r"^# %%\n", (PLACE / name).read_text(), flags=re.MULTILINE)[1:]


def kernel_on_our_loop() -> list[str]:
    """The command of a kernel on our loop, as the recipe for Jupyter has it."""
    ipykernel = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
    return [sys.executable, "-m", "tornado4", *ipykernel]


def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's settings, kernels or runtime files, but those below a directory."""
    for name in ("CONFIG", "RUNTIME", "DATA"):
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(tmp_path / name.lower()))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    shared = Path(sys.prefix, "share", "jupyter")
    monkeypatch.setenv("JUPYTER_PATH", os.pathsep.join([str(tmp_path / "jupyter"), str(shared)]))


def texts(cell: dict[str, object]) -> list[str]:
    """What a cell printed and what its value is, without warnings."""
    shown = [output for output in cell.outputs if output.get("name") != "stderr"]
    return [output.get("text") or output["data"]["text/plain"] for output in shown]


def execute_cells(
    cells: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kernel: list[str] | None = None,
) -> list[list[str]]:
    """Run cells in a kernel, by its command or this interpreter's; return what each shows."""
    import nbclient
    import nbformat

    isolated(tmp_path, monkeypatch)
    name = "python3"
    if kernel is not None:
        name = "ours"
        place = tmp_path / "jupyter" / "kernels" / name
        place.mkdir(parents=True)
        spec = {"argv": kernel, "display_name": name, "language": "python"}
        (place / "kernel.json").write_text(json.dumps(spec))
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in cells]
    )
    client = nbclient.NotebookClient(notebook, timeout=60, startup_timeout=60, kernel_name=name)
    client.execute()
    return [texts(cell) for cell in notebook.cells]
