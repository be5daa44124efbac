"""All three faces together in one process, on one loop, with every byte checked.

`python benches/soak.py --minutes 60 --json soak.json --svg soak.svg`; `make soak MINUTES=60`.

Visitors of every kind (benches/soaking) go to servers of every kind, again and again: Twisted's
TCP, TLS, UNIX and UDP transports and its web; asyncio's TCP (also buffered), TLS, UNIX, UDP and
pipes; Tornado's streams, its own and the native ones, plain and over TLS, and its web; timers,
threads and child processes; a peer of blocking sockets. They connect and disconnect, pause,
half-close and reset. What comes back must be what was sent.

Each second the process's memory, descriptors, threads and lag are recorded. At the end the
exit status is 1 if a byte was wrong, something failed, or anything has leaked: whatever has
grown between the second quarter of the time and the last (of five minutes or more), and what
is open at the end and wasn't before. `--loop asyncio` and `--loop uvloop` run the same on those,
with Twisted's AsyncioSelectorReactor.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import platform
import ssl
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.certificate import write_certificate

LOOPS = ("tornado4", "asyncio", "uvloop")


def reactor_on(loop: str) -> Any:
    if loop == "tornado4":
        from tornado4.platform.twisted import install

        return install()
    from twisted.internet import asyncioreactor

    if loop == "uvloop":
        import uvloop

        made: Any = uvloop.new_event_loop()
    else:
        made = asyncio.SelectorEventLoop()
    asyncio.set_event_loop(made)
    asyncioreactor.install(made)
    from twisted.internet import reactor

    return reactor


def contexts(pem: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(pem)
    client.check_hostname = False
    return server, client


async def soak(world: Any, seconds: float, visitors: int, file: Any, before: set[str]) -> None:
    """Run all of it, and close what was opened."""
    from soaking import asyncio_work, other_work, record, tornado_work, twisted_work

    pem = write_certificate(world.folder)
    visits = await asyncio_work.start(world, contexts(pem))
    visits |= twisted_work.start(world, pem)
    visits |= tornado_work.start(world, contexts(pem))
    visits |= other_work.VISITS
    recorder = record.Recorder(world, file)
    tasks = [
        asyncio.ensure_future(
            world.visit_until_the_end(name, visit, world.random.randrange(1 << 30))
        )
        for name, visit in visits.items()
        for _ in range(visitors)
    ]
    tasks.append(asyncio.ensure_future(recorder.tick()))
    try:
        await recorder.record(seconds)
    finally:
        world.ended = True
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if outcome is not None:
                # Such as that something has cancelled it.
                world.failed(f"a visitor has ended: {outcome!r}")
        await world.close()
        await until_closed(before)


async def until_closed(before: set[str]) -> None:
    """Wait for what closes in a later iteration: soon, but on a busy machine."""
    from soaking import record

    for _ in range(100):
        await asyncio.sleep(0.2)
        gc.collect()
        if record.opened() <= before:
            return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--loop", choices=LOOPS, default="tornado4")
    parser.add_argument("--visitors", type=int, default=2, help="of each kind at a time")
    parser.add_argument("--pause", type=float, default=0.1, help="between visits, at most")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--json", type=Path, help="where each second's numbers are written")
    parser.add_argument("--svg", type=Path, help="where the curves are drawn")
    parser.add_argument("--draw", type=Path, metavar="JSON", help="draw these numbers, run nothing")
    wanted = parser.parse_args()
    if wanted.draw:
        from soaking import picture

        drawn = picture.drawn(json.loads(wanted.draw.read_text()))
        (wanted.svg or wanted.draw.with_suffix(".svg")).write_text(drawn)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        return run(wanted, Path(folder))


def run(wanted: Any, folder: Path) -> int:
    reactor = reactor_on(wanted.loop)
    from soaking import record, verdict
    from soaking.world import World

    logging.disable(logging.INFO)
    world = World(reactor, folder, wanted.seed, wanted.pause)
    lines = wanted.json.with_suffix(".lines") if wanted.json else folder / "lines"
    failed: list[BaseException] = []

    def begin() -> None:
        seconds = wanted.minutes * 60
        task = asyncio.ensure_future(soak(world, seconds, wanted.visitors, file, before))
        task.add_done_callback(ended)

    def ended(task: Any) -> None:
        if not task.cancelled() and task.exception() is not None:
            failed.append(task.exception())
        reactor.stop()

    with lines.open("w") as file:
        before = record.opened()
        reactor.callWhenRunning(begin)
        reactor.run()
        gc.collect()
        left = sorted(record.opened() - before)
    samples = record.columns(lines)
    result: dict[str, Any] = {
        "loop": wanted.loop,
        "python": platform.python_version(),
        "seed": wanted.seed,
        "visits": sum(world.visits.values()),
        "kinds": dict(sorted(world.visits.items())),
        "bytes": world.bytes,
        "datagrams_sent_again": world.again,
        "wrong": [*world.wrong, *map(repr, failed)],
        "leaks": verdict.leaks(samples),
        "growth": {name: verdict.growth(samples[name]) for name in verdict.ALLOWED},
        "per_hour": {
            name: verdict.per_hour(samples[name], samples["second"]) for name in verdict.ALLOWED
        },
        "left_open": left,
        "samples": samples,
    }
    if left:
        result["leaks"].append(f"descriptors: left open at the end: {', '.join(left)}")
    if wanted.json:
        wanted.json.write_text(json.dumps(result))
        lines.unlink()
    if wanted.svg:
        from soaking import picture

        wanted.svg.write_text(picture.drawn(result))
    say(result)
    return 1 if result["wrong"] or result["leaks"] else 0


def say(result: dict[str, Any]) -> None:
    print(f"{result['visits']:,} visits, {result['bytes']:,} bytes came back, on {result['loop']}")
    print("  " + ", ".join(f"{name} {number:,}" for name, number in result["kinds"].items()))
    for name, more in result["growth"].items():
        last, hour = result["samples"][name][-1], result["per_hour"][name]
        print(f"  {name}: {last:,.0f}, {more:+,.0f} since the second quarter, {hour:+,.0f} an hour")
    for what in ("wrong", "leaks"):
        print(f"{what}: {len(result[what])}")
        for each in result[what]:
            print("  " + each.replace("\n", "\n  "))


if __name__ == "__main__":
    sys.exit(main())
