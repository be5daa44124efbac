"""add_reader and add_writer: the same calls in the same order as stock asyncio."""

import os

import pytest

from helpers.loops import on_asyncio, ours_asyncio
from helpers.scenarios import pipe, socket_pair, turns


@on_asyncio
def test_a_partial_drain_is_called_again_each_turn(run):
    def scenario(loop, trace):
        with pipe() as (r, w):
            os.write(w, b"abc")
            loop.add_reader(r, lambda: trace.append(os.read(r, 1)))
            for turn in range(5):
                trace.append(turn)
                turns(loop)

    assert run(scenario) == [0, b"a", 1, b"b", 2, b"c", 3, 4]


@on_asyncio
def test_arguments_reach_the_callback(run):
    def scenario(loop, trace):
        with socket_pair() as (left, right):
            right.send(b"x")
            loop.add_reader(left, lambda *args: trace.append(args), 1, None)
            loop.add_writer(left, lambda *args: trace.append(args))
            turns(loop)

    assert run(scenario) == [(1, None), ()]


@on_asyncio
def test_a_handler_that_removes_itself(run):
    def scenario(loop, trace):
        def once():
            trace.append(loop.remove_reader(r))
            trace.append(loop.remove_reader(r))

        with pipe() as (r, w):
            os.write(w, b"abc")
            loop.add_reader(r, once)
            turns(loop, 3)

    assert run(scenario) == [True, False]


@on_asyncio
def test_a_handler_removed_by_another_in_the_same_turn_is_not_called(run):
    def scenario(loop, trace):
        def one():
            trace.append(("one", loop.remove_reader(r2)))

        def two():
            trace.append(("two", loop.remove_reader(r1)))

        with pipe() as (r1, w1), pipe() as (r2, w2):
            os.write(w1, b"x")
            os.write(w2, b"x")
            loop.add_reader(r1, one)
            loop.add_reader(r2, two)
            turns(loop, 2)

    assert run(scenario) == [("one", True), ("one", False)]


@on_asyncio
def test_a_reader_removes_the_writer_of_its_own_descriptor(run):
    def scenario(loop, trace):
        with socket_pair() as (left, right):
            right.send(b"x")
            loop.add_writer(left, trace.append, "write")
            loop.add_reader(left, lambda: trace.append(loop.remove_writer(left)))
            turns(loop, 2)

    assert run(scenario) == [True, False]


@on_asyncio
def test_a_replaced_reader_is_not_called(run):
    def scenario(loop, trace):
        with pipe() as (r, w):
            os.write(w, b"x")
            loop.add_reader(r, trace.append, "old")
            loop.add_reader(r, trace.append, "new")
            turns(loop, 2)
            trace.append(loop.remove_reader(r))
            trace.append(loop.remove_reader(r))

    assert run(scenario) == ["new", "new", True, False]


@on_asyncio
def test_a_reader_replaced_while_its_event_waits_is_not_called(run):
    def scenario(loop, trace):
        def replace():
            trace.append("replace")
            loop.remove_reader(r1)
            loop.add_reader(r2, trace.append, "new")

        with pipe() as (r1, w1), pipe() as (r2, w2):
            os.write(w1, b"x")
            os.write(w2, b"x")
            loop.add_reader(r1, replace)
            loop.add_reader(r2, trace.append, "old")
            turns(loop, 2)

    assert run(scenario) == ["replace", "new"]


@on_asyncio
@pytest.mark.parametrize("writer_first", [False, True])
def test_both_directions_the_reader_goes_first(run, writer_first):
    def scenario(loop, trace):
        with socket_pair() as (left, right):
            right.send(b"x")
            if writer_first:
                loop.add_writer(left, trace.append, "write")
            loop.add_reader(left, trace.append, "read")
            if not writer_first:
                loop.add_writer(left, trace.append, "write")
            turns(loop, 2)
            trace.append(loop.remove_reader(left))
            turns(loop)
            trace.append(loop.remove_writer(left))
            turns(loop)

    both = ["read", "write"]
    assert run(scenario) == [*both, *both, True, "write", True]


