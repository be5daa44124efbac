"""What to do once the services are up: check them all, show them talking, or serve."""

from __future__ import annotations

import asyncio
import faulthandler
import threading
import traceback
from collections.abc import Awaitable, Callable, Mapping

from tornado.ioloop import IOLoop

from tornado4.demo.bridges import BRIDGES, one_loop
from tornado4.demo.pairs import PAIRS, Pair, relay
from tornado4.demo.services import Services
from tornado4.demo.words import HOST

Check = Callable[[Services], Awaitable[str]]

CHECKS: dict[str, Check] = {
    **{pair.name: pair.check for pair in PAIRS},
    "asyncio -> Tornado web -> Twisted lines": relay,
    **BRIDGES,
}
TIMEOUT = 10.0  # seconds, for each check


async def check(services: Services, checks: Mapping[str, Check]) -> int:
    """Run the checks and print a line for each; return the exit code."""
    passed = 0
    for name, run in checks.items():
        # The loop keeps the time-out; should the loop itself hang, this ends the process.
        faulthandler.dump_traceback_later(2 * TIMEOUT, exit=True)
        try:
            result = await asyncio.wait_for(run(services), TIMEOUT)
        except Exception as error:
            print(f"FAILED {name:40} {type(error).__name__}: {error}", flush=True)
            traceback.print_exc()
        else:
            passed += 1
            print(f"ok     {name:40} {result}", flush=True)
    faulthandler.cancel_dump_traceback_later()
    print(f"{passed} of {len(checks)} checks passed")
    return 0 if checks and passed == len(checks) else 1


async def show(services: Services) -> int:
    """Let all pairs talk at the same time for some rounds, then print who said how much."""
    rounds = 8
    print_services(services)

    async def talk(pair: Pair) -> int:
        volume = 0
        for n in range(rounds):
            volume += await pair.talk(services, f"hello{n}")
            await asyncio.sleep(0.2)
        return volume

    volumes = await asyncio.gather(*[talk(pair) for pair in PAIRS])
    print(f"\n{'who asks whom':42}{'messages':>10}{'bytes':>8}")
    for pair, volume in zip(PAIRS, volumes, strict=True):
        print(f"{pair.name:42}{2 * rounds:10}{volume:8}")
    print(f"{'total':42}{2 * rounds * len(PAIRS):10}{sum(volumes):8}")

    print(f"\nasyncio.get_running_loop()  {describe(asyncio.get_running_loop())}")
    print(f"IOLoop.current()            {describe(IOLoop.current())}")
    print(f"reactor                     {describe(services.reactor)}")
    await one_loop(services)  # raises unless the three are one
    print(f"All of it ran in one thread ({threading.current_thread().name}), on the same loop.")
    return 0


async def serve(services: Services) -> int:
    """Keep the services up until Ctrl-C, which makes the reactor stop."""
    print_services(services)
    print(f"try  curl http://{HOST}:{services.ports['Tornado web']}/relay/hello  (Ctrl-C ends)")
    await asyncio.Event().wait()
    return 0


def print_services(services: Services) -> None:
    for name, port in services.ports.items():
        print(f"{name:16}{'http' if 'web' in name else 'tcp'}://{HOST}:{port}", flush=True)


def describe(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"
