"""Run Tornado's own test suite on our loop.

The suite's own runner, ``tornado.test.runtests``, stays in charge: it turns warnings
into errors and fails a run that logged anything or wrote to stderr.  Only what makes
IOLoops and asyncio loops is replaced, and what records the results.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import os
import sys
import unittest
from typing import Any

import _loops
from _results import JournalResult, Report, flatten
from _supervisor import Plan, Supervisor, parser, work

#: What ``IOLoop()`` makes.
IO_LOOPS = {
    "tornado4": "tornado4.ioloop.IOLoop",
    "twisted": "_twisted_loops.LayeredTwistedIOLoop",
    "twisted-on-epoll": "_twisted_loops.EpollTwistedIOLoop",
}

#: Cases that are left out for an IOLoop, each with the reason.
EXCLUDED = {
    "twisted-on-epoll": {
        "tornado.test.ioloop_test.TestIOLoop.test_explicit_asyncio_loop": (
            "the IOLoop's asyncio loop is the reactor's guest and cannot be given"
        ),
    },
}

#: The id under which a run that logged or wrote to stderr is reported, like Tornado's
#: does.
CLEAN_OUTPUT = "tornado.test.runtests: nothing logged, nothing written to stderr"

#: The name of every class that ``tornado.test.util.abstract_base_test`` made.
ABSTRACT = "abstract_base_test.<locals>.AbstractBaseWrapper"


class JournalRunner:
    """A unittest runner that records in a journal."""

    def __init__(self, result: JournalResult) -> None:
        self._result = result

    def run(self, suite: unittest.TestSuite) -> JournalResult:
        """Run the suite's cases."""
        suite.run(self._result)
        # What the last cases left behind shall complain while it is still listened to.
        gc.collect()
        return self._result


def run(cases: list[Any], result: JournalResult) -> None:
    """Run the cases as ``python -m tornado.test`` would."""
    runtests: Any = importlib.import_module("tornado.test.runtests")
    written: list[str] = []
    counters: list[Any] = []

    class LogCounter(runtests.LogCounter):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            counters.append(self)

    class CountingStderr(runtests.CountingStderr):
        def write(self, data: str) -> Any:
            written.append(data)
            return super().write(data)

    runtests.LogCounter = LogCounter
    runtests.CountingStderr = CountingStderr
    runtests.test_runner_factory = lambda stderr: JournalRunner(result)
    # unittest.main, several calls below, loads the name "all" from the main module.
    main_module: Any = sys.modules["__main__"]
    main_module.all = lambda: unittest.TestSuite(cases)
    sys.argv[1:] = []
    # Tornado's switch for slow machines. Set after its tests were loaded it skips none, but
    # makes the deadline of 0.1 seconds of `test_request_timeout` half a second.
    os.environ["EMULATION"] = "1"
    with contextlib.suppress(SystemExit):  # the journal says more than the code
        runtests.main()
    logged = {
        name: sum(getattr(counter, name) for counter in counters)
        for name in ("info_count", "warning_count", "error_count")
    }
    clean = not written and not any(logged.values())
    result.write(
        "extra",
        case={
            "id": CLEAN_OUTPUT,
            "outcome": "passed" if clean else "failed",
            "reason": "" if clean else f"{logged}\n{''.join(written)}",
        },
    )


def plan(loop: str) -> Plan:
    """Load Tornado's tests for an IOLoop."""
    import tornado
    from tornado.test import runtests

    versions = {
        "Tornado": tornado.version,
        "Python": ".".join(map(str, sys.version_info[:3])),
    }
    loaded = flatten(runtests.all())
    # The loader picks up base classes too, which then skip themselves as abstract;
    # Tornado's runner does not count these either.
    excluded = EXCLUDED.get(loop, {})
    cases = [
        case for case in loaded if type(case).__qualname__ != ABSTRACT and case.id() not in excluded
    ]
    return Plan(cases, versions, {ABSTRACT: "abstract base classes", **excluded})


def worker(args: argparse.Namespace) -> int:
    """Run the cases in this process."""
    created = _loops.created
    if args.streams == "native":
        from tornado4 import http, iostream

        iostream.install()
        http.install()
    if args.loop in IO_LOOPS:
        from tornado.ioloop import IOLoop

        _loops.install()
        IOLoop.configure(IO_LOOPS[args.loop])
        if args.loop != "tornado4":
            import _twisted_loops

            created = _twisted_loops.created
    return work(args, plan(args.loop), run, loops_created=created)


def main() -> int:
    """Run the suite as the command line says; return the exit code."""
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--loop", choices=(*IO_LOOPS, "stock"), default="tornado4")
    options.add_argument("--streams", choices=("stock", "native"), default="stock")
    args = options.parse_args()
    if args.journal:
        return worker(args)
    loop = "stock" if args.loop == "stock" else "tornado4"
    title = f"tornado.test, IOLoop {args.loop}, {args.streams} streams and HTTP/1,"
    supervisor = Supervisor(Report(title, loop), args)
    supervisor.run("tornado.test", [__file__, "--loop", args.loop, "--streams", args.streams])
    return supervisor.finish()


if __name__ == "__main__":
    sys.exit(main())
