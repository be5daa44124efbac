"""What the tests of README.md and of the documentation read in Markdown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
# Where the project is to be found, which links on PyPI need in full.
REPOSITORY = "https://github.com/tornado4/tornado4"
# And pictures.
RAW = "https://raw.githubusercontent.com/tornado4/tornado4/main/"
_BLOCK = re.compile(r"^(`{3,})([^\n`]*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!`)\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")
_TARGET = re.compile(r"^\(([\w-]+)\)=$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: what follows its backticks, and what is in it."""

    info: str
    text: str


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page, in their order."""
    return [Block(info.strip(), inner) for _, info, inner in _BLOCK.findall(text)]


def links(text: str) -> list[str]:
    """Return where the links of a page lead, pictures included."""
    return _LINK.findall(_BLOCK.sub("", text))


def anchors(text: str) -> set[str]:
    """Return the anchors of a page, as GitHub and MyST make them from its headings."""
    prose = _BLOCK.sub("", text)
    headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    made = {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }
    return made | set(_TARGET.findall(prose))


def leads_nowhere(page: Path, link: str) -> bool:
    """Tell whether a link of a page is one within the project, and to nothing."""
    for prefix in (f"{REPOSITORY}/blob/main/", f"{REPOSITORY}/tree/main/", RAW):
        if link.startswith(prefix):
            page, link = ROOT / "README.md", link.removeprefix(prefix)
    if re.match(r"\w+:", link):
        return False
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return True
    return bool(anchor) and anchor not in anchors(target.read_text())
