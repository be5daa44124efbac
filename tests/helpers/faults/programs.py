"""What is run while something fails, and what must be true however it ends."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from helpers.faults import peers
from helpers.faults.shim import harmed, here, plan_nothing, seen
from helpers.faults.sides import Child, Side, Talk, error_of

# How many calls another thread makes.
CALLS = 20
# What a child process is given.
DATA = bytes(range(256)) * 500


@dataclass
class Outcome:
    """What has come of a program."""

    # What was wrong whatever has failed.
    wrong: list[str] = field(default_factory=list)
    # The connections, datagrams and processes that weren't served to their end.
    spoilt: int = 0
    # Everything that somebody was told.
    told: list[str] = field(default_factory=list)
    # How many calls have been harmed, and how many there were of each kind until the fault
    # was over.
    harmed: int = 0
    seen: dict[str, int] = field(default_factory=dict)

    def heal(self) -> None:
        """Let nothing fail from now on."""
        self.harmed, self.seen = harmed(), seen()
        plan_nothing()


Program = Callable[[Side, str, Outcome], None]


def judge(exchanges: list[peers.Exchange], outcome: Outcome) -> None:
    for exchange in exchanges:
        if not exchange.intact:
            outcome.wrong.append("bytes were lost, doubled or mixed up")
        if exchange.hung:
            outcome.wrong.append("a peer waited in vain")
        outcome.spoilt += not exchange.complete


def in_thread(side: Side, job: Callable[[], Any]) -> Any:
    """Run the side while a job is done in a thread. Return what that returns."""
    result: list[Any] = []
    thread = threading.Thread(target=lambda: result.append(job()))
    thread.start()
    side.run_until(lambda: not thread.is_alive())
    thread.join()
    return result[0] if result else []


def serve(side: Side, transport: str, outcome: Outcome) -> None:
    """Connections that are accepted and echoed."""
    with tempfile.TemporaryDirectory() as folder:
        address = side.listen(transport, os.path.join(folder, "s"))
        exchanges = in_thread(side, lambda: peers.visit(address, transport))
        judge(exchanges, outcome)
        side.run_until(lambda: all(connection.lost for connection in side.served))
        # What has failed once is no more: everybody is served.
        outcome.heal()
        [late] = in_thread(side, lambda: peers.visit(address, transport, count=1))
        if not late.complete:
            outcome.wrong.append("nobody is served any more")
        side.run_until(lambda: all(connection.lost for connection in side.served))


def connect(side: Side, transport: str, outcome: Outcome) -> None:
    """Connections that are made, and talk to a server that echoes."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "s") if transport == "unix" else None
        host = peers.Host(transport, path)
        try:
            talks: list[Talk] = []

            def ended() -> bool:
                if len(talks) < 3 and (not talks or talks[-1].over):
                    talks.append(talk := Talk(len(talks)))
                    try:
                        side.connect(transport, host.address, talk)
                    except OSError as error:
                        talk.failed.append(error_of(error))
                return all(talk.over for talk in talks)

            side.run_until(ended)
            outcome.heal()
            late = Talk(9)
            side.connect(transport, host.address, late)
            side.run_until(lambda: late.over)
        finally:
            plan_nothing()
            host.close()
    outcome.spoilt += sum(not talk.complete for talk in talks)
    for talk in talks:
        outcome.told += [f"failed: {error}" for error in talk.failed]
        outcome.told += [f"lost: {error}" for error in talk.connection.lost]
        if not talk.intact:
            outcome.wrong.append("bytes were lost, doubled or mixed up")
        if len(talk.failed) + len(talk.connection.lost) != 1:
            outcome.wrong.append(f"ended {talk.failed + talk.connection.lost}")
    if not late.complete:
        outcome.wrong.append(f"nobody can connect any more: {late.failed}")


def datagrams(side: Side, transport: str, outcome: Outcome) -> None:
    address = side.datagrams()
    came = in_thread(side, lambda: peers.visit_with_datagrams(address))
    if len(came) != 30:
        outcome.wrong.append("a datagram came twice")
    outcome.spoilt += came.count(False)
    outcome.heal()
    if not all(in_thread(side, lambda: peers.visit_with_datagrams(address, count=2))):
        outcome.wrong.append("datagrams are no longer answered")


def child(side: Side, transport: str, outcome: Outcome) -> None:
    """Child processes, with their pipes and exit codes."""
    children: list[Child] = []

    def ended() -> bool:
        if len(children) < 2 and (not children or children[-1].over):
            children.append(side.spawn(DATA))
        return all(child.over for child in children)

    side.run_until(ended)
    outcome.heal()
    late = side.spawn(DATA)
    side.run_until(lambda: late.over)
    for one in children:
        outcome.told += one.failed
        # To lose what a process says, or how it ends, is worse than to be told that it failed.
        if one.ended and (one.output, one.ended) != (DATA, [0]):
            outcome.told.append(f"exit {one.ended}")
        outcome.spoilt += (one.output, one.ended) != (DATA, [0])
    if (late.output, late.ended) != (DATA, [0]):
        outcome.wrong.append("no process can be run any more")


def threads(side: Side, transport: str, outcome: Outcome) -> None:
    """Calls of another thread, each of which must be made while nothing else wakes the loop."""
    ran: list[int] = []
    made = threading.Event()

    def call(number: int) -> None:
        ran.append(number)
        made.set()
        if number == CALLS - 1:
            side.stop()

    def run() -> None:
        with here():
            for number in range(CALLS):
                made.clear()
                try:
                    side.call_from_thread(call, number)
                except OSError as error:
                    outcome.told.append(f"the call: {error_of(error)}")
                    side.call_from_thread(call, number)
                # The wake-up may be lost, if the next call makes up for it.
                made.wait(0.2)
        if len(ran) < CALLS:
            side.call_from_thread(side.stop)

    thread = threading.Thread(target=run)
    thread.start()
    for _ in range(20):
        try:
            side.run()
            break
        except OSError as error:
            outcome.told.append(f"the loop ended: {error_of(error)}")
    thread.join()
    outcome.heal()
    if ran != list(range(CALLS)):
        outcome.wrong.append(f"calls were lost, doubled or mixed up: {ran}")


PROGRAMS: dict[str, tuple[Program, str]] = {
    "tcp": (serve, "tcp"),
    "unix": (serve, "unix"),
    "tls": (serve, "tls"),
    "connect tcp": (connect, "tcp"),
    "connect unix": (connect, "unix"),
    "connect tls": (connect, "tls"),
    "datagrams": (datagrams, ""),
    "child": (child, ""),
    "threads": (threads, ""),
}
