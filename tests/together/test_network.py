"""Bad networks: no byte is lost or doubled, whatever happens on the way, and each connection's
end is told once.

The namespaces need root or unprivileged user namespaces, `/dev/net/tun` and ip(8); a proxy
needs nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from helpers.faults import peers
from helpers.faults.programs import in_thread
from helpers.faults.rounds import make_side
from helpers.faults.sides import Talk
from helpers.faults.sweep import FACES
from helpers.network.proxy import CUTS, Proxy

TESTS = Path(__file__).parent.parent
NAMESPACES = [sys.executable, "-m", "helpers.network.namespaces"]
KINDS = ["stock", "ours"]
TRANSPORTS = ["tcp", "tls"]

on_faces = pytest.mark.parametrize("face", FACES)
on_kinds = pytest.mark.parametrize("kind", KINDS)
by_transports = pytest.mark.parametrize("transport", TRANSPORTS)


@on_faces
@on_kinds
@by_transports
def test_pieces_that_come_late(face: str, kind: str, transport: str) -> None:
    side = make_side(face, kind)
    try:
        proxy = Proxy(side.listen(transport, ""), seed=1)
        exchanges = in_thread(side, lambda: peers.visit(proxy.address, transport))
        side.run_until(lambda: all(connection.lost for connection in side.served))
        proxy.close()
    finally:
        side.close()
    assert [exchange.intact and exchange.complete for exchange in exchanges] == [True] * 4
    assert [len(connection.lost) for connection in side.served] == [1] * 4
    assert side.told == []


@on_faces
@on_kinds
@by_transports
def test_connections_that_are_made_through_it(face: str, kind: str, transport: str) -> None:
    side = make_side(face, kind)
    host = peers.Host(transport, None)
    try:
        proxy = Proxy(host.address, seed=2)
        talks = [Talk(number) for number in range(3)]
        for talk in talks:
            side.connect(transport, proxy.address, talk)
        side.run_until(lambda: all(talk.over for talk in talks))
        proxy.close()
    finally:
        side.close()
        host.close()
    assert [talk.complete for talk in talks] == [True] * 3
    assert [len(talk.connection.lost) for talk in talks] == [1] * 3
    assert side.told == []


@on_faces
@by_transports
@pytest.mark.parametrize("cut", CUTS)
def test_what_is_cut_off(face: str, transport: str, cut: str) -> None:
    """Those that aren't cut are served; of the others somebody is told, and nothing more comes
    than was sent."""
    side = make_side(face, "ours")
    try:
        proxy = Proxy(side.listen(transport, ""), seed=3, cut=cut)
        exchanges = in_thread(side, lambda: peers.visit(proxy.address, transport))
        proxy.close()
        side.run_until(lambda: all(connection.lost for connection in side.served))
    finally:
        side.close()
    assert proxy.cut_off == 2
    assert [exchange.intact for exchange in exchanges] == [True] * 4
    assert [exchange.complete for exchange in exchanges] == [True, False, True, False]
    assert [len(connection.lost) for connection in side.served] == [1] * 4
    # A peer that sees a record cut off says so, which Tornado logs.
    assert side.told == [] or transport == "tls"


@pytest.fixture(scope="module")
def namespaces() -> None:
    done = subprocess.run(NAMESPACES, capture_output=True, text=True, cwd=TESTS)
    if done.returncode != 0 or done.stdout:
        pytest.skip(f"this machine has no network namespaces for us: {done.stdout or done.stderr}")


def through(face: str, kind: str, transport: str, line: str) -> Any:
    command = [*NAMESPACES, face, kind, transport, line]
    done = subprocess.run(command, capture_output=True, text=True, cwd=TESTS, timeout=200)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_all_is_well(result: Any) -> None:
    assert result["intact"]
    assert result["complete"] == 4
    assert [len(lost) for lost in result["lost"]] == [1] * 4
    assert result["told"] == []


@on_faces
def test_packets_that_are_lost_doubled_and_late(face: str, namespaces: None) -> None:
    result = through(face, "ours", "tls", "bad")
    assert_all_is_well(result)
    _, lost, doubled, overtook = result["line"]
    assert lost > 5
    assert doubled > 10
    assert overtook > 10


@pytest.mark.slow  # A minute in all.
@on_faces
@by_transports
@pytest.mark.parametrize("line", ["lossy", "down"])
def test_each_line(face: str, transport: str, line: str, namespaces: None) -> None:
    """Down: a link that goes down and comes back."""
    assert_all_is_well(through(face, "ours", transport, line))


@pytest.mark.slow  # Some seconds each: a system waits so long for somebody who is gone.
@on_faces
@on_kinds
def test_peers_who_are_gone_for_ever(face: str, kind: str, namespaces: None) -> None:
    """By keep-alive, the system finds out; and the server is told, as of any other end."""
    result = through(face, kind, "tcp", "cut")
    assert result["intact"]
    assert result["complete"] < 4
    assert len(result["lost"]) > 0
    for lost in result["lost"]:
        gone = ["TimeoutError 110"] if face != "twisted" else ["ConnectionLost"]
        assert lost == gone