@on_asyncio
def test_what_a_callback_adds_is_called_from_the_next_turn_on(run):
    def scenario(loop, trace):
        def add():
            trace.append("first")
            loop.remove_reader(r1)
            loop.add_reader(r2, trace.append, "second")

        with pipe() as (r1, w1), pipe() as (r2, w2):
            os.write(w1, b"x")
            os.write(w2, b"x")
            loop.add_reader(r1, add)
            for turn in range(2):
                trace.append(turn)
                turns(loop)

    assert run(scenario) == [0, "first", 1, "second"]


@on_asyncio
def test_an_exception_is_reported_and_the_reader_stays(run):
    def scenario(loop, trace):
        with pipe() as (r, w):
            os.write(w, b"ab")
            loop.add_reader(r, lambda: int(os.read(r, 1)))
            turns(loop, 3)

    invalid = "invalid literal for int() with base 10: b'{}'"
    assert run(scenario) == [
        ("reported", "ValueError", invalid.format("a")),
        ("reported", "ValueError", invalid.format("b")),
    ]


@on_asyncio
def test_a_number_reused_after_removal_gets_none_of_the_old_events(run):
    def scenario(loop, trace):
        def reuse():
            trace.append(loop.remove_reader(r2))
            os.dup2(r3, r2)
            loop.add_reader(r2, trace.append, "successor")
            loop.remove_reader(r1)

        with pipe() as (r1, w1), pipe() as (r2, w2), pipe() as (r3, w3):
            os.write(w1, b"x")
            os.write(w2, b"x")
            loop.add_reader(r1, reuse)
            loop.add_reader(r2, trace.append, "predecessor")
            try:
                turns(loop, 2)
                os.write(w3, b"x")
                turns(loop)
            finally:
                loop.remove_reader(r2)
                os.close(r2)

    assert run(scenario) == [True, "successor"]


@pytest.mark.parametrize("writing_before", [False, True])
def test_a_number_reused_without_removal_works(writing_before):
    # Stock asks epoll for nothing, since the interest it remembers is the same, and
    # silently never calls back; with another interest than before, it raises ENOENT.
    def scenario(loop, trace):
        with socket_pair() as (left, _), socket_pair() as (other, peer):
            fd = left.fileno()
            loop.add_reader(fd, trace.append, "predecessor")
            if writing_before:
                loop.add_writer(fd, trace.append, "predecessor")
            os.dup2(other.fileno(), fd)
            loop.add_reader(fd, trace.append, "successor")
            loop.remove_writer(fd)
            turns(loop)
            trace.append("silence")
            peer.send(b"x")
            turns(loop)
            trace.append(loop.remove_reader(fd))

    assert ours_asyncio(scenario) == ["silence", "successor", True]


@on_asyncio
def test_closed_with_a_dup_alive_nothing_comes_after_the_removal(run):
    def scenario(loop, trace):
        with pipe() as (r, w):
            kept = os.dup(r)
            os.write(w, b"x")
            loop.add_reader(r, trace.append, "read")
            turns(loop)
            os.close(r)
            trace.append(loop.remove_reader(r))
            turns(loop, 3)
            os.close(kept)

    assert run(scenario) == ["read", True]


def test_closed_with_a_dup_alive_its_successor_gets_none_of_its_events():
    # Epoll goes on reporting the old file under its old number, and cannot be told
    # to stop; stock hands these events to whoever has the number now.
    def scenario(loop, trace):
        with pipe() as (r, w), pipe() as (r2, w2):
            kept = os.dup(r)
            os.write(w, b"x")
            loop.add_reader(r, trace.append, "predecessor")
            os.dup2(r2, r)
            loop.remove_reader(r)
            loop.add_reader(r, trace.append, "successor")
            turns(loop, 3)
            trace.append("silence")
            os.write(w2, b"x")
            turns(loop)
            loop.remove_reader(r)
            os.close(r)
            os.close(kept)

    assert ours_asyncio(scenario) == ["silence", "successor"]
