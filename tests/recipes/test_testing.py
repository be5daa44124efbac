"""The recipes for tests: pytest alone, pytest-asyncio, pytest-twisted."""

import re
import shutil

import pytest

from helpers.recipes import PLACE, needs, running

needs("pytest_asyncio", "pytest_twisted")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    ("name", "passed"), [("fixture", 6), ("with_asyncio", 4), ("with_twisted", 4)]
)
def test_recipe(name, passed, tmp_path):
    # Away from this project's own settings.
    shutil.copytree(PLACE / "testing" / name, tmp_path / "testing" / name)
    text = (tmp_path / "testing" / name / "conftest.py").read_text()
    [options] = re.findall(rf"^    pytest (.*)testing/{name}$", text, re.MULTILINE)
    command = ["-m", "pytest", *options.split(), f"testing/{name}"]
    # Beside it, not to be used.
    command += [] if options else ["-p", "no:twisted", "-p", "no:asyncio"]
    with running(*command, cwd=tmp_path) as program:
        output = program.ends()
    assert re.search(rf"= {passed} passed in ", output), output
