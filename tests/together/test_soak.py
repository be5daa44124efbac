"""A short run of what `make soak` runs for an hour: all faces together, every byte checked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

BENCHES = Path(__file__).parent.parent.parent / "benches"
KINDS = {
    *("asyncio TCP", "asyncio TCP, buffered", "asyncio TLS", "asyncio UNIX", "asyncio UDP"),
    *("asyncio pipes", "Twisted TCP", "Twisted TLS", "Twisted UNIX", "Twisted UDP", "Twisted web"),
    *("Tornado streams", "Tornado TLS", "Tornado's own streams", "Tornado's own TLS"),
    *("Tornado web", "timers", "threads", "children", "blocking peer"),
}


def test_ten_seconds(tmp_path):
    file, picture = tmp_path / "soak.json", tmp_path / "soak.svg"
    words = ["--minutes", "0.15", "--seed", "5", "--json", file, "--svg", picture]
    command = [sys.executable, str(BENCHES / "soak.py"), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(file.read_text())
    assert result["wrong"] == result["leaks"] == result["left_open"] == []
    assert set(result["kinds"]) == KINDS
    assert result["bytes"] > 0
    assert {len(values) for values in result["samples"].values()} == {9}
    assert {"memory", "descriptors", "threads", "lag_p99"} < set(result["samples"])
    ElementTree.parse(picture)


@pytest.fixture
def soaking(monkeypatch):
    monkeypatch.syspath_prepend(BENCHES)
    from soaking import verdict, world

    return verdict, world


def test_a_wrong_byte_is_noticed(soaking, tmp_path):
    world = soaking[1].World(None, tmp_path, 1, 0)
    world.compare("name", b"abc", b"abc")
    assert world.wrong == []
    world.compare("name", b"abc", b"ab")
    world.compare("name", b"abc", b"axc")
    assert [said.rpartition("different from ")[2] for said in world.wrong] == ["the end on", "1 on"]


def test_what_grows_is_noticed(soaking):
    verdict = soaking[0]
    seconds = [float(n) for n in range(400)]
    flat = [100.0 * 2**20] * 400
    grows = [value + 2**17 * n for n, value in enumerate(flat)]
    assert verdict.leaks({"second": seconds, "memory": flat}) == []
    [said] = verdict.leaks({"second": seconds, "memory": grows})
    assert said.startswith("memory: +")
    assert verdict.per_hour(grows, seconds) == pytest.approx(2**17 * 3600)
    assert verdict.leaks({"second": seconds[:99], "memory": grows[:99]}) == []
