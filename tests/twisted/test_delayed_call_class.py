"""What `callLater` returns is a DelayedCall of Twisted's, for programs that look at it."""

import copy
import gc
import weakref

import pytest
from twisted.internet.base import DelayedCall
from twisted.internet.interfaces import IDelayedCall
from zope.interface.verify import verifyObject

from helpers.loops import on_reactors, ours_reactor, tornado4_reactor
from helpers.scenarios import outcome, run_reactor

NAMES = [name for name in vars(DelayedCall) if not name.startswith("__")]


def stop_after(reactor, seconds):
    reactor.callLater(seconds, reactor.stop)
    run_reactor(reactor)


@on_reactors
def test_is_one(run):
    def scenario(reactor, trace):
        call = reactor.callLater(5, len)
        trace.append(isinstance(call, DelayedCall))
        trace.append(call.__class__ is DelayedCall)
        trace.append(verifyObject(IDelayedCall, call))
        trace.append(isinstance(5, call.__class__))
        call.cancel()

    assert run(scenario) == [True, True, True, False]


@on_reactors
def test_has_what_the_class_has(run):
    def scenario(reactor, trace):
        call = reactor.callLater(5, len)
        trace.extend((name, hasattr(call, name)) for name in NAMES)
        trace.append((call.delayed_time, call.debug, call.creator, call._repr))
        trace.append(outcome(call.activate_delay) if call.delayed_time else None)
        trace.append(outcome(getattr, call, "nobody_has_this")[0])
        call.cancel()

    assert all(has for _, has in run(scenario)[: len(NAMES)])


@on_reactors
def test_notes(run):
    def scenario(reactor, trace):
        one, other = (reactor.callLater(5, len) for _ in "ab")
        one.owner = "me"
        one.group = ["us"]
        trace.append((one.owner, one.group, hasattr(other, "owner")))
        one.owner = "you"
        other.owner = "them"
        trace.append((one.owner, other.owner))
        trace.append((vars(one)["owner"], "owner" in vars(other)))
        del one.owner
        trace.append((hasattr(one, "owner"), hasattr(other, "owner")))
        trace.append(outcome(delattr, one, "owner")[0])
        trace.append(outcome(delattr, one, "was_never_set")[0])
        for call in one, other:
            call.cancel()
            call.note = "after"
            trace.append(call.note)

    assert run(scenario)[:2] == [("me", ["us"], False), ("you", "them")]


@on_reactors
def test_work_that_is_replaced(run):
    def scenario(reactor, trace):
        def fails(*args):
            raise ValueError(args)

        def later(function, *args, **kw):
            return reactor.callLater(0.001 * (1 + len(made)), function, *args, **kw)

        made = []
        for change in [
            {},
            {"args": ("b",)},
            {"args": ["a", "list"]},
            {"args": iter("it")},
            {"func": lambda *args, **kw: trace.append(("instead", args, kw))},
            {"func": lambda *args, **kw: trace.append(("kw", args, kw)), "kw": {"y": 1}},
            {"func": fails},
            {"func": None},
        ]:
            call = later(lambda *args: trace.append(args), "a")
            for name, value in change.items():
                setattr(call, name, value)
                trace.append(("kept", getattr(call, name) is value))
            made.append(call)
        more = later(lambda **kw: trace.append(sorted(kw.items())), x=1)
        more.kw.update(y=2)
        none = later(lambda **kw: trace.append(sorted(kw.items())))
        none.kw["z"] = 3
        listed = later(lambda *args: trace.append(args))
        listed.args = []
        listed.args.append("late")
        stop_after(reactor, 0.05)
        trace.extend((call.called, call.cancelled) for call in made)

    trace = run(scenario)
    assert ("a",) in trace
    assert ("late",) in trace
    assert [("x", 1), ("y", 2)] in trace
    assert [("z", 3)] in trace
    assert [event[1] for event in trace if event[0] == "logged"] == ["ValueError", "TypeError"]


@pytest.mark.parametrize("change", [{"args": 5}, {"kw": 5}, {"args": None}])
def test_arguments_that_are_none_are_logged(change):
    # Not compared: how Python words it depends on who unpacks them.
    def scenario(reactor, trace):
        call = reactor.callLater(0, trace.append, "never")
        for name, value in change.items():
            setattr(call, name, value)
        stop_after(reactor, 0.01)

    trace = ours_reactor(scenario)
    assert [event[:2] for event in trace] == [("logged", "TypeError")]


@on_reactors
def test_work_after_a_cancellation(run):
    def scenario(reactor, trace):
        call = reactor.callLater(5, len, "abc")
        call.cancel()
        for name in "func", "args", "kw":
            trace.append(outcome(getattr, call, name)[0])
            setattr(call, name, name)
            trace.append(getattr(call, name))
        stop_after(reactor, 0)

    assert run(scenario)[:2] == ["AttributeError", "func"]


@on_reactors
def test_copies(run):
    def scenario(reactor, trace):
        call = reactor.callLater(0.001, trace.append, "called")
        call.owner = ["me"]
        other = copy.copy(call)
        trace.append((type(other) is type(call), other is call, other == call))
        trace.append((other.getTime() == call.getTime(), other.owner is call.owner))
        trace.append((other.func, other.args, other.kw) == (call.func, call.args, call.kw))
        other.owner = "else"
        other.args = ("never",)
        trace.append((call.owner, call.args, other.active()))
        trace.append(other in reactor.getDelayedCalls())
        stop_after(reactor, 0.01)
        trace.append((call.called, call.active(), other.called, other.active()))
        again = copy.copy(call)
        trace.append((again.called, again.active(), outcome(again.cancel)))
        gone = reactor.callLater(5, len)
        gone.cancel()
        trace.append((copy.copy(gone).cancelled, outcome(copy.copy(gone).delay, 1)))

    trace = run(scenario)
    assert trace[3:6] == [(["me"], ("called",), True), False, "called"]


def test_a_copy_is_moved_and_cancelled_alone():
    # Twisted's own counts such a cancellation as one of the call that is scheduled.
    ran = []
    with tornado4_reactor() as reactor:
        call = reactor.callLater(0.001, ran.append, "called")
        other = copy.copy(call)
        other.reset(0)
        other.delay(-0.5)
        assert other.getTime() < call.getTime()
        other.cancel()
        assert (other.active(), call.active()) == (False, True)
        stop_after(reactor, 0.01)
    assert ran == ["called"]


def test_what_the_class_knows_is_not_a_note():
    with tornado4_reactor() as reactor:
        call = reactor.callLater(5, len)
        for name in "cancel", "called", "time", "__class__":
            with pytest.raises(AttributeError):
                setattr(call, name, None)
            with pytest.raises((AttributeError, TypeError)):
                delattr(call, name)
        assert call.active()
        with pytest.raises(TypeError):
            setattr(call, 5, 5)
        call.cancel()


def test_a_note_with_a_special_name_changes_no_other_call():
    with tornado4_reactor() as reactor:
        call = reactor.callLater(5, len)
        for name in "__bool__", "__call__", "__del__":
            with pytest.raises(AttributeError):
                setattr(call, name, len)
        other = reactor.callLater(5, len)
        assert other
        assert not callable(other)


def test_a_cycle_of_notes_is_collected():
    class Owner:
        pass

    with tornado4_reactor() as reactor:
        owner = Owner()
        owner.call = reactor.callLater(5, len)
        owner.call.owner = owner
        seen = weakref.ref(owner)
        owner.call.cancel()
        del owner
        gc.collect()
        assert seen() is None
