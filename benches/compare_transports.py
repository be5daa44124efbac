"""Measure servers on ours and on its peers, under the same load; see README.md.

    python benches/compare_transports.py [--quick] [--rows NAME,NAME] [--json PATH]

What is slow doesn't make this fail; a server that doesn't work does.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from transports.asyncio_rows import ROWS as ASYNCIO_ROWS
from transports.peers import Programs
from transports.processes import cpus
from transports.report import HEADING, as_json, table
from transports.rounds import Result, measure_row
from transports.rows import Row
from transports.tls_rows import ROWS as TLS_ROWS
from transports.twisted_rows import ROWS as TWISTED_ROWS

ROWS = TWISTED_ROWS + ASYNCIO_ROWS + TLS_ROWS

SECONDS = 1.0
ROUNDS = 5
QUICK_SECONDS = 0.3
QUICK_ROUNDS = 3


def main() -> None:
    """Measure what the command line asks for."""
    arguments = parse()
    # So that what was begun is tidied up then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    rows = chosen(arguments.face, arguments.rows)
    if arguments.list:
        print("\n".join(f"{row.name:<26}{row.face}: {row.title}" for row in rows))
        return
    rounds = arguments.rounds or (QUICK_ROUNDS if arguments.quick else ROUNDS)
    seconds = arguments.seconds or (QUICK_SECONDS if arguments.quick else SECONDS)

    results: list[Result] = []
    with TemporaryDirectory() as folder:
        programs = Programs(Path(folder))
        print(HEADING, flush=True)
        if len(set(cpus())) == 1:
            print("There is one CPU only: a server shares it with its load.")
        for row in rows:
            if arguments.by_time:
                row = row.counted_by_time()
            results.append(measure_row(programs, row, rounds, seconds, progress))
            progress("")
            print(table(results[-1]), flush=True)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(as_json(results), indent=2) + "\n")
    if any(result.failed for result in results):
        sys.exit("a server or its load failed; see above")


def chosen(face: str | None, names: str | None) -> list[Row]:
    """Find the rows of a face, or those of so many names."""
    rows = [row for row in ROWS if face in (None, row.face)]
    if names is None:
        return rows
    wanted = names.split(",")
    unknown = set(wanted) - {row.name for row in rows}
    if unknown:
        sys.exit(f"no row is called {', '.join(sorted(unknown))}; --list shows them all")
    return [row for row in rows if row.name in wanted]


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Measure transports beside their peers.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument(
        "--face", choices=("asyncio", "twisted", "tornado"), help="the rows of this alone"
    )
    parser.add_argument("--rows", metavar="NAMES", help="only these, with commas between them")
    parser.add_argument(
        "--by-time",
        action="store_true",
        help="count operations for each second of the server's CPU time",
    )
    parser.add_argument("--list", action="store_true", help="show the rows, and measure none")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the results there too")
    parser.add_argument("--seconds", type=positive(float), help=f"of each; {SECONDS} if unset")
    parser.add_argument("--rounds", type=positive(int), help=f"at least 2; {ROUNDS} if unset")
    arguments = parser.parse_args()
    if arguments.rounds == 1:
        parser.error("one round has no quartiles")
    return arguments


def positive(number: type) -> type:
    """Make a type for numbers above 0."""

    def parsed(word: str) -> object:
        value = number(word)
        if not value > 0:
            raise ValueError
        return value

    parsed.__name__ = f"positive {number.__name__}"
    return parsed


def progress(text: str) -> None:
    """Show what is under way, to somebody who watches."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
