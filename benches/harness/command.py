"""The command line."""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import replace
from pathlib import Path

from .catalogue import FACES, GROUPS, Unknown, chosen, with_peers
from .context import Context, Options
from .environment import environment
from .measure import measure_rows
from .results import Results
from .rows import BYTES, CPU, WALL, Failed, Row
from .table import HEADING

ROUNDS, QUICK_ROUNDS = 6, 4
SECONDS, QUICK_SECONDS = 0.25, 0.15
PATIENCE = 30.0
PUBLISH_MINUTES = 13.0


def main() -> None:
    """Do what the command line asks for."""
    # A letter that a terminal doesn't have doesn't end it.
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    # So that what was begun is tidied up then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    words = sys.argv[1:]
    try:
        if words[:1] == ["plot"]:
            from .page import main as plot

            plot(words[1:])
        elif words[:1] == ["compare"]:
            from .changes import main as compare

            compare(words[1:])
        elif words[:1] == ["guard"]:
            from .guard import main as guard

            guard(words[1:])
        else:
            measure(parser().parse_args(words))
    except KeyboardInterrupt:
        sys.exit("interrupted")
    except (Failed, Unknown, ValueError, OSError) as problem:
        sys.exit(str(problem))


def parser() -> argparse.ArgumentParser:
    """Make what understands how a measurement is asked for."""
    made = argparse.ArgumentParser(
        prog="run.py",
        description="Measure tornado4 beside its peers.",
        epilog="Also: run.py plot, run.py compare OLD.json NEW.json, run.py guard BASE HEAD; "
        "each has its own --help.",
    )
    add_choice(made)
    made.add_argument("--quick", action="store_true", help="a few rows, in about two minutes")
    made.add_argument(
        "--peers",
        nargs="+",
        default=[],
        metavar="NAME",
        help="only these beside ours; MODULE:FUNCTION makes an asyncio loop of your own",
    )
    made.add_argument("--list", action="store_true", help="show the rows, and measure none")
    made.add_argument("--json", type=Path, metavar="FILE", help="write what came out there")
    made.add_argument(
        "--publish",
        action="store_true",
        help="write results/published.json, and make the documentation's page and pictures of it",
    )
    made.add_argument(
        "--minutes",
        type=positive(float),
        help="do fewer rounds where all would take longer than that; 13 with --publish",
    )
    by = made.add_mutually_exclusive_group()
    by.add_argument(
        "--by-time",
        dest="by",
        action="store_const",
        const=CPU,
        help="compare CPU time, where it is known, in all rows",
    )
    by.add_argument(
        "--by-rate",
        dest="by",
        action="store_const",
        const=WALL,
        help="compare how many are done in a second",
    )
    return made


def add_choice(made: argparse.ArgumentParser) -> None:
    """Add what all that measures understands."""
    made.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        help="only rows of this name, group or face; * stands for anything",
    )
    made.add_argument("--rounds", type=positive(int), help=f"of each row; {ROUNDS} if unset")
    made.add_argument(
        "--seconds", type=positive(float), help=f"that a server is loaded; {SECONDS} if unset"
    )
    made.add_argument(
        "--patience",
        type=positive(float),
        default=PATIENCE,
        metavar="SECONDS",
        help=f"that anybody may say nothing before it has failed; {PATIENCE:.0f} if unset",
    )


def measure(arguments: argparse.Namespace) -> None:
    """Measure what the command line asks for."""
    if arguments.publish and (arguments.only or arguments.peers or arguments.quick):
        sys.exit("what is published is all: --publish goes without --only, --peers and --quick")
    rows = chosen(arguments.only, arguments.quick)
    rows = [by(row, arguments.by) for row in with_peers(rows, arguments.peers)]
    if arguments.list:
        show(rows)
        return
    rounds = arguments.rounds or (QUICK_ROUNDS if arguments.quick else ROUNDS)
    seconds = arguments.seconds or (QUICK_SECONDS if arguments.quick else SECONDS)
    minutes = arguments.minutes or (PUBLISH_MINUTES if arguments.publish else None)
    options = Options(seconds, arguments.patience)
    how = {"rounds": rounds, "seconds": seconds}
    results = Results(environment(), how)
    print(HEADING, flush=True)
    with Context(options) as context:
        try:
            measure_rows(context, rows, rounds, results, minutes and 60 * minutes)
        finally:
            # What is known by then is kept, however that ended.
            if arguments.json is not None and results.rows:
                results.save(arguments.json)
    if arguments.publish:
        from .page import publish

        publish(results)
    if broken := [it.name for it in results if it.ours in it.failed]:
        sys.exit(f"ours failed in {', '.join(broken)}; see above")


def by(row: Row, what: str | None) -> Row:
    """Have the row compare something else, if that is asked for."""
    return row if what is None or row.by == BYTES else replace(row, by=what)


def show(rows: list[Row]) -> None:
    """List them."""
    for row in rows:
        peers = " ".join(peer.replace(", ", ",") for peer in row.peers)
        print(f"{row.name:<50} {row.group:<13} {row.title} [{peers}]")
    print(f"\ngroups: {' '.join(GROUPS)}\nfaces: {' '.join(FACES)}")


def positive(number: type) -> type:
    """Make a type for numbers above 0."""

    def parsed(word: str) -> object:
        value = number(word)
        if not value > 0:
            raise ValueError
        return value

    parsed.__name__ = f"positive {number.__name__}"
    return parsed  # type: ignore[return-value]
