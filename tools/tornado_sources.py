"""Write python/tornado4/_sources_known.py: ``python tools/tornado_sources.py VERSION...``.

Each version of Tornado is fetched by pip. Before one is added, somebody has to read what has
changed in the functions below, and in what they call: the native code leaves them out.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
OUT = ROOT / "python" / "tornado4" / "_sources_known.py"

#: Run with each version's modules in front of the path.
LOOK = """
import json
from tornado4 import _http, _websocket
from tornado4._sources import digest_of
print(json.dumps({
    name: digest_of(module.find(name))
    for module in (_http, _websocket)
    for name in module.SOURCES
    if module.find(name) is not None
}))
"""

HEAD = '''"""Made by tools/tornado_sources.py of Tornado {first} to {last}."""

from __future__ import annotations

#: For each function what stands for its source in those versions.
KNOWN: dict[str, frozenset[str]] = {{
'''


def main(versions: list[str]) -> None:
    """Write the table."""
    known: defaultdict[str, set[str]] = defaultdict(set)
    for version in versions:
        with tempfile.TemporaryDirectory() as folder:
            pip = [
                sys.executable,
                "-m",
                "pip",
                "-q",
                "install",
                "--no-deps",
                "--no-compile",
                "-t",
                folder,
            ]
            subprocess.run([*pip, f"tornado=={version}"], check=True)
            look = f"import sys; sys.path.insert(0, {folder!r})\n{LOOK}"
            out = subprocess.run([sys.executable, "-c", look], check=True, stdout=subprocess.PIPE)
        for name, digest in json.loads(out.stdout).items():
            known[name].add(digest)
    text = HEAD.format(first=versions[0], last=versions[-1])
    for name in sorted(known):
        digests = ", ".join(f'"{digest}"' for digest in sorted(known[name]))
        comma = "," if len(known[name]) == 1 else ""
        text += f'    "{name}": frozenset(({digests}{comma})),\n'
    OUT.write_text(text + "}\n")
    subprocess.run([sys.executable, "-m", "ruff", "format", "-q", str(OUT)], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
