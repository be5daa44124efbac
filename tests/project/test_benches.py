"""The benchmarks' harness: what it tells is what was measured, whoever fails meanwhile."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

ROOT = Path(__file__).parent.parent.parent
RUN = ROOT / "benches" / "run.py"

# Loops that go wrong.
FAKES = """
import asyncio, os, time

def crashing():
    os._exit(3)

def hanging():
    time.sleep(1_000)

def raising():
    raise RuntimeError("not today")

class Mortal(asyncio.SelectorEventLoop):
    runs = 0

    def run_forever(self):
        self.runs += 1
        if self.runs > 3:
            os.abort()
        super().run_forever()
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the harness pins processes and reads /proc"
)


@pytest.fixture
def harness(monkeypatch):
    """Import a module of the harness by name."""
    monkeypatch.syspath_prepend(str(ROOT / "benches"))

    def module(name):
        return __import__(f"harness.{name}", fromlist=["*"])

    return module


def run(*words, path="", status=0, patience=100):
    """Run the harness; what it printed."""
    done = subprocess.run(
        [sys.executable, RUN, *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        timeout=patience,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def rows(file):
    """The rows of a file of results, by name."""
    return {row["name"]: row for row in json.loads(file.read_text())["rows"]}


def test_the_page_is_what_the_results_make():
    # No figure is written by hand, and none is forgotten.
    run("plot", "--check")


def test_a_page_that_was_changed_is_noticed(tmp_path):
    run("plot", "--into", tmp_path)
    page = tmp_path / "docs" / "benchmarks.md"
    page.write_text(page.read_text().replace("x (", "1x (", 1))
    (tmp_path / "docs" / "plots" / "more.svg").write_text("")
    said = run("plot", "--check", "--into", tmp_path, status=1)
    assert "docs/benchmarks.md, docs/plots/more.svg" in said


def test_a_page_of_poor_results_says_so(tmp_path):
    results = json.loads((ROOT / "benches" / "results" / "published.json").read_text())
    file = tmp_path / "results.json"
    pages = {}
    for load, rounds in ((0.1, 20), (0.1, 3), (50.0, 20)):
        results["on"]["load"], results["how"]["rounds"] = load, rounds
        file.write_text(json.dumps(results))
        run("plot", file, "--into", tmp_path)
        pages[load, rounds] = (tmp_path / "docs" / "benchmarks.md").read_text()
    assert "provisional" not in pages[0.1, 20]
    assert "provisional**: there were 3 rounds only" in pages[0.1, 3]
    assert "provisional**: the machine was busy with other work." in pages[50.0, 20]


def test_the_published_results_name_no_host():
    text = (ROOT / "benches" / "results" / "published.json").read_text()
    names = {os.uname().nodename, "/root/", "/home/", "/tmp/"} - {"localhost"}
    assert not [name for name in names if name in text]


def test_a_few_rows(tmp_path):
    file = tmp_path / "results.json"
    names = ("asyncio: call_soon", "tornado: add_callback", "twisted: callLater, cancel")
    printed = run("--only", *names, "--rounds", 2, "--seconds", 0.02, "--json", file)
    for name, peers in zip(names, (3, 3, 4), strict=True):
        row = rows(file)[name]
        assert f"\n{name}\n" in printed
        measured = {peer: len(taken["cpu"]) for peer, taken in row["taken"].items()}
        # uvloop isn't everywhere.
        assert measured == dict.fromkeys(set(row["peers"]) - set(row["missing"]), 2)
        assert len(row["peers"]) == peers


def test_who_fails_is_told_and_the_rest_goes_on(tmp_path):
    (tmp_path / "fakes.py").write_text(FAKES)
    file = tmp_path / "results.json"
    fakes = [f"fakes:{name}" for name in ("crashing", "hanging", "raising", "Mortal")]
    name = "asyncio: call_soon"
    printed = run(
        *("--only", name, "--peers", "asyncio", *fakes, "nosuch:loop"),
        *("--rounds", 3, "--seconds", 0.02, "--patience", 20, "--json", file),
        path=tmp_path,
    )
    row = rows(file)[name]
    assert {peer: len(it["cpu"]) for peer, it in row["taken"].items()} == {
        "tornado4": 3,
        "asyncio": 3,
    }
    assert row["missing"] == {"nosuch:loop": "nosuch isn't installed"}
    assert {peer.partition(":")[2]: why for peer, why in row["failed"].items()} == {
        "crashing": "asyncio's work on fakes:crashing ended with status 3",
        "hanging": "asyncio's work on fakes:hanging said nothing for 20 s",
        "raising": "asyncio's work on fakes:raising ended with status 1: RuntimeError: not today",
        "Mortal": "asyncio's work on fakes:Mortal was ended by SIGABRT",
    }
    assert "fakes:Mortal            failed: asyncio's work on fakes:Mortal" in printed


def test_what_is_not_there_is_said():
    assert "no row, group or face is called 'nosuch'" in run("--only", "nosuch", status=1)
    assert "no peer is called nosuch" in run("--peers", "nosuch", status=1)
    assert "nosuch.json" in run("compare", "nosuch.json", "nosuch.json", status=1)
    assert "nosuch" in run("guard", "nosuch", "nosuch", status=1)
    assert "what is published is all" in run("--publish", "--only", "udp", status=1)


def test_all_rows_are_listed():
    listed = run("--list")
    for name in ("echo-50x1000", "aio-uvicorn", "tls-connect", "scrapy-https", "close"):
        assert f"\n{name} " in listed or listed.startswith(f"{name} ")
    assert "groups: tcp unix" in listed


@pytest.mark.slow
# For building the load generator, and for the peers that hang.
@pytest.mark.timeout(1000)
@pytest.mark.skipif(which("cargo") is None, reason="cargo builds the load generator")
def test_servers(tmp_path):
    (tmp_path / "fakes.py").write_text(FAKES)
    file = tmp_path / "results.json"
    words = ("echo-50x1000", "aio-tls-50x1000", "tornado-ws-50x125", "udp", "tornado-web")
    run(
        *("--only", *words, "--peers", "C", "epoll", "asyncio", "fakes:hanging", "fakes:crashing"),
        *("--rounds", 2, "--seconds", 0.1, "--patience", 10, "--json", file),
        path=tmp_path,
        patience=900,
    )
    for name, row in rows(file).items():
        assert len(row["taken"]["tornado4"]["cpu"]) == 2, name
        # Of whom the load generator knows how long each answer took.
        assert all(it["p50"] <= it["p99"] for it in _pairs(row)), name
        fakes = {peer for peer in row["peers"] if peer.startswith("fakes")}
        assert {peer for peer in row["failed"] if peer.startswith("fakes")} == fakes


def _pairs(row):
    for taken in row["taken"].values():
        for p50, p99 in zip(taken["p50"], taken["p99"], strict=True):
            yield {"p50": p50, "p99": p99}


# The statistics, and what is made of them.


def test_a_ratio_that_says_nothing_is_not_told(harness):
    spread = harness("spread")
    doubt, of = spread.doubt, spread.Spread.of
    assert doubt(of([1.2, 1.21, 1.22, 1.2, 1.19]), 5) is None
    assert doubt(of([0.5, 0.51, 0.5]), 3) is None
    assert doubt(of([1.2, 0.9, 1.1, 0.95, 1.0]), 5) == "too close to call"
    assert doubt(of([1.2, 3.0, 1.1, 2.9, 2.0]), 5) == "too noisy to say"
    assert doubt(of([2.0]), 1) == "one round isn't enough"
    # With few values the extremes count.
    assert doubt(of([1.2, 1.2, 0.9]), 3) == "too close to call"


def test_between_what_the_median_is(harness):
    sure = harness("spread").sure_of_median
    # Five values may all lie on one side, with a chance of 1 in 16; six with 1 in 32.
    assert sure([1.0, 2.0, 3.0, 4.0, 5.0]) is None
    assert sure([6.0, 1.0, 2.0, 3.0, 4.0, 5.0]) == (1.0, 6.0)
    assert sure([float(it) for it in range(12)]) == (2.0, 9.0)


def test_fewer_rounds_when_time_is_short(harness, monkeypatch):
    measure = harness("measure")
    now = 0.0
    monkeypatch.setattr(measure.time, "monotonic", lambda: now)
    unlimited, budget = measure.Budget(None, 100.0), measure.Budget(120.0, 100.0)
    assert budget.rounds(6) == 6
    # The first row takes long, and nobody is the wiser. Then half of what was expected has
    # taken as long as it should, or longer.
    now = 10.0
    for it in unlimited, budget:
        it.done(10.0)
    now = 40.0
    assert budget.rounds(6) == 6
    for it in unlimited, budget:
        it.done(40.0)
    now = 50.0
    assert (budget.rounds(6), unlimited.rounds(6)) == (6, 6)
    now = 70.0
    # 50 seconds' worth at 1.5 seconds each, and there are 50.
    assert (budget.rounds(12), unlimited.rounds(12)) == (8, 12)
    # Never fewer than say something, unless fewer are wanted.
    now = 1_000.0
    assert (budget.rounds(6), budget.rounds(2)) == (3, 2)


def results_of(harness, ours, theirs):
    """A run of one row, with those costs."""
    module, row_module = harness("results"), harness("rows")
    row = {"face": "asyncio", "group": "calls", "name": "row", "title": "A row", "unit": "calls"}
    row |= {"by": "cpu", "ours": "tornado4", "curve": None}
    result = module.Result(row, ["tornado4", "uvloop"])
    for own, other in zip(ours, theirs, strict=True):
        result.add("tornado4", row_module.Sample(wall=own, cpu=own))
        result.add("uvloop", row_module.Sample(wall=other, cpu=other))
    return module.Results({"cpu": "some", "python": "any"}, {}, [result])


@pytest.mark.parametrize(
    ("ours", "theirs", "slower"),
    [
        ([1.3, 1.31, 1.29, 1.3, 1.3, 1.32], [1.0] * 6, True),
        # The whole machine has become slower.
        ([1.3, 1.31, 1.29, 1.3, 1.3, 1.32], [1.3] * 6, False),
        # Slower in the middle, but no more than it varies.
        ([1.3, 0.9, 1.5, 0.95, 1.3, 1.32], [1.0] * 6, False),
        ([0.7] * 6, [1.0] * 6, False),
    ],
)
def test_two_results_compared(harness, tmp_path, ours, theirs, slower):
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    results_of(harness, [1.0, 1.01, 0.99, 1.0, 1.0, 1.02], [1.0] * 6).save(old)
    results_of(harness, ours, theirs).save(new)
    said = run("compare", old, new, status=1 if slower else 0)
    assert ("slower, beyond the noise" in said) == slower
    assert ("\nfaster:\n  row" in said) == (ours[0] == 0.7)


def test_what_broke_is_worse_than_slow(harness, tmp_path):
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    before, after = (results_of(harness, [1.0] * 6, [1.0] * 6) for _ in range(2))
    after.rows[0].drop("tornado4", "it crashed", missing=False)
    before.save(old)
    after.save(new)
    assert "doesn't work any more: row: it crashed" in run("compare", old, new, status=1)


def test_what_is_saved_is_read_again(harness, tmp_path):
    before = results_of(harness, [1.0, 2.0], [3.0, 4.0])
    before.rows[0].drop("uvloop", "gone", missing=False)
    before.save(tmp_path / "file.json")
    after = harness("results").Results.load(tmp_path / "file.json")
    assert [it.as_json() for it in after] == [it.as_json() for it in before]
    (tmp_path / "other.json").write_text("[1]")
    assert "isn't what the benchmarks write" in run("plot", tmp_path / "other.json", status=1)


# What a loop's method is replaced with that dawdles.
DAWDLING = """
import {module} as module
class Slow(module.{name} if {own} else type(module.new_event_loop())):
    def {method}(self, *arguments, **more):
        sum(range(200))
        return super().{method}(*arguments, **more)
module.{name} = Slow
"""


def test_the_guard_names_what_became_slower(harness, tmp_path, monkeypatch, capsys):
    """Two builds in turns, each with a loop that dawdles where the other's doesn't.

    A row that is the same in both isn't among them: one in fifty comes out as slower by chance.
    """
    for build, module, name, method in (
        ("old", "tornado4.ioloop", "IOLoop", "add_callback"),
        ("new", "tornado4", "new_event_loop", "call_soon"),
    ):
        (tmp_path / build).mkdir()
        (tmp_path / build / "sitecustomize.py").write_text(
            DAWDLING.format(module=module, name=name, own=name == "IOLoop", method=method)
        )
    guard = harness("guard")
    monkeypatch.setattr(guard, "built", lambda revision: tmp_path / revision)
    names = ["asyncio: call_soon", "tornado: add_callback"]
    asked = argparse.Namespace(
        base="old", head="new", only=names, rounds=8, seconds=0.05, patience=30.0, json=None
    )
    assert guard.measure(asked)
    said = capsys.readouterr().out
    slower, faster = (
        said.partition(f"{heading}:\n")[2].partition("\n\n")[0]
        for heading in ("slower, beyond the noise", "faster")
    )
    assert "asyncio: call_soon" in slower
    assert "tornado: add_callback" not in slower
    assert "tornado: add_callback" in faster


@pytest.mark.parametrize(
    ("head", "slower"),
    [
        ([1.1, 1.12, 1.09, 1.1, 1.3, 1.1], True),
        # Of six, all have to be.
        ([1.1, 1.12, 1.09, 1.1, 1.3, 1.0], False),
        # Surely slower, and by too little to matter.
        ([1.02, 1.01, 1.02, 1.02, 1.02, 1.01], False),
    ],
)
def test_slower_in_each_round(harness, head, slower):
    result = results_of(harness, head, [1.0] * 6).rows[0]
    assert harness("changes").paired(result, "uvloop", "tornado4").slower == slower
