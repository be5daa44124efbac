"""`tornado4.run` where it can't be: asyncio's own words, and nothing else is said or
broken. Each program must end with nothing on its standard error."""

from __future__ import annotations

import pytest

from helpers.programs import output_of

REFUSED = "RuntimeError: tornado4.run() cannot be called from a running event loop"

REFUSALS = """
import asyncio, tornado4
import tornado4.platform.asyncio, tornado4.platform.twisted
{before}

async def work():
    print("worked")

def attempt(function, *args):
    try:
        return function(*args)
    except Exception as error:
        print(f"{{type(error).__name__}}: {{error}}")

async def main():
    attempt(tornado4.run, work())
    attempt(tornado4.platform.asyncio.run, work())
    attempt(tornado4.run, work)
    attempt(tornado4.run, 3)
    await asyncio.sleep(0.01)
    await asyncio.create_task(work())
    return asyncio.get_running_loop().is_running()

print({start})
"""
INSTALLED = "reactor = tornado4.platform.twisted.install()"


@pytest.mark.parametrize(
    ("before", "start", "told"),
    [
        ("", "asyncio.run(main())", ["True"]),
        ("", "tornado4.run(main())", ["True"]),
        ("", "tornado4.ioloop.IOLoop(make_current=False).run_sync(main)", ["True"]),
        ("", "tornado4.platform.twisted.run_once(lambda reactor: main())", ["True"]),
        (INSTALLED, "tornado4.run(main())", ["True"]),
        # The reactor's loop isn't the one that runs, and survives.
        (INSTALLED, "asyncio.run(main()), tornado4.run(work())", ["worked", "True None"]),
    ],
    ids=["stock", "ours", "IOLoop", "run_once", "reactor", "another loop"],
)
def test_in_a_running_loop(before: str, start: str, told: list[str]) -> None:
    out = output_of(REFUSALS.format(before=before, start=start))
    assert out.splitlines() == [*[REFUSED] * 4, "worked", *told]


def test_in_a_callback_of_a_reactor() -> None:
    out = output_of("""
        import tornado4, tornado4.platform.twisted
        reactor = tornado4.platform.twisted.install()
        async def work():
            print("worked")
        def refused():
            try:
                tornado4.run(work())
            except RuntimeError as error:
                print(f"RuntimeError: {error}")
            reactor.callLater(0, reactor.stop)
        reactor.callWhenRunning(refused)
        reactor.run()
        tornado4.run(work())
    """)
    assert out.splitlines() == [REFUSED, "worked"]


def test_in_a_thread_while_a_loop_runs() -> None:
    out = output_of("""
        import asyncio, tornado4, tornado4.platform.twisted
        reactor = tornado4.platform.twisted.install()
        async def work():
            await asyncio.sleep(0.01)
            return asyncio.get_running_loop()
        async def main():
            loop = asyncio.get_running_loop()
            other = await loop.run_in_executor(None, lambda: tornado4.run(work()))
            print(type(other) is type(loop), other is loop, other.is_closed())
            print(await work() is loop)
        tornado4.run(main())
    """)
    assert out.splitlines() == ["True False True", "True"]


def test_run_once_in_a_running_loop_calls_nothing() -> None:
    out = output_of("""
        import tornado4
        from tornado4.ioloop import IOLoop
        from tornado4.platform.twisted import run_once
        async def work(*_reactor):
            print("worked")
        async def main():
            io_loop = IOLoop(make_current=False)
            for run in run_once, io_loop.run_sync:
                try:
                    run(work)
                except RuntimeError as error:
                    print(error)
            io_loop.close()  # which says that what run_sync has added isn't wanted any more
        tornado4.run(main())
    """)
    assert out.splitlines() == [
        "run_once() cannot be called while a loop runs in this thread",
        "Cannot run the event loop while another loop is running",
    ]


def test_what_is_no_coroutine() -> None:
    # The exception is that of each Python's own asyncio.run.
    out = output_of("""
        import asyncio, tornado4
        async def work():
            return "worked"
        def outcome(run, *args):
            try:
                return run(*args)
            except Exception as error:
                return f"{type(error).__name__}: {error}"
        for bad in work, 3, None:
            stock, ours = (outcome(run, bad) for run in (asyncio.run, tornado4.run))
            print(ours == stock and "Error: " in ours, ours)
        print(tornado4.run(work()))
    """)
    *refused, worked = out.splitlines()
    assert len(refused) == 3
    assert all(line.startswith("True ") for line in refused), refused
    assert worked == "worked"
