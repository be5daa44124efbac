"""Measure the three faces beside their peers; see README.md.

    python benches/compare.py [--quick] [-k PART] [--json PATH]

No result makes this fail: a target that is missed is shown, and that is all.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from comparison.catalogue import WORK
from comparison.report import HEADING, as_json, header, row
from comparison.rounds import Result, children, measure
from comparison.work import PEERS, Work

SECONDS = 4.0
QUICK_SECONDS = 0.4


def main() -> None:
    """Measure what the command line asks for."""
    arguments = parse()
    chosen = [work for work in WORK.values() if arguments.k.lower() in work.title.lower()]
    if not chosen:
        sys.exit(f"no work has {arguments.k!r} in its name; --list shows them all")
    if arguments.list:
        print("\n".join(work.title for work in chosen))
        return
    seconds = QUICK_SECONDS if arguments.quick else arguments.seconds
    print(HEADING)
    results = [result for face in PEERS for result in measure_face(face, chosen, seconds)]
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(as_json(results), indent=2) + "\n")


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Measure tornado4 beside its peers.")
    parser.add_argument("--quick", action="store_true", help="take about 20 seconds in all")
    parser.add_argument("-k", metavar="PART", default="", help="only work with this in its name")
    parser.add_argument("--list", action="store_true", help="show the work, and do none")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the results there too")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help=f"for each piece of work; {SECONDS} if unset"
    )
    return parser.parse_args()


def measure_face(face: str, chosen: list[Work], seconds: float) -> list[Result]:
    """Measure the chosen work of one face, and print each row as it is known."""
    works = [work for work in chosen if work.face == face]
    if not works:
        return []
    print(header(face), flush=True)
    results = []
    with children(face) as hosts:
        for work in works:
            results.append(measure(work, hosts, seconds))
            print(row(results[-1]), flush=True)
    return results


if __name__ == "__main__":
    main()
