"""A server and its peers in two network namespaces, with a bad line between them.

`python -m helpers.network.namespaces FACE KIND TRANSPORT LINE [SEED]`, in a process of its own,
prints what has come of it as JSON. Without arguments it says why this machine can't do it, if
it can't.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from helpers.faults import peers, sides
from helpers.network import line
from helpers.network.line import HERE, THERE, Line, Treatment

LINES = {
    "good": Treatment(),
    "lossy": Treatment(lost=0.03),
    "late": Treatment(delayed=0.015),
    "bad": Treatment(lost=0.01, doubled=0.05, delayed=0.005),
    # It goes down and comes back in the middle.
    "down": Treatment(delayed=0.003),
    # It is cut for ever while the server has something to send.
    "cut": Treatment(),
}
# Seconds; a lost packet is sent again after a fifth of one, and after twice as long then.
PATIENCE = 60.0


def go_down_and_up(between: Line) -> None:
    for _ in range(3):
        time.sleep(0.02)
        line.ip("link set line down")
        time.sleep(0.05)
        line.ip("link set line up")
        # What the device had is gone with it.
        line.ip(f"route replace {THERE} dev line src {HERE}")


def cut(between: Line) -> None:
    time.sleep(0.02)
    between.cut = True


def give_up_soon(fd: int) -> None:
    """Have the system lose a connection of which it hears nothing for two seconds."""
    with socket.socket(fileno=os.dup(fd)) as borrowed:
        borrowed.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in [
            (socket.TCP_KEEPIDLE, 1),
            (socket.TCP_KEEPINTVL, 1),
            (socket.TCP_KEEPCNT, 2),
            (socket.TCP_USER_TIMEOUT, 2000),
        ]:
            borrowed.setsockopt(socket.IPPROTO_TCP, option, value)


def there(ready: Callable[[int], None], job: Callable[[], Any], begin: threading.Event) -> None:
    line.leave_network()
    ready(line.end_of_line(THERE, HERE))
    begin.wait()
    job()


def main(face: str, kind: str, transport: str, name: str, seed: str = "0") -> None:
    from helpers.faults.rounds import make_side

    peers.PATIENCE = 1.0 if name == "cut" else PATIENCE
    sides.LIMIT = 2 * PATIENCE
    line.leave_network()
    here = line.end_of_line(HERE, THERE)
    side = make_side(face, kind)
    side.host = HERE
    if name == "cut":
        side.made = give_up_soon
    address = side.listen(transport, "")
    ends: list[int] = []
    exchanges: list[Any] = []
    made, begin = threading.Event(), threading.Event()

    def ready(end: int) -> None:
        ends.append(end)
        made.set()

    def job() -> None:
        exchanges.extend(peers.visit(address, transport))

    thread = threading.Thread(target=there, args=(ready, job, begin))
    thread.start()
    made.wait()
    between = Line(here, ends[0], LINES[name], int(seed))
    begin.set()
    trouble = {"down": go_down_and_up, "cut": cut}.get(name)
    # Of this thread's network namespace.
    other = threading.Thread(target=trouble, args=(between,)) if trouble else None
    if other:
        other.start()
    side.run_until(
        lambda: not thread.is_alive() and all(connection.lost for connection in side.served)
    )
    thread.join()
    if other:
        other.join()
    side.close()
    between.close()
    print(
        json.dumps(
            {
                "intact": all(exchange.intact for exchange in exchanges),
                "complete": sum(exchange.complete for exchange in exchanges),
                "lost": [connection.lost for connection in side.served],
                "told": side.told,
                "line": [between.passed, between.lost, between.doubled, between.overtook],
            }
        )
    )


def check() -> None:
    try:
        line.leave_network()
        line.end_of_line(HERE, THERE)
    except (OSError, line.subprocess.CalledProcessError) as error:
        print(error)


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 1 else check()
