"""How Sphinx builds the documentation: `make docs`. Without a network, unless one is asked for.

With ``TORNADO4_DOCS_LINKS=1`` in the environment, and on readthedocs.org, names of Python,
Twisted and Tornado become links into their documentation, for which Sphinx fetches their
lists of names.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tornado4 import _metrics, _tls

ROOT = Path(__file__).parent.parent

project = "tornado4"
author = "the tornado4 authors"
copyright = "the tornado4 authors"
found = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
assert found
version = release = found[1]

extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"tornado4 {release}"
# Headings down to this depth have anchors, by which pages link to them.
myst_heading_anchors = 3

# The docstrings' single backticks are names of Python's.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"

# What is said of a class's attributes is looked for in the module that the class names, which
# is the public one.
for where, names in {_metrics: ("Measured", "Metrics"), _tls: ("TLSEngine",)}.items():
    for name in names:
        getattr(where, name).__module__ = where.__name__

# Names that are other projects': without their lists nothing can be said about them.
nitpick_ignore_regex = [
    (r"py:.*", r"(asyncio|concurrent|collections|contextvars|datetime|os|pathlib)\..*"),
    (r"py:.*", r"(signal|socket|ssl|sys|threading|typing|types)\..*"),
    (r"py:.*", r"(tornado|twisted|zope|uvloop|gen|events|futures)\..*"),
    # Built in.
    (r"py:.*", r"(True|False|None|int|float|str|bytes|bool|object|type|dict|list|tuple)"),
    (r"py:.*", r"(callable|isinstance)"),
    (r"py:.*", r"\w*(Error|Exception|Interrupt|Warning)"),
    # Twisted's and Tornado's, as their code calls them.
    (r"py:.*", r"I[A-Z]\w+(\.\w+)?"),
    (r"py:.*", r"(Deferred(\.\w+)?|DelayedCall|Configurable|Resolver|Reactor\w+|Any|Future)"),
    # For type checkers alone.
    (r"py:.*", r"DelayedCallOfOurs"),
    # Private: type variables, native and mixed-in base classes.
    (r"py:.*", r"(.*\.)?_\w+(\..*)?"),
]

if os.environ.get("TORNADO4_DOCS_LINKS") or os.environ.get("READTHEDOCS"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "tornado": ("https://www.tornadoweb.org/en/stable", None),
        "twisted": ("https://docs.twisted.org/en/stable", None),
    }
