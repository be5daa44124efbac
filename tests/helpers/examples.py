"""The programs in `examples/`, and how one that serves is run until somebody interrupts it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

from helpers.markdown import ROOT

EXAMPLES = ROOT / "examples"
FIRST = EXAMPLES / "first"
LIMIT = 30.0  # seconds. Only a hang takes this long.


def served_until_interrupted(
    python: str, code: str, path: Path, *, interrupts_itself: bool = False
) -> bytes:
    """Run a program that says where it serves; ask once, interrupt it, return the answer.

    It has to end as if nothing had happened.
    """
    # Another port than the reader's, who may be running it.
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    assert code.count("8000") == 2
    path.write_text(code.replace("8000", port))
    with subprocess.Popen(
        [python, "-u", path.name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=path.parent,
    ) as process:
        assert process.stdout
        try:
            said = process.stdout.readline()
            [url] = re.findall(r"http://[\w.:]+/", said)
            with urllib.request.urlopen(url, timeout=LIMIT) as answer:
                body: bytes = answer.read()
            if not interrupts_itself:
                process.send_signal(signal.SIGINT)
            rest, errors = process.communicate(timeout=LIMIT)
        finally:
            process.kill()
    assert port in said
    assert (process.returncode, rest, errors) == (0, "", "")
    return body
